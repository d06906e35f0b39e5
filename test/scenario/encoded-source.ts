/** A voice that is coded somewhere else, in scenarios: Opus packets with a clock of their own. */
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import { type ConnectOptions, connectAgent } from "../../agent/connect.ts";
import type { EncodedDrop, EncodedFrame } from "../../agent/encoded-sender.ts";
import type { HeardEncoded } from "../../agent/heard-encoded.ts";
import { createOpusCodec, type OpusFrameMs } from "../../platform/opus.ts";
import type { Carrier } from "../../sfu/carrier.ts";
import { utterance } from "./talking.ts";
import { ORIGIN, type World } from "./world.ts";

/** An agent that has no codec: it can only take and give what others coded. */
export async function codecless(
  world: World,
  name: string,
  options: Partial<ConnectOptions> = {},
  carrier?: Carrier,
): Promise<Agent> {
  const platform = {
    ...world.platform(carrier),
    createAudioCodec: () => Promise.reject(new Error("a codec was asked for")),
  };
  const connecting = connectAgent(platform, ORIGIN, {
    identity: world.identity({ name }),
    anchors: [world.issuer.signer.publicKey],
    report: (error) => world.reported.push(error),
    ...options,
  });
  return await world.during(connecting);
}

/** Opus packets of an utterance, and the PCM that they were made of. */
export async function packets(
  seconds: number,
  frameMs: OpusFrameMs = 20,
): Promise<{ readonly pcm: Int16Array; readonly payloads: readonly Uint8Array[] }> {
  const codec = await createOpusCodec({ frameMs, complexity: 0 });
  const pcm = utterance(seconds, 48_000);
  const payloads: Uint8Array[] = [];
  const step = codec.format.frameSamples;
  for (let at = 0; at + step <= pcm.length; at += step)
    payloads.push(codec.encode(pcm.subarray(at, at + step)).slice());
  // What the encoder has yet to put out.
  payloads.push(codec.encode(new Int16Array(step)).slice());
  codec.close();
  return { pcm, payloads };
}

/** Sends packets at the pace of their source, each when it is complete; `done` says what became of each when time has passed. */
export function stream(
  world: World,
  call: Call,
  payloads: readonly Uint8Array[],
  options: {
    readonly frameMs?: number;
    /** RTP timestamp of the first. */
    readonly timestamp?: number;
    readonly marks?: (index: number) => Partial<EncodedFrame>;
    /** Whether a packet got here from its source. Default: all. */
    readonly came?: (index: number) => boolean;
  } = {},
): Promise<("sent" | EncodedDrop | "lost")[]> {
  const { frameMs = 20, timestamp = 4_294_900_000, marks = () => ({}), came = () => true } = options;
  const { clock } = world;
  const start = clock.now();
  const fates: ("sent" | EncodedDrop | "lost")[] = [];
  return new Promise((resolve) => {
    const next = (index: number): void => {
      const payload = payloads[index];
      if (payload === undefined) {
        resolve(fates);
        return;
      }
      clock.at(start + (index + 1) * frameMs, () => {
        const frame = {
          payload,
          timestamp: (timestamp + index * frameMs * 48) >>> 0,
          capturedAt: clock.wall() - frameMs,
          endOfTurn: index === payloads.length - 1,
          ...marks(index),
        };
        fates.push(came(index) ? (call.voice?.send(frame) ?? "forbidden") : "lost");
        next(index + 1);
      });
    };
    next(0);
  });
}

/** Every frame that an encoded voice hands out from now on. */
export class HeardFrames {
  readonly frames: HeardEncoded[] = [];
  /** When each came, monotonic milliseconds. */
  readonly at: number[] = [];
  ended = false;

  constructor(world: World, call: Call) {
    void this.#listen(world, call);
  }

  get payloads(): readonly string[] {
    return this.frames.map(({ payload }) => Buffer.from(payload).toString("hex"));
  }

  async #listen(world: World, call: Call): Promise<void> {
    for await (const frame of call.voice ?? []) {
      this.frames.push(frame);
      this.at.push(world.clock.now());
    }
    this.ended = true;
  }
}

/** Payloads, to compare. */
export function hex(payloads: readonly Uint8Array[]): readonly string[] {
  return payloads.map((payload) => Buffer.from(payload).toString("hex"));
}
