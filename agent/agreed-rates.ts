import type { Clock } from "../codecs/clock.ts";
import { CEILING_BURST, FrameRate, LegCeiling } from "../sfu/token-bucket.ts";
import { parseScopes, type ScopeLimits } from "../signaling/scope.ts";
import { pictureCaps } from "../signaling/sending-limits.ts";
import { audioRate, videoRate } from "../signaling/sending-rates.ts";
import { streamsSentBy, type Terms } from "../signaling/terms.ts";
import { settingOf } from "../signaling/terms-change.ts";

/** Share of the server's credit that is used here: on the way frames come closer together than they were sent. */
const CREDIT_USED = 0.9;
/** Bytes around the payload of a frame: RTP's header, all elements, the signature. */
const AROUND_PAYLOAD = 112;

/** Why a frame is not sent: it is beyond the rate that was agreed for its stream, or beyond the cap of this end's scope. */
export type RateExcess = "rate" | "limit";

/**
 * What the server lets through of what this end sends, by terms and scope: what comes from elsewhere, at whatever rate, is held to it here, and
 * the rest is never signed.
 */
export class AgreedRates {
  readonly #clock: Clock;
  readonly #leg: 0 | 1;
  readonly #streams = new Map<number, { readonly name: string; readonly rate: FrameRate }>();
  #authority: ScopeLimits;
  #terms: Terms;
  #ceiling: LegCeiling | undefined;

  /** `authority`: the caps of what the server says that this end may do. */
  constructor(options: {
    readonly clock: Clock;
    readonly leg: 0 | 1;
    readonly terms: Terms;
    readonly authority: ScopeLimits;
  }) {
    this.#clock = options.clock;
    this.#leg = options.leg;
    this.#terms = options.terms;
    this.#authority = options.authority;
    this.#apply();
  }

  /** Other terms are in force. */
  underTerms(terms: Terms): void {
    this.#terms = terms;
    this.#apply();
  }

  /** The server says that this end may do no more than this. */
  underAuthority(authority: ScopeLimits): void {
    this.#authority = authority;
    this.#apply();
  }

  /**
   * Takes the room for a frame with so many bytes of payload, or says why there is none; of a stream that the terms do not name nothing is held back.
   * `isUnit`: of video, where a unit may be more than there ever is room for.
   */
  take(stream: number, payload: number, isUnit: boolean = false): RateExcess | undefined {
    const now = this.#clock.now();
    const known = this.#streams.get(stream);
    if (known?.rate.take(payload + AROUND_PAYLOAD, now, isUnit) === false) return "rate";
    return this.#ceiling?.take(payload, now, isUnit) === false ? "limit" : undefined;
  }

  /** Where a rate or the cap is another, credit begins anew, as it does at the server. */
  #apply(): void {
    const now = this.#clock.now();
    const sent = streamsSentBy(this.#terms, this.#leg);
    for (const stream of this.#streams.keys())
      if (!sent.some((one) => one.stream === stream)) this.#streams.delete(stream);
    for (const agreed of sent) {
      const { stream } = agreed;
      const bitrate = settingOf(this.#terms, this.#leg, stream)?.bitrate_bps;
      if (agreed.modality === "data") continue;
      const rate =
        agreed.modality === "audio"
          ? audioRate(agreed.codec.frame_ms, bitrate)
          : videoRate({ max_frame_rate: this.#frameRate(agreed) }, bitrate);
      const name = `${rate.framesPerSecond} ${rate.bytesPerSecond}`;
      if (this.#streams.get(stream)?.name === name) continue;
      const own = { ...rate, burst: rate.burst * CREDIT_USED };
      this.#streams.set(stream, { name, rate: new FrameRate(own, now) });
    }
    const cap = this.#cap();
    if (cap !== this.#ceiling?.bitsPerSecond)
      this.#ceiling = cap === undefined ? undefined : new LegCeiling(cap, now, CEILING_BURST * CREDIT_USED);
  }

  #frameRate(agreed: Parameters<typeof pictureCaps>[0]): number {
    const caps = [this.#limits, this.#authority].map((limits) =>
      pictureCaps(agreed, this.#terms, this.#leg, limits),
    );
    return Math.min(...caps.map(({ maxFrameRate }) => maxFrameRate));
  }

  #cap(): number | undefined {
    const caps = [this.#limits["bitrate-bps"], this.#authority["bitrate-bps"]].filter(
      (one) => one !== undefined,
    );
    return caps.length === 0 ? undefined : Math.min(...caps);
  }

  /** Of this end's scope in the terms. */
  get #limits(): ScopeLimits {
    const { scope = [] } = this.#terms.legs.find(({ leg }) => leg === this.#leg) ?? {};
    const read = parseScopes(scope);
    return read.ok ? read.value.limits : {};
  }
}
