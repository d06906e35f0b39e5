import type { FrameProfile } from "../../codecs/frame.ts";
import type { CarrierChoice } from "../../transports/choosing.ts";
import type { LinkConditions } from "../emulation/link.ts";
import { SeededRandom } from "../emulation/seeded-random.ts";
import { type BotsNetwork, drawNetwork, type NO_NETWORK } from "./networks.ts";
import { draw, type Range } from "./ranges.ts";

/** What a call's bots say to each other. */
export type BotsMedia = "opus" | "g711" | "data" | "video" | "av";

/** How messages of a data stream go. */
export type BotsDelivery = "reliable" | "latest";

/** A load, as every process of bots is told it. JSON. */
export interface BotsPlan {
  readonly calls: number;
  /** How long each call is talked, ms. */
  readonly duration: Range;
  /** Time over which the calls are placed, evenly, ms. */
  readonly ramp: number;
  readonly media: BotsMedia;
  /** Paths of IVF files that bots show, renditions of one video, largest first; empty: the clip that comes with the package. */
  readonly clips: readonly string[];
  /** Bits a second of what a bot says; G.711 has one rate of its own. */
  readonly rate: Range;
  /** Data streams that both bots send on all the time, beside what they say, and bits a second of each. */
  readonly data: readonly BotsDelivery[];
  readonly dataRate: number;
  /** Of which each bot draws the one that stands between it and the server; empty: nothing does. */
  readonly networks: readonly (BotsNetwork | typeof NO_NETWORK)[];
  readonly carrier: CarrierChoice;
  readonly seed: number;
  /** Both bots of a call speak at once; else they take turns. */
  readonly duplex: boolean;
  /** How frames are attributed. */
  readonly profile: FrameProfile;
  /** What is heard is also decoded. */
  readonly decode: boolean;
}

/** One call of a plan. Times are milliseconds. */
export interface PlannedCall {
  readonly index: number;
  /** From the start of the run until the call's bots connect. */
  readonly startsAt: number;
  readonly duration: number;
  /** Bits a second of the caller and of the callee. */
  readonly rates: readonly [number, number];
  /** Before the caller and before the callee; undefined: nothing stands there. */
  readonly networks: readonly [LinkConditions | undefined, LinkConditions | undefined];
  /** What else is left to chance in this call. */
  readonly random: SeededRandom;
}

/** Whether bots speak. */
export function hasVoice({ media }: Pick<BotsPlan, "media">): boolean {
  return media === "opus" || media === "g711" || media === "av";
}

/** Whether bots take turns, or speak over each other, in a voice or in messages. */
export function hasTurns(plan: Pick<BotsPlan, "media" | "data">): boolean {
  return hasVoice(plan) || (plan.media === "data" && plan.data.length === 0);
}

/** Whether bots show a video. */
export function hasVideo({ media }: Pick<BotsPlan, "media">): boolean {
  return media === "video" || media === "av";
}

/** The call number `index` of a plan, 0 to `calls` - 1: the same for the same plan, whoever asks and in whatever order. */
export function planCall(plan: BotsPlan, index: number): PlannedCall {
  // Spreads neighbouring numbers over the seeds.
  const random = new SeededRandom((plan.seed ^ Math.imul(index + 1, 0x9e3779b1)) >>> 0);
  return {
    index,
    startsAt: (plan.ramp * index) / plan.calls,
    duration: draw(plan.duration, random),
    rates: [draw(plan.rate, random), draw(plan.rate, random)],
    networks: [drawNetwork(plan.networks, random), drawNetwork(plan.networks, random)],
    random,
  };
}
