import type { Call } from "../../agent/call.ts";
import type { CallStream } from "../../agent/call-stream.ts";
import { VideoStream } from "../../agent/video-stream.ts";
import { ParleyError } from "../../codecs/parley-error.ts";

/** Pixels that what is shown back may have: more than most screens. */
const SHOWN = { maxWidth: 1_920, maxHeight: 1_080 } as const;

/** Shows back every video of `call`, those opened while it is up as well: in its own stream where that goes both ways, else in one that it opens. */
export function echoEveryPicture(call: Call, report: (error: unknown) => void): void {
  const seen = new Set<CallStream>();
  const follow = (stream: CallStream): void => {
    if (!(stream instanceof VideoStream) || stream.direction === "sendonly" || seen.has(stream)) return;
    seen.add(stream);
    echoPicture(call, stream, report).catch((error: unknown) => {
      // The call, or its stream, may end meanwhile, and its other end need not want what comes back.
      if (!(error instanceof ParleyError)) report(error);
    });
  };
  for (const stream of call.streams) follow(stream);
  call.on("stream-opened", ({ stream }) => follow(stream));
}

async function echoPicture(call: Call, seen: VideoStream, report: (error: unknown) => void): Promise<void> {
  if (seen.direction === "sendrecv") {
    await echoUnits(seen, seen, report);
    return;
  }
  const shown = await call.open({ modality: "video", codecs: [seen.codec], direction: "sendonly", ...SHOWN });
  await echoUnits(seen, shown, report);
  await shown.close();
}

/**
 * Shows back the video that comes, unit by unit as they are, signed anew, until it ends. Whoever sees it and needs a key frame gets it
 * from the one who made them.
 */
async function echoUnits(
  seen: VideoStream,
  shown: VideoStream,
  report: (error: unknown) => void,
): Promise<void> {
  shown.keepSize();
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
