/** The call's streams, and what this page shows, in the page's terms. */
import type { CallStream, VideoStream } from "@parley-rt/parley/agent";
import type { CallState } from "../model/page-state.ts";
import { ownCaptionOf } from "../model/picture-facts.ts";
import { sameStreams } from "../model/stream-line.ts";
import type { CaptureKind } from "../video/capture.ts";
import type { PictureSender } from "../video/picture-sender.ts";
import { shownFacts } from "./picture-report.ts";

interface Shown {
  readonly kind: CaptureKind;
  readonly sender: PictureSender;
  readonly stream: VideoStream;
}

/** As they are now; what is as before is the same object. */
export function linesOf(
  { streams: before, showing: shownBefore }: CallState,
  open: readonly CallStream[],
  shown: readonly Shown[],
): Pick<CallState, "streams" | "showing"> {
  const streams = open.map((stream) => ({
    id: stream.id,
    modality: stream.modality,
    direction: stream.direction,
    muted: stream.muted,
    held: stream.held,
    // The voice and the data that came with the call go with it.
    canClose: stream.modality === "video",
    showing: shown.find((one) => one.stream === stream)?.kind,
  }));
  const showing = shown.map((one) => ({
    kind: one.kind,
    stream: one.sender.capture.stream,
    caption: ownCaptionOf(shownFacts(one)),
  }));
  const isSame =
    showing.length === shownBefore.length &&
    showing.every(({ stream, caption }, index) => {
      const other = shownBefore[index];
      return other?.stream === stream && other.caption === caption;
    });
  return {
    streams: sameStreams(before, streams) ? before : streams,
    showing: isSame ? shownBefore : showing,
  };
}
