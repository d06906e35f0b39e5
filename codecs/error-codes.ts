/** One failure a user can meet: its status on the wire, whether a retry can help, and what it means. */
export interface ErrorEntry {
  /** AGTP status code, or undefined where the failure never crosses the wire as a response. */
  readonly status?: number;
  readonly retryable: boolean;
  readonly meaning: string;
}

/** Every stable error code of Parley. `docs/errors.md` is generated from this table. */
// biome-ignore format: a table, one code on a row
export const ERRORS = {
  // wire
  "message-malformed": { status: 400, retryable: false, meaning: "The bytes are not an AGTP message; `at` names the line or field." },
  "invalid-request-line": { status: 400, retryable: false, meaning: "The start line is not `AGTP/1.0 METHOD /path` or the seed form." },
  "version-unsupported": { status: 400, retryable: false, meaning: "The start line names another version." },
  "header-too-large": { status: 400, retryable: false, meaning: "The header block exceeds 64 KiB." },
  "body-too-large": { status: 400, retryable: false, meaning: "The body exceeds 1 MiB." },
  "body-malformed": { status: 400, retryable: false, meaning: "The body is not the JSON its Content-Type promises; `at` names the field." },
  "json-not-canonical": { status: 400, retryable: false, meaning: "The bytes are not RFC 8785 canonical JSON." },
  "json-unrepresentable": { retryable: false, meaning: "A value handed over for encoding has no canonical JSON form; `at` names the place." },
  "media-type-unsupported": { status: 422, retryable: false, meaning: "A body of a type this server does not read." },
  "field-invalid": { status: 422, retryable: false, meaning: "A field is missing, of the wrong type or out of range; `at` names it." },
  // identity
  "proof-required": { status: 401, retryable: true, meaning: "The request needs a possession proof over the nonce given in `details.nonce`, or over the TLS exporter of its connection." },
  "proof-invalid": { status: 401, retryable: false, meaning: "The possession proof does not hold: signature, method, path, body, nonce, channel binding, audience or time." },
  "proof-replayed": { status: 401, retryable: false, meaning: "The proof's jti was used before." },
  "agent-unknown": { status: 401, retryable: false, meaning: "The calling agent is not registered here." },
  "agent-suspended": { status: 503, retryable: true, meaning: "The agent's identity document says it is suspended." },
  "agent-retired": { status: 410, retryable: false, meaning: "The agent's identity document says it is retired for good." },
  "agent-mismatch": { status: 401, retryable: false, meaning: "The connection is bound to another Agent-ID." },
  "genesis-invalid": { status: 401, retryable: false, meaning: "The Genesis does not hash to the Agent-ID, its signature fails or a field is wrong." },
  "key-unacceptable": { status: 401, retryable: false, meaning: "A public key is small-order, non-canonical or not 32 bytes." },
  "certificate-invalid": { status: 401, retryable: false, meaning: "The media-key certificate does not hold." },
  "signature-invalid": { status: 401, retryable: false, meaning: "A signature over a signed object fails." },
  "issuer-untrusted": { retryable: false, meaning: "The issuer of a Genesis is not among the trust anchors given." },
  // authority
  "scope-violation": { status: 455, retryable: false, meaning: "The effective scope does not cover what was asked; 451 in the seed dialect." },
  "scope-claim-invalid": { status: 262, retryable: false, meaning: "The claim exceeds the identity document; 451 in the seed dialect." },
  "scope-malformed": { status: 400, retryable: false, meaning: "A scope token breaks the grammar." },
  // routing of requests
  "not-found": { status: 404, retryable: false, meaning: "No such path here." },
  "agent-not-found": { status: 404, retryable: false, meaning: "The called agent is not known here." },
  "session-not-found": { status: 404, retryable: false, meaning: "No such session." },
  "offer-not-found": { status: 404, retryable: false, meaning: "No such offer." },
  "method-not-allowed": { status: 405, retryable: false, meaning: "The path exists and does not take this method." },
  "method-unserved": { status: 422, retryable: false, meaning: "A floor method that needs what this server has not; `details.missing` names it." },
  "method-unknown": { status: 459, retryable: false, meaning: "The verb is not in the catalog." },
  "path-invalid": { status: 460, retryable: false, meaning: "A path segment breaks the path grammar." },
  "session-identity-mismatch": { status: 401, retryable: false, meaning: "The caller is not a participant of this session." },
  "session-state-conflict": { status: 409, retryable: false, meaning: "The operation is illegal in the session's present state." },
  "session-terminated": { status: 409, retryable: false, meaning: "The session has ended." },
  "resume-expired": { status: 408, retryable: false, meaning: "RESUME after the session's deadline passed." },
  "idempotency-conflict": { status: 409, retryable: false, meaning: "The same offer id or key with another content." },
  "session-model-unsupported": { status: 422, retryable: false, meaning: "Unknown session model or intent." },
  "delegation-not-supported": { status: 501, retryable: false, meaning: "Delegation-Chain is not supported." },
  "too-early": { status: 425, retryable: true, meaning: "ESTABLISH or control in early data." },
  // calls
  "proposal-rejected": { status: 463, retryable: false, meaning: "No common codec or parameters; see `counter_proposal`." },
  "callee-unreachable": { status: 503, retryable: true, meaning: "The called agent has no inbox here now." },
  "callee-busy": { status: 503, retryable: true, meaning: "The called agent said it is busy." },
  "no-answer": { status: 408, retryable: true, meaning: "It rang for 45 s and nobody answered." },
  declined: { status: 403, retryable: false, meaning: "The called agent declined." },
  cancelled: { status: 409, retryable: false, meaning: "The caller took the offer back." },
  "offer-dead": { status: 409, retryable: false, meaning: "The offer was cancelled, answered or expired before this answer." },
  glare: { status: 409, retryable: true, meaning: "Both called each other; the offer named in `details.offer_id` survives: answer it." },
  "terms-outdated": { status: 409, retryable: true, meaning: "The terms were changed meanwhile; `details.number` are in force." },
  "epoch-outdated": { status: 409, retryable: false, meaning: "The stream was interrupted already, or the epoch would jump; `details.epoch` is in force." },
  "attach-outdated": { status: 409, retryable: false, meaning: "Another connection carries this end's media, by the higher `details.attach_seq`." },
  "evidence-not-ready": { status: 409, retryable: true, meaning: "The call is still up or closing; ask again after `details.retry_after_ms`." },
  "capacity": { status: 503, retryable: true, meaning: "The server is at a limit." },
  "rate-limited": { status: 429, retryable: true, meaning: "Too many requests." },
  draining: { status: 503, retryable: true, meaning: "The server takes no new sessions." },
  "server-error": { status: 500, retryable: true, meaning: "A fault of the server; it is logged." },
  // media formats
  "payload-malformed": { retryable: false, meaning: "A media payload its codec cannot decode." },
  "frame-malformed": { retryable: false, meaning: "The bytes are not a Parley frame." },
  "checkpoint-malformed": { retryable: false, meaning: "The bytes are not a checkpoint." },
  "checkpoint-broken": { retryable: false, meaning: "A checkpoint is of another stream or does not follow the one before; `at` names the field." },
  "receipt-malformed": { retryable: false, meaning: "The bytes are not a receipt." },
  "mux-malformed": { retryable: false, meaning: "A message of a WebSocket connection is malformed." },
  "interrupt-malformed": { status: 422, retryable: false, meaning: "The bytes are not an interrupt." },
  "stream-malformed": { retryable: false, meaning: "A media stream's framing is broken." },
  "wav-malformed": { retryable: false, meaning: "Not a PCM WAV file Parley reads." },
  // ends checking each other
  "session-core-mismatch": { retryable: false, meaning: "What the server presents as agreed differs from what both ends signed." },
  "peer-untrusted": { retryable: false, meaning: "The other end's identity does not check out." },
  // evidence
  "evidence-malformed": { retryable: false, meaning: "The evidence file breaks its format; `at` names the line." },
  "evidence-invalid": { retryable: false, meaning: "The evidence contradicts itself; `at` names the place." },
  "evidence-unanchored": { retryable: false, meaning: "The evidence is consistent, and no anchor given vouches for it." },
  // connections and machines
  "connect-timeout": { retryable: true, meaning: "The server did not answer in time." },
  "connect-refused": { retryable: true, meaning: "The connection could not be made." },
  "request-refused": { retryable: false, meaning: "The peer refused with a code this library does not know; see `details.status` and `details.code`." },
  "connection-lost": { retryable: true, meaning: "The connection ended." },
  "request-timeout": { status: 408, retryable: true, meaning: "No answer to a request in time." },
  offline: {
    retryable: true,
    meaning: "The agent has no connection now; `details.retry_at` (Unix milliseconds) says when it tries next.",
  },
  "closed": { retryable: false, meaning: "Used after close()." },
  "host-refused": { retryable: false, meaning: "HTTP 421: the request names this server by none of the origins that this is told under." },
  "origin-refused": { retryable: false, meaning: "HTTP 403: a page of this origin may not connect here." },
  "upgrade-required": { retryable: false, meaning: "HTTP 426: this path takes WebSocket upgrades only." },
  "port-taken": { retryable: false, meaning: "Another process listens on the port." },
  "data-folder-broken": { retryable: false, meaning: "The data folder holds something that is not a record log of this version." },
  "data-folder-unwritable": { retryable: false, meaning: "The data folder cannot be written." },
  "data-folder-in-use": { retryable: true, meaning: "Another live server uses the data folder." },
  "certificate-broken": { retryable: false, meaning: "The TLS certificate or its key cannot be used." },
  "key-file-invalid": { retryable: false, meaning: "The key file is missing, unreadable or not a Parley key." },
  "storage-unavailable": { retryable: false, meaning: "The browser keeps nothing for this page, so that its identity would be lost." },
  "microphone-refused": { retryable: false, meaning: "The user, or a policy of the page, does not let it listen." },
  "device-unavailable": { retryable: true, meaning: "No such sound device, or it cannot be used now." },
  "native-unavailable": { retryable: false, meaning: "A native part could not be loaded on this machine." },
  "buffer-full": { retryable: true, meaning: "More audio or data waits to be sent than the queue holds: await write() or send()." },
  "too-large": { retryable: false, meaning: "A data message is longer than 16 KiB: at its sender `details.bytes` says how long, `details.limit` the most." },
  "data-stalled": { retryable: false, meaning: "The network or the other end takes no more data messages: the stream is given up." },
  "data-unread": { retryable: false, meaning: "Nobody read the data messages of the other end: their stream was given up." },
  "data-contradicted": { retryable: false, meaning: "The other end signed a data message and then a checkpoint that says otherwise: its stream was given up." },
  usage: { retryable: false, meaning: "The command line or configuration is wrong." },
} as const satisfies Record<string, ErrorEntry>;

export type ErrorCode = keyof typeof ERRORS;
