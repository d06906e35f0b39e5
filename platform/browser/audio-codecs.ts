import { ParleyError } from "../../codecs/parley-error.ts";
import { codecMaker } from "../audio-formats.ts";

/**
 * Loads Opus, which is a third of what a page loads: apart from the rest, so that an agent is online before it is there. Rejects with
 * `native-unavailable` where it cannot be had.
 */
export async function loadOpus(): Promise<typeof import("../opus.ts")> {
  try {
    return await import("../opus.ts");
  } catch (cause) {
    throw new ParleyError({ code: "native-unavailable", message: "Opus did not load." }, { cause });
  }
}

/** A codec for one stream of a format; Opus is loaded for the first. Rejects as `loadOpus` and `createOpusCodec` do. */
export const createAudioCodec = codecMaker(async (options) => (await loadOpus()).createOpusCodec(options));
