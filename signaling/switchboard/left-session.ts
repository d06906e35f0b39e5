import { checkpointDigest, parseCheckpoint } from "../../codecs/checkpoint.ts";
import { parseInterrupt } from "../../codecs/interrupt.ts";
import { parseReceipt, receiptDigest } from "../../codecs/receipt.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { Verifier } from "../../codecs/signer.ts";
import { type Answer, readAnswer, verifyAnswer } from "../answer.ts";
import { readGenesis, verifyGenesis } from "../genesis.ts";
import { readIdentityDocument } from "../identity-document.ts";
import { numberOf, type TermsStep, takeStep } from "../latest-terms.ts";
import { type MediaKey, verifyMediaKey } from "../media-key.ts";
import { callerOf, type Offer, readOffer, verifyOffer } from "../offer.ts";
import { SessionLink } from "../record-chain.ts";
import type { ArtifactKind, OpenSession, SessionLog } from "../record-log.ts";
import { parseScopes } from "../scope.ts";
import { buildSessionCore, type SessionCore } from "../session-core.ts";
import { deriveTerms, sentStream, type Terms, type TermsStream } from "../terms.ts";
import { trustPosture } from "../trust.ts";
import type { Desk } from "./desk.ts";
import { type KeptState, readAuthority, readState } from "./kept-state.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { LeftFlow, LeftLeg, LeftSession, LeftStatements } from "./restoring.ts";
import { gatewayOf, type LegNumber, type Session, type Suspension } from "./session.ts";

/** What the log holds of a session that an earlier process left open: its place in the chains, and its landmarks. */
export interface LoggedSession extends OpenSession {
  readonly landmarks: SessionLog["artifacts"];
  /** Its record 0 (compact JWS), which names its ends. */
  readonly first: string | undefined;
}

/**
 * Reads a session that an earlier process left, and judges all of it as if it came from anybody. `mediaAhead`: how far media time
 * is ahead of the wall clock here. Fault: that of the first thing that does not hold.
 */
export function readLeftSession(desk: Desk, logged: LoggedSession, mediaAhead: number): Result<LeftSession> {
  if (logged.state === undefined)
    return refuse("field-invalid", "Nothing was kept of this session.", "state");
  const kept = readState(logged.state);
  if (!kept.ok) return kept;
  const landmarks = new Landmarks(logged.landmarks);
  const ends = readEnds(desk, landmarks);
  if (!ends.ok) return ends;
  const agreed = readAgreed(desk, landmarks, ends.value);
  if (!agreed.ok) return agreed;
  const narrowed = readTerms(desk, landmarks, ends.value, agreed.value);
  if (!narrowed.ok) return narrowed;
  const legs: LeftLeg[] = [];
  for (const number of [0, 1] as const) {
    const leg = readLeg(desk, landmarks, kept.value, agreed.value, ends.value[number], number, mediaAhead);
    if (!leg.ok) return leg;
    legs.push(leg.value);
  }
  const { offer, answer } = agreed.value;
  const { sessionId, sessionSeq, auditId, artifacts } = logged;
  const { state, ttl, suspension, ending } = kept.value;
  return ok({
    ...{ offer, answer, state, ttl, ending, artifacts },
    ...{ establishedAt: kept.value.established_at, expiresAt: kept.value.expires_at },
    ...narrowed.value,
    witness: landmarks.text("core-witness", undefined),
    legs: [legs[0] as LeftLeg, legs[1] as LeftLeg],
    flows: readFlows(landmarks, kept.value, narrowed.value.terms),
    link: new SessionLink(sessionId, { sessionSeq, auditId }),
    suspension: suspension === undefined ? undefined : readSuspension(suspension),
    noncesRefused: kept.value.nonces_refused,
    statementsDropped: Object.fromEntries(
      kept.value.statements_dropped.map(({ reason, count }) => [reason, count]),
    ),
  });
}

/** Artifacts by kind and leg. */
class Landmarks {
  readonly #all: SessionLog["artifacts"];

