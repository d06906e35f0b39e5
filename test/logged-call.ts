/** A whole ended call as the log keeps it, made by the parts that make real ones, from fixed seeds and a fixed time. */
import { canonicalBytes, type JsonObject } from "../codecs/canonical-json.ts";
import { encodeHex } from "../codecs/hex.ts";
import { encodeInterrupt, interruptDigest } from "../codecs/interrupt.ts";
import type { KeptFrame } from "../codecs/kept-frames.ts";
import { unixMsToNtp } from "../codecs/ntp.ts";
import { type Answer, verifyAnswer } from "../signaling/answer.ts";
import { makeClosing } from "../signaling/closing.ts";
import { buildEvidence } from "../signaling/evidence/build.ts";
import type { TrustAnchors } from "../signaling/evidence/parties.ts";
import { makeNarrowing, narrowingDigest } from "../signaling/narrowing.ts";
import { type Offer, verifyOffer } from "../signaling/offer.ts";
import { RecordChain, SessionLink } from "../signaling/record-chain.ts";
import type { ArtifactKind, SessionLog } from "../signaling/record-log.ts";
import { buildSessionCore, makeCoreWitness, type SessionCore } from "../signaling/session-core.ts";
import { strictVerifier } from "./keys.ts";
import { AUDIO_STREAM, DATA_STREAM, type Speech, speak } from "./logged-speech.ts";
import {
  ALICE,
  answerPayload,
  BOB,
  CALL_SECONDS,
  CALL_TIME,
  mediaKey,
  must,
  offerPayload,
  SERVER,
  SERVER_IDENTITY,
  scopes,
  signedAnswer,
  signedOffer,
  testAgent,
  ZERO_DIGEST,
} from "./signed-call.ts";

export interface LoggedCallOptions {
  /** Which call: another number is another session of the same agents. 1 to 9, default 1. */
  readonly number?: number;
  /** Checkpoints of each speaker's voice before the final one, and frames in each. Default 2 and 3. */
  readonly checkpoints?: number;
  readonly frames?: number;
  /** Legs that send a closing statement. Default both. */
  readonly closes?: readonly (0 | 1)[];
  /** Milliseconds after the call was agreed at which the first frame is captured. Default 0. */
  readonly spokenAfter?: number;
  /** The caller signed that it is not to be interrupted; the callee interrupts it all the same. Default false. */
  readonly guarded?: boolean;
}

export interface LoggedCall {
  readonly session: SessionLog;
  readonly core: SessionCore;
  /** The evidence file, as the server builds it. */
  readonly evidence: Uint8Array;
  /** Every frame of both speakers, as a listener keeps them: all voice before all messages. */
  readonly kept: readonly KeptFrame[];
}

/** Vouches for the server and both ends. */
export const ANCHORS: TrustAnchors = {
  issuerKeys: [SERVER, ALICE, BOB].map(({ identity }) => identity.publicKey),
  agentIds: [],
};

/** Records up to the last that an end countersigned: by the callee; the caller's is the one before. */
export const COUNTERSIGNED = 5;
/** All records of a logged call. */
export const RECORDS = 7;

const CAPTURE = "communication:audio:capture";
const SCOPE = [
  CAPTURE,
  "communication:audio:transmit",
  "communication:data:capture",
  "communication:data:transmit",
];
/** The two agents with documents that let them send data too. */
export const ENDS = [
  testAgent("alice", 1, { document: { scope: scopes(SCOPE.join(", ")) } }),
  testAgent("bob", 2, { document: { scope: scopes(SCOPE.join(", ")) } }),
] as const;

/**
 * Two agents talk and send each other a message. After the first round the callee interrupts the caller, and takes back what
 * itself was about to say; in the end the caller gives up sending, and both close.
 */
