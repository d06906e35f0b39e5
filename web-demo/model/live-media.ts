/** What moves many times a second in a call: painted from here, never through the page's state. */
import type { PeerStats } from "@parley-rt/parley/agent";
import { FrameStrip } from "./frame-strip.ts";
import { LevelMeter } from "./level.ts";
import { LivePictures } from "./live-pictures.ts";
import { Series } from "./series.ts";
import type { WayFacts } from "./way-facts.ts";

export class LiveMedia {
  readonly pictures = new LivePictures();
  readonly heard = new FrameStrip();
  readonly sent = new FrameStrip();
  readonly myLevel = new LevelMeter();
  readonly peerLevel = new LevelMeter();
  readonly roundTrip = new Series();
  readonly loss = new Series();
  readonly playoutDelay = new Series();
  /** What the browser measured last, in a call over WebRTC. */
  peerConnection: PeerStats | undefined;
  /** Another object with each change. */
  way: WayFacts = {
    heard: undefined,
    sentRate: undefined,
    takes: undefined,
    peerTakes: undefined,
    heardTo: undefined,
  };
}
