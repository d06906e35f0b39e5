/** Showing and watching in scenarios: pictures out of files that other implementations made. */
import { readFileSync } from "node:fs";
import type { Call } from "../../agent/call.ts";
import type { HeardVideo } from "../../agent/heard-video.ts";
import { unwrap } from "../../agent/unwrap.ts";
import { type Ivf, ivfTimeMs, parseIvf } from "../../codecs/ivf.ts";
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

  constructor(world: World, call: Call) {
    void this.#watch(world, call);
  }

  async #watch(world: World, call: Call): Promise<void> {
    for await (const unit of call.video ?? []) {
      this.units.push(unit);
      this.at.push(world.clock.now());
    }
    this.ended = true;
  }
}
