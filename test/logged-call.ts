/** A whole ended call as the log keeps it, made by the parts that make real ones, from fixed seeds and a fixed time. */
import { canonicalBytes } from "../codecs/canonical-json.ts";
import { encodeHex } from "../codecs/hex.ts";
import type { KeptFrame } from "../codecs/kept-frames.ts";
import { Checkpointer } from "../sfu/checkpointer.ts";
import { FrameSender } from "../sfu/frame-sender.ts";
import { ReceiptTracker } from "../sfu/receipt-tracker.ts";
import { verifyAnswer } from "../signaling/answer.ts";
import { makeClosing } from "../signaling/closing.ts";
import { buildEvidence } from "../signaling/evidence/build.ts";
import type { TrustAnchors } from "../signaling/evidence/parties.ts";
import { verifyOffer } from "../signaling/offer.ts";
import { RecordChain, SessionLink } from "../signaling/record-chain.ts";
import type { ArtifactKind, SessionLog } from "../signaling/record-log.ts";
import { buildSessionCore, makeCoreWitness, type SessionCore } from "../signaling/session-core.ts";
import { strictVerifier } from "./keys.ts";
import {
  ALICE,
  answerPayload,
  BOB,
  CALL_TIME,
  mediaKey,
  must,
  SERVER,
  SERVER_IDENTITY,
  signedAnswer,
  signedOffer,
  type TestAgent,
} from "./signed-call.ts";

export interface LoggedCallOptions {
  /** Which call: another number is another session of the same agents. 1 to 9, default 1. */
  readonly number?: number;
  /** Checkpoints of each speaker before the final one, and frames in each. Default 2 and 3. */
  readonly checkpoints?: number;
  readonly frames?: number;
  /** Legs that send a closing statement. Default both. */
  readonly closes?: readonly (0 | 1)[];
  /** Milliseconds after the call was agreed at which the first frame is captured. Default 0. */
  readonly spokenAfter?: number;
}

export interface LoggedCall {
  readonly session: SessionLog;
  readonly core: SessionCore;
  /** The evidence file, as the server builds it. */
  readonly evidence: Uint8Array;
  /** Every frame of both speakers, as a listener keeps them. */
  readonly kept: readonly KeptFrame[];
}

/** Vouches for the server and both ends. */
export const ANCHORS: TrustAnchors = {
  issuerKeys: [SERVER, ALICE, BOB].map(({ identity }) => identity.publicKey),
  agentIds: [],
};

const STREAM = 0;
const TEN_SECONDS = 10_000;

/** Two agents talk, both at once, over one stream each way; then both close. */
export function loggedCall(options: LoggedCallOptions = {}): LoggedCall {
  const { number = 1, closes = [0, 1] } = options;
  const { offer, answer } = agreed(number);
  const core = buildSessionCore(SERVER_IDENTITY, offer, answer);
  const sessionId = answer.payload.session_id;
  const artifacts: { artifact: ArtifactKind; leg: number | undefined; bytes: Uint8Array }[] = [];
  const keep = (artifact: ArtifactKind, leg: number | undefined, content: Uint8Array | string) =>
    artifacts.push({ artifact, leg, bytes: typeof content === "string" ? utf8(content) : content });
  keep("genesis", undefined, SERVER.genesis.bytes);
  keep("identity-document", undefined, SERVER.document.bytes);
  for (const [leg, { genesis, document }] of [ALICE, BOB].entries()) {
    keep("genesis", leg, genesis.bytes);
    keep("identity-document", leg, document.bytes);
    keep("agent-status", leg, canonicalBytes({ agent_id: genesis.agentId, status: "active" }));
  }
  keep("offer", 0, offer.jws);
  keep("answer", 1, answer.jws);
  keep("core", undefined, core.bytes);
  keep("core-witness", undefined, makeCoreWitness(core, CALL_TIME, SERVER.identity));

  const { agentId } = SERVER_IDENTITY;
  const chain = new RecordChain({ agentId, ownerId: "example.org", serverId: "media.test" }, SERVER.identity);
  const link = new SessionLink(sessionId);
  const records: string[] = [];
  const record = (fields: Parameters<RecordChain["next"]>[0]) => {
    const made = chain.next(fields, CALL_TIME + records.length, link);
    records.push(made.jws);
    return made.auditId;
  };
  const seen = [
    record({ status: 200, method: "ESTABLISH", path: "/sessions" }),
    record({ status: 200, method: "CONFIRM", path: `/sessions/${sessionId}` }),
  ];
  const speech = [ALICE, BOB].map((agent, leg) => speak(agent, leg as 0 | 1, core, options));
  for (const [leg, { statements }] of speech.entries()) {
    for (const { kind, of, bytes } of statements) keep(kind, of === "speaker" ? leg : 1 - leg, bytes);
  }
  record({ status: 200, method: "TERMINATE", path: `/sessions/${sessionId}` });
  for (const leg of closes) {
    const [sent, heard] = [speech[leg], speech[1 - leg]] as [Speech, Speech];
    const received = heard.sent.frames;
    keep(
      "closing",
      leg,
      makeClosing(
        {
          v: 1,
          session_id: sessionId,
          session_digest: encodeHex(core.digest),
          leg,
          last_audit_id: seen[leg] as string,
          reason: "done",
          totals: {
            sent: sent.sent,
            received: {
              frames: received,
              heard: received,
              concealed: 0,
              late: 0,
              refused: 0,
              receipts: heard.receipts,
            },
          },
          iat: CALL_TIME / 1000,
        },
        (leg === 0 ? ALICE : BOB).identity,
      ),
    );
  }
  const counters = speech.map(({ sent }, leg) => ({ leg, stream: STREAM, admitted: sent.frames }));
  keep("counters", undefined, canonicalBytes(counters));
  const extra = { reason: "done", by: ALICE.genesis.agentId, counters, artifacts: artifacts.length };
  record({ status: 0, event: "session-terminated", extra });
  const session: SessionLog = {
    sessionId,
    records,
    artifacts: artifacts.map((entry, index) => ({ kind: "artifact", sessionId, index, ...entry })),
  };
  const { bytes } = buildEvidence(
    { session, server: { signer: SERVER.identity }, now: CALL_TIME },
    strictVerifier,
  );
  return { session, core, evidence: bytes, kept: speech.flatMap(({ kept }) => kept) };
}

