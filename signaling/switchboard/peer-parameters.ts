import { AGENT_ID, boolean, object, oneOf, optional, type Shape, text } from "../shape.ts";
import { OPEN } from "./parameters.ts";

/** Which way media of a kind goes, as the WebRTC peer sees it. */
const DIRECTION = oneOf("sendrecv", "sendonly", "recvonly", "none");
export type PeerDirection = "sendrecv" | "sendonly" | "recvonly" | "none";

/** Longest text of SDP or of a fragment of it, characters. */
const MAX_SDP_CHARACTERS = 65_536;

/** OPEN /webrtc: `open_id` is what CLOSE takes it back by while it is not answered, unique among the caller's; `to` calls at once, `session_id` takes a call that rings, neither waits for one. */
export interface OpenPeerParameters {
  readonly open_id?: string;
  readonly to?: string;
  readonly session_id?: string;
  readonly audio: PeerDirection;
  readonly video: PeerDirection;
  readonly data?: boolean;
}
export const OPEN_PEER: Shape<OpenPeerParameters> = object<OpenPeerParameters>(
  {
    open_id: optional(text({ min: 1, max: 64 })),
    to: optional(AGENT_ID),
    session_id: optional(text({ min: 1, max: 128 })),
    audio: DIRECTION,
    video: DIRECTION,
    data: optional(boolean()),
  },
  OPEN,
);

/** ADJUST /webrtc/{peer_id}: one of the three. */
export interface AdjustPeerParameters {
  readonly sdp?: string;
  readonly fragment?: string;
  readonly restart?: boolean;
}
export const ADJUST_PEER: Shape<AdjustPeerParameters> = object<AdjustPeerParameters>(
  {
    sdp: optional(text({ max: MAX_SDP_CHARACTERS })),
    fragment: optional(text({ max: MAX_SDP_CHARACTERS })),
    restart: optional(boolean()),
  },
  OPEN,
);
