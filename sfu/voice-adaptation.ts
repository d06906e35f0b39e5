import type { HopEstimate } from "./congestion/media-hop.ts";

/** What a voice is to be sent like. */
export interface VoicePlan {
  /** Bits of payload a second, what goes twice included. */
  readonly bitrate: number;
  /** Earlier payloads that each packet brings once more. */
  readonly redundancy: 0 | 1 | 2;
  /** Share of packets to expect lost, 0 to 1: how much the codec's own error correction may take of its rate. */
  readonly expectedLoss: number;
}

/** The part of what is known of a way that a voice goes by. */
export type PathEstimate = Pick<
  HopEstimate,
  "bitsPerSecond" | "behind" | "roundTrip" | "queueDelay" | "lossShare"
>;

export interface VoiceAdaptationOptions {
  /** Bits of payload a second of this voice when nothing is in its way. */
  readonly most: number;
  /** And when everything is: below it is not worth hearing. */
  readonly least: number;
  /** Milliseconds of one frame. */
  readonly frameMs: number;
  /** Bytes around the payload of each frame on the way, as estimates count them. */
  readonly overhead: number;
  /** Earlier payloads that a packet may bring at most: 0 where none were agreed. */
  readonly mostRedundancy: 0 | 1 | 2;
  /** And at least, whatever the way: as the voice began. Default 0. */
  readonly redundancy?: 0 | 1 | 2;
}

/** Rates a voice steps through, bits of payload a second. */
const STEPS = [
  6_000, 8_000, 10_000, 12_000, 14_000, 16_000, 20_000, 24_000, 28_000, 32_000, 40_000, 48_000, 64_000,
  80_000, 96_000, 128_000, 192_000, 256_000, 384_000, 510_000,
] as const;
/** Share of an estimate that is used; a lower rate is chosen once the present one takes more than `TOO_MUCH`. */
const USED = 0.92;
const TOO_MUCH = 1;
/** Below this share of what the voice takes nothing is waited for; above it, a lack has to last, ms. */
const FAR_TOO_MUCH = 0.8;
const LACK_MS = 150;
/** Room has to have been there so long before more is sent, ms; and so long after it was less, doubled each time that was soon followed by less again. */
const ROOM_MS = 800;
const ROOM_AFTER_LACK_MS = 2_000;
const LONGEST_ROOM_MS = 16_000;
/** Less that follows more within this time says that it was too early, ms. */
const SOON_MS = 4_000;
/** How much more at once. */
const RAISE = 1.5;
/** Packets that wait on the way longer than this say that the way is full, ms. */
const FULL_MS = 40;
/** And that it takes less than is sent now, whatever else is believed of it: then this part of it is used, and it has so long to drain, ms. */
const FILLING_MS = 60;
const LESS_WHEN_FILLING = 0.9;
const DRAIN_MS = 1_000;
/** Loss is looked at over about this time, ms. */
const LOSS_WINDOW_MS = 1_500;
/** Shares of loss from which each payload goes once and twice more, where the round trip is short; half of that where it is long. */
const REPEAT_FROM = [0.04, 0.12] as const;
const LONG_ROUND_TRIP_MS = 150;
/** Share of loss below which repeating ends, and how long it has to have lasted, ms. */
const CALM_LOSS = 0.015;
const CALM_MS = 5_000;
/** A copy of the voice has to have as much as this, bits a second, or there is none. */
const LEAST_COPY = 8_000;
/** Steps in which the codec is told of loss. */
const LOSS_STEPS = [0, 0.02, 0.05, 0.1, 0.2, 0.3] as const;

/** As much of `wanted` as leaves each payload, and each copy of it, enough of `bitrate`. */
export function redundancyWithin(bitrate: number, wanted: 0 | 1 | 2): 0 | 1 | 2 {
  const fits = Math.floor(bitrate / LEAST_COPY) - 1;
  return Math.max(0, Math.min(wanted, fits)) as 0 | 1 | 2;
}

/**
 * Decides how a voice is sent from what is known of its way: less at once when the way takes less, more by and by when there has been room for a while,
 * and payloads twice only where packets are lost though none wait: then the way is not full. All of it within one rate: what is repeated makes each payload smaller.
 * Give it every estimate; times are milliseconds of any one clock.
 */
export class VoiceAdaptation {
  readonly #options: VoiceAdaptationOptions;
  #overhead: number;
  #plan: VoicePlan;
  #loss = 0;
  #observedAt: number | undefined;
  #lackSince: number | undefined;
  #roomSince: number | undefined;
  #calmSince: number | undefined;
  #loweredAt: number | undefined;
  #raisedAt: number | undefined;
  /** How long there has to be room before more is sent; and how long it had to be after it was less last. */
  #roomWanted = ROOM_MS;
  #patience = ROOM_AFTER_LACK_MS;

  constructor(options: VoiceAdaptationOptions) {
    this.#options = options;
    this.#overhead = options.overhead;
    const { most, redundancy = 0 } = options;
    this.#plan = { bitrate: most, redundancy, expectedLoss: LOSS_STEPS[0] };
  }

  get plan(): VoicePlan {
    return this.#plan;
  }

