/** What stands between a bot and the server: presets, and networks whose figures are drawn for every bot. */
import { type Result, refuse } from "../../codecs/result.ts";
import { type LinkConditions, PRESETS } from "../emulation/link.ts";
import type { SeededRandom } from "../emulation/seeded-random.ts";
import { draw, parseDurations, parseRates, parseShares, type Range } from "./ranges.ts";

/** Names of the presets. */
const NETWORKS = Object.keys(PRESETS) as readonly (keyof typeof PRESETS)[];

/** One network, or one kind of them: figures that are ranges are drawn for each bot. JSON. */
export interface BotsNetwork {
  /** As it was asked for. */
  readonly name: string;
  /** Milliseconds one way. */
  readonly delay: Range;
  readonly jitter: Range;
  /** 0 to 1. */
  readonly loss: Range;
  /** Mean length of a burst of losses, packets. */
  readonly burst: number;
  /** Bits a second. Absent: as many as come. */
  readonly rate?: Range;
}

/** No network at all: whatever lies between the bot and the server. */
export const NO_NETWORK = "none";

/**
 * Networks separated by commas, of which each bot draws one: a preset, `none`, or figures joined by `+`, on top of a preset or of nothing, like
 * `wifi`, `cellular+rate=1m..3m` or `delay=20ms..80ms+loss=1..3%`. Refuses with `usage`.
 */
export function parseNetworks(text: string): Result<readonly (BotsNetwork | typeof NO_NETWORK)[]> {
  const networks: (BotsNetwork | typeof NO_NETWORK)[] = [];
  for (const name of text.split(",")) {
    const network = name === NO_NETWORK ? NO_NETWORK : parseNetwork(name);
    if (network === undefined) {
      const presets = [...NETWORKS, NO_NETWORK].join(", ");
      return refuse(
        "usage",
        `It is ${presets}, or figures like wifi+rate=1m..3m or delay=20ms+loss=1..3%.`,
        name,
      );
    }
    networks.push(network);
  }
  return { ok: true, value: networks };
}

/** What one bot's way to the server, and back, is like; undefined: it has no network of its own. */
export function drawNetwork(
  networks: readonly (BotsNetwork | typeof NO_NETWORK)[],
  random: SeededRandom,
): LinkConditions | undefined {
  const network = networks[networks.length > 1 ? random.integer(networks.length) : 0];
  if (network === undefined || network === NO_NETWORK) return undefined;
  const { delay, jitter, loss, burst, rate } = network;
  return {
    delay: drawn(delay, random),
    jitter: drawn(jitter, random),
    loss: drawn(loss, random),
    burst,
    ...(rate === undefined ? {} : { rate: drawn(rate, random) }),
  };
}

function parseNetwork(name: string): BotsNetwork | undefined {
  const [first = "", ...rest] = name.split("+");
  const preset = NETWORKS.find((known) => known === first);
  let network: BotsNetwork = { ...asRanges(preset === undefined ? {} : PRESETS[preset]), name };
  for (const figure of preset === undefined ? [first, ...rest] : rest) {
    const [key = "", value = ""] = figure.split("=");
    const parsed = FIGURES[key]?.(value);
    if (parsed?.ok !== true) return undefined;
    network = { ...network, [key]: parsed.value };
  }
  return network;
}

const FIGURES: Readonly<Record<string, (text: string) => Result<Range>>> = {
  delay: parseDurations,
  jitter: parseDurations,
  loss: parseShares,
  rate: parseRates,
};

function asRanges({ delay = 0, jitter = 0, loss = 0, burst = BURST, rate }: Partial<LinkConditions>) {
  return {
    delay: exactly(delay),
    jitter: exactly(jitter),
    loss: exactly(loss),
    burst,
    ...(rate === undefined ? {} : { rate: exactly(rate) }),
  };
}

function exactly(value: number): Range {
  return { least: value, most: value };
}

/** A figure that is no range takes nothing from chance. */
function drawn(range: Range, random: SeededRandom): number {
  return range.least === range.most ? range.least : draw(range, random);
}

/** Of networks that are no preset. */
const BURST = 2;
