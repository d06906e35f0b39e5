import { redundancyWithin, type VoicePlan } from "../sfu/voice-adaptation.ts";
import type { Terms } from "../signaling/terms.ts";
import { settingOf } from "../signaling/terms-change.ts";
import type { VoiceSender } from "./voice-ends.ts";

/** How this end sends its voice where nothing else is agreed or advisable. */
export interface OwnVoice {
  /** Bits of payload a second that the codec is run at. */
  readonly bitrate: number;
  readonly redundancy: 0 | 1 | 2;
  /** Share of packets expected to be lost; what the codec takes where that is undefined. */
  readonly expectedLoss: number | undefined;
}

/** One end's voice as it is sent: never more than the terms say, and no more than its way takes. */
export class SentVoice {
  readonly #sender: VoiceSender;
  readonly #leg: 0 | 1;
  readonly #own: OwnVoice;
  #terms: Terms;
  #plan: VoicePlan | undefined;

  constructor(sender: VoiceSender, leg: 0 | 1, own: OwnVoice, terms: Terms) {
    this.#sender = sender;
    this.#leg = leg;
    this.#own = own;
    this.#terms = terms;
  }

  get stream(): number {
    return this.#sender.stream;
  }

  /** Whether whoever codes it follows what it is asked for. */
  get isFollowed(): boolean {
    return this.#sender.isFollowed;
  }

  /** What is agreed of it. */
  get agreed() {
    return settingOf(this.#terms, this.#leg, this.#sender.stream);
  }

  /** Other terms are in force. */
  underTerms(terms: Terms): void {
    this.#terms = terms;
    this.#apply();
  }

  /** Another plan is advisable: what is less in it holds at once, what is more once it is agreed on. */
  follow(plan: VoicePlan): void {
    this.#plan = plan;
    this.#apply();
  }

  #apply(): void {
    const { agreed } = this;
    const plan = this.#plan;
    const wanted = plan?.redundancy ?? agreed?.redundancy ?? this.#own.redundancy;
    const rates = [agreed?.bitrate_bps, plan?.bitrate].filter((rate) => rate !== undefined);
    // The plan's copies fit the plan's rate; what is agreed may be less until the other end has answered.
    const most = rates.length === 0 ? undefined : Math.min(...rates);
    const redundancy = most === undefined ? wanted : redundancyWithin(most, wanted);
    const bitrate = most === undefined ? this.#own.bitrate : most / (1 + redundancy);
    const expectedLoss = plan?.expectedLoss ?? this.#own.expectedLoss;
    this.#sender.tune({
      bitrate: Math.floor(bitrate),
      ...(expectedLoss === undefined ? {} : { expectedLoss }),
    });
    this.#sender.useRedundancy(redundancy);
  }
}
