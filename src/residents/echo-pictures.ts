import type { Call } from "../../agent/call.ts";
import type { CallStream } from "../../agent/call-stream.ts";
import { VideoStream, type VideoWants } from "../../agent/video-stream.ts";
import { findAudioFormat } from "../../codecs/audio-formats.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { hasRoom } from "../../sfu/untried-way.ts";
import { VIDEO_FLOOR, wireRate } from "../../sfu/video-ladder.ts";

/** Pixels that what is shown back may have: more than most screens. */
const SHOWN = { maxWidth: 1_920, maxHeight: 1_080 } as const;

/** Bits a second that a voice whose codec has a choice of rates usually has, and what is around the payloads of any: headers and signatures 50 times a second. */
const USUAL_VOICE = 32_000;
const AROUND_VOICE = 66_000;
/** The share of a bound that who sends goes by. */
const USED = 0.9;

/** Shows back every video of `call`, those opened while it is up as well: in its own stream where that goes both ways, else in one that it opens. */
export function echoEveryPicture(call: Call, report: (error: unknown) => void): void {
  const seen = new Set<CallStream>();
  const wayBack = new WayBack(call);
  const follow = (stream: CallStream): void => {
    if (!(stream instanceof VideoStream) || stream.direction === "sendonly" || seen.has(stream)) return;
    seen.add(stream);
    echoPicture(call, stream, wayBack, report).catch((error: unknown) => {
      // The call, or its stream, may end meanwhile, and its other end need not want what comes back.
      if (!(error instanceof ParleyError)) report(error);
    });
  };
  for (const stream of call.streams) follow(stream);
  call.on("stream-opened", ({ stream }) => follow(stream));
}

async function echoPicture(
  call: Call,
  seen: VideoStream,
  wayBack: WayBack,
  report: (error: unknown) => void,
): Promise<void> {
  if (seen.direction === "sendrecv") {
    await echoUnits(seen, seen, wayBack, report);
    return;
  }
  const shown = await call.open({ modality: "video", codecs: [seen.codec], direction: "sendonly", ...SHOWN });
  await echoUnits(seen, shown, wayBack, report);
  await shown.close();
}

/**
 * Shows back the video that comes, unit by unit as they are, signed anew, until it ends. Whoever sees it and needs a key frame gets it
 * from the one who made them, who is told how much the way back takes: what is more would be left out.
 */
async function echoUnits(
  seen: VideoStream,
  shown: VideoStream,
  wayBack: WayBack,
  report: (error: unknown) => void,
): Promise<void> {
  shown.keepSize();
  wayBack.takes(shown, shown.wants);
  const stop = shown.on("wants", (wants) => {
    wayBack.takes(shown, wants);
    if (wants.keyFrame) seen.requestKeyFrame();
  });
  try {
    for await (const { data, layer } of seen) {
      wayBack.tell();
      shown.send({ data, layer }).catch((error: unknown) => {
        // The call, or the stream, may end while a unit is on its way.
        if (!(error instanceof ParleyError) || error.code !== "closed") report(error);
      });
    }
  } finally {
    stop();
    wayBack.ended(shown);
  }
}

/** What the way back takes of all that is shown, told to who makes it. */
class WayBack {
  readonly #call: Call;
  readonly #rates = new Map<VideoStream, number>();

  constructor(call: Call) {
    this.#call = call;
  }

  takes(shown: VideoStream, { bitsPerSecond, maxFrameRate }: VideoWants): void {
    this.#rates.set(shown, Math.max(VIDEO_FLOOR, wireRate(bitsPerSecond, maxFrameRate)));
    this.tell();
  }

  ended(shown: VideoStream): void {
    this.#rates.delete(shown);
    this.tell();
  }

  /** As things are. Where less goes than the way is known to take nothing is told: nobody would ever find out that it takes more. */
  tell(): void {
    const pictures = [...this.#rates.values()].reduce((sum, rate) => sum + rate, 0);
    const estimate = this.#call.stats().hop?.estimate;
    const isFree = pictures === 0 || (estimate !== undefined && hasRoom(estimate));
    this.#call.limit(isFree ? undefined : Math.round((pictures + this.#voice()) / USED));
  }

  /** What the voice beside them takes: who sends leaves it that, whatever it takes. */
  #voice(): number {
    const { hears } = this.#call.audio;
    const format = hears && findAudioFormat(hears.name);
    if (format === undefined) return 0;
    const most = 8 * format.maxBytesPerSecond;
    return AROUND_VOICE + (format.leastBitsPerSecond < most ? USUAL_VOICE : most);
  }
}
