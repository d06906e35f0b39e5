import {
  type Checkpoint,
  checkpointDigest,
  parseCheckpoint,
  verifyCheckpoint,
} from "../../codecs/checkpoint.ts";
import { parseReceipt, receiptDigest, verifyReceipt } from "../../codecs/receipt.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Verifier } from "../../codecs/signer.ts";
import type { ConnectionId } from "../admission.ts";
import { Allowance } from "./allowance.ts";
import type { LegNumber } from "./session.ts";

/**
 * Checkpoints or receipts a second on one flow, and their burst: ten times what a talking end makes. Beyond it the flow
 * takes no more, since a gap in the chain could not be mended; the session goes on and its evidence shows the gap.
 */
const STATEMENT_RATE = { perSecond: 20, burst: 200 };

/** A flow on a connection. */
interface Place {
  readonly connection: ConnectionId;
  readonly flow: number;
}

/** One direction of signed statements about one media stream: who signs, where they come in and where they go on. */
export interface StatementRoute {
  readonly kind: "checkpoint" | "receipt";
  readonly sessionId: string;
  readonly sessionDigest: Uint8Array;
  /** The leg that signs. */
  readonly signer: LegNumber;
  readonly speaker: LegNumber;
  readonly stream: number;
  /** That the terms in force name. */
  profile: "frame" | "chain";
  /** It named the other profile at some time. */
  profileChanged?: boolean;
  /** The media key that the signer signs with now, by its generation. */
  keys: ReadonlyMap<number, Uint8Array>;
  from: Place;
  to: Place;
  readonly allowance: Allowance;
  nextIndex: number;
  /** Digest of the last one taken, 32 bytes. */
  previous: Uint8Array;
  /** The last one of the stream was taken. */
  isFinal: boolean;
  /** Key generation of the last one that this process took. */
  lastGeneration?: number;
  /** A statement was refused: nothing after it can continue the chain. */
  isBroken: boolean;
  /** It comes in, or did, on another connection than at first: its signer may send again what was on the way there. */
  hasMoved: boolean;
}

/** What was taken: a checkpoint, or a receipt. */
export interface TakenStatement {
  readonly checkpoint?: Checkpoint;
  /** Frames may have been sent before it that no checkpoint lists: another process speaks. */
  readonly hasGap?: boolean;
}

/** A route before its first statement. */
export function statementRoute(
  facts: Omit<StatementRoute, "allowance" | "nextIndex" | "previous" | "isFinal" | "isBroken" | "hasMoved">,
  now: number,
): StatementRoute {
  return {
    ...facts,
    allowance: new Allowance(STATEMENT_RATE, now),
    nextIndex: 0,
    previous: new Uint8Array(32),
    isFinal: false,
    isBroken: false,
    hasMoved: false,
  };
}

/** The terms name this profile from now on; what the ends stated under the other one may still be on its way. */
export function useProfile(route: StatementRoute, profile: StatementRoute["profile"]): void {
  if (profile === route.profile) return;
  route.profile = profile;
  route.profileChanged = true;
}

interface Taking {
  readonly verifier: Verifier;
  /** Bytes there are left for statements. */
  readonly room: number;
  readonly now: number;
  /** It came on a connection that its signer's media has left. */
  readonly isLeft?: boolean;
}

/**
 * Judges the next statement of a route: form, the place it names, its signature and its link to the one before. What
 * passes may be kept as evidence and handed on. Faults: `checkpoint-malformed`, `receipt-malformed`,
 * `signature-invalid`, `field-invalid`, `rate-limited`, `capacity` beyond `room` bytes; after the first, every later one is
 * refused too. Undefined for one that was taken before, and is sent again after a move.
 */
export function takeStatement(
  route: StatementRoute,
  bytes: Uint8Array,
  { verifier, room, now, isLeft = false }: Taking,
): Result<TakenStatement | undefined> {
  if (route.isFinal && route.hasMoved) return ok(undefined);
  if (route.isBroken || route.isFinal)
    return refuse("field-invalid", "Nothing may follow on this flow.", route.kind);
  const judged =
    bytes.length > room
      ? refuse("capacity", "The session has left as many statements as are kept.", route.kind)
      : judge(route, bytes, verifier, now);
  if (!judged.ok) {
    // What comes too late from a connection that was left is sent again on the present one.
    route.isBroken = !isLeft;
    return judged;
  }
  if (judged.value === undefined) return ok(undefined);
  route.nextIndex++;
  route.previous = judged.value.digest;
  route.isFinal = judged.value.final;
  const { checkpoint } = judged.value;
  if (checkpoint === undefined) return ok({});
  const hasGap = checkpoint.index > 0 && checkpoint.keyGeneration !== route.lastGeneration;
  route.lastGeneration = checkpoint.keyGeneration;
  return ok({ checkpoint, hasGap });
}

function judge(
  route: StatementRoute,
  bytes: Uint8Array,
  verifier: Verifier,
  now: number,
): Result<
  { readonly final: boolean; readonly digest: Uint8Array; readonly checkpoint?: Checkpoint } | undefined
> {
  if (!route.allowance.take(now)) return refuse("rate-limited", "Too many statements.", route.kind);
  const isCheckpoint = route.kind === "checkpoint";
  const longest = route.profileChanged === true ? "frame" : route.profile;
  const parsed = isCheckpoint ? parseCheckpoint(bytes, longest) : parseReceipt(bytes);
  if (!parsed.ok) return parsed;
  const statement = parsed.value;
  const place =
    "leg" in statement
      ? statement.leg === route.speaker
      : statement.speakerLeg === route.speaker && statement.listenerLeg === route.signer;
  if (
    !place ||
    statement.stream !== route.stream ||
    !sameBytes(statement.sessionDigest, route.sessionDigest)
  ) {
    return refuse("field-invalid", "The statement is about another stream.", route.kind);
  }
  if (route.hasMoved && statement.index < route.nextIndex) return ok(undefined);
  if (statement.index !== route.nextIndex || !sameBytes(statement.previous, route.previous)) {
    return refuse("field-invalid", "The statement does not follow the one before.", `${route.kind}.index`);
  }
  const key = route.keys.get(statement.keyGeneration);
  const holds =
    key !== undefined &&
    (isCheckpoint ? verifyCheckpoint(bytes, key, verifier) : verifyReceipt(bytes, key, verifier));
  if (!holds) return refuse("signature-invalid", "The statement's signature does not hold.", route.kind);
  return ok({
    final: statement.final,
    digest: isCheckpoint ? checkpointDigest(bytes) : receiptDigest(bytes),
    ...("digests" in statement ? { checkpoint: statement } : {}),
  });
}

function sameBytes(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, index) => byte === right[index]);
}
