import type { Endpoint, PeerRoute } from "./endpoints.ts";
import { NOTHING } from "./parameters.ts";
import { ADJUST_PEER, OPEN_PEER } from "./peer-parameters.ts";

const ASKED = ["webrtc-unavailable", "token-required", "token-invalid", "token-expired"] as const;

/** What can be asked of the WebRTC peers that act for an agent. */
export const PEER_ENDPOINTS: Readonly<Record<PeerRoute, Endpoint>> = {
  "OPEN /webrtc": {
    description:
      "Opens a WebRTC peer connection that speaks for the calling agent, by the access token of the request: the server's gateway " +
      "signs on its behalf. Calls `to` at once, takes the call `session_id` that rings, or waits for one.",
    intent: "be in a call from a browser's WebRTC",
    outcome: "an offer in SDP, to be answered by ADJUST",
    capability: "creation",
    impact: "reversible",
    isIdempotent: false,
    input: OPEN_PEER,
    output: { peer_id: "string", sdp: "string" },
    errors: [
      ...ASKED,
      ...(["agent-not-found", "callee-unreachable", "callee-busy", "no-answer", "declined"] as const),
      ...(["scope-violation", "proposal-rejected", "session-not-found", "capacity", "draining"] as const),
    ],
  },
  "ADJUST /webrtc/{peer_id}": {
    description:
      "Answers the offer of a peer connection (`sdp`), brings candidates (`fragment`), or has ICE begun anew (`restart`), which gives " +
      "another offer.",
    intent: "connect, or connect anew from another network",
    outcome: "the peer connection goes on",
    capability: "modification",
    impact: "reversible",
    isIdempotent: false,
    input: ADJUST_PEER,
    output: { peer_id: "string", sdp: "string" },
    errors: [
      ...ASKED,
      ...([
        "not-found",
        "sdp-malformed",
        "codec-unsupported",
        "fingerprint-mismatch",
        "ice-outdated",
      ] as const),
      "session-state-conflict",
    ],
  },
  "CLOSE /webrtc/{peer_id}": {
    description: "Ends a peer connection, and the call that it is in.",
    intent: "hang up",
    outcome: "the peer connection is over",
    capability: "transaction",
    impact: "irreversible",
    isIdempotent: true,
    input: NOTHING,
    output: { peer_id: "string" },
    errors: [...ASKED, "not-found"],
  },
};
