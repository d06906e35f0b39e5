/** The media frame: an RTP packet with Parley's elements (`docs/wire-media.md`). The one place to import it from. */
export {
  buildFrame,
  type FrameFields,
  frameSize,
  writeFrame,
} from "./frame-build.ts";
export {
  type FrameProfile,
  MAX_FRAME_BYTES,
  MAX_KEY_GENERATION,
} from "./frame-layout.ts";
export {
  describeFrameFault,
  FRAME_FAULTS,
  type FrameFaultReason,
  parseFrame,
} from "./frame-parse.ts";
export {
  FRAME_DOMAIN,
  type FrameSeal,
  FrameSigningContext,
  frameDigest,
  sealFrame,
  signFrame,
  verifyFrame,
} from "./frame-signing.ts";
export { FrameView, type Recorded } from "./frame-view.ts";
