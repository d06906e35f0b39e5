import type { JsonValue } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { CloseInfo } from "../sfu/carrier.ts";
import { END_REASON } from "../signaling/closing.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { SessionNotice } from "../signaling/session-notice.ts";
import { readShape } from "../signaling/shape.ts";
import type { Terms } from "../signaling/terms.ts";
import type { AgentContext } from "./agent-context.ts";
import type { VoiceStream } from "./audio-media.ts";
import type { CallAudio } from "./call-audio.ts";
import type { WantedChange } from "./call-changes.ts";
import { CallCore } from "./call-core.ts";
import type { CallData } from "./call-data.ts";
import type { CallEnd } from "./call-ending.ts";
import type { CallEvents } from "./call-events.ts";
import type { CallParts } from "./call-parts.ts";
import { type CallPeer, callPeer } from "./call-peer.ts";
import type { SessionRecord } from "./call-records.ts";
import { type CallStats, callStats } from "./call-stats.ts";
import type { CallStream } from "./call-stream.ts";
import type { Suspended, SuspendOptions } from "./call-suspension.ts";
import type { EncodedVoice } from "./encoded-voice.ts";
import type { InboxEvent } from "./inbox.ts";
import type { RpcHandler } from "./rpc-answering.ts";
import type { RpcOptions } from "./rpc-asking.ts";
import type { WantedStream } from "./stream-opening.ts";
import type { HeardText } from "./text-reader.ts";
import type { TextWriter } from "./text-writer.ts";
import type { VideoStream } from "./video-stream.ts";

/** `detached`: this end has no connection for it now. */
export type CallState = "active" | "suspended" | "detached" | "ended";

/** More than any way takes. */
const MOST_BITS = 1e12;

/** One call between two agents. */
export class Call {
  /** Session-ID. */
  readonly id: string;
  readonly peer: CallPeer;
  /** 0 for the caller, 1 for the callee. */
  readonly leg: 0 | 1;
  /** SHA-256 of the session core: what every frame of the call is bound to. 32 bytes. */
  readonly sessionDigest: Uint8Array;
  /** What both ends signed. */
  readonly session: CheckedSession;
  /** Texts of the other end as they begin, until the call ends. Readers share them: each text goes to one. */
  readonly texts: AsyncIterable<HeardText>;
  /** Resolves when the call is over, by whichever side. Never rejects. */
  readonly ended: Promise<CallEnd>;
  readonly #core: CallCore;

  /** @internal Calls come from `Agent.call` and `IncomingCall.accept`. */
  constructor(options: CallParts) {
    const { session } = options;
    this.id = options.id;
    this.leg = options.leg;
    this.session = session;
    this.sessionDigest = session.sessionDigest;
    this.peer = callPeer(session.peer);
    this.#core = new CallCore(options);
    this.texts = this.#core.channels.texts.heard;
    this.ended = this.#core.ending.ended;
  }

