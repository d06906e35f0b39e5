import { isJsonObject, type JsonObject, type JsonValue } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { CLOSE_CODES, type CloseInfo } from "../sfu/carrier.ts";
import { END_REASON } from "../signaling/closing.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { SessionNotice } from "../signaling/session-notice.ts";
import { readShape } from "../signaling/shape.ts";
import type { Terms } from "../signaling/terms.ts";
import type { AgentContext } from "./agent-context.ts";
import type { VoiceStream } from "./audio-media.ts";
import { CallAttachment } from "./call-attachment.ts";
import type { CallAudio } from "./call-audio.ts";
import { CallChanges, type WantedChange } from "./call-changes.ts";
import { CallControl } from "./call-control.ts";
import type { CallData } from "./call-data.ts";
import { type CallEnd, CallEnding } from "./call-ending.ts";
import type { CallEvents } from "./call-events.ts";
import { readEvidence } from "./call-evidence.ts";
import { CallHeard } from "./call-heard.ts";
import { CallInterrupts } from "./call-interrupts.ts";
import type { CallMedia } from "./call-media.ts";
import { CallNotices } from "./call-notices.ts";
import type { CallParts } from "./call-parts.ts";
import { readRecords, type SessionRecord } from "./call-records.ts";
import { type CallStats, callStats } from "./call-stats.ts";
import type { CallStream } from "./call-stream.ts";
import { CallStreams } from "./call-streams.ts";
import { CallSuspension, type Suspended, type SuspendOptions } from "./call-suspension.ts";
import { CallTerms } from "./call-terms.ts";
import type { ControlChannel } from "./control.ts";
import { DataChannels } from "./data-channels.ts";
import { readFramesContradicted, readFramesRefused } from "./frame-news.ts";
import type { InboxEvent } from "./inbox.ts";
import { Listening } from "./listening.ts";
import { PeerPresence } from "./peer-presence.ts";
import type { RpcHandler } from "./rpc-answering.ts";
import type { RpcOptions } from "./rpc-asking.ts";
import type { WantedStream } from "./stream-opening.ts";
import type { HeardText } from "./text-reader.ts";
import type { TextWriter } from "./text-writer.ts";
import { TypedEvents } from "./typed-events.ts";
import type { VideoStream } from "./video-stream.ts";

/** How often signed checkpoints and receipts that fell due are looked for, ms. */
const UPKEEP_MS = 250;

/** `detached`: this end has no connection for it now. */
export type CallState = "active" | "suspended" | "detached" | "ended";

