import { type Result, refuse } from "../../codecs/result.ts";
import type { PeerDesk } from "./desk.ts";

/** The desk of a server that has no WebRTC carrier: refuses everything with `webrtc-unavailable`. `why`: a sentence for the operator. */
export function offDesk(why: string = NO_CARRIER): PeerDesk {
  const refused = refuse("webrtc-unavailable", why);
  const refusing = async (): Promise<Result<never>> => refused;
  return {
    unavailable: () => refused.fault,
    judge: refusing,
    open: refusing,
    trickle: refusing,
    restart: refusing,
    answer: refusing,
    close: refusing,
  };
}

const NO_CARRIER = "This server has no WebRTC carrier: `npm run webrtc:setup` and a new start turn it on.";