  constructor(all: SessionLog["artifacts"]) {
    this.#all = all;
  }

  /** In order. */
  of(kind: ArtifactKind, leg: LegNumber | undefined): Uint8Array[] {
    return this.#all.flatMap((each) => (each.artifact === kind && each.leg === leg ? [each.bytes] : []));
  }

  /** The first; nothing at all where there is none, which nothing can be made of. */
  first(kind: ArtifactKind, leg: LegNumber | undefined): Uint8Array {
    return this.of(kind, leg)[0] ?? new Uint8Array(0);
  }

  text(kind: ArtifactKind, leg: LegNumber | undefined): string {
    return new TextDecoder().decode(this.first(kind, leg));
  }
}

/** Who takes part at an end, and who signs for it. */
type End = Pick<LeftLeg, "agent" | "signer">;
type Ends = readonly [End, End];

/** Both ends with the documents that the session was agreed on; their standing is that of today. An agent for which a gateway acts is as it is on file. */
function readEnds({ registry, verifier }: Desk, landmarks: Landmarks): Result<Ends> {
  const offer = readOffer(landmarks.text("offer", 0));
  if (!offer.ok) return offer;
  const answer = readAnswer(landmarks.text("answer", 1));
  if (!answer.ok) return answer;
  const ends: End[] = [];
  for (const [leg, agentId, { gateway }] of [
    [0, callerOf(offer.value), offer.value],
    [1, offer.value.callee, answer.value],
  ] as const) {
    const documents = {
      genesis: landmarks.first("genesis", leg),
      document: landmarks.first("identity-document", leg),
    };
    const signerId = gateway === undefined ? ok(agentId) : agentIdOf(documents.genesis, verifier);
    if (!signerId.ok) return signerId;
    const signer = readAgent(registry, verifier, signerId.value, documents);
    if (!signer.ok) return signer;
    const agent = gateway === undefined ? signer.value : registry.get(agentId);
    if (agent === undefined) return refuse("agent-unknown", "An agent is not known here any more.", "offer");
    ends.push({ agent, signer: signer.value });
  }
  return ok(ends as unknown as Ends);
}

function agentIdOf(genesis: Uint8Array, verifier: Verifier): Result<string> {
  const read = readGenesis(genesis, verifier);
  return read.ok ? ok(read.value.agentId) : read;
}

/** Documents that are still on file were judged when the log was opened. */
function readAgent(
  registry: Desk["registry"],
  verifier: Verifier,
  agentId: string,
  documents: { readonly genesis: Uint8Array; readonly document: Uint8Array },
): Result<RegisteredAgent> {
  const known = registry.get(agentId);
  const isOnFile =
    known !== undefined &&
    isSame(known.genesis.bytes, documents.genesis) &&
    isSame(known.document.bytes, documents.document);
  if (isOnFile) return ok(known);
  const genesis = verifyGenesis(documents.genesis, agentId, verifier);
  if (!genesis.ok) return genesis;
  const document = readIdentityDocument(documents.document, genesis.value, verifier);
  if (!document.ok) return document;
  return ok({
    agentId,
    genesis: genesis.value,
    document: document.value,
    status: known?.status ?? document.value.status,
    trust: known?.trust ?? trustPosture(genesis.value, document.value, false),
  });
}

function isSame(left: Uint8Array, right: Uint8Array): boolean {
  return left.length === right.length && left.every((byte, at) => byte === right[at]);
}

interface Agreed {
  readonly offer: Offer;
  readonly answer: Answer;
  readonly core: SessionCore;
}

