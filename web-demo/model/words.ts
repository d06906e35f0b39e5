/** What happened, in plain sentences. Codes are shown beside them, so that nothing is hidden by the wording. */

const ENDED: Readonly<Record<string, string>> = {
  "hung-up": "the call was hung up",
  done: "the call was hung up",
  "agent-closed": "the agent went offline",
  "connection-lost": "the connection to the server was lost",
  "transport-closed": "the other end's connection was lost",
  "ttl-expired": "the agreed time was over",
  "time-over": "it takes calls for a limited time",
  "server-shutdown": "the server stopped",
  draining: "the server stopped",
  "detach-expired": "nobody came back to it in time",
  "peer-away": "nobody came back to it in time",
  "peer-closed": "the peer connection was closed",
  "ice-failed": "nothing came through any more",
  "dtls-failed": "the encrypted connection did not come about",
  "media-worker-lost": "the server's part for WebRTC stopped",
  "token-expired": "the token had run out",
};

/** Sentences for error codes of the library. */
export const FAILED: Readonly<Record<string, string>> = {
  "agent-not-found": "This agent is not known to the server.",
  "callee-unreachable": "This agent is not online now.",
  "callee-busy": "This agent is busy.",
  declined: "The call was declined.",
  "no-answer": "It rang and nobody answered.",
  cancelled: "You took the call back.",
  "offer-dead": "The caller had hung up already.",
  "answered-elsewhere": "It was answered in another tab.",
  "proposal-rejected": "The two ends have no voice format in common.",
  "scope-violation": "The authority for this is missing.",
  "limit-exceeded": "This is more than the authority for it allows.",
  "peer-untrusted": "The other end's identity does not check out, so no call was made.",
  "session-core-mismatch":
    "The server presented something else than what both ends signed, so no call was made.",
  "connect-timeout": "The server did not answer in time.",
  "connect-refused": "The server cannot be reached.",
  "connection-lost": "The connection to the server was lost.",
  "request-timeout": "The server did not answer in time.",
  "evidence-not-ready": "The server has not gathered the evidence yet. Try again in a moment.",
  "session-terminated": "The call is over.",
  "session-not-found": "The call is over.",
  "generations-exhausted": "This call has changed hands too often: it goes on only where it was last.",
  capacity: "The server is full.",
  draining: "The server is about to stop and takes no new calls.",
  offline: "This page is offline. Try again when it is back.",
  closed: "This page is offline.",
  "change-rejected": "The other end does not want it.",
  "webrtc-unavailable": "This server takes no calls by WebRTC now.",
  "codec-unsupported": "The two ends have no format in common.",
  "fingerprint-mismatch": "The token is for another certificate than this page's, so no call was made.",
  "token-required": "This server takes calls with an access token of an issuer that it trusts alone.",
  "native-unavailable": "This browser has no WebRTC.",
  "buffer-full": "More sound waits to be sent than there is room for.",
};

const REFUSED: Readonly<Record<string, string>> = {
  signature: "the signature did not hold",
  picture: "the picture was larger than agreed",
  scope: "the scope does not allow it",
  terms: "it was not sent under the terms in force",
  replayed: "it had been seen before",
  window: "it was too old",
  stale: "it was captured too long ago",
  early: "it claims to come from the future",
  rate: "more came than was agreed",
  limit: "more came than its authority allows",
  epoch: "it was cut off by an interrupt",
  expired: "the key or the terms had run out",
  "session-state": "the call was not active",
  "unknown-flow": "nobody agreed on this stream",
  "too-large": "the packet was too large",
  malformed: "it was not a frame",
  profile: "it was not signed in the agreed way",
  "key-generation": "the key is not known",
};

const DEGRADED: Readonly<Record<string, string>> = {
  loss: "frames are lost on the way",
  delay: "frames wait on the way",
  bandwidth: "the way takes less than the voice needs",
  gap: "nothing came for a moment",
  "slow-receiver": "what comes is not taken in time",
};

/** Who ended a call, and why. */
export function endSentence(
  end: { readonly reason: string; readonly by: "me" | "peer" | "server" },
  peer: string,
): string {
  const known = ENDED[end.reason];
  if (known === ENDED.done && end.by === "me") return "You hung up.";
  if (known === ENDED.done && end.by === "peer") return `${peer} hung up.`;
  if (end.reason === "agent-closed" && end.by === "me") return "You went offline here.";
  if (end.reason === "moved") return "You went on with this call in another tab.";
  const why = known ?? end.reason.replaceAll("-", " ");
  if (end.by === "peer") return `${peer} ended the call: ${why}.`;
  return `${why.charAt(0).toUpperCase()}${why.slice(1)}.`;
}

/** What became of a call that rang here and was declined in another tab. */
export function declinedElsewhere(caller: string): string {
  return `You declined the call of ${caller} in another tab.`;
}

/** How long something lasted, for a sentence. */
export function durationText(ms: number): string {
  const seconds = ms / 1000;
  return seconds < 9.95 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

/** Bits a second, for people. */
export function rateText(bitsPerSecond: number): string {
  const kilobits = Math.round(bitsPerSecond / 1_000);
  return kilobits < 1_000 ? `${kilobits} kbit/s` : `${(bitsPerSecond / 1e6).toFixed(1)} Mbit/s`;
}

/** What was told of how a voice comes: `me` or the other end hears badly, or well again. */
export function qualitySentence(
  told: { readonly degraded: boolean; readonly reason: string },
  hears: "me" | "peer",
  peer: string,
): string {
  const who = hears === "me" ? `You hear ${peer}` : `${peer} hears you`;
  if (!told.degraded) return `${who} well again.`;
  return `${who} badly: ${DEGRADED[told.reason] ?? told.reason.replaceAll("-", " ")}.`;
}

/** Why something did not work. */
export function failureSentence(code: string, message: string): string {
  return FAILED[code] ?? message;
}

/** Why a frame was refused, to follow "refused:". */
export function refusalWords(reason: string): string {
  return REFUSED[reason] ?? reason;
}

/** Name of a carrier as people know it. */
export function carrierName(kind: string): string {
  if (kind === "webtransport") return "WebTransport";
  if (kind === "websocket") return "WebSocket";
  return kind;
}

/** Minutes and seconds. */
export function clockText(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
