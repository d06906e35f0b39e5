/** What moves in the pictures of a call. */
import { FrameStrip } from "./frame-strip.ts";
import { NO_PICTURES, type PictureFacts } from "./picture-facts.ts";
import { Series } from "./series.ts";

export class LivePictures {
  readonly seen = new FrameStrip();
  readonly shown = new FrameStrip();
  /** What the way to the server takes, and what is sent on it, kbit/s. */
  readonly takes = new Series();
  readonly sent = new Series();
  /** Another object with each change. */
  facts: PictureFacts = NO_PICTURES;
}
