import { isJsonObject, type JsonObject, type JsonValue } from "../codecs/canonical-json.ts";
import { CLOSE_CODES, type CloseInfo } from "../sfu/carrier.ts";
import { agentOf } from "../signaling/gateway.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { SessionNotice } from "../signaling/session-notice.ts";
import type { AgentContext } from "./agent-context.ts";
import { CallAttachment } from "./call-attachment.ts";
import { CallChanges } from "./call-changes.ts";
import { CallControl } from "./call-control.ts";
import { CallEnding } from "./call-ending.ts";
import type { CallEvents } from "./call-events.ts";
import { readEvidence } from "./call-evidence.ts";
import type { CallMedia } from "./call-media.ts";
import { CallNotices } from "./call-notices.ts";
import type { CallParts } from "./call-parts.ts";
import { readRecords, type SessionRecord } from "./call-records.ts";
import { CallStreams } from "./call-streams.ts";
import { CallSuspension, type Suspended } from "./call-suspension.ts";
import { CallTerms } from "./call-terms.ts";
import { CallVoices } from "./call-voices.ts";
import { DataChannels } from "./data-channels.ts";
import { readFramesContradicted, readFramesRefused } from "./frame-news.ts";
import type { InboxEvent } from "./inbox.ts";
import { Listening } from "./listening.ts";
import { PeerPresence } from "./peer-presence.ts";
import type { StreamWatch } from "./stream-media.ts";
import { TypedEvents } from "./typed-events.ts";

/** How often signed checkpoints and receipts that fell due are looked for, ms. */
const UPKEEP_MS = 250;

/** What stands behind a call: its parts, each with its own room, and what they tell each other. */
export class CallCore {
  readonly media: CallMedia;
  readonly events: TypedEvents<CallEvents>;
  readonly terms: CallTerms;
  readonly changes: CallChanges;
  readonly notices: CallNotices;
  readonly streams: CallStreams;
  readonly voices: CallVoices;
  readonly suspension: CallSuspension;
  readonly channels: DataChannels;
  readonly ending: CallEnding;
  readonly attachment: CallAttachment;
  readonly #context: AgentContext;
  readonly #session: CheckedSession;
  readonly #control: CallControl;
  readonly #peer: PeerPresence;
  readonly #listening: Listening | undefined;
  readonly #cancelExpiry: () => void;
  #cancelUpkeep: () => void = () => {};

