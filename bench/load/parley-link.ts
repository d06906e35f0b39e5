/** Calls through a Parley server, set up by the agent library with real signaling; the load generator then speaks for the ends. */

import type { Call } from "../../agent/call.ts";
import { connectAgent } from "../../agent/connect.ts";
import type { IncomingCall } from "../../agent/incoming-call.ts";
import { createIdentity, nodePlatform } from "../../agent/node.ts";
import { checkpointDigest, parseCheckpoint } from "../../codecs/checkpoint.ts";
import { type FrameProfile, FrameView, parseFrame } from "../../codecs/frame.ts";
import type { Signer } from "../../codecs/signer.ts";
import { encodeStreamItems, StreamItemReader } from "../../codecs/stream-items.ts";
import { readVarint, varintLength } from "../../codecs/varint.ts";
import { frameMac } from "../../platform/node/sodium.ts";
import type { Connection, SendStream } from "../../sfu/carrier.ts";
import { Checkpointer, type CheckpointerOptions } from "../../sfu/checkpointer.ts";
import { FeedbackWriter } from "../../sfu/congestion/feedback-writer.ts";
import { inParallel, type LoadCall, type LoadEnd, type LoadTarget, type Refusals } from "./link.ts";

/** The same in profile `chain`: each end also states what it sent. */
export function chainCalls(target: LoadTarget, calls: number, refusals: Refusals): Promise<LoadCall[]> {
  return parleyCalls(target, calls, refusals, "chain");
}

/** Sets `calls` calls up, PCMU at 20 ms: 160 bytes of payload a frame. What the server refuses is added to `refusals`. */
export function parleyCalls(
  target: LoadTarget,
  calls: number,
  refusals: Refusals,
  profile: FrameProfile = "frame",
): Promise<LoadCall[]> {
  return inParallel(calls, SETUPS_AT_ONCE, async (index) => {
    const [caller, callee] = await Promise.all([online(target, `c${index}`), online(target, `d${index}`)]);
    const answered = new Promise<Call>((resolve, reject) =>
      callee.agent.onCall(async (incoming: IncomingCall) => {
        await incoming.accept({ audio: AUDIO }).then(resolve, reject);
      }),
    );
    const placed = await caller.agent.call(callee.agent.id, { audio: AUDIO, profile });
    // Both ends are told of every refusal.
    placed.on("frames-refused", ({ reason, count }) => {
      refusals[reason] = (refusals[reason] ?? 0) + count;
    });
    return await Promise.all([endOf(caller, placed), answered.then((call) => endOf(callee, call))]);
  });
}

/** An agent whose datagrams pass by here: the library's own first frame shows how its frames are addressed. */
interface OnlineBot {
  readonly agent: Awaited<ReturnType<typeof connectAgent>>;
  /** The key the library made last: the media key, once a call is up. */
  mediaSigner: Signer | undefined;
  receive: (bytes: Uint8Array) => void;
  sent: (bytes: Uint8Array) => void;
  /** What is written to a stream. */
  wrote: (bytes: Uint8Array, stream: SendStream) => void;
  readonly connection: Connection;
}

async function online(target: LoadTarget, name: string): Promise<OnlineBot> {
  const { webSocketUrl } = target;
  const choice = webSocketUrl === undefined ? "webtransport" : "websocket";
  const platform = nodePlatform({ choice, webSocketUrl });
  const { identity } = createIdentity({ name });
  const bot = { receive: () => {}, sent: () => {}, wrote: () => {}, mediaSigner: undefined } as {
    -readonly [Key in keyof OnlineBot]?: OnlineBot[Key];
  };
  bot.agent = await connectAgent(
    {
      ...platform,
      createSigner(seed) {
        bot.mediaSigner = platform.createSigner(seed);
        return bot.mediaSigner;
      },
      carrier: {
        async connect(url, options, handlers) {
          const connection = await platform.carrier.connect(url, options, (opened) => ({
            ...handlers(opened),
            datagram: (bytes) => bot.receive?.(bytes),
          }));
          bot.connection = connection;
          return tapped(connection, {
            sent: (bytes) => bot.sent?.(bytes),
            wrote: (bytes, stream) => bot.wrote?.(bytes, stream),
          });
        },
      },
    },
    `https://${target.address}/agtp`,
    {
      identity,
      certificateHashes: [Buffer.from(target.certificateHash ?? "", "hex")],
      report: (error) => {
        throw error;
      },
    },
  );
  return bot as OnlineBot;
}

