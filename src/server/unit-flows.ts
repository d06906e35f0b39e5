import type { Clock } from "../../codecs/clock.ts";
import type { FrameView } from "../../codecs/frame.ts";
import { RateMeter } from "../../sfu/congestion/rate-meter.ts";
import type { EgressFate } from "../../sfu/relay-io.ts";
import { RenditionSwitch } from "../../sfu/rendition-switch.ts";
import { UnitCaps } from "../../sfu/unit-caps.ts";
import { UnitWriter } from "../../sfu/unit-writer.ts";
import { KEY_REQUEST_INTERVAL_MS, KeyFrameRequests } from "../../sfu/video-keyframes.ts";
import type { AdmissionRow, ConnectionId, EgressLeg } from "../../signaling/admission.ts";
import type { MediaLegs } from "./media-legs.ts";
import type { OutgoingItems, TakenBack } from "./outgoing-items.ts";

/** Milliseconds between looks at what stands still and which key frames are to be asked for. */
const LOOK_MS = 20;
/** Milliseconds between choices of renditions, and after which one that does not come is none. */
const CHOICE_MS = 100;
const COMING_MS = 2_000;
/** Over what time the rate of a rendition is measured, ms. */
const RATE_WINDOW_MS = 900;

type Place = Pick<AdmissionRow, "sessionId" | "leg" | "stream">;

/** Why a unit that was admitted does not leave, besides what its writer finds. */
type Taken = TakenBack | "rendition";

export interface UnitFlowsOptions {
  readonly clock: Clock;
  readonly items: (id: ConnectionId) => OutgoingItems | undefined;
  readonly legs: MediaLegs;
}

/** A unit that was let through, as it says itself. */
interface AdmittedUnit {
  readonly sequence: number;
  readonly key: boolean;
  readonly layer: number;
  readonly needs: number;
}

/**
 * The server's video: units that were admitted go on to their listeners within caps, in the rendition that each has room for; where one cannot go
 * on without a key frame, its speaker is asked, as often as does it good.
 */
export class UnitFlows {
  readonly #options: UnitFlowsOptions;
  readonly #writers = new Map<ConnectionId, Map<number, UnitWriter<Taken>>>();
  readonly #caps = new Map<ConnectionId, UnitCaps>();
  /** By place of the stream. */
  readonly #spoken = new Map<string, SpokenVideo>();
  /** By speaker and source, then by listener. */
  readonly #switches = new Map<
    string,
    Map<ConnectionId, { readonly choice: RenditionSwitch; chosenAt: number }>
  >();
  #asked = 0;
  #cancelLook: (() => void) | undefined;

  constructor(options: UnitFlowsOptions) {
    this.#options = options;
  }

  /** Key frames asked of speakers. */
  get keyFramesAsked(): number {
    return this.#asked;
  }

