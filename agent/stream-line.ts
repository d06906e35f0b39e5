import { checkpointDigest, parseCheckpoint } from "../codecs/checkpoint.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { receiptDigest } from "../codecs/receipt.ts";
import type { DatagramFate, SendStream } from "../sfu/carrier.ts";
import type { UnitCaps } from "../sfu/unit-caps.ts";
import type { FlowSink, MediaPort } from "./media-port.ts";
import { type ChainState, StatementChain } from "./statement-chain.ts";
import type { StreamParameters } from "./stream-parameters.ts";

/** The flows of a stream: its frames, its speaker's checkpoints, its listener's receipts. */
export type FlowKind = "frames" | "checkpoints" | "receipts";

/**
 * One direction of one stream of a call, over whichever connection carries the call. While none does, frames go nowhere, what this end
 * states about them waits, and nothing comes.
 */
export class StreamLine {
  #port: MediaPort | undefined;
  #entry: StreamParameters;
  /** What this end signs: checkpoints of what it sends, receipts for what it hears. */
  readonly #stated: FlowKind;
  readonly #chain: StatementChain;
  readonly #sinks = new Map<FlowKind, FlowSink>();
  #releases: (() => void)[] = [];
  #end: number | undefined;

  /** `firstStatement`: index of the first statement that this process signs. */
  constructor(port: MediaPort | undefined, entry: StreamParameters, firstStatement: number) {
    this.#port = port;
    this.#entry = entry;
    const isMine = entry.direction === "send";
    this.#stated = isMine ? "checkpoints" : "receipts";
    this.#chain = new StatementChain({
      first: firstStatement,
      digest: isMine ? checkpointDigest : receiptDigest,
      send: (bytes) => this.#port?.sendItem(this.#flowOf(this.#stated), bytes),
    });
  }

  get isAttached(): boolean {
    return this.#port !== undefined;
  }

  /** The first sequence number beyond those of the other end's last checkpoint, as whoever sent that says; `undefined` before one came. */
  get end(): number | undefined {
    return this.#end;
  }

  /** Stream id. */
  get stream(): number {
    return this.#entry.stream;
  }

  get direction(): StreamParameters["direction"] {
    return this.#entry.direction;
  }

  /** Flow of the frames on the present connection, or the last one. */
  get flow(): number {
    return this.#entry.flow;
  }

  /**
   * The call goes on over another connection, and the server has this end's statements as far as `stated` says. False when they cannot go
   * on there: see `StatementChain.resume`.
   */
  attach(port: MediaPort, entry: StreamParameters, stated: ChainState): boolean {
    this.detach();
    this.#port = port;
    this.#entry = entry;
    for (const [kind, sink] of this.#sinks) this.#claim(kind, sink);
    return this.#chain.resume(stated);
  }

  /** The connection is gone, or does not carry the call any more. */
  detach(): void {
    for (const release of this.#releases.splice(0)) release();
    this.#port = undefined;
    this.#chain.detach();
  }

  /** Who takes what comes on a flow from now on, over this connection and later ones. */
  listen(kind: FlowKind, sink: FlowSink): void {
    const watched = kind === "checkpoints" ? { ...sink, item: this.#watching(sink) } : sink;
    this.#sinks.set(kind, watched);
    this.#claim(kind, watched);
  }

  /** A statement of this end; kept until it is known to be at the server. */
  state(bytes: Uint8Array): void {
    this.#chain.add(bytes);
  }

  /** Whether there is room for another one: what cannot be stated must not be said, or heard. */
  get hasRoom(): boolean {
    return this.#chain.hasRoom;
  }

  /** A frame could not leave because nothing is heard of those before: the path is asked whether it has answers. */
  doubt(): void {
    this.#port?.doubt();
  }

  sendDatagram(bytes: Uint8Array): DatagramFate {
    return this.#port?.sendDatagram(bytes) ?? "closed";
  }

  /** A stream of its own for a unit. Throws `connection-lost` while there is no connection. */
  async openStream(): Promise<SendStream> {
    if (this.#port === undefined)
      throw new ParleyError({ code: "connection-lost", message: "The stream has no connection." });
    return await this.#port.openStream();
  }

  /** How many units may be open on the present connection; `undefined` while there is none. */
  get unitCaps(): UnitCaps | undefined {
    return this.#port?.unitCaps;
  }

  /** One frame for the stream; as `MediaPort.writeItem`. */
  async writeFrame(packet: Uint8Array): Promise<boolean> {
    return (await this.#port?.writeItem(this.flow, packet)) ?? false;
  }

  /** The next bytes of one; as `MediaPort.writePart`. */
  async writePart(bytes: Uint8Array): Promise<boolean> {
    return (await this.#port?.writePart(this.flow, bytes)) ?? false;
  }

  /** Nothing more goes out on the stream of the frames, and what waits in it is let go. */
  abandonFrames(): void {
    this.#port?.abandonStream(this.flow);
  }

  /** Takes nothing that comes any more; resolves when everything that this end sent was taken by the carrier, and its streams are finished. */
  async finish(): Promise<void> {
    this.#sinks.clear();
    for (const release of this.#releases.splice(0)) release();
    const sent = this.direction === "send" ? (["frames", this.#stated] as const) : [this.#stated];
    await Promise.all(sent.map((kind) => this.#port?.finishStream(this.#flowOf(kind))));
  }

  #watching({ item }: FlowSink): FlowSink["item"] {
    return (bytes) => {
      const parsed = parseCheckpoint(bytes);
      if (parsed.ok && parsed.value.final)
        this.#end = parsed.value.firstSequence + parsed.value.digests.length;
      return item(bytes);
    };
  }

  #claim(kind: FlowKind, sink: FlowSink): void {
    if (this.#port !== undefined) this.#releases.push(this.#port.claim(this.#flowOf(kind), sink));
  }

  #flowOf(kind: FlowKind): number {
    const { flow, checkpointFlow, receiptFlow } = this.#entry;
    return { frames: flow, checkpoints: checkpointFlow, receipts: receiptFlow }[kind];
  }
}