  /** Whether it goes on, and if not now, why. */
  get state(): CallState {
    if (this.#core.ending.isOver) return "ended";
    if (!this.#core.attachment.isAttached) return "detached";
    return this.suspended === undefined ? "active" : "suspended";
  }

  /** Resolves when the call is over and this end's last statements are with the server, or cannot be. */
  get settled(): Promise<void> {
    return this.#core.ending.settled;
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof CallEvents>(name: Name, listener: (event: CallEvents[Name]) => void): () => void {
    return this.#core.events.on(name, listener);
  }

  /** The voice, both ways: the first that is open. In a call that has none it flows neither way. Where all are over, this is the one that was. */
  get audio(): CallAudio {
    return this.#core.media.audio;
  }

  /**
   * What is heard here goes on over another way that takes so many bits a second, all streams and what is around them together; `undefined`: there is no such
   * bound. The server is told with the next report, the other end by it (it then sends less, and has that agreed on) and, on record, by the next `bandwidth_estimate`.
   * Throws `field-invalid`.
   */
  limit(bitsPerSecond: number | undefined): void {
    if (bitsPerSecond !== undefined && !(bitsPerSecond > 0 && bitsPerSecond <= MOST_BITS)) {
      throw new ParleyError({
        code: "field-invalid",
        message: "This is no number of bits a second.",
        at: "bitsPerSecond",
      });
    }
    this.#core.media.limit(bitsPerSecond);
  }

  /** The same in frames that are coded elsewhere, where the call was made or taken with `voices: "encoded"`; else undefined. */
  get voice(): EncodedVoice | undefined {
    return this.#core.media.encoded;
  }

  /** Structured data: the first stream of it that is open and not Parley's own; undefined while the ends agreed on none. Where all are over, the one that was. */
  get data(): CallData | undefined {
    return this.#core.media.messages?.data;
  }

  /** The first video that is open, both ways; undefined while the call has none. Where all are over, the one that was. */
  get video(): VideoStream | undefined {
    return this.#core.media.videos.streams[0];
  }

  /** Its streams. */
  get streams(): readonly CallStream[] {
    return this.#core.media.streams.map(({ handle }) => handle);
  }

  /**
   * Begins a text for the other end: partial transcripts, tokens of a model. What is appended arrives in order, many small appends in one message. Throws
   * `buffer-full` while 16 are open, `closed` after the end of the call.
   */
  text(): TextWriter {
    return this.#core.channels.texts.write();
  }

  /**
   * Has the other end answer: `params` and the answer are any JSON values of 16 KiB at most. Throws `rpc-timeout` at the deadline, `rpc-cancelled`,
   * `rpc-unknown-method`, `rpc-failed` with what the handler said in `details.answer`, `rpc-busy` while 64 wait here or there, `closed` when the call ends first,
   * and what `call.data.send` throws.
   */
  async rpc(method: string, params: unknown, options?: RpcOptions): Promise<JsonValue> {
    return await this.#core.channels.rpc.ask(method, params, options);
  }

  /** `handler` answers requests of the other end for `method`, in place of the one before; the returned function takes it away. Throws `field-invalid`. */
  onRpc(method: string, handler: RpcHandler): () => void {
    return this.#core.channels.rpc.handle(method, handler);
  }

  /**
   * Opens a stream, which both ends have from then on beside the others. Resolves once the other end has signed it and it flows here. Throws `change-rejected`
   * where the other end does not want it, `change-unanswered` after 5 s, `scope-violation` or `limit-exceeded` for what a scope does not
   * cover (16 streams at once at most), `field-invalid` for what is not here, `capacity`, `closed` where it is closed before it flows, `terms-outdated` when the other end keeps being quicker.
   */
  async open(wanted: { readonly modality: "data" } & WantedStream, reason?: string): Promise<CallData>;
  async open(wanted: { readonly modality: "audio" } & WantedStream, reason?: string): Promise<VoiceStream>;
  async open(wanted: { readonly modality: "video" } & WantedStream, reason?: string): Promise<VideoStream>;
  async open(wanted: WantedStream, reason?: string): Promise<CallStream> {
    return await this.#core.streams.open(wanted, reason);
  }

  /** Counters and delays since the call began. */
  stats(): CallStats {
    return callStats(this.#core.media);
  }

  /** The terms in force: number, expiry, each end's scope, streams. */
  get terms(): Terms {
    return this.#core.terms.present;
  }

  /**
   * Gives up part of this end's own scope: `scope` is what remains. Signed by this agent's identity key; in force from the
   * moment the server takes it, and never to be had back in this call. Sending stops at once where the right to it is given
   * up, and stays so when the server cannot be told. Throws `scope-violation` for a scope that asks for more than the present one, `field-invalid` for the present one
   * itself, `scope-malformed`, `terms-outdated` when the other end keeps being quicker.
   */
  async narrow(scope: readonly string[]): Promise<void> {
    await this.#core.terms.narrow(scope);
  }

  /**
   * Asks the other end for other terms: a lower or higher bit rate, redundancy, another profile. Signed by this agent's identity key;
   * in force at both ends once the other has signed too, which this waits for. Resolves with the terms in force, at once where they are
   * so already. Throws `change-rejected`, `change-unanswered` after 5 s, `field-invalid` for what does not fit the streams, `limit-exceeded`
   * for what the scope of who sends does not allow, `terms-outdated` when the other end keeps being quicker.
   */
  async propose(wanted: WantedChange, reason?: string): Promise<Terms> {
    return await this.#core.changes.propose(wanted, reason);
  }

  /**
   * Tells the other end how the media comes, and has the server record it: an estimate of the bandwidth, quality that is degraded or
   * restored. Throws `rate-limited` for more than two a second.
   */
  async notify(notice: SessionNotice): Promise<void> {
    await this.#core.notices.tell(notice);
  }

  /**
   * Ends what the other end is saying: playout stops at once with a 10 ms fade, and frames said before are not heard any
   * more, here or on their way. The other end's queue is flushed when it hears of it. Resolves when the server has it on
   * record; is sent again until it answers. Where it refuses, the other end is heard again. Throws `field-invalid` when this end does not hear audio, `session-terminated` when the call has ended.
   */
  async interrupt(): Promise<void> {
    await this.#core.voices.interrupt();
  }

  /** Set while the call is suspended, by either end. */
  get suspended(): Suspended | undefined {
    return this.#core.suspension.present;
  }

  /**
   * Suspends the call: nothing is sent or heard until it is resumed, and it ends when it is not by `resumeBy`. What this end was saying
   * is thrown away, as for an interrupt; data messages wait. Resolves when the server has it on record; is sent again until it answers.
   * Throws `session-state-conflict` when the call is suspended already, `field-invalid`, `session-terminated`.
   */
  async suspend(options: SuspendOptions = {}): Promise<Suspended> {
    return await this.#core.suspension.suspend(options);
  }

  /**
   * Lets the call go on. `nonce`: at the end that did not suspend it, what the other one has told it. Throws `nonce-invalid` for a
   * wrong one or none, `resume-expired` when it is too late.
   */
  async resume(nonce?: string): Promise<void> {
    await this.#core.suspension.resume(nonce);
  }

  /**
   * The session's records behind number `after` (default: all), as far as they are durable: what the server did, in order, each
   * signed by it and checked. Also for a while after the call, over the agent's present connection where that of the call is lost.
   * Throws `signature-invalid` or `evidence-invalid` when they do not hold, `offline` while there is no connection,
   * `session-not-found` after a restart of the server: then the evidence has them.
   */
  async records(after?: number): Promise<SessionRecord[]> {
    return await this.#core.records(after);
  }

  /**
   * Hangs up: signs the last checkpoint, the last receipt and a closing statement, and tells the server. Resolves when the
   * server has it on record. Idempotent; also resolves when the call had already ended. Throws `field-invalid` for a reason
   * that is empty, longer than 64 characters or holds control characters; the call then goes on.
   */
  async end(reason = "done"): Promise<void> {
    const given = readShape(END_REASON, reason, "reason");
    if (!given.ok) throw new ParleyError(given.fault);
    await this.#core.ending.hangUp(reason);
  }

  /**
   * The call's evidence file, as `parley verify` reads it. Waits for the server to gather both ends' last statements.
   * Where the call's connection is lost it is read over the agent's present one. Throws `evidence-not-ready` while the call is
   * up, `offline` (with `details.retry_at`) while the agent has no connection.
   */
  async evidence(): Promise<Uint8Array> {
    return await this.#core.evidence();
  }

  /** @internal What the server has to say of the session. */
  told(event: InboxEvent): void {
    this.#core.told(event);
  }

  /** @internal The agent has another connection. */
  agentOnline(context: AgentContext): void {
    this.#core.agentOnline(context);
  }

  /** @internal The agent has none, and will try again. */
  agentOffline(): void {
    this.#core.agentOffline();
  }

  /** @internal The agent will have none any more. */
  agentClosed(info: CloseInfo): void {
    this.#core.agentClosed(info);
  }
}
