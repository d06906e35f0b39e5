import type { VideoStream } from "../../agent/video-stream.ts";
import { ParleyError } from "../../codecs/parley-error.ts";

/**
 * Shows back the pictures that come, unit by unit as they are, signed anew, until they end. Whoever sees them and needs a key frame gets it
 * from the one who made them.
 */
export async function echoPictures(
  seen: VideoStream,
  shown: VideoStream,
  report: (error: unknown) => void,
): Promise<void> {
  const stop = shown.on("wants", ({ keyFrame }) => {
    if (keyFrame) seen.requestKeyFrame();
  });
  try {
    for await (const { data, layer } of seen) {
      shown.send({ data, layer }).catch((error: unknown) => {
        // The call, or the stream, may end while a unit is on its way.
        if (!(error instanceof ParleyError) || error.code !== "closed") report(error);
      });
    }
  } finally {
    stop();
  }
}
