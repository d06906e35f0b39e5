import { findAudioFormat } from "../codecs/audio-formats.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { PACKET_OVERHEAD } from "../sfu/congestion/hop-packet.ts";
import { type PathEstimate, VoiceAdaptation, type VoiceAdaptationOptions } from "../sfu/voice-adaptation.ts";
import type { Profile } from "../signaling/stream-fields.ts";
import { streamsSentBy, type Terms } from "../signaling/terms.ts";
import type { VideoAgreement } from "./adaptation-video.ts";
import type { Call } from "./call.ts";
import type { WantedChange } from "./call-changes.ts";
import type { CallMedia } from "./call-media.ts";
import type { OwnVoice, SentVoice } from "./sent-voice.ts";

/** Bits of payload a second below which a voice is not worth hearing. */
const LEAST_VOICE = 8_000;
/** Bytes around the payload of a frame on the way, by profile: header, elements, tag and flow identifier. */
const FRAME_OVERHEAD = { frame: 106, chain: 58 } as const;
/** How long after it could not be agreed on, a plan is asked for again at the earliest, ms. */
const ASK_AGAIN_MS = 5_000;

interface AdaptationOptions {
  readonly clock: Clock;
  readonly voice: SentVoice;
  readonly path: VoiceAdaptationOptions;
  /** As `Call.propose`. */
  readonly propose: (wanted: WantedChange, reason: string) => Promise<Terms>;
  readonly isOver: () => boolean;
  /** There is no profile with less around each payload that could be asked for. */
  readonly isThin: () => boolean;
  /** Bytes around each payload as it is sent now. */
  readonly overhead: () => number;
  readonly report: (error: unknown) => void;
}

/** What of a call follows its way. */
export interface AdaptedMedia {
  readonly media: CallMedia;
  readonly voice: SentVoice | undefined;
  readonly own: OwnVoice;
  readonly pictures: VideoAgreement;
}

/** How {@link adaptTo} is to go about it. */
export interface AdaptedCall extends Pick<AdaptationOptions, "clock" | "report"> {
  readonly call: Call;
  /** Also to the profile `chain`, on a way that takes less than the least of the voice with a signature on each frame. */
  readonly mayThin: boolean;
}

/**
 * Lets a call's videos and its voice follow what is known of their way to the server and beyond: videos first, and the voice, where its codec has a choice
 * of rates, when there is nothing left to take from them.
 */
export function adaptTo({ media, voice, own, pictures }: AdaptedMedia, options: AdaptedCall): void {
  const adaptation = voice && voiceAdaptation(voice, own, options);
  const fixed = voice === undefined ? 0 : fixedRate(voice, options.call);
  media.hop?.onEstimate((estimate) => {
    const forVoice = pictures.observe(estimate, adaptation?.wireRate ?? fixed);
    if (voice?.isFollowed === true) adaptation?.observe(forVoice);
  });
}

/** Bits a second on the way of a voice whose codec has one rate. */
function fixedRate({ stream }: SentVoice, { terms, leg }: Call): number {
  const agreed = streamsSentBy(terms, leg).find((one) => one.stream === stream);
  if (agreed?.modality !== "audio") return 0;
  const { name, frame_ms: frameMs } = agreed.codec;
  const overhead = FRAME_OVERHEAD[terms.profile] + PACKET_OVERHEAD;
  return 8 * ((findAudioFormat(name)?.maxBytesPerSecond ?? 0) + (overhead * 1_000) / frameMs);
}

/** `undefined` for a voice whose codec has one rate. */
function voiceAdaptation(
  voice: SentVoice,
  own: OwnVoice,
  { call, mayThin, clock, report }: AdaptedCall,
): Adaptation | undefined {
  const agreed = streamsSentBy(call.terms, call.leg).find(({ stream }) => stream === voice.stream);
  if (agreed?.modality !== "audio") return undefined;
  const { name, frame_ms: frameMs, red_payload_type: red } = agreed.codec;
  const format = findAudioFormat(name);
  const hasChoice = format !== undefined && format.leastBitsPerSecond < format.maxBytesPerSecond * 8;
  if (!hasChoice) return undefined;
  const most = own.bitrate * (1 + own.redundancy);
  const overheadOf = (profile: Profile) => FRAME_OVERHEAD[profile] + PACKET_OVERHEAD;
  return new Adaptation({
    clock,
    voice,
    report,
    path: {
      most,
      least: Math.min(most, LEAST_VOICE),
      frameMs,
      overhead: overheadOf(call.terms.profile),
      mostRedundancy: red === undefined ? 0 : 2,
      redundancy: own.redundancy,
    },
    propose: (wanted, reason) => call.propose(wanted, reason),
    isOver: () => call.state === "ended",
    isThin: () => call.terms.profile === "chain" || !mayThin,
    overhead: () => overheadOf(call.terms.profile),
  });
}