  /** Units that wait or are on open streams. */
  get pending(): number {
    let pending = 0;
    for (const { open } of this.#caps.values()) pending += open;
    return pending;
  }

  /** How much is kept, by table: what a leak test compares. @internal */
  sizes() {
    const [unitWriters, spokenVideo, switches] = [this.#writers, this.#spoken, this.#switches];
    return { unitWriters: unitWriters.size, spokenVideo: spokenVideo.size, renditionSwitches: switches.size };
  }

  /** A unit of this row was admitted; `packet` is copied where it goes on, `account` counts each copy of it once. */
  forward(
    row: AdmissionRow,
    view: FrameView,
    packet: Uint8Array,
    account: () => (fate: EgressFate) => void,
  ): void {
    const now = this.#options.clock.now();
    const unit = { sequence: view.sequence, key: view.keyFrame, layer: view.layer, needs: view.needs };
    const spoken = this.#spokenOf(row);
    spoken.came(unit, packet.length, now);
    if (row.held === true || row.egress.length === 0) {
      for (const leg of row.egress) this.#writerOf(row, leg)?.passOver(unit);
      account()(row.held === true ? "held" : "detached");
      return;
    }
    const kept = packet.slice();
    for (const leg of row.egress) this.#send(row, leg, unit, kept, account());
    this.#lookAt(spoken, now);
    this.#arm();
  }

  /** One that came was refused: what needs it cannot be decoded. */
  passOver(row: AdmissionRow, { sequence, keyFrame, layer, needs }: FrameView): void {
    for (const leg of row.egress)
      this.#writers.get(leg.connection)?.get(leg.flow)?.passOver({ sequence, key: keyFrame, layer, needs });
    this.#arm();
  }

  /** A listener on this connection needs a key frame of a row that goes to it. */
  keyFrameWanted(row: AdmissionRow): void {
    const now = this.#options.clock.now();
    const spoken = this.#spokenOf(row);
    // One that was let through moments ago answers it: the request crossed it.
    if (now - spoken.keyAt >= KEY_REQUEST_INTERVAL_MS) spoken.requests.want();
    this.#lookAt(spoken, now);
    this.#arm();
  }

  /** What waits of a row is not to leave. */
  discard({ egress }: AdmissionRow, reason: TakenBack): void {
    for (const { connection, flow } of egress) this.#writers.get(connection)?.get(flow)?.drop(reason);
  }

  /** A row flows elsewhere now, or not at all. */
  leave(row: AdmissionRow, next?: AdmissionRow): void {
    for (const leg of row.egress) {
      const stays = next?.egress.some((one) => one.connection === leg.connection && one.flow === leg.flow);
      if (stays !== true) this.#unwrite(leg);
    }
    if (next === undefined) {
      this.#spoken.delete(nameOf(row));
      this.#switches.delete(sourceOf(row));
    }
  }

  /** The connection is closed. */
  forget(connection: ConnectionId): void {
    for (const flow of [...(this.#writers.get(connection)?.keys() ?? [])])
      this.#unwrite({ connection, flow });
    this.#caps.delete(connection);
    for (const listeners of this.#switches.values()) listeners.delete(connection);
  }

  /** Stops the timer. */
  close(): void {
    this.#cancelLook?.();
    this.#cancelLook = undefined;
  }

  #send(
    row: AdmissionRow,
    leg: EgressLeg,
    unit: AdmittedUnit,
    packet: Uint8Array,
    account: (fate: EgressFate) => void,
  ): void {
    const { clock, legs } = this.#options;
    const writer = this.#writerOf(row, leg);
    if (writer === undefined) {
      account("closed");
      return;
    }
    if (!this.#isChosen(row, leg, unit)) {
      writer.passOver(unit);
      account("rendition");
      return;
    }
    writer.add({ ...unit, packet, settled: account }, clock.now());
    legs.wake(leg);
  }

  #isChosen(row: AdmissionRow, leg: EgressLeg, { key }: AdmittedUnit): boolean {
    const { video } = row;
    if (video?.source === undefined) return true;
    const name = sourceOf(row);
    const listeners = this.#switches.get(name) ?? new Map();
    this.#switches.set(name, listeners);
    const one = listeners.get(leg.connection) ?? {
      choice: new RenditionSwitch(),
      chosenAt: Number.NEGATIVE_INFINITY,
    };
    listeners.set(leg.connection, one);
    const now = this.#options.clock.now();
    if (now - one.chosenAt >= CHOICE_MS) {
      one.chosenAt = now;
      const { bitsPerSecond, limited } = this.#options.legs.roomForVideo(leg);
      one.choice.look(this.#coming(row, now), bitsPerSecond, now, limited);
      const wanted = one.choice.wantsKeyFrameOf;
      if (wanted !== undefined) this.#renditionOf(row, wanted)?.requests.want();
    }
    return one.choice.takes({ rendition: video.rendition, key });
  }

  #coming(row: AdmissionRow, now: number) {
    const coming = [];
    for (const spoken of this.#spoken.values())
      if (sourceOf(spoken.row) === sourceOf(row) && now - spoken.cameAt < COMING_MS)
        coming.push({
          rendition: spoken.row.video?.rendition ?? 0,
          bitsPerSecond: spoken.rate.rate(now, RATE_WINDOW_MS),
        });
    return coming;
  }

  #renditionOf(row: AdmissionRow, rendition: number): SpokenVideo | undefined {
    for (const spoken of this.#spoken.values())
      if (sourceOf(spoken.row) === sourceOf(row) && spoken.row.video?.rendition === rendition) return spoken;
    return undefined;
  }

  #spokenOf(row: AdmissionRow): SpokenVideo {
    const spoken = this.#spoken.get(nameOf(row)) ?? new SpokenVideo(row);
    this.#spoken.set(nameOf(row), spoken);
    spoken.row = row;
    return spoken;
  }

  #writerOf(row: AdmissionRow, leg: EgressLeg): UnitWriter<Taken> | undefined {
    const { items, legs } = this.#options;
    const present = this.#writers.get(leg.connection)?.get(leg.flow);
    if (present !== undefined) return present;
    const outgoing = items(leg.connection);
    if (outgoing === undefined) return undefined;
    const caps = this.#caps.get(leg.connection) ?? new UnitCaps();
    this.#caps.set(leg.connection, caps);
    const writer = new UnitWriter<Taken>({
      flow: leg.flow,
      ssrc: row.ssrc,
      caps,
      open: () => outgoing.openStream(),
      rate: () => legs.roomForVideo(leg).bitsPerSecond,
      abandon: (first, count) => legs.abandon(leg, row.ssrc, first, count),
      wake: () => legs.wake(leg),
    });
    if (!legs.addSource(leg, writer)) return undefined;
    const writers = this.#writers.get(leg.connection) ?? new Map<number, UnitWriter<Taken>>();
    this.#writers.set(leg.connection, writers.set(leg.flow, writer));
    return writer;
  }

  #unwrite(leg: EgressLeg): void {
    const writers = this.#writers.get(leg.connection);
    const writer = writers?.get(leg.flow);
    if (writers === undefined || writer === undefined) return;
    writers.delete(leg.flow);
    if (writers.size === 0) this.#writers.delete(leg.connection);
    this.#options.legs.removeSource(leg, writer);
    writer.drop("session-state");
  }

  /** Resets what stands still, and asks for the key frames that somebody needs. */
  #look(now: number): void {
    for (const spoken of this.#spoken.values()) this.#lookAt(spoken, now);
    this.#arm();
  }

  #lookAt({ row, requests }: SpokenVideo, now: number): void {
    for (const { connection, flow } of row.egress) {
      const writer = this.#writers.get(connection)?.get(flow);
      writer?.tick(now);
      if (writer?.needsKeyFrame === true && this.#isShown(row, connection)) requests.want();
    }
    if (row.held === true || row.egress.length === 0 || !requests.poll(now)) return;
    this.#asked += 1;
    this.#options.legs.askKeyFrame(row);
  }

  #isShown(row: AdmissionRow, listener: ConnectionId): boolean {
    const choice = this.#switches.get(sourceOf(row))?.get(listener)?.choice;
    return choice?.present === undefined || choice.present === row.video?.rendition;
  }

  #arm(): void {
    if (this.#cancelLook !== undefined) return;
    const isBusy =
      this.pending > 0 || [...this.#spoken.values()].some(({ requests }) => requests.nextTimeout());
    if (!isBusy) return;
    const { clock } = this.#options;
    this.#cancelLook = clock.at(clock.now() + LOOK_MS, () => {
      this.#cancelLook = undefined;
      this.#look(clock.now());
    });
  }
}

/** What is known of a stream of video that comes here. */
class SpokenVideo {
  row: AdmissionRow;
  readonly requests = new KeyFrameRequests();
  readonly rate = new RateMeter();
  cameAt = Number.NEGATIVE_INFINITY;
  keyAt = Number.NEGATIVE_INFINITY;

  constructor(row: AdmissionRow) {
    this.row = row;
  }

  came({ key }: AdmittedUnit, bytes: number, now: number): void {
    this.cameAt = now;
    this.rate.add(bytes, now);
    if (!key) return;
    this.keyAt = now;
    this.requests.came();
  }
}

function nameOf({ sessionId, leg, stream }: Place): string {
  return `${sessionId} ${leg} ${stream}`;
}

/** Of all renditions of one picture; of a stream that is alone, its own. */
function sourceOf(row: AdmissionRow): string {
  const source = row.video?.source;
  return source === undefined ? nameOf(row) : `${row.sessionId} ${row.leg} source ${source}`;
}