async function endOf(bot: OnlineBot, call: Call): Promise<LoadEnd> {
  const signer = bot.mediaSigner;
  if (signer === undefined) throw new Error("the call made no media key");
  const first = new Promise<Uint8Array>((resolve) => {
    bot.sent = (bytes) => resolve(bytes.slice());
  });
  const { profile } = call.terms;
  const opening = profile === "chain" ? firstCheckpoint(bot) : undefined;
  await call.audio.write(new Int16Array(PCM_SAMPLES));
  const datagram = await first;
  const view = new FrameView();
  if (parseFrame(datagram, varintLength(datagram[0] as number), view) !== undefined)
    throw new Error("the library sent something that is no frame");
  const place = { sessionDigest: call.sessionDigest, leg: call.leg, stream: AUDIO_STREAM };
  const end: LoadEnd = {
    // No relay can tell one key from another.
    seal: profile === "frame" ? { profile, signer } : { profile, mac: frameMac, key: new Uint8Array(32) },
    ...(opening === undefined
      ? {}
      : { state: stating(await opening, { ...place, signer }, view.sequence + 1) }),
    sessionDigest: call.sessionDigest,
    leg: call.leg,
    stream: AUDIO_STREAM,
    flow: readVarint(datagram, 0),
    ssrc: view.ssrc,
    payloadType: view.payloadType,
    startSequence: view.sequence + 1,
    send(bytes) {
      if (bot.connection.sendDatagram(bytes) !== "sent") throw new Error("a datagram was not taken");
    },
    receive: () => {},
  };
  const answer = feedback(end.ssrc, (bytes) => void bot.connection.sendDatagram(bytes));
  bot.receive = (bytes) => {
    end.receive(bytes);
    answer(bytes);
  };
  return end;
}

/** Answers frames with reports, as the library does. */
function feedback(ssrc: number, send: (bytes: Uint8Array) => void): (bytes: Uint8Array) => void {
  const writer = new FeedbackWriter({ ssrc, start: performance.now() });
  const view = new FrameView();
  return (bytes) => {
    const offset = varintLength(bytes[0] as number);
    if (parseFrame(bytes, offset, view) !== undefined) return;
    const now = performance.now();
    writer.arrived(view.ssrc, view.sequence, bytes.length, now, view.captureMs);
    const report = writer.report(now);
    if (report === undefined) return;
    const datagram = new Uint8Array(offset + report.length);
    datagram.set(bytes.subarray(0, offset));
    datagram.set(report, offset);
    send(datagram);
  };
}

/** The library's own first checkpoint, over its own first frame, and the stream that it went out on. */
interface Opening {
  readonly stream: SendStream;
  readonly checkpoint: Uint8Array;
}

function firstCheckpoint(bot: OnlineBot): Promise<Opening> {
  const readers = new Map<SendStream, StreamItemReader>();
  return new Promise((resolve) => {
    bot.wrote = (bytes, stream) => {
      const reader = readers.get(stream) ?? new StreamItemReader();
      readers.set(stream, reader);
      for (const item of reader.push(bytes).items)
        if (parseCheckpoint(item, "chain").ok) resolve({ stream, checkpoint: item.slice() });
    };
  });
}

/** Goes on with the library's chain of checkpoints. */
function stating(
  { stream, checkpoint }: Opening,
  place: Pick<CheckpointerOptions, "sessionDigest" | "leg" | "stream" | "signer">,
  startSequence: number,
): NonNullable<LoadEnd["state"]> {
  const checkpointer = new Checkpointer({
    ...place,
    ...{ keyGeneration: 0, profile: "chain", startSequence },
    after: { index: 1, previous: checkpointDigest(checkpoint), epoch: 0 },
  });
  return ({ sequence, captured, digest }) => {
    const due = checkpointer.add(sequence, captured, digest, performance.now());
    if (due !== undefined) void stream.write(encodeStreamItems([due]));
  };
}

/** `connection`, with a look at everything that is sent. */
function tapped(connection: Connection, { sent, wrote }: Pick<OnlineBot, "sent" | "wrote">): Connection {
  return {
    carrier: connection.carrier,
    url: connection.url,
    pinned: connection.pinned,
    choice: connection.choice,
    drops: connection.drops,
    peerAddress: connection.peerAddress,
    get roundTrip() {
      return connection.roundTrip;
    },
    get maxDatagram() {
      return connection.maxDatagram;
    },
    openExchange: () => connection.openExchange(),
    async openStream() {
      const stream = await connection.openStream();
      return {
        write: (bytes) => {
          wrote(bytes, stream);
          return stream.write(bytes);
        },
        finish: () => stream.finish(),
        reset: (code) => stream.reset(code),
      };
    },
    sendDatagram(bytes) {
      sent(bytes);
      return connection.sendDatagram(bytes);
    },
    probe: (ms) => connection.probe(ms),
    close: (code, reason) => connection.close(code, reason),
  };
}

const AUDIO = { codecs: ["pcmu"], frameMs: 20 } as const;
const AUDIO_STREAM = 1;
const PCM_SAMPLES = 160;
const SETUPS_AT_ONCE = 8;
