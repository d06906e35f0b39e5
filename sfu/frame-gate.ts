import type { FrameMac } from "../codecs/chain-key.ts";
import { MAX_DATA_MESSAGE_BYTES } from "../codecs/data-message.ts";
import type { FrameProfile, FrameView } from "../codecs/frame.ts";
import type { Result } from "../codecs/result.ts";
import type { Verifier } from "../codecs/signer.ts";
import type { VideoFormatName, VideoUnitFacts } from "../codecs/video-formats.ts";
import { RELIABLE_FRESHNESS_MS, type Refusal, UNIT_FRESHNESS_MS } from "../signaling/admission.ts";
import { CLOCK_SKEW_SECONDS } from "../signaling/validity.ts";
import type { FlowEntry } from "./admission-table.ts";
import { MAX_DATAGRAM_BYTES } from "./carrier.ts";
import { DATAGRAM_WINDOW, ReplayWindow, STREAM_WINDOW } from "./replay-window.ts";

/** How far a capture time may lie from the present, either way, before the clocks' uncertainty is added. Milliseconds. */
export const FRESHNESS = 2000;

/** What a stated clock uncertainty may add to {@link FRESHNESS} at most. Milliseconds. */
export const MAX_CLOCK_UNCERTAINTY = 1000;

/** How a packet came: alone in a datagram, or as one item of a stream. */
export type Carriage = "datagram" | "stream";

/** Reads what a video payload says of the picture in it. */
export type PictureReader = (format: VideoFormatName, payload: Uint8Array) => Result<VideoUnitFacts>;

/**
 * Judges parsed frames against their flow, in the order of `design` 5 and of `REFUSALS`: cheap and certain checks
 * first, the signature near the end, and the window moves only for what passed everything.
 * @internal
 */
export class FrameGate {
  readonly #verifier: Verifier;
  readonly #mac: FrameMac | undefined;
  readonly #readPicture: PictureReader | undefined;
  #signed: Uint8Array = EMPTY;

  /**
   * `mac`: of a listener, which must find the tags of profile `chain` to hold. A relay has none, and no keys for it. `readPicture`: of whoever
   * holds pictures against their bounds.
   */
  constructor(verifier: Verifier, mac?: FrameMac, readPicture?: PictureReader) {
    this.#verifier = verifier;
    this.#mac = mac;
    this.#readPicture = readPicture;
  }

  /** Signed bytes of the frame that `judge` last let through; valid until the next `judge`. */
  get signed(): Uint8Array {
    return this.#signed;
  }

