/** One picture of the other end, for the view: what is due, and what can be said of it. */
import type { ShownPicture } from "./picture-decoder.ts";

export interface Screen {
  /** Stream id. */
  readonly id: number;
  /** Units that came, each of them verified, and when the last one did, monotonic milliseconds. */
  readonly units: number;
  readonly at: number;
  /** This end asked for nothing more for now. */
  readonly isHeld: boolean;
  /** Size, pictures a second, codec. */
  readonly caption: string;
  /** Pictures painted so far. */
  readonly shown: number;
  /** The picture to be painted now; the caller closes its frame. */
  due(now: number): ShownPicture | undefined;
}