function readAgreed(
  { identity, verifier }: Desk,
  landmarks: Landmarks,
  [caller, callee]: Ends,
): Result<Agreed> {
  const offer = verifyOffer(
    landmarks.text("offer", 0),
    {
      publicKey: caller.signer.genesis.agentKey,
      caller: caller.signer.agentId,
      callee: callee.agent.agentId,
    },
    verifier,
  );
  if (!offer.ok) return offer;
  const answer = verifyAnswer(
    landmarks.text("answer", 1),
    {
      publicKey: callee.signer.genesis.agentKey,
      gateway: gatewayOf(callee)?.agentId,
      offer: offer.value,
    },
    verifier,
  );
  if (!answer.ok) return answer;
  const { agentId, signer } = identity;
  const core = buildSessionCore({ agentId, key: signer.publicKey }, offer.value, answer.value);
  // With another key than this one's nothing of the session would hold any more.
  const isSame = landmarks.text("core", undefined) === new TextDecoder().decode(core.bytes);
  if (!isSame) return refuse("session-core-mismatch", "Another server's session core.", "core");
  return ok({ offer: offer.value, answer: answer.value, core });
}

/** What is in force, by what the ends signed: every narrowing, and the last change. */
type TermsInForce = Pick<LeftSession, "terms" | "narrowings" | "change">;

function readTerms(
  { verifier }: Desk,
  landmarks: Landmarks,
  ends: Ends,
  { offer, answer, core }: Agreed,
): Result<TermsInForce> {
  const decoder = new TextDecoder();
  const textsOf = (kind: ArtifactKind) =>
    ([0, 1] as const).flatMap((leg) => landmarks.of(kind, leg).map((jws) => decoder.decode(jws)));
  const steps: TermsStep[] = textsOf("narrowing").map((narrowing) => ({ narrowing }));
  const [change] = textsOf("terms-change");
  const [acceptance] = textsOf("terms-acceptance");
  if (change !== undefined) steps.push({ change, acceptance: acceptance ?? "" });
  const placed: { readonly step: TermsStep; readonly number: number }[] = [];
  for (const step of steps) {
    const number = numberOf(step);
    if (!number.ok) return number;
    placed.push({ step, number: number.value });
  }
  const publicKeys = [ends[0].signer.genesis.agentKey, ends[1].signer.genesis.agentKey] as const;
  const owners = { publicKeys, sessionDigest: core.digest };
  const narrowings: Session["narrowings"] = [undefined, undefined];
  let terms = deriveTerms(offer, answer);
  let kept: Session["change"];
  for (const { step, number } of placed.toSorted((a, b) => a.number - b.number)) {
    const taken = takeStep(terms, step, owners, verifier, { leavesOut: true });
    if (!taken.ok) return taken;
    terms = taken.value.terms;
    if ("narrowing" in step) narrowings[taken.value.payload.leg] = { jws: step.narrowing, number };
    else kept = { ...step, number };
  }
  return ok({ terms, narrowings, change: kept });
}

function readLeg(
  { verifier }: Desk,
  landmarks: Landmarks,
  kept: KeptState,
  { offer, answer }: Agreed,
  { agent, signer }: End,
  number: LegNumber,
  mediaAhead: number,
): Result<LeftLeg> {
  const left = kept.legs[number] as KeptState["legs"][number];
  const scope = parseScopes(left.scope, "state.scope");
  if (!scope.ok) return scope;
  const authority = readAuthority(left);
  if (!authority.ok) return authority;
  const mediaKeys: [MediaKey, ...MediaKey[]] = [number === 0 ? offer.mediaKey : answer.mediaKey];
  for (const jws of landmarks.of("media-key", number)) {
    const key = verifyMediaKey(
      new TextDecoder().decode(jws),
      {
        agentId: signer.agentId,
        publicKey: signer.genesis.agentKey,
        offerId: offer.payload.offer_id,
      },
      verifier,
    );
    if (!key.ok) return key;
    mediaKeys.push(key.value);
  }
  const { offset_ms: offset, uncertainty_ms } = left.clock;
  return ok({
    ...{ agent, signer, mediaKeys, scope: scope.value, authority: authority.value },
    attachSeq: left.attach_seq,
    hasHadMedia: left.has_had_media,
    statementBytes: left.statement_bytes,
    hasClosed: landmarks.of("closing", number).length > 0,
    // It was compared with the media time of the earlier process; the wall clock is what both have in common.
    clock: { offset_ms: offset - kept.media_ahead + mediaAhead, uncertainty_ms },
  });
}

