import { FrameSigningContext } from "../codecs/frame.ts";
import {
  type AdmissionMessage,
  type AdmissionRow,
  type ConnectionId,
  type PictureBounds,
  PROFILE_NEWS_MS,
  PROFILE_OVERLAP_MS,
  RELIABLE_FRESHNESS_MS,
  UNIT_FRESHNESS_MS,
} from "../signaling/admission.ts";
import { FlowTally } from "./flow-tally.ts";
import { type FrameTotals, noFrames } from "./frame-totals.ts";
import { ListedFrames } from "./listed-frames.ts";
import { RefusalReports } from "./refusal-reports.ts";
import type { ReplayWindow } from "./replay-window.ts";
import { FrameRate, LegCeiling, TokenBucket } from "./token-bucket.ts";

/** Bad signatures a connection may send at once before it is closed. */
export const BAD_SIGNATURE_LIMIT = 20;

/** Frames of a flow that wait for their checkpoint at a relay, or checkpoints' for their frames: five seconds of them. */
const MAX_UNLISTED_FRAMES = 256;

/** Bad signatures forgiven each second after that. */
const BAD_SIGNATURES_FORGIVEN = 0.1;

/** What the relay keeps of one session. */
export interface SessionEntry {
  readonly sessionId: string;
  state: "active" | "held" | "ended";
  /** By leg and stream; outlives the connection that carries the flow. */
  readonly flows: Map<number, FlowEntry>;
  readonly reports: RefusalReports;
  /** By leg that has one. */
  readonly ceilings: Map<number, LegCeiling>;
}

/** What the relay keeps of one connection that carries at least one flow. */
export interface ConnectionEntry {
  readonly flows: Map<number, FlowEntry>;
  readonly badSignatures: TokenBucket;
  /** Its closing was asked for. */
  condemned: boolean;
}

/** One speaker's stream: the row in force and what survives its replacement. */
export interface FlowEntry {
  readonly session: SessionEntry;
  readonly tally: FlowTally;
  /** By key generation; each begins with the first frame that proves authentic. */
  readonly windows: (ReplayWindow | undefined)[];
  /** Media epoch in force. */
  epoch: number;
  row: AdmissionRow;
  /** Frames of this profile pass as well, until then (monotonic milliseconds). */
  besides: { readonly profile: AdmissionRow["profile"]; readonly until: number } | undefined;
  /** Pictures within these bounds pass as well, until then (monotonic milliseconds). */
  larger: { readonly bounds: PictureBounds; readonly until: number } | undefined;
  /** Frames of profile `chain` that were let through, to be compared with their checkpoints. Only of a relay. */
  readonly listed: ListedFrames;
  /** Of the key in force. */
  generation: number;
  context: FrameSigningContext;
  rate: FrameRate;
  /** That of its leg. */
  ceiling: LegCeiling | undefined;
  /** When it was not read on last, monotonic milliseconds: standstills that follow each other closely are one. */
  standstill: { readonly from: number; readonly to: number } | undefined;
}

/**
 * Holds the rows by connection and flow and applies the messages that steer the relay. A session's entries live from
 * its first `install` to its `remove`: how many sessions there are is the sender's limit to keep.
 * @internal
 */
export class AdmissionTable {
  /** Of all flows that ever were here. */
  readonly totals: FrameTotals = noFrames();
  readonly #sessions = new Map<string, SessionEntry>();
  readonly #connections = new Map<ConnectionId, ConnectionEntry>();

