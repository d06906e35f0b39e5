import type { Clock } from "../../codecs/clock.ts";
import type { FrameView } from "../../codecs/frame.ts";
import type { EgressFate } from "../../sfu/relay-io.ts";
import { RenditionSwitch } from "../../sfu/rendition-switch.ts";
import { UnitCaps } from "../../sfu/unit-caps.ts";
import { UnitWriter } from "../../sfu/unit-writer.ts";
import { shareAmongVideos } from "../../sfu/video-shares.ts";
import type { AdmissionRow, ConnectionId, EgressLeg } from "../../signaling/admission.ts";
import type { MediaLegs } from "./media-legs.ts";
import type { OutgoingItems, TakenBack } from "./outgoing-items.ts";
import { type SpokenVideo, SpokenVideos, sourceOf } from "./spoken-video.ts";

/** Milliseconds between looks at what may stand still and which key frames are to be asked for. */
const LOOK_MS = 20;
/** Milliseconds between choices of renditions. */
const CHOICE_MS = 100;

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
  readonly #spoken = new SpokenVideos();
  /** Those of which units are on their way, or a key frame is to be asked for: time alone changes something about them. */
  readonly #busy = new Set<SpokenVideo>();
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
    return {
      unitWriters: unitWriters.size,
      spokenVideo: spokenVideo.size,
      busyVideo: this.#busy.size,
      renditionSwitches: switches.size,
    };
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
    const spoken = this.#spoken.of(row);
    spoken.came(unit, packet.length, now);
    if (row.held === true || row.egress.length === 0) {
      for (const leg of row.egress) this.#writerOf(row, leg)?.passOver(unit);
      account()(row.held === true ? "held" : "detached");
      return;
    }
    const kept = packet.slice();
    for (const leg of row.egress) this.#send(row, leg, unit, kept, account());
    this.#look(spoken, now);
  }

  /** One that came was refused: what needs it cannot be decoded. */
  passOver(row: AdmissionRow, { sequence, keyFrame, layer, needs }: FrameView): void {
    for (const leg of row.egress)
      this.#writers.get(leg.connection)?.get(leg.flow)?.passOver({ sequence, key: keyFrame, layer, needs });
    const spoken = this.#spoken.get(row);
    if (spoken !== undefined) this.#look(spoken, this.#options.clock.now());
  }

  /** The listener on this connection needs a key frame of a row that goes to it; on no connection: whoever listens. */
  keyFrameWanted(row: AdmissionRow, connection?: ConnectionId): void {
    const now = this.#options.clock.now();
    const spoken = this.#spoken.of(row);
    const leg = row.egress.find((one) => one.connection === connection);
    const key = leg && this.#writers.get(leg.connection)?.get(leg.flow)?.keyLeft;
    if (leg === undefined || !this.#options.legs.isAnswered(leg, row.ssrc, key)) spoken.requests.want();
    this.#look(spoken, now);
  }

  /** What waits of a row is not to leave. No key frame is asked for before more of it comes, or somebody needs one. */
  discard(row: AdmissionRow, reason: TakenBack): void {
    for (const { connection, flow } of row.egress) this.#writers.get(connection)?.get(flow)?.drop(reason);
    this.#rest(row);
  }

  /** A row flows elsewhere now, or not at all. */
  leave(row: AdmissionRow, next?: AdmissionRow): void {
    for (const leg of row.egress) {
      const stays = next?.egress.some((one) => one.connection === leg.connection && one.flow === leg.flow);
      if (stays !== true) this.#unwrite(leg);
    }
    if (next !== undefined) return;
    this.#rest(row);
    this.#spoken.delete(row);
    this.#switches.delete(sourceOf(row));
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
      const { bitsPerSecond, limited } = this.#roomFor(row, leg, now);
      one.choice.look(this.#spoken.coming(row, now), bitsPerSecond, now, limited);
      const wanted = one.choice.wantsKeyFrameOf;
      if (wanted !== undefined) this.#want(this.#spoken.rendition(row, wanted));
    }
    return one.choice.takes({ rendition: video.rendition, key });
  }

  /** As in `MediaLegs.roomForVideo`, and of it what this video has beside the others that come and go to the same listener. */
  #roomFor(row: AdmissionRow, leg: EgressLeg, now: number): { bitsPerSecond: number; limited: boolean } {
    const { legs } = this.#options;
    const { bitsPerSecond, limited } = legs.roomForVideo(leg);
    const own = sourceOf(row);
    const best = new Map([[own, 0]]);
    for (const beside of legs.videosBeside(leg)) {
      const source = sourceOf(beside);
      const coming = beside.held === true ? undefined : this.#spoken.get(beside)?.coming(now);
      if (coming !== undefined) best.set(source, Math.max(best.get(source) ?? 0, coming.bitsPerSecond));
    }
    const [share = bitsPerSecond] = shareAmongVideos(bitsPerSecond, [...best.values()]);
    return { bitsPerSecond: share, limited };
  }

  /** Time alone changes nothing about it now. */
  #rest(row: AdmissionRow): void {
    const spoken = this.#spoken.get(row);
    if (spoken !== undefined) this.#busy.delete(spoken);
  }

  /** Its key frame is asked for when that is next looked for. */
  #want(spoken: SpokenVideo | undefined): void {
    if (spoken === undefined) return;
    spoken.requests.want();
    this.#busy.add(spoken);
  }

  #writerOf(row: AdmissionRow, leg: EgressLeg): UnitWriter<Taken> | undefined {
    const { clock, items, legs } = this.#options;
    const present = this.#writers.get(leg.connection)?.get(leg.flow);
    if (present !== undefined) return present;
    const outgoing = items(leg.connection);
    if (outgoing === undefined) return undefined;
    const caps = this.#caps.get(leg.connection) ?? new UnitCaps();
    this.#caps.set(leg.connection, caps);
    const writer = new UnitWriter<Taken>({
      flow: leg.flow,
      ssrc: row.ssrc,
      call: row.sessionId,
      caps,
      open: () => outgoing.openStream(),
      rate: () => this.#roomFor(row, leg, clock.now()).bitsPerSecond,
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

  /** Resets what stands still of one stream, and asks for the key frame that somebody needs of it. */
  #look(spoken: SpokenVideo, now: number): void {
    const { row, requests } = spoken;
    let isOnItsWay = false;
    for (const { connection, flow } of row.egress) {
      const writer = this.#writers.get(connection)?.get(flow);
      if (writer === undefined) continue;
      writer.tick(now);
      if (writer.needsKeyFrame && this.#isShown(row, connection)) requests.want();
      isOnItsWay ||= writer.pending > 0;
    }
    const mayAsk = row.held !== true && row.egress.length > 0;
    const roundTrip = this.#options.legs.roundTrip(row);
    if (mayAsk && requests.poll(now, roundTrip)) {
      this.#asked += 1;
      this.#options.legs.askKeyFrame(row);
    }
    if (isOnItsWay || (mayAsk && requests.nextTimeout() !== undefined)) this.#busy.add(spoken);
    else this.#busy.delete(spoken);
    this.#arm();
  }

  #isShown(row: AdmissionRow, listener: ConnectionId): boolean {
    const choice = this.#switches.get(sourceOf(row))?.get(listener)?.choice;
    return choice?.present === undefined || choice.present === row.video?.rendition;
  }

  #arm(): void {
    if (this.#cancelLook !== undefined || this.#busy.size === 0) return;
    const { clock } = this.#options;
    this.#cancelLook = clock.at(clock.now() + LOOK_MS, () => {
      this.#cancelLook = undefined;
      const now = clock.now();
      for (const spoken of this.#busy) this.#look(spoken, now);
      this.#arm();
    });
  }
}