  /**
   * The first reason to refuse the frame in `view`, parsed from `bytes`, or `undefined`: then it is recorded as seen.
   * `now` is the monotonic clock of the rates, `wall` the time that capture times are held against, `date` the time of day
   * that keys and terms expire by.
   */
  judge(
    entry: FlowEntry,
    bytes: Uint8Array,
    view: FrameView,
    carriage: Carriage,
    now: number,
    wall: number,
    date: number,
  ): Refusal | undefined {
    const row = entry.row;
    if (entry.session.state !== "active") return "session-state";
    if (!row.transmitAllowed) return "scope";
    const isAgreed = view.payloadType === row.payloadType || view.payloadType === row.redPayloadType;
    if (!isAgreed || view.ssrc !== row.ssrc) return "terms";
    const isUnit = row.video !== undefined;
    if ((row.reliable === true || isUnit) && carriage === "datagram") return "terms";
    if (!isOfProfile(entry, view.profile, now)) return "profile";
    if (!entry.rate.take(bytes.length, now, isUnit)) return "rate";
    if (entry.ceiling?.take(view.payloadLength, now, isUnit) === false) return "limit";
    const window = entry.windows[view.keyGeneration];
    const seen = window?.test(view.sequence, carriage === "datagram" ? DATAGRAM_WINDOW : STREAM_WINDOW);
    if (seen === "replayed") return "replayed";
    if (seen === "behind") return "window";
    // What is reliable is ordered: a frame that comes after a later one was held back.
    if (row.reliable === true && view.sequence < (window?.highest ?? 0)) return "window";
    const isPresent = view.keyGeneration === entry.generation;
    if (isPresent && view.sequence < (row.leastSequence ?? 0)) return "window";
    const untimely = freshness(entry, view.captureMs, now, wall);
    if (untimely !== undefined) return untimely;
    const key = isPresent ? row.keys.get(entry.generation) : undefined;
    if (key === undefined) return "key-generation";
    if (!isInForce(entry, date)) return "expired";
    // Older epochs were interrupted; a later one is raised by the interrupt alone, never by a frame.
    if (view.epoch !== entry.epoch) return "epoch";
    const signed = entry.context.signedBytes(bytes, view);
    if (!this.#isProved(entry, key, signed, view, bytes)) return "signature";
    if (row.picture !== undefined && !this.#isWithinBounds(entry, view.payload(bytes), now)) return "picture";
    if (carriage === "datagram" && bytes.length > MAX_DATAGRAM_BYTES) return "too-large";
    if (row.reliable === true && view.payloadLength > MAX_DATA_MESSAGE_BYTES) return "too-large";
    windowOf(entry, view.keyGeneration).commit(view.sequence);
    this.#signed = signed;
    return undefined;
  }

  /** A payload that is no picture of its codec cannot be held against any bounds. */
  #isWithinBounds({ row: { picture }, larger }: FlowEntry, payload: Uint8Array, now: number): boolean {
    if (picture === undefined || this.#readPicture === undefined) return true;
    const facts = this.#readPicture(picture.format, payload);
    if (!facts.ok) return false;
    const { width = 0, height = 0 } = facts.value;
    if (height > (picture.heightLimit ?? Number.POSITIVE_INFINITY)) return false;
    const bounds = larger !== undefined && now <= larger.until ? larger.bounds : picture;
    return width <= bounds.maxWidth && height <= Math.max(picture.maxHeight, bounds.maxHeight);
  }

  #isProved(
    { row, generation }: FlowEntry,
    key: Uint8Array,
    signed: Uint8Array,
    view: FrameView,
    bytes: Uint8Array,
  ): boolean {
    if (view.profile === "frame") return this.#verifier.verify(key, signed, view.tag(bytes));
    if (this.#mac === undefined) return true;
    const tagKey = row.tagKeys?.get(generation);
    return tagKey !== undefined && this.#mac.holds(tagKey, signed, view.tag(bytes));
  }
}

/** The profile in force, or for a while another one beside it. */
function isOfProfile({ row, besides }: FlowEntry, profile: FrameProfile, now: number): boolean {
  return profile === row.profile || (profile === besides?.profile && now <= besides.until);
}

function freshness(
  { row, standstill }: FlowEntry,
  captureMs: number,
  now: number,
  wall: number,
): "stale" | "early" | undefined {
  const age = wall - (captureMs + row.clockOffset);
  const uncertainty = Math.min(row.clockUncertainty, MAX_CLOCK_UNCERTAINTY);
  const live = row.deadlineMs ?? (row.video === undefined ? FRESHNESS : UNIT_FRESHNESS_MS);
  const wait = row.reliable === true ? RELIABLE_FRESHNESS_MS : live;
  // Its window may have been in an earlier process: what that one can have let through was captured so long ago.
  const isLost = row.resumedAt !== undefined && row.reliable !== true;
  if (isLost && wall - age <= row.resumedAt + Math.max(wait, FRESHNESS) + uncertainty) return "stale";
  const hasWaited =
    standstill !== undefined &&
    now <= standstill.to + wait &&
    now - age >= standstill.from - wait - uncertainty;
  if (hasWaited && age > 0) return undefined;
  // Phrased so that a time that is not a number is refused.
  if (!(age <= wait + uncertainty)) return "stale";
  return age >= -(FRESHNESS + uncertainty) ? undefined : "early";
}

/**
 * The dates are the ends' own; their clocks may differ from this one by as much as when they were agreed. A key that has
 * spoken has begun, even if the clock is then set back.
 */
function isInForce(entry: FlowEntry, date: number): boolean {
  const { notBefore, notAfter } = entry.row;
  const hasBegun = entry.windows[entry.generation] !== undefined || date >= notBefore - SKEW_MS;
  return hasBegun && date <= notAfter + SKEW_MS;
}

/**
 * One bitmap serves both carriages, so that a frame seen in a datagram is a replay on a stream too; a stream packet is
 * merely allowed to lag less.
 */
function windowOf(entry: FlowEntry, generation: number): ReplayWindow {
  let window = entry.windows[generation];
  if (window === undefined) {
    window = new ReplayWindow(DATAGRAM_WINDOW);
    entry.windows[generation] = window;
  }
  return window;
}

const SKEW_MS = CLOCK_SKEW_SECONDS * 1000;
const EMPTY = new Uint8Array(0);
