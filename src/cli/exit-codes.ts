import type { ErrorCode } from "../../codecs/error-codes.ts";
import { ParleyError } from "../../codecs/parley-error.ts";

/** Exit codes of every command; `docs/cli.md` lists them. */
export const EXIT = {
  done: 0,
  failed: 1,
  usage: 2,
  unanchored: 3,
  unreachable: 10,
  absent: 11,
  busy: 12,
  declined: 13,
  unanswered: 14,
  disagreed: 15,
  untrusted: 16,
  refused: 17,
  portTaken: 20,
  dataFolder: 21,
  certificate: 22,
  native: 23,
  unfit: 24,
  partial: 25,
  overloaded: 26,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** What each exit code means, in words for people. */
export const EXIT_MEANINGS: Readonly<Record<keyof typeof EXIT, string>> = {
  done: "Done. `verify`: verified, and the anchors given vouch for both ends and the server.",
  failed:
    "Failed for a reason not listed below. `verify`: invalid; the evidence or kept media was changed, is incomplete or contradicts itself.",
  usage: "Wrong usage, or a file that cannot be read or written or is not what it should be.",
  unanchored:
    "`verify`: consistent, not anchored. Nothing was changed, and no anchor given vouches for somebody in it.",
  unreachable: "The server could not be reached, or the connection to it was lost.",
  absent: "The called agent is not known there, or not online.",
  busy: "The called agent is busy.",
  declined: "The called agent declined.",
  unanswered: "Nobody answered, or the call was taken back while it rang.",
  disagreed: "No common codec, or a scope that does not cover the call.",
  untrusted:
    "Somebody is not who they should be: the server, the called agent, its issuer, or what was presented as agreed.",
  refused: "The server refuses this agent, or cannot take more now.",
  portTaken: "`serve`: another process listens on the port.",
  dataFolder: "`serve`: the data folder cannot be written, is broken, or another server uses it.",
  certificate: "`serve`: the certificate or its key cannot be used.",
  native: "A native part could not be loaded on this machine.",
  unfit: "`doctor`: something failed; its line says what to do.",
  partial: "`bots`: the data is partial; calls failed or were broken off, or a process of bots was lost.",
  overloaded: "`bots`: every call went well, but the bots could not keep their own schedule.",
};

/** The exit code for a failure. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof ParleyError ? (BY_ERROR[error.code] ?? EXIT.failed) : EXIT.failed;
}

const BY_ERROR: Readonly<Partial<Record<ErrorCode, ExitCode>>> = {
  usage: EXIT.usage,
  "field-invalid": EXIT.usage,
  "uri-invalid": EXIT.usage,
  "key-file-invalid": EXIT.usage,
  "wav-malformed": EXIT.usage,
  "connect-timeout": EXIT.unreachable,
  "connect-refused": EXIT.unreachable,
  "connection-lost": EXIT.unreachable,
  "request-timeout": EXIT.unreachable,
  "agent-not-found": EXIT.absent,
  "record-forbidden": EXIT.refused,
  "operator-required": EXIT.refused,
  "agent-name-ambiguous": EXIT.absent,
  "callee-unreachable": EXIT.absent,
  "callee-busy": EXIT.busy,
  declined: EXIT.declined,
  "no-answer": EXIT.unanswered,
  cancelled: EXIT.unanswered,
  "proposal-rejected": EXIT.disagreed,
  "scope-violation": EXIT.disagreed,
  "scope-claim-invalid": EXIT.disagreed,
  "peer-untrusted": EXIT.untrusted,
  "issuer-untrusted": EXIT.untrusted,
  "session-core-mismatch": EXIT.untrusted,
  "signature-invalid": EXIT.untrusted,
  "genesis-invalid": EXIT.untrusted,
  "certificate-invalid": EXIT.untrusted,
  "agent-unknown": EXIT.refused,
  "agent-suspended": EXIT.refused,
  "agent-retired": EXIT.refused,
  "agent-mismatch": EXIT.refused,
  "proof-required": EXIT.refused,
  "proof-invalid": EXIT.refused,
  "proof-replayed": EXIT.refused,
  capacity: EXIT.refused,
  "rate-limited": EXIT.refused,
  draining: EXIT.refused,
  "port-taken": EXIT.portTaken,
  "data-folder-unwritable": EXIT.dataFolder,
  "data-folder-broken": EXIT.dataFolder,
  "data-folder-in-use": EXIT.dataFolder,
  "certificate-broken": EXIT.certificate,
  "native-unavailable": EXIT.native,
};
