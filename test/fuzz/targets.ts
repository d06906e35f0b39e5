/** Every reader of bytes that come from others. */
import type { FuzzTarget } from "./target.ts";
import { CARRIER_TARGETS } from "./targets-carrier.ts";
import { CHAIN_TARGETS } from "./targets-chain.ts";
import { EVIDENCE_TARGETS } from "./targets-evidence.ts";
import { FEEDBACK_TARGETS } from "./targets-feedback.ts";
import { MEDIA_TARGETS } from "./targets-media.ts";
import { SIGNALING_TARGETS } from "./targets-signaling.ts";
import { SIGNED_TARGETS } from "./targets-signed.ts";
import { VIDEO_TARGETS } from "./targets-video.ts";
import { WEBRTC_TARGETS } from "./targets-webrtc.ts";

export const TARGETS: readonly FuzzTarget[] = [
  ...MEDIA_TARGETS,
  ...VIDEO_TARGETS,
  ...CHAIN_TARGETS,
  ...FEEDBACK_TARGETS,
  ...SIGNALING_TARGETS,
  ...SIGNED_TARGETS,
  ...EVIDENCE_TARGETS,
  ...CARRIER_TARGETS,
  ...WEBRTC_TARGETS,
];