  constructor(options: CallParts) {
    const { context, media, session } = options;
    const { report, identity, platform } = context;
    const { clock, verifier } = platform;
    const wall = () => clock.wall();
    const control = new CallControl(options.id, context.control, context.reachable, clock);
    const parts = {
      ...options,
      control,
      identity,
      agentId: context.agentId,
      publicKey: context.publicKey,
      clock,
      wall,
      verifier,
      report,
      isOver: () => this.ending.isOver,
    };
    const tell = (notice: SessionNotice) => this.notices.tell(notice);
    this.media = media;
    this.#control = control;
    this.#context = context;
    this.#session = session;
    this.events = new TypedEvents(report);
    this.#peer = new PeerPresence({
      ...parts,
      ownClock: context.clock,
      detached: (event) => this.events.emit("peer-detached", event),
      attached: (event) => this.events.emit("peer-attached", event),
    });
    this.terms = new CallTerms({
      ...parts,
      changed: (event) => this.events.emit("terms-changed", event),
      narrowed: (event) => this.events.emit("authority-narrowed", event),
    });
    this.changes = new CallChanges({
      ...parts,
      terms: this.terms,
      policy: options.changes,
      expected: ({ profile }) => media.expectProfile(profile),
      laidOut: (told) => this.streams.laidOut(told),
      asked: (event) => {
        this.events.emit("change-asked", event);
        return this.events.has("change-asked");
      },
    });
    this.notices = new CallNotices({
      ...parts,
      heardAsked: (stream) => this.voices.asked(stream),
      paused: (notice) => this.voices.paused(notice),
      quality: (event) => {
        const { by, leg, degraded } = event;
        if (by === "server" && leg === options.leg) this.#listening?.toldByServer(degraded);
        this.events.emit("quality", event);
      },
      bandwidth: (event) => this.events.emit("bandwidth-estimate", event),
      unattributed: (event) => this.events.emit("unattributed", event),
      muted: (event) => this.events.emit("stream-muted", event),
      held: (event) => this.events.emit("stream-held", event),
      keyFrameWanted: (event) => this.events.emit("keyframe-wanted", event),
    });
    this.streams = new CallStreams({ ...parts, tell, platform, terms: this.terms, changes: this.changes });
    const { hop } = media;
    this.#listening =
      hop && new Listening({ estimator: hop.arrivals, bound: () => media.bound, tell, report });
    this.voices = new CallVoices({
      ...parts,
      tell,
      terms: this.terms,
      peerKey: (generation) => this.#peer.key(generation),
      interrupted: (event) => this.events.emit("interrupted", event),
      heard: (position) => this.events.emit("heard", position),
    });
    this.suspension = new CallSuspension({
      ...parts,
      suspended: (event) => this.events.emit("suspended", event),
      resumed: (event) => this.events.emit("resumed", event),
    });
    const open = (label: string) => this.streams.openOwn(label);
    this.channels = new DataChannels({ ...parts, platform, open });
    this.ending = new CallEnding({
      ...parts,
      ready: () => this.attachment.ready(),
      isAttached: () => this.attachment.isAttached,
      leaving: () => this.#cancelUpkeep(),
      ended: (end) => {
        this.#cancelExpiry();
        this.channels.finish();
        this.events.emit("ended", end);
      },
    });
    let suspendedBefore: Suspended | undefined;
    this.attachment = new CallAttachment({
      ...parts,
      detached: (event) => this.events.emit("detached", event),
      returning: () => {
        suspendedBefore = this.suspension.present;
        this.#peer.returning();
      },
      reattached: (event, { streams, result }) => {
        this.#peer.reattached(result.state);
        this.voices.catchUp(streams);
        this.#catchUp(result.present, suspendedBefore);
        this.streams.again();
        this.events.emit("reattached", event);
      },
      gone: (reason, isElsewhere) => {
        if (isElsewhere) this.ending.elsewhere("moved");
        else this.ending.cannotGoOn(reason);
      },
    });
    media.watchWith(this.#watch());
    if (options.state !== undefined) this.#peer.reattached(options.state);
    if (options.peerAttached === false) this.#peer.isToCome();
    if (options.suspension !== undefined) this.suspension.told("session-suspended", options.suspension);
    void this.ending.settled.catch(() => undefined).then(() => this.attachment.close());
    this.#scheduleUpkeep();
    const left = session.terms.expires_at * 1000 - wall();
    this.#cancelExpiry = clock.at(clock.now() + left, () => {
      this.ending.hangUp("ttl-expired").catch(report);
    });
  }

  /** What the server has to say of the session. */
  told({ event, fields }: InboxEvent): void {
    if (event === "session-ended") this.ending.told(fields);
    else if (event === "frames_refused") this.#framesRefused(fields);
    else if (event === "frames_contradicted") this.#framesContradicted(fields);
    else if (event === "terms-changed") {
      this.streams.laidOut(fields);
      this.terms.changed(fields).catch(this.#context.report);
    } else if (event === "change-asked") this.changes.asked(fields).catch(this.#context.report);
    else if (this.notices.takes(event, fields)) return;
    else if (event === "authority-narrowed") this.terms.withdrawn(fields);
    else if (event === "interrupted") this.voices.interrupted(fields);
    else if (event === "session-suspended" || event === "session-resumed")
      this.suspension.told(event, fields);
    else if (event === "media-moved" && this.attachment.isForeign(fields)) this.attachment.moved();
    else this.#peer.told(event, fields);
  }

  /** The agent has another connection. */
  agentOnline(context: AgentContext): void {
    this.#control.use(context.control);
    this.attachment.agentOnline(context);
  }

  /** The agent has none, and will try again. */
  agentOffline(): void {
    this.#control.lose();
    this.attachment.agentOffline();
  }

  /** The agent will have none any more. */
  agentClosed({ code }: CloseInfo): void {
    this.#control.close();
    if (code === CLOSE_CODES.replaced) this.ending.elsewhere("replaced");
    else this.ending.connectionLost();
    this.attachment.close();
  }

  /** As `Call.records`. */
  async records(after?: number): Promise<SessionRecord[]> {
    const { platform, reachable } = this.#context;
    const { serverKey } = this.#control;
    const server = { control: reachable(), serverKey, verifier: platform.verifier };
    return await readRecords(server, this.#session.sessionId, after);
  }

  /** As `Call.evidence`. */
  async evidence(): Promise<Uint8Array> {
    return await readEvidence(this.#session.sessionId, {
      clock: this.#context.platform.clock,
      control: this.#context.reachable,
      isOver: () => this.ending.isOver,
    });
  }

  /** News may have been lost on their way to this end: how the session stands makes up for them. */
  #catchUp(present: JsonValue | undefined, suspendedBefore: Suspended | undefined): void {
    if (!isJsonObject(present)) return;
    try {
      this.#peer.takeKey(present.peer_media_key);
      const { suspension } = present;
      const inForce = isJsonObject(suspension) ? suspension : undefined;
      this.suspension.caughtUp(inForce, suspendedBefore, agentOf(this.#session.peer));
    } catch (error) {
      this.#context.report(error);
    }
    this.terms.caughtUp(present).catch(this.#context.report);
  }

  /** What the streams of the call say to it. */
  #watch(): StreamWatch {
    const { report } = this.#context;
    const { events, notices, streams, voices } = this;
    return {
      opened: ({ handle: stream }) => {
        this.channels.add(stream);
        events.emit("stream-opened", { stream });
      },
      closed: ({ stream, handle }) => {
        streams.forget(stream);
        voices.forget(stream);
        events.emit("stream-closed", { stream: handle });
      },
      failed: (stream, error) => streams.failed(stream, error),
      control: {
        mute: (stream, isMuted) => streams.mute(stream, isMuted),
        hold: (stream, isHeld) => streams.hold(stream, isHeld),
        show: (source, rendition) => streams.show(source, rendition),
        close: (stream) => streams.close(stream),
        requestKeyFrame: (stream) => void notices.askKeyFrame(stream).catch(report),
        interrupt: (stream) => voices.interrupt(stream),
        flush: (stream) => voices.flush(stream),
        heardPosition: (stream) => voices.heardPosition(stream),
        pause: (stream, isPaused) => voices.pause(stream, isPaused),
      },
      unattributed: (frames) => void notices.playedUnattributed(frames).catch(report),
      interrupted: (bytes) => voices.arrived(bytes),
      receipt: (bytes, stream) => voices.receipt(bytes, stream),
      slowReader: (stream, isSlow) => void notices.readerIsSlow(stream, isSlow).catch(report),
    };
  }

  #framesRefused(fields: JsonObject): void {
    const refused = readFramesRefused(fields);
    if (refused === undefined) return;
    this.events.emit("frames-refused", refused);
    this.media.refusedByRelay(refused);
  }

  #framesContradicted(fields: JsonObject): void {
    const contradicted = readFramesContradicted(fields);
    if (contradicted !== undefined) this.events.emit("frames-contradicted", contradicted);
  }

  #scheduleUpkeep(): void {
    this.#cancelUpkeep = this.#context.platform.clock.at(
      this.#context.platform.clock.now() + UPKEEP_MS,
      () => {
        const now = this.#context.platform.clock.now();
        this.#listening?.poll(now);
        this.media.poll(now);
        this.#scheduleUpkeep();
      },
    );
  }
}