/**
 * Keeps a voice within what its way takes: what is less is sent at once and asked for, what is more is sent when the other end has agreed. One
 * question at a time; what the plan has become meanwhile is the next one.
 */
class Adaptation {
  readonly #options: AdaptationOptions;
  readonly #adaptation: VoiceAdaptation;
  #isAsking = false;
  /** The way takes less than the least of the voice, as it is sent now. */
  #isTooThin = false;
  #notBefore = Number.NEGATIVE_INFINITY;

  constructor(options: AdaptationOptions) {
    this.#options = options;
    this.#adaptation = new VoiceAdaptation(options.path);
  }

  /** Bits a second on the way as the voice is sent now. */
  get wireRate(): number {
    return this.#adaptation.wireRate(this.#adaptation.plan.bitrate);
  }

  /** Takes what is known of the way now. */
  observe(estimate: PathEstimate): void {
    const { clock, voice, overhead } = this.#options;
    this.#adaptation.useOverhead(overhead());
    const before = this.#adaptation.plan;
    const plan = this.#adaptation.observe(estimate, clock.now());
    try {
      if (plan !== undefined) voice.follow(plan);
    } catch (error) {
      // What is sent and what is planned must not part ways for good: it is still agreed on, and followed again.
      this.#options.report(error);
    }
    // Of loss alone nothing is agreed: the codec is told of it.
    const isOther =
      plan !== undefined && (plan.bitrate !== before.bitrate || plan.redundancy !== before.redundancy);
    this.#isTooThin = this.#adaptation.isTooThin(estimate);
    if (isOther || this.#isDue() || this.#wantsThinner) void this.#agree().catch(this.#options.report);
  }

  /** What could not be agreed on before is worth another question. */
  #isDue(): boolean {
    const { clock } = this.#options;
    return this.#notBefore !== Number.NEGATIVE_INFINITY && clock.now() >= this.#notBefore;
  }

  get #wantsThinner(): boolean {
    return this.#isTooThin && !this.#options.isThin() && this.#options.clock.now() >= this.#notBefore;
  }

  async #agree(): Promise<void> {
    if (this.#isAsking) return;
    const { clock, propose, isOver, voice } = this.#options;
    this.#isAsking = true;
    this.#notBefore = Number.NEGATIVE_INFINITY;
    try {
      while (!isOver() && (!this.#isAgreed() || this.#wantsThinner)) {
        const { bitrate, redundancy } = this.#adaptation.plan;
        const profile = this.#wantsThinner ? ({ profile: "chain" } as const) : {};
        const streams = [{ stream: voice.stream, bitrate, redundancy: redundancy as 0 | 1 | 2 }];
        await propose({ streams, ...profile }, this.#reason());
      }
    } catch (error) {
      if (!(error instanceof ParleyError)) throw error;
      this.#notBefore = clock.now() + ASK_AGAIN_MS;
    } finally {
      this.#isAsking = false;
    }
  }

  #isAgreed(): boolean {
    const { agreed } = this.#options.voice;
    const { bitrate, redundancy } = this.#adaptation.plan;
    const { most } = this.#options.path;
    return (agreed?.bitrate_bps ?? most) === bitrate && (agreed?.redundancy ?? 0) === redundancy;
  }

  #reason(): string {
    const { voice, path } = this.#options;
    const { agreed } = voice;
    const { bitrate, redundancy } = this.#adaptation.plan;
    const before = agreed?.bitrate_bps ?? path.most;
    if (bitrate < before || this.#wantsThinner) return "bandwidth";
    if (redundancy > (agreed?.redundancy ?? 0)) return "loss";
    return "recovered";
  }
}
