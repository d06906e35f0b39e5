import type { Call } from "../../agent/call.ts";
import type { CallData } from "../../agent/call-data.ts";
import type { CallStream } from "../../agent/call-stream.ts";
import { isOwnLabel } from "../../agent/data-offer.ts";
import type { JsonValue } from "../../codecs/canonical-json.ts";
import { parseJson } from "../../codecs/canonical-json.ts";
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { CHANNELS, type PeerMedia } from "./peer-media.ts";

/** With so many bytes waiting for the peer nothing more is read of the call, whose other end then waits, ms between two looks. */
const MOST_WAITING_BYTES = 262_144;
const LOOK_MS = 50;

export interface DataBridgeOptions {
  readonly call: Pick<Call, "data" | "open" | "on" | "streams">;
  readonly clock: Clock;
  readonly media: Pick<PeerMedia, "sendMessage" | "waiting">;
  readonly report: (error: unknown) => void;
}

export interface DataBridgeCounters {
  readonly fromPeer: number;
  readonly toPeer: number;
  /** Messages that were not passed on: of the peer, since the call took no more, takes none, or not such a large one; of the call, since the peer's channel took no more. */
  readonly dropped: { readonly fromPeer: number; readonly toPeer: number };
}

/**
 * The data of a call and one data channel of a WebRTC peer. A text of the peer is a message: the JSON that it is, or else itself as a string; bytes go on a
 * stream of bytes, which is opened with the first. Messages of the other end come out the same way.
 */
export class DataBridge {
  readonly #options: DataBridgeOptions;
  readonly #read = new Set<CallStream>();
  readonly #unwatch: () => void;
  #bytes: Promise<CallData | undefined> | undefined;
  #fromPeer = 0;
  #toPeer = 0;
  readonly #dropped = { fromPeer: 0, toPeer: 0 };
  #isClosed = false;

  constructor(options: DataBridgeOptions) {
    this.#options = options;
    const { call } = options;
    this.#unwatch = call.on("stream-opened", ({ stream }) => this.#opened(stream));
    for (const stream of call.streams) this.#opened(stream);
  }

  get counters(): DataBridgeCounters {
    return { fromPeer: this.#fromPeer, toPeer: this.#toPeer, dropped: { ...this.#dropped } };
  }

  /** A message of the peer. */
  message(message: string | Uint8Array): void {
    if (this.#isClosed) return;
    this.#say(message).catch((error: unknown) => {
      this.#dropped.fromPeer += 1;
      if (!(error instanceof ParleyError)) this.#options.report(error);
    });
  }

  /** Nothing is passed on any more. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#unwatch();
  }

  async #say(message: string | Uint8Array): Promise<void> {
    const stream = typeof message === "string" ? this.#texts() : await this.#openBytes();
    if (stream === undefined) {
      throw new ParleyError({ code: "closed", message: "The call takes no such data." });
    }
    await stream.send(typeof message === "string" && stream.format === "json" ? jsonOf(message) : message);
    this.#fromPeer += 1;
  }

  #texts(): CallData | undefined {
    return this.#streams().find(({ format, sends }) => format !== "binary" && sends);
  }

  #openBytes(): Promise<CallData | undefined> {
    const open = this.#streams().find(({ format, sends }) => format === "binary" && sends);
    if (open !== undefined) return Promise.resolve(open);
    const wanted = { modality: "data", format: "binary", label: BYTES_LABEL } as const;
    this.#bytes ??= this.#options.call.open(wanted).then(
      (stream) => stream as CallData,
      (error: unknown) => {
        if (!(error instanceof ParleyError)) this.#options.report(error);
        return undefined;
      },
    );
    return this.#bytes;
  }

  #streams(): readonly CallData[] {
    return this.#options.call.streams.filter(isData).filter(({ state }) => state === "open");
  }

  #opened(stream: CallStream): void {
    if (this.#isClosed || !isData(stream) || this.#read.has(stream)) return;
    this.#read.add(stream);
    this.#pass(stream)
      .catch((error: unknown) => {
        if (!(error instanceof ParleyError)) this.#options.report(error);
      })
      .finally(() => this.#read.delete(stream));
  }

  async #pass(stream: CallData): Promise<void> {
    const { clock, media } = this.#options;
    for await (const { value } of stream) {
      while (media.waiting(CHANNELS.data) > MOST_WAITING_BYTES && !this.#isClosed)
        await new Promise<void>((resolve) => clock.at(clock.now() + LOOK_MS, resolve));
      if (this.#isClosed) return;
      const message =
        (value as unknown) instanceof Uint8Array ? (value as unknown as Uint8Array) : textOf(value);
      if (media.sendMessage(CHANNELS.data, message)) this.#toPeer += 1;
      else this.#dropped.toPeer += 1;
    }
  }
}

/** Of the stream of bytes that a peer's bytes go on. */
const BYTES_LABEL = "bytes";

/** Streams of Parley's own, of texts and requests, are not the application's. */
function isData(stream: CallStream): stream is CallData {
  return stream.modality === "data" && !isOwnLabel((stream as CallData).label);
}

/** The JSON that a text is, or itself. */
function jsonOf(message: string): JsonValue {
  const read = parseJson(new TextEncoder().encode(message));
  return read.ok ? read.value : message;
}

/** A string that is no JSON goes as it is, everything else as JSON. */
function textOf(value: JsonValue): string {
  return typeof value === "string" && jsonOf(value) === value ? value : JSON.stringify(value);
}