  /** Bits a second on the way, with all that is around the payloads. */
  wireRate(bitrate: number): number {
    return bitrate + (this.#overhead * 8 * 1_000) / this.#options.frameMs;
  }

  /** There is more, or less, around each payload from now on. */
  useOverhead(overhead: number): void {
    this.#overhead = overhead;
  }

  /** Even the least rate is more than the way takes. */
  isTooThin({ bitsPerSecond, behind = bitsPerSecond }: PathEstimate): boolean {
    return Math.min(bitsPerSecond, behind) < this.wireRate(this.#options.least);
  }

  /** Takes an estimate; returns the plan where it is another one than before. */
  observe(estimate: PathEstimate, now: number): VoicePlan | undefined {
    this.#note(estimate, now);
    const bitrate = this.#bitrate(estimate, now);
    const redundancy = this.#redundancy(estimate, bitrate, now);
    const expectedLoss = LOSS_STEPS.findLast((step) => step <= this.#loss) ?? LOSS_STEPS[0];
    const before = this.#plan;
    const isSame =
      before.bitrate === bitrate && before.redundancy === redundancy && before.expectedLoss === expectedLoss;
    if (isSame) return undefined;
    this.#plan = { bitrate, redundancy, expectedLoss };
    return this.#plan;
  }

  #note({ lossShare, queueDelay }: PathEstimate, now: number): void {
    const passed = now - (this.#observedAt ?? now - LOSS_WINDOW_MS / 4);
    this.#observedAt = now;
    const weight = 1 - Math.exp(-Math.max(0, passed) / LOSS_WINDOW_MS);
    // Loss on a full way says how full it is, and nothing of what repeating would mend.
    const loss = queueDelay > FULL_MS ? 0 : lossShare;
    this.#loss += (loss - this.#loss) * weight;
  }

  #bitrate({ bitsPerSecond, behind = bitsPerSecond, queueDelay }: PathEstimate, now: number): number {
    const present = this.#plan.bitrate;
    const usable = Math.min(bitsPerSecond, behind);
    const takes = this.wireRate(present);
    // A queue that grows is seen before the estimate has come down to what the way takes.
    const isFilling =
      queueDelay > FILLING_MS && now - (this.#loweredAt ?? Number.NEGATIVE_INFINITY) >= DRAIN_MS;
    if (usable < takes * TOO_MUCH || isFilling) {
      this.#roomSince = undefined;
      this.#lackSince ??= now;
      const isUrgent = usable < takes * FAR_TOO_MUCH || isFilling;
      if (!isUrgent && now - this.#lackSince < LACK_MS) return present;
      return this.#lowered(present, isFilling ? Math.min(usable, takes * LESS_WHEN_FILLING) : usable, now);
    }
    this.#lackSince = undefined;
    const next = this.#above(present);
    const hasRoom = next > present && this.wireRate(next) <= usable * USED && queueDelay <= FULL_MS;
    if (!hasRoom) {
      this.#roomSince = undefined;
      return present;
    }
    this.#roomSince ??= now;
    if (now - this.#roomSince < this.#roomWanted) return present;
    this.#roomSince = now;
    this.#roomWanted = ROOM_MS;
    this.#raisedAt = now;
    const most = Math.min(present * RAISE, this.#options.most);
    return this.#steps.findLast((step) => step <= most && this.wireRate(step) <= usable * USED) ?? next;
  }

  #lowered(present: number, usable: number, now: number): number {
    const wanted = this.#steps.findLast((step) => step < present && this.wireRate(step) <= usable * USED);
    const bitrate = wanted ?? Math.min(present, this.#options.least);
    if (bitrate === present) return present;
    const wasTooEarly = this.#raisedAt !== undefined && now - this.#raisedAt < SOON_MS;
    this.#patience = wasTooEarly ? Math.min(LONGEST_ROOM_MS, 2 * this.#patience) : ROOM_AFTER_LACK_MS;
    this.#roomWanted = this.#patience;
    this.#loweredAt = now;
    this.#lackSince = now;
    return bitrate;
  }

  #redundancy({ roundTrip = 0, queueDelay }: PathEstimate, bitrate: number, now: number): 0 | 1 | 2 {
    const present = this.#plan.redundancy;
    this.#calmSince = this.#loss < CALM_LOSS ? (this.#calmSince ?? now) : undefined;
    const isCalm = this.#calmSince !== undefined && now - this.#calmSince >= CALM_MS;
    const most = redundancyWithin(bitrate, this.#options.mostRedundancy);
    const least = Math.min(most, this.#options.redundancy ?? 0) as 0 | 1 | 2;
    if (isCalm || queueDelay > 2 * FULL_MS) return least;
    const part = roundTrip > LONG_ROUND_TRIP_MS ? 0.5 : 1;
    const [once, twice] = REPEAT_FROM;
    const wanted = this.#loss >= twice * part ? 2 : this.#loss >= once * part ? 1 : 0;
    return Math.min(most, Math.max(least, present, wanted)) as 0 | 1 | 2;
  }

  get #steps(): readonly number[] {
    const { least, most } = this.#options;
    return [least, ...STEPS.filter((step) => step > least && step < most), most];
  }

  #above(present: number): number {
    return this.#steps.find((step) => step > present) ?? present;
  }
}
