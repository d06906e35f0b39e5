import type { ErrorCode } from "../../codecs/error-codes.ts";
import type { GatewayStatement } from "../gateway.ts";
import type { Modality } from "../scope.ts";

/** Whose line a leg's statements are. */
export const ROLES = ["caller", "callee"] as const;

/** Whose word a statement is. `issuer-signed` is who vouches for an agent; `server-claimed` nobody but the server signed. */
export type Voucher = "issuer-signed" | "speaker-signed" | "listener-signed" | "both" | "server-claimed";

/** One line of what an evidence file says. */
export interface Statement {
  readonly by: Voucher;
  readonly text: string;
  /** Ends whose part of it a gateway signed, for an agent that signed nothing. Absent: none. */
  readonly gateways?: readonly (typeof ROLES)[number][];
}

/** What is added to a statement of which a gateway signed these ends' part. */
export function asStated(gateways: readonly (typeof ROLES)[number][]): string {
  return gateways.length === 0
    ? ""
    : `, as stated by the gateway of the ${gateways.join(" and that of the ")}`;
}

/** Where the file contradicts itself or was changed. */
export interface EvidenceFault {
  readonly code: ErrorCode;
  readonly message: string;
  /** The line, and the field or byte in it. */
  readonly at: string;
}

/**
 * - `verified`: consistent, and anchors given vouch for both ends and the server.
 * - `unanchored`: consistent; anchors are missing for somebody.
 * - `invalid`: changed, incomplete or contradicting itself; `faults` says where.
 */
export type Verdict = "verified" | "unanchored" | "invalid";

/** How far the listener signed that it played. */
export interface PlayedTo {
  /** Media epoch. */
  readonly epoch: number;
  /** The last frame of that epoch of which something was played, and how many of its samples per channel. */
  readonly sequence: number;
  readonly samples: number;
  /** When, by the listener's clock, Unix milliseconds. */
  readonly at: number;
}

/** What is known of one stream. */
export interface StreamReport {
  /** Leg of the speaker. */
  readonly leg: 0 | 1;
  readonly stream: number;
  readonly modality: Modality;
  /** Leg of the end that opened it in mid-call; undefined for those of offer and answer. */
  readonly openedBy: 0 | 1 | undefined;
  /** Leg of the end that closed it while the session went on, if one did. */
  readonly closedBy: 0 | 1 | undefined;
  /** Frames the speaker signed for in checkpoints. */
  readonly frames: number;
  readonly checkpoints: number;
  /** The speaker said that nothing follows. */
  readonly closedBySpeaker: boolean;
  /** Frames the listener signed for having received, and played or read; undefined without a receipt. */
  readonly received: number | undefined;
  readonly heard: number | undefined;
  readonly receipts: number;
  readonly closedByListener: boolean;
  /** Per media epoch, in order. */
  readonly played: readonly PlayedTo[];
}

/** What `parley verify` found. */
export interface EvidenceReport {
  readonly verdict: Verdict;
  readonly faults: readonly EvidenceFault[];
  readonly statements: readonly Statement[];
  readonly sessionId: string | undefined;
  /** 64 hex digits. */
  readonly sessionDigest: string | undefined;
  readonly parties: readonly {
    readonly role: "server" | "caller" | "callee";
    readonly agentId: string;
    readonly name: string;
    /** An anchor vouches for it. */
    readonly anchored: boolean;
    /** It is a gateway, and this is what it states of the agent that it acts for. */
    readonly gateway?: GatewayStatement;
  }[];
  readonly streams: readonly StreamReport[];
  /** Records of the session, and how many of them an end countersigned. */
  readonly records: { readonly count: number; readonly countersigned: number };
}

/** Collects faults and statements while a file is judged. */
export class Findings {
  readonly faults: EvidenceFault[] = [];
  readonly statements: Statement[] = [];
  readonly #gateways = new Set<0 | 1>();

  /** A gateway signs on this leg: whatever its end is told to have signed is from now on told as stated by it. */
  signedByGateway(leg: 0 | 1): void {
    this.#gateways.add(leg);
  }

  fault(message: string, at: string, code: ErrorCode = "evidence-invalid"): void {
    this.faults.push({ code, message: printable(message), at: printable(at) });
  }

  /** `signers`: the legs whose word it is, where it is theirs; of `both` it is known. */
  say(by: Voucher, text: string, signers: readonly (0 | 1)[] = by === "both" ? [0, 1] : []): void {
    const gateways = signers.filter((leg) => this.#gateways.has(leg)).map((leg) => ROLES[leg]);
    const attested = gateways.length === 0 ? {} : { gateways };
    this.statements.push({ by, text: printable(`${text}${asStated(gateways)}`), ...attested });
  }
}

/** Texts of a file may hold line ends and terminal controls, with which a file could forge lines of its own report. */
function printable(text: string): string {
  return text.replace(
    /[\p{C}\p{Zl}\p{Zp}]/gu,
    (found) => `\\u{${(found.codePointAt(0) as number).toString(16)}}`,
  );
}