export function loggedCall(options: LoggedCallOptions = {}): LoggedCall {
  const { number = 1, checkpoints = 2, frames = 3, closes = [0, 1], spokenAfter = 0 } = options;
  const log = new CallLog(number, options.guarded);
  const { core, sessionId, path, auditIds } = log;
  const keep = log.keep.bind(log);
  const record = log.record.bind(log);
  const shared = { sessionDigest: core.digest, frames, spokenAfter };
  const voices = ([0, 1] as const).map((leg) =>
    speak({ ...shared, leg, stream: AUDIO_STREAM, rounds: checkpoints + 1, interrupted: 1 }),
  );
  const messages = ([0, 1] as const).map((leg) =>
    speak({ ...shared, leg, stream: DATA_STREAM, rounds: 1, frames: Math.min(frames, 1) }),
  );
  const speech = [...voices, ...messages];
  for (const { leg, statements } of [...messages, ...voices]) {
    for (const { kind, of, bytes } of statements) keep(kind, of === "speaker" ? leg : 1 - leg, bytes);
  }

  for (const speakerLeg of [0, 1] as const) {
    const time = unixMsToNtp(CALL_TIME + 5_000);
    const named = { leg: 1, speakerLeg, stream: AUDIO_STREAM, keyGeneration: 0, epoch: 1, time };
    const bytes = encodeInterrupt({ sessionDigest: core.digest, ...named }, BOB.media);
    keep("interrupt", 1, bytes);
    const streams = [letThrough(voices[speakerLeg] as Speech, 0)];
    const facts = { leg: speakerLeg, stream: AUDIO_STREAM, epoch: 1, streams };
    const extra = { ...facts, interrupt: encodeHex(interruptDigest(bytes)) };
    record({ status: 200, method: "NOTIFY", path, event: "media-interrupted", extra });
  }
  const narrowing = makeNarrowing(
    {
      v: 1,
      session_id: sessionId,
      session_digest: encodeHex(core.digest),
      leg: 0,
      number: 2,
      scope: [CAPTURE],
      last_audit_id: auditIds.at(-1) ?? ZERO_DIGEST,
      iat: CALL_SECONDS + 60,
    },
    ALICE.identity,
  );
  keep("narrowing", 0, narrowing);
  record({
    status: 200,
    method: "ADJUST",
    path,
    event: "terms-narrowed",
    extra: {
      number: 2,
      leg: 0,
      scope: [CAPTURE],
      streams: speech.filter(({ leg }) => leg === 0).map((said) => letThrough(said)),
      narrowing: narrowingDigest(narrowing),
    },
  });
  record({ status: 200, method: "TERMINATE", path });
  for (const leg of closes) {
    const sent = speech.filter((said) => said.leg === leg);
    const heard = speech.filter((said) => said.leg !== leg);
    const received = sum(heard, (said) => said.sent.frames);
    keep(
      "closing",
      leg,
      makeClosing(
        {
          v: 1,
          session_id: sessionId,
          session_digest: encodeHex(core.digest),
          leg,
          last_audit_id: auditIds[COUNTERSIGNED - 2 + leg] as string,
          reason: "done",
          totals: {
            sent: {
              frames: sum(sent, (said) => said.sent.frames),
              checkpoints: sum(sent, (said) => said.sent.checkpoints),
            },
            received: {
              frames: received,
              heard: received,
              concealed: 0,
              late: 0,
              refused: 0,
              receipts: sum(heard, ({ receipts }) => receipts),
            },
          },
          iat: CALL_TIME / 1000,
        },
        ENDS[leg].identity,
      ),
    );
  }
  const counters = speech.map(({ leg, stream, sent, lastOfEpoch }): JsonObject => {
    const last = lastOfEpoch.at(-1);
    return { leg, stream, admitted: sent.frames, ...(last === undefined ? {} : { lastSequence: last }) };
  });
  return { ...log.finish(counters), core, kept: speech.flatMap(({ kept }) => kept) };
}