function agreed(number: number) {
  const offerId = `019b76da-a800-7000-8000-00000000000${number}`;
  const sessionId = `sess-${String(number).repeat(43)}`;
  const offer = must(
    verifyOffer(
      signedOffer({ offer_id: offerId, media_key: mediaKey(ALICE, { offerId }) }),
      { publicKey: ALICE.identity.publicKey, caller: ALICE.genesis.agentId },
      strictVerifier,
    ),
  );
  const payload = answerPayload({
    session_id: sessionId,
    offer_digest: offer.digest,
    media_key: mediaKey(BOB, { offerId }),
  });
  const answer = must(
    verifyAnswer(
      signedAnswer(payload),
      { publicKey: BOB.identity.publicKey, offer, sessionId },
      strictVerifier,
    ),
  );
  return { offer, answer };
}

interface Speech {
  readonly kept: readonly KeptFrame[];
  readonly sent: { readonly frames: number; readonly checkpoints: number };
  readonly receipts: number;
  readonly statements: readonly {
    readonly kind: "checkpoint" | "receipt";
    readonly of: "speaker" | "listener";
    readonly bytes: Uint8Array;
  }[];
}

/** What `agent` says on its leg and what the other end signs about it. */
function speak(agent: TestAgent, leg: 0 | 1, core: SessionCore, options: LoggedCallOptions): Speech {
  const { checkpoints = 2, frames = 3, spokenAfter = 0 } = options;
  const shared = { sessionDigest: core.digest, stream: STREAM, keyGeneration: 0 };
  const startSequence = 70_000 + leg;
  const sender = new FrameSender({
    ...shared,
    leg,
    flow: 2,
    ssrc: leg + 1,
    payloadType: 111,
    clockRate: 48_000,
    frameSamples: 960,
    signer: agent.media,
    startSequence,
    startTimestamp: 0,
  });
  const checkpointer = new Checkpointer({ ...shared, leg, startSequence, signer: agent.media });
  const tracker = new ReceiptTracker({
    ...shared,
    listenerLeg: 1 - leg,
    speakerLeg: leg,
    signer: (leg === 0 ? BOB : ALICE).media,
    start: 0,
  });
  const kept: KeptFrame[] = [];
  const statements: Speech["statements"][number][] = [];
  const note = (kind: "checkpoint" | "receipt", bytes: Uint8Array | undefined) => {
    const of = kind === "checkpoint" ? "speaker" : "listener";
    if (bytes !== undefined) statements.push({ kind, of, bytes });
  };
  for (let round = 0; round <= checkpoints; round += 1) {
    const now = round * TEN_SECONDS;
    for (let index = 0; index < frames; index += 1) {
      const captured = CALL_TIME + spokenAfter + now + index * 20;
      const sent = sender.send(Uint8Array.of(leg, round, index), captured);
      checkpointer.add(sent.sequence, captured, sent.digest, now);
      tracker.received(sent.sequence);
      tracker.heard(sent.sequence);
      kept.push({ leg, stream: STREAM, packet: sent.packet });
    }
    if (round === checkpoints) break;
    note("checkpoint", checkpointer.poll(now + TEN_SECONDS));
    note("receipt", tracker.poll(now + TEN_SECONDS, CALL_TIME + now));
  }
  note("checkpoint", checkpointer.finish());
  for (const receipt of tracker.finish(CALL_TIME)) note("receipt", receipt);
  const receipts = statements.filter(({ kind }) => kind === "receipt").length;
  return {
    kept,
    statements,
    receipts,
    sent: { frames: kept.length, checkpoints: statements.length - receipts },
  };
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