/** The other end of a call, checked: its Genesis hashes to its Agent-ID and its signatures held. */
export interface CallPeer {
  readonly agentId: string;
  readonly name: string;
  /** Its issuer is among the trust anchors this agent was given; false also when none were given. */
  readonly anchored: boolean;
}

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
  readonly audio: CallAudio;
  /** Structured data; undefined when the ends agreed on none. */
  readonly data: CallData | undefined;
  /** Texts of the other end as they begin, until the call ends. Readers share them: each text goes to one. */
  readonly texts: AsyncIterable<HeardText>;
  /** Resolves when the call is over, by whichever side. Never rejects. */
  readonly ended: Promise<CallEnd>;
  readonly #control: CallControl;
  readonly #attachment: CallAttachment;
  readonly #peer: PeerPresence;
  readonly #reachable: () => ControlChannel;
  readonly #clock: Clock;
  readonly #media: CallMedia;
  readonly #verifier: Verifier;
  readonly #terms: CallTerms;
  readonly #changes: CallChanges;
  readonly #notices: CallNotices;
  readonly #listening: Listening | undefined;
  readonly #streams: CallStreams;
  readonly #interrupts: CallInterrupts;
  readonly #suspension: CallSuspension;
  readonly #channels: DataChannels;
  readonly #events: TypedEvents<CallEvents>;
  readonly #report: (error: unknown) => void;
  readonly #ending: CallEnding;
  #cancelUpkeep: () => void = () => {};
  readonly #cancelExpiry: () => void;

  /** @internal Calls come from `Agent.call` and `IncomingCall.accept`. */
  constructor(options: CallParts) {
    const { context, session } = options;
    const { report, identity, platform } = context;
    const { clock, verifier } = platform;
    const wall = () => clock.wall();
    const control = new CallControl(options.id, context.control, context.reachable, clock);
    const parts = {
      ...options,
      control,
      identity,
      publicKey: context.publicKey,
      clock,
      wall,
      verifier,
      report,
      isOver: () => this.#ending.isOver,
    };
    this.id = options.id;
    this.leg = options.leg;
    this.session = session;
    this.sessionDigest = session.sessionDigest;
    this.peer = {
      agentId: session.peer.agentId,
      name: session.peer.genesis.name,
      anchored: session.peer.anchored,
    };
    this.audio = options.media.audio;
    this.data = options.media.messages?.data;
    this.#control = control;
    this.#reachable = context.reachable;
    this.#clock = clock;
    this.#media = options.media;
    this.#events = new TypedEvents(report);
    this.#report = report;
    this.#verifier = verifier;
    this.#peer = new PeerPresence({
      ...parts,
      ownClock: context.clock,
      detached: (event) => this.#events.emit("peer-detached", event),
      attached: (event) => this.#events.emit("peer-attached", event),
    });
    this.#terms = new CallTerms({
      ...parts,
      changed: (event) => this.#events.emit("terms-changed", event),
      narrowed: (event) => this.#events.emit("authority-narrowed", event),
    });
    this.#changes = new CallChanges({
      ...parts,
      terms: this.#terms,
      policy: options.changes,
      expected: ({ profile }) => options.media.expectProfile(profile),
      laidOut: (told) => this.#streams.laidOut(told),
      asked: (event) => {
        this.#events.emit("change-asked", event);
        return this.#events.has("change-asked");
      },
    });
    this.#notices = new CallNotices({
      ...parts,
      agentId: identity.agentId,
      quality: (event) => {
        const { by, leg, degraded } = event;
        if (by === "server" && leg === this.leg) this.#listening?.toldByServer(degraded);
        this.#events.emit("quality", event);
      },
      bandwidth: (event) => this.#events.emit("bandwidth-estimate", event),
      unattributed: (event) => this.#events.emit("unattributed", event),
      muted: (event) => this.#events.emit("stream-muted", event),
      held: (event) => this.#events.emit("stream-held", event),
      keyFrameWanted: (event) => this.#events.emit("keyframe-wanted", event),
    });
    this.#streams = new CallStreams({
      ...parts,
      platform,
      terms: this.#terms,
      changes: this.#changes,
      tell: (notice) => this.#notices.tell(notice),
      opened: (event) => {
        this.#channels.add(event.stream);
        this.#events.emit("stream-opened", event);
      },
      closed: (event) => this.#events.emit("stream-closed", event),
    });
    options.media.keyFramesWith((stream) => {
      void this.#notices.askKeyFrame(stream).catch(report);
    });
    const { hop } = options.media;
    this.#listening =
      hop && new Listening({ estimator: hop.arrivals, tell: (notice) => this.#notices.tell(notice), report });
    this.#interrupts = new CallInterrupts({
      ...parts,
      peerKey: (generation) => this.#peer.key(generation),
      interrupted: (event) => this.#events.emit("interrupted", event),
    });
    const heard = new CallHeard({
      ...parts,
      notices: this.#notices,
      peerKey: (generation) => this.#peer.key(generation),
      heard: (position) => this.#events.emit("heard", position),
    });
    this.audio.heardPositionWith(() => heard.ask());
    this.#suspension = new CallSuspension({
      ...parts,
      agentId: identity.agentId,
      suspended: (event) => this.#events.emit("suspended", event),
      resumed: (event) => this.#events.emit("resumed", event),
    });
    const open = (label: string) => this.#streams.openOwn(label);
    this.#channels = new DataChannels({ ...parts, platform, open });
    this.texts = this.#channels.texts.heard;
    options.media.slowReaderWith((...news) => this.#notices.readerIsSlow(...news).catch(report));
    options.media.unattributedWith((frames) => this.#notices.playedUnattributed(frames).catch(report));
    this.audio.flushWith(() => this.#interrupts.flush());
    this.#ending = new CallEnding({
      ...parts,
      ready: () => this.#attachment.ready(),
      isAttached: () => this.#attachment.isAttached,
      leaving: () => this.#cancelUpkeep(),
      ended: (end) => {
        this.#cancelExpiry();
        this.#channels.finish();
        this.#events.emit("ended", end);
      },
    });
    let suspendedBefore: Suspended | undefined;
    this.#attachment = new CallAttachment({
      ...parts,
      detached: (event) => this.#events.emit("detached", event),
      returning: () => {
        suspendedBefore = this.suspended;
        this.#peer.returning();
      },
      reattached: (event, { streams, result }) => {
        this.#peer.reattached(result.state);
        this.#interrupts.catchUp(streams);
        this.#catchUp(result.present, suspendedBefore);
        this.#streams.again();
        this.#events.emit("reattached", event);
      },
      gone: (reason, isElsewhere) => {
        if (isElsewhere) this.#ending.elsewhere("moved");
        else this.#ending.cannotGoOn(reason);
      },
    });
    this.ended = this.#ending.ended;
    if (options.state !== undefined) this.#peer.reattached(options.state);
    if (options.peerAttached === false) this.#peer.isToCome();
    if (options.suspension !== undefined) this.#suspension.told("session-suspended", options.suspension);
    void this.settled.catch(() => undefined).then(() => this.#attachment.close());
    this.#scheduleUpkeep();
    const left = session.terms.expires_at * 1000 - wall();
    this.#cancelExpiry = this.#clock.at(this.#clock.now() + left, () => {
      this.end("ttl-expired").catch(report);
    });
  }

  /** Whether it goes on, and if not now, why. */
  get state(): CallState {
    if (this.#ending.isOver) return "ended";
    if (!this.#attachment.isAttached) return "detached";
    return this.suspended === undefined ? "active" : "suspended";
  }

  /** Resolves when the call is over and this end's last statements are with the server, or cannot be. */
  get settled(): Promise<void> {
    return this.#ending.settled;
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof CallEvents>(name: Name, listener: (event: CallEvents[Name]) => void): () => void {
    return this.#events.on(name, listener);
  }

  /** The first picture of the call, both ways; undefined in a call that has none. */
  get video(): VideoStream | undefined {
    return this.#media.videos.streams[0];
  }

  /** Its streams. */
  get streams(): readonly CallStream[] {
    return this.#media.streams.map(({ handle }) => handle);
  }

  /**
   * Begins a text for the other end: partial transcripts, tokens of a model. What is appended arrives in order, many small appends in one message. Throws
   * `buffer-full` while 16 are open, `closed` after the end of the call.
   */
  text(): TextWriter {
    return this.#channels.texts.write();
  }

  /**
   * Has the other end answer: `params` and the answer are any JSON values of 16 KiB at most. Throws `rpc-timeout` at the deadline, `rpc-cancelled`,
   * `rpc-unknown-method`, `rpc-failed` with what the handler said in `details.answer`, `rpc-busy` while 64 wait here or there, `closed` when the call ends first,
   * and what `call.data.send` throws.
   */
  async rpc(method: string, params: unknown, options?: RpcOptions): Promise<JsonValue> {
    return await this.#channels.rpc.ask(method, params, options);
  }

  /** `handler` answers requests of the other end for `method`, in place of the one before; the returned function takes it away. Throws `field-invalid`. */
  onRpc(method: string, handler: RpcHandler): () => void {
    return this.#channels.rpc.handle(method, handler);
  }

  /**
   * Opens a stream, which both ends have from then on beside the others. Resolves once the other end has signed it and it flows here. Throws `change-rejected`
   * where the other end does not want it, `change-unanswered` after 5 s, `scope-violation` or `limit-exceeded` for what a scope does not
   * cover (16 streams at once at most), `field-invalid` for what is not here, `capacity`, `terms-outdated` when the other end keeps being quicker.
   */
  async open(wanted: { readonly modality: "data" } & WantedStream, reason?: string): Promise<CallData>;
  async open(wanted: { readonly modality: "audio" } & WantedStream, reason?: string): Promise<VoiceStream>;
  async open(wanted: { readonly modality: "video" } & WantedStream, reason?: string): Promise<VideoStream>;
  async open(wanted: WantedStream, reason?: string): Promise<CallStream> {
    return await this.#streams.open(wanted, reason);
  }

  /** Counters and delays since the call began. */
  stats(): CallStats {
    return callStats(this.#media, this.audio);
  }

  /** The terms in force: number, expiry, each end's scope, streams. */
  get terms(): Terms {
    return this.#terms.present;
  }

  /**
   * Gives up part of this end's own scope: `scope` is what remains. Signed by this agent's identity key; in force from the
   * moment the server takes it, and never to be had back in this call. Sending stops at once where the right to it is given
   * up, and stays so when the server cannot be told. Throws `scope-violation` for a scope that asks for more than the present one, `field-invalid` for the present one
   * itself, `scope-malformed`, `terms-outdated` when the other end keeps being quicker.
   */
  async narrow(scope: readonly string[]): Promise<void> {
    await this.#terms.narrow(scope);
  }

  /**
   * Asks the other end for other terms: a lower or higher bit rate, redundancy, another profile. Signed by this agent's identity key;
   * in force at both ends once the other has signed too, which this waits for. Resolves with the terms in force, at once where they are
   * so already. Throws `change-rejected`, `change-unanswered` after 5 s, `field-invalid` for what does not fit the streams, `limit-exceeded`
   * for what the scope of who sends does not allow, `terms-outdated` when the other end keeps being quicker.
   */
  async propose(wanted: WantedChange, reason?: string): Promise<Terms> {
    return await this.#changes.propose(wanted, reason);
  }

  /**
   * Tells the other end how the media comes, and has the server record it: an estimate of the bandwidth, quality that is degraded or
   * restored. Throws `rate-limited` for more than two a second.
   */
  async notify(notice: SessionNotice): Promise<void> {
    await this.#notices.tell(notice);
  }

  /**
   * Ends what the other end is saying: playout stops at once with a 10 ms fade, and frames said before are not heard any
   * more, here or on their way. The other end's queue is flushed when it hears of it. Resolves when the server has it on
   * record; is sent again until it answers. Where it refuses, the other end is heard again. Throws `field-invalid` when this end does not hear audio, `session-terminated` when the call has ended.
   */
  async interrupt(): Promise<void> {
    await this.#interrupts.interrupt();
  }

  /** Set while the call is suspended, by either end. */
  get suspended(): Suspended | undefined {
    return this.#suspension.present;
  }

  /**
   * Suspends the call: nothing is sent or heard until it is resumed, and it ends when it is not by `resumeBy`. What this end was saying
   * is thrown away, as for an interrupt; data messages wait. Resolves when the server has it on record; is sent again until it answers.
   * Throws `session-state-conflict` when the call is suspended already, `field-invalid`, `session-terminated`.
   */
  async suspend(options: SuspendOptions = {}): Promise<Suspended> {
    return await this.#suspension.suspend(options);
  }

  /**
   * Lets the call go on. `nonce`: at the end that did not suspend it, what the other one has told it. Throws `nonce-invalid` for a
   * wrong one or none, `resume-expired` when it is too late.
   */
  async resume(nonce?: string): Promise<void> {
    await this.#suspension.resume(nonce);
  }

  /**
   * The session's records behind number `after` (default: all), as far as they are durable: what the server did, in order, each
   * signed by it and checked. Also for a while after the call, over the agent's present connection where that of the call is lost.
   * Throws `signature-invalid` or `evidence-invalid` when they do not hold, `offline` while there is no connection,
   * `session-not-found` after a restart of the server: then the evidence has them.
   */
  async records(after?: number): Promise<SessionRecord[]> {
    return await readRecords(
      { control: this.#reachable(), serverKey: this.#control.serverKey, verifier: this.#verifier },
      this.id,
      after,
    );
  }

  /**
   * Hangs up: signs the last checkpoint, the last receipt and a closing statement, and tells the server. Resolves when the
   * server has it on record. Idempotent; also resolves when the call had already ended. Throws `field-invalid` for a reason
   * that is empty, longer than 64 characters or holds control characters; the call then goes on.
   */
  async end(reason = "done"): Promise<void> {
    const given = readShape(END_REASON, reason, "reason");
    if (!given.ok) throw new ParleyError(given.fault);
    await this.#ending.hangUp(reason);
  }

  /**
   * The call's evidence file, as `parley verify` reads it. Waits for the server to gather both ends' last statements.
   * Where the call's connection is lost it is read over the agent's present one. Throws `evidence-not-ready` while the call is
   * up, `offline` (with `details.retry_at`) while the agent has no connection.
   */
  async evidence(): Promise<Uint8Array> {
    return await readEvidence(this.id, {
      clock: this.#clock,
      control: this.#reachable,
      isOver: () => this.#ending.isOver,
    });
  }

  /** @internal What the server has to say of the session. */
  told({ event, fields }: InboxEvent): void {
    if (event === "session-ended") this.#ending.told(fields);
    else if (event === "frames_refused") this.#framesRefused(fields);
    else if (event === "frames_contradicted") this.#framesContradicted(fields);
    else if (event === "terms-changed") {
      this.#streams.laidOut(fields);
      this.#terms.changed(fields).catch(this.#report);
    } else if (event === "change-asked") this.#changes.asked(fields).catch(this.#report);
    else if (this.#notices.takes(event, fields)) return;
    else if (event === "authority-narrowed") this.#terms.withdrawn(fields);
    else if (event === "interrupted") this.#interrupts.told(fields);
    else if (event === "session-suspended" || event === "session-resumed")
      this.#suspension.told(event, fields);
    else if (event === "media-moved" && this.#attachment.isForeign(fields)) this.#attachment.moved();
    else this.#peer.told(event, fields);
  }

  /** @internal The agent has another connection. */
  agentOnline(context: AgentContext): void {
    this.#control.use(context.control);
    this.#attachment.agentOnline(context);
  }

  /** @internal The agent has none, and will try again. */
  agentOffline(): void {
    this.#control.lose();
    this.#attachment.agentOffline();
  }

  /** @internal The agent will have none any more. */
  agentClosed({ code }: CloseInfo): void {
    this.#control.close();
    if (code === CLOSE_CODES.replaced) this.#ending.elsewhere("replaced");
    else this.#ending.connectionLost();
    this.#attachment.close();
  }

  /** News may have been lost on their way to this end: how the session stands makes up for them. */
  #catchUp(present: JsonValue | undefined, suspendedBefore: Suspended | undefined): void {
    if (!isJsonObject(present)) return;
    try {
      this.#peer.takeKey(present.peer_media_key);
      const { suspension } = present;
      const inForce = isJsonObject(suspension) ? suspension : undefined;
      this.#suspension.caughtUp(inForce, suspendedBefore, this.peer.agentId);
    } catch (error) {
      this.#report(error);
    }
    this.#terms.caughtUp(present).catch(this.#report);
  }

  #framesRefused(fields: JsonObject): void {
    const refused = readFramesRefused(fields);
    if (refused === undefined) return;
    this.#events.emit("frames-refused", refused);
    this.#media.refusedByRelay(refused);
  }

  #framesContradicted(fields: JsonObject): void {
    const contradicted = readFramesContradicted(fields);
    if (contradicted !== undefined) this.#events.emit("frames-contradicted", contradicted);
  }

  #scheduleUpkeep(): void {
    this.#cancelUpkeep = this.#clock.at(this.#clock.now() + UPKEEP_MS, () => {
      const now = this.#clock.now();
      this.#listening?.poll(now);
      this.#media.poll(now);
      this.#scheduleUpkeep();
    });
  }
}