/** A call as the log keeps it, from what was agreed to the final record. */
export class CallLog {
  readonly offer: Offer;
  readonly answer: Answer;
  readonly core: SessionCore;
  readonly sessionId: string;
  readonly path: string;
  /** Of the records so far. */
  readonly auditIds: string[] = [];
  readonly #chain = new RecordChain(
    { agentId: SERVER_IDENTITY.agentId, ownerId: "example.org", serverId: "media.test" },
    SERVER.identity,
  );
  readonly #link: SessionLink;
  readonly #records: string[] = [];
  readonly #artifacts: { artifact: ArtifactKind; leg: number | undefined; bytes: Uint8Array }[] = [];

  /** Everything up to the answers that say it is established. */
  constructor(number: number, guarded = false) {
    const { offer, answer } = agreed(number, guarded);
    this.offer = offer;
    this.answer = answer;
    this.core = buildSessionCore(SERVER_IDENTITY, offer, answer);
    this.sessionId = answer.payload.session_id;
    this.path = `/sessions/${this.sessionId}`;
    this.#link = new SessionLink(this.sessionId);
    this.keep("genesis", undefined, SERVER.genesis.bytes);
    this.keep("identity-document", undefined, SERVER.document.bytes);
    for (const [leg, { genesis, document }] of ENDS.entries()) {
      this.keep("genesis", leg, genesis.bytes);
      this.keep("identity-document", leg, document.bytes);
      this.keep("agent-status", leg, canonicalBytes({ agent_id: genesis.agentId, status: "active" }));
    }
    this.keep("offer", 0, offer.jws);
    this.keep("answer", 1, answer.jws);
    this.keep("core", undefined, this.core.bytes);
    this.keep("core-witness", undefined, makeCoreWitness(this.core, CALL_TIME, SERVER.identity));
    this.record({ status: 200, method: "ESTABLISH", path: "/sessions" });
    this.record({ status: 200, method: "CONFIRM", path: this.path });
  }

  keep(artifact: ArtifactKind, leg: number | undefined, content: Uint8Array | string): void {
    this.#artifacts.push({ artifact, leg, bytes: typeof content === "string" ? utf8(content) : content });
  }

  record(fields: Parameters<RecordChain["next"]>[0]): void {
    const made = this.#chain.next(fields, CALL_TIME + this.#records.length, this.#link);
    this.#records.push(made.jws);
    this.auditIds.push(made.auditId);
  }

  /** Counters and the final record; the evidence file as the server builds it of everything. */
  finish(counters: readonly JsonObject[]): Pick<LoggedCall, "session" | "evidence"> {
    const { sessionId } = this;
    this.keep("counters", undefined, canonicalBytes(counters));
    const artifacts = this.#artifacts.length;
    const extra = { reason: "done", by: ALICE.genesis.agentId, counters, artifacts };
    this.record({ status: 0, event: "session-terminated", extra });
    const session: SessionLog = {
      sessionId,
      records: this.#records,
      artifacts: this.#artifacts.map((entry, index) => ({ kind: "artifact", sessionId, index, ...entry })),
    };
    const { bytes } = buildEvidence(
      { session, server: { signer: SERVER.identity }, now: CALL_TIME },
      strictVerifier,
    );
    return { session, evidence: bytes };
  }
}

function agreed(number: number, guarded: boolean) {
  const guard = guarded ? ({ interruptible: false } as const) : {};
  const voices = offerPayload().streams.map((stream) => ({ ...stream, ...guard }) as typeof stream);
  const offerId = `019b76da-a800-7000-8000-00000000000${number}`;
  const sessionId = `sess-${String(number).repeat(43)}`;
  const data = { stream: DATA_STREAM, modality: "data", direction: "sendrecv" } as const;
  const json = { name: "json", payload_type: 100 };
  const offer = must(
    verifyOffer(
      signedOffer({
        offer_id: offerId,
        media_key: mediaKey(ALICE, { offerId }),
        scope: SCOPE,
        streams: [...voices, { ...data, ssrc: 11, formats: [json] }],
      }),
      { publicKey: ALICE.identity.publicKey, caller: ALICE.genesis.agentId },
      strictVerifier,
    ),
  );
  const payload = answerPayload({
    session_id: sessionId,
    offer_digest: offer.digest,
    media_key: mediaKey(BOB, { offerId }),
    scope: SCOPE,
    streams: [...answerPayload().streams, { ...data, ssrc: 12, format: json }],
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

/** How a record names the last frame of an epoch, by default of all. */
function letThrough({ leg, stream, lastOfEpoch }: Speech, epoch = lastOfEpoch.length - 1): JsonObject {
  return { leg, stream, last_sequence: lastOfEpoch[epoch] ?? null };
}

function sum<Item>(items: readonly Item[], count: (item: Item) => number): number {
  return items.reduce((total, item) => total + count(item), 0);
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