function readFlows(landmarks: Landmarks, kept: KeptState, terms: Terms): LeftFlow[] {
  const open = terms.streams.flatMap((agreed) =>
    ([0, 1] as const).map((speaker) => readFlow(landmarks, kept, agreed, speaker)),
  );
  const closing = (kept.closing ?? []).map(({ leg, closed_at: at, sent }) => {
    const agreed = sentStream(sent, leg);
    return { ...readFlow(landmarks, kept, agreed, leg), closed: { at, agreed } };
  });
  return [...open, ...closing];
}

function readFlow(
  landmarks: Landmarks,
  kept: KeptState,
  { stream, modality }: TermsStream,
  speaker: LegNumber,
): LeftFlow {
  const listener = speaker === 0 ? 1 : 0;
  const sent = lastCheckpoint(landmarks, speaker, stream);
  const received = lastReceipt(landmarks, listener, stream);
  const isIt = (each: { readonly leg: LegNumber; readonly stream: number }) =>
    each.leg === speaker && each.stream === stream;
  const least = Math.max(
    // Of what is reliable, what was sent and did not arrive goes again.
    modality === "data" ? 0 : (sent?.end ?? 0),
    received?.end ?? 0,
    kept.least_sequences.find(isIt)?.sequence ?? 0,
  );
  return {
    ...{ speaker, stream, epoch: lastEpoch(landmarks, speaker, stream) },
    ...(least === 0 ? {} : { leastSequence: least }),
    isHeld: kept.held?.some(isIt) ?? false,
    checkpoints: sent?.chain ?? NO_STATEMENTS,
    receipts: received?.chain ?? NO_STATEMENTS,
  };
}

/** Where a chain stands, and the first sequence number that it says nothing of. */
interface LastStatement {
  readonly chain: LeftStatements;
  readonly end: number;
}

function lastCheckpoint(landmarks: Landmarks, leg: LegNumber, stream: number): LastStatement | undefined {
  for (const bytes of landmarks.of("checkpoint", leg)) {
    const parsed = parseCheckpoint(bytes);
    if (!parsed.ok || parsed.value.stream !== stream) continue;
    const { index, final: isFinal, firstSequence, digests } = parsed.value;
    const chain = { nextIndex: index + 1, previous: checkpointDigest(bytes), isFinal };
    return { chain, end: firstSequence + digests.length };
  }
  return undefined;
}

function lastReceipt(landmarks: Landmarks, leg: LegNumber, stream: number): LastStatement | undefined {
  for (const bytes of landmarks.of("receipt", leg)) {
    const parsed = parseReceipt(bytes);
    if (!parsed.ok || parsed.value.stream !== stream) continue;
    const { index, final: isFinal, received } = parsed.value;
    const chain = { nextIndex: index + 1, previous: receiptDigest(bytes), isFinal };
    return { chain, end: (received.at(-1)?.last ?? -1) + 1 };
  }
  return undefined;
}

function lastEpoch(landmarks: Landmarks, speaker: LegNumber, stream: number): number {
  const interrupts = [...landmarks.of("interrupt", 0), ...landmarks.of("interrupt", 1)].map(parseInterrupt);
  const own = interrupts.flatMap((parsed) =>
    parsed.ok && parsed.value.speakerLeg === speaker && parsed.value.stream === stream
      ? [parsed.value.epoch]
      : [],
  );
  return Math.max(0, ...own);
}

function readSuspension(kept: NonNullable<KeptState["suspension"]>): Suspension {
  return {
    ...{ id: kept.id, by: kept.by, reason: kept.reason, checkpoint: kept.checkpoint },
    ...{ nonce: undefined, nonceDigest: kept.nonce, usedDigest: kept.used_nonce },
    ...{ suspendedAt: kept.suspended_at, resumeBy: kept.resume_by },
  };
}

const NO_STATEMENTS: LeftStatements = { nextIndex: 0, previous: new Uint8Array(32), isFinal: false };
