/** Showing and watching in scenarios: pictures out of files that other implementations made. */
import { readFileSync } from "node:fs";
import type { Call } from "../../agent/call.ts";
import type { HeardVideo } from "../../agent/heard-video.ts";
import { unwrap } from "../../agent/unwrap.ts";
import type { VideoWants } from "../../agent/video-stream.ts";
import { type Ivf, ivfTimeMs, parseIvf } from "../../codecs/ivf.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { vp8Frame } from "../vp8-frame.ts";
import type { World } from "./world.ts";

/** One access unit, and when it is captured after the first, ms. */
export interface FilmUnit {
  readonly data: Uint8Array;
  readonly at: number;
  readonly layer: number | undefined;
}

/** A file's units, with the temporal layers that it was made with. */
export function film(
  name: string,
  layers: readonly number[] = [],
): { readonly ivf: Ivf; readonly units: FilmUnit[] } {
  const ivf = unwrap(
    parseIvf(new Uint8Array(readFileSync(new URL(`../vectors/ffmpeg/${name}.ivf`, import.meta.url)))),
  );
  const units = ivf.frames.map(({ data, time }, index) => ({
    data,
    at: ivfTimeMs(ivf, time),
    layer: layers[index % layers.length],
  }));
  return { ivf, units };
}

/** The temporal layers of the files that have any. */
export const LAYERS = [0, 2, 1, 2] as const;

/** Sends units at their times; resolves with what became of each when the last one has. */
export async function show(
  world: World,
  call: Call,
  units: readonly FilmUnit[],
): Promise<("sent" | "dropped")[]> {
  const fates: Promise<"sent" | "dropped">[] = [];
  const start = world.clock.now();
  for (const { at, data, layer } of units) {
    await world.clock.advance(start + at - world.clock.now());
    const fate = call.video?.send({ data, layer });
    if (fate !== undefined) fates.push(fate);
  }
  return await world.during(Promise.all(fates));
}

/** Everything that a call's picture shows from now on. */
export class Watched {
  readonly units: HeardVideo[] = [];
  /** When each came, monotonic milliseconds. */
  readonly at: number[] = [];
  ended = false;

  constructor(world: World, call: Pick<Call, "video">) {
    void this.#watch(world, call);
  }

  async #watch(world: World, call: Pick<Call, "video">): Promise<void> {
    for await (const unit of call.video ?? []) {
      this.units.push(unit);
      this.at.push(world.clock.now());
    }
    this.ended = true;
  }
}

/** A camera with an encoder that makes what it is asked for, a moment later: VP8 frames with headers that are right and nothing worth seeing behind them. */
export class Camera {
  readonly #world: World;
  readonly #call: Call;
  readonly #layers: readonly number[];
  readonly #random: SeededRandom;
  #isOn = true;
  #count = 0;
  #sinceKey = 0;
  /** What it was asked for, as it follows it. */
  #follows: Pick<VideoWants, "bitsPerSecond" | "maxHeight" | "maxFrameRate">;
  /** What became of each unit. */
  readonly fates: ("sent" | "dropped")[] = [];
  keyFrames = 0;

  constructor(world: World, call: Call, layers: readonly number[] = [0], seed = 1) {
    this.#world = world;
    this.#call = call;
    this.#layers = layers;
    this.#random = new SeededRandom(seed);
    this.#follows = this.#wants;
    call.video?.on("wants", (wants) => {
      world.clock.at(world.clock.now() + FOLLOWS_MS, () => {
        this.#follows = wants;
      });
    });
    this.#next();
  }

  off(): void {
    this.#isOn = false;
  }

  get #wants(): VideoWants {
    const { video } = this.#call;
    if (video === undefined) throw new Error("a call without a picture");
    return video.wants;
  }

  #next(): void {
    if (!this.#isOn || this.#call.state === "ended") return;
    const { bitsPerSecond, maxFrameRate } = this.#follows;
    const interval = 1_000 / Math.max(1, maxFrameRate);
    if (bitsPerSecond > 0) this.#take(bitsPerSecond, maxFrameRate);
    this.#world.clock.at(this.#world.clock.now() + interval, () => this.#next());
  }

  #take(bitsPerSecond: number, frameRate: number): void {
    const key = this.#count === 0 || this.#wants.keyFrame;
    this.#sinceKey = key ? 0 : this.#sinceKey + 1;
    if (key) this.keyFrames += 1;
    const layer = this.#layers[this.#sinceKey % this.#layers.length] ?? 0;
    // A key frame is dear, and those after it make up for it.
    const share = key ? KEY_SHARE : 0.7 + 0.5 * this.#random.next();
    const data = vp8Frame(
      key,
      Math.max(40, Math.round((bitsPerSecond / 8 / frameRate) * share)),
      this.#follows.maxHeight,
    );
    this.#count += 1;
    const place = this.fates.push("dropped") - 1;
    void this.#call.video?.send({ data, layer: this.#layers.length > 1 ? layer : undefined }).then((fate) => {
      this.fates[place] = fate;
    });
  }
}

/** Milliseconds after which an encoder makes what it was asked for. */
const FOLLOWS_MS = 100;
/** How many times a usual frame a key frame has. */
const KEY_SHARE = 4;