  /** Applies one message. Messages for sessions or flows that are not here, and terms older than those in force, change nothing. */
  apply(message: Exclude<AdmissionMessage, { kind: "checkpoint" }>, now: number): void {
    switch (message.kind) {
      case "install":
        this.#install(message.row, now);
        return;
      case "move":
        this.#move(message.row, message.epoch, now);
        return;
      case "terms": {
        const entry = this.find(message.connection, message.flow);
        if (entry === undefined || message.termsNumber < entry.row.termsNumber) return;
        const { termsNumber, transmitAllowed, bitsPerSecond } = message;
        const { profile = entry.row.profile, rate = entry.row.rate, picture = entry.row.picture } = message;
        if (!isSameRate(rate, entry.row.rate)) entry.rate = new FrameRate(rate, now);
        if (profile !== entry.row.profile) {
          entry.besides = { profile: entry.row.profile, until: now + PROFILE_OVERLAP_MS };
        }
        const before = entry.row.picture;
        if (before !== undefined && picture !== undefined && before.maxHeight > picture.maxHeight)
          entry.larger = { bounds: before, until: now + UNIT_FRESHNESS_MS };
        entry.row = { ...entry.row, termsNumber, transmitAllowed, bitsPerSecond, profile, rate, picture };
        entry.ceiling = ceilingOf(entry.session, entry.row, now);
        return;
      }
      case "profile-ahead": {
        const entry = this.find(message.connection, message.flow);
        if (entry === undefined || entry.row.profile === message.profile) return;
        entry.besides = { profile: message.profile, until: now + PROFILE_NEWS_MS };
        return;
      }
      case "epoch": {
        const entry = this.find(message.connection, message.flow);
        const takesHold = entry !== undefined && (message.epoch > entry.epoch || message.goesBack === true);
        if (takesHold) entry.epoch = message.epoch;
        return;
      }
      case "stood-still": {
        const entry = this.stream(message);
        if (entry === undefined || entry.row.reliable !== true) return;
        const before = entry.standstill;
        const isOne = before !== undefined && message.since <= before.to + RELIABLE_FRESHNESS_MS;
        entry.standstill = { from: isOne ? before.from : message.since, to: now };
        return;
      }
      case "hold": {
        const entry = this.stream(message);
        if (entry !== undefined) entry.row = { ...entry.row, held: message.isHeld };
        return;
      }
      case "lift": {
        const entry = this.stream(message);
        if (entry === undefined) return;
        this.#detach(entry);
        entry.session.flows.delete(keyOf(message));
        return;
      }
      case "state": {
        const session = this.#sessions.get(message.sessionId);
        if (session !== undefined && session.state !== "ended") session.state = message.state;
        return;
      }
      case "remove": {
        const session = this.#sessions.get(message.sessionId);
        if (session === undefined) return;
        for (const entry of session.flows.values()) this.#detach(entry);
        this.#sessions.delete(message.sessionId);
        return;
      }
    }
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    return { sessions: this.#sessions.size, connections: this.#connections.size };
  }

  /** The stream that a row is about, whichever flow carries it. */
  stream(row: Pick<AdmissionRow, "sessionId" | "leg" | "stream">): FlowEntry | undefined {
    return this.#sessions.get(row.sessionId)?.flows.get(keyOf(row));
  }

  find(connection: ConnectionId, flow: number): FlowEntry | undefined {
    return this.#connections.get(connection)?.flows.get(flow);
  }

  connection(connection: ConnectionId): ConnectionEntry | undefined {
    return this.#connections.get(connection);
  }

  session(sessionId: string): SessionEntry | undefined {
    return this.#sessions.get(sessionId);
  }

  /** Drops the routes of a connection that is gone; its sessions' counters and windows stay. */
  forget(connection: ConnectionId): void {
    this.#connections.delete(connection);
  }

  #install(row: AdmissionRow, now: number): void {
    const session = this.#sessionOf(row.sessionId, now);
    const key = keyOf(row);
    let entry = session.flows.get(key);
    if (entry === undefined) {
      entry = {
        session,
        tally: new FlowTally(row.leg, row.stream, this.totals),
        windows: [],
        epoch: 0,
        row,
        besides: undefined,
        larger: undefined,
        listed: new ListedFrames(MAX_UNLISTED_FRAMES),
        generation: generationOf(row),
        context: new FrameSigningContext(row.sessionDigest, row.leg, row.stream),
        rate: new FrameRate(row.rate, now),
        ceiling: ceilingOf(session, row, now),
        standstill: undefined,
      };
      session.flows.set(key, entry);
    } else {
      // One attachment a leg: the newer row takes the flow over, with windows and counters as they stand.
      this.#detach(entry);
      entry.row = row;
      entry.generation = generationOf(row);
      entry.context = new FrameSigningContext(row.sessionDigest, row.leg, row.stream);
      entry.rate = new FrameRate(row.rate, now);
      entry.ceiling = ceilingOf(session, row, now);
    }
    this.#connectionOf(row.connection, now).flows.set(row.flow, entry);
  }

  #move(row: AdmissionRow, epoch: number, now: number): void {
    const entry = this.stream(row);
    if (entry === undefined) return;
    this.#detach(entry);
    entry.row = row;
    entry.ceiling = ceilingOf(entry.session, row, now);
    entry.generation = generationOf(row);
    entry.epoch = Math.max(entry.epoch, epoch);
    this.#connectionOf(row.connection, now).flows.set(row.flow, entry);
  }

  #detach(entry: FlowEntry): void {
    const { connection, flow } = entry.row;
    const carrier = this.#connections.get(connection);
    if (carrier?.flows.get(flow) !== entry) return;
    carrier.flows.delete(flow);
    if (carrier.flows.size === 0) this.#connections.delete(connection);
  }

  #sessionOf(sessionId: string, now: number): SessionEntry {
    let session = this.#sessions.get(sessionId);
    if (session === undefined) {
      session = {
        sessionId,
        state: "active",
        flows: new Map(),
        reports: new RefusalReports(sessionId, now),
        ceilings: new Map(),
      };
      this.#sessions.set(sessionId, session);
    }
    return session;
  }

  #connectionOf(connection: ConnectionId, now: number): ConnectionEntry {
    let entry = this.#connections.get(connection);
    if (entry === undefined) {
      const badSignatures = new TokenBucket(BAD_SIGNATURES_FORGIVEN, BAD_SIGNATURE_LIMIT, now);
      entry = { flows: new Map(), badSignatures, condemned: false };
      this.#connections.set(connection, entry);
    }
    return entry;
  }
}

function isSameRate(left: AdmissionRow["rate"], right: AdmissionRow["rate"]): boolean {
  return (
    left.framesPerSecond === right.framesPerSecond &&
    left.bytesPerSecond === right.bytesPerSecond &&
    left.burst === right.burst
  );
}

function generationOf({ keys }: AdmissionRow): number {
  return Math.max(...keys.keys());
}

/** What the leg may send on all its streams together; the same while its cap is the same. */
function ceilingOf(
  { ceilings }: SessionEntry,
  { leg, bitsPerSecond }: AdmissionRow,
  now: number,
): LegCeiling | undefined {
  if (bitsPerSecond === undefined) {
    ceilings.delete(leg);
    return undefined;
  }
  const present = ceilings.get(leg);
  if (present?.bitsPerSecond === bitsPerSecond) return present;
  const ceiling = new LegCeiling(bitsPerSecond, now);
  ceilings.set(leg, ceiling);
  return ceiling;
}

function keyOf({ leg, stream }: Pick<AdmissionRow, "leg" | "stream">): number {
  return leg * 2 ** 32 + stream;
}
