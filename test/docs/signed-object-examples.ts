/** One worked example of every signed object, from fixed seeds: the call of `test/signed-call.ts`. */
import { type Checkpoint, encodeCheckpoint } from "../../codecs/checkpoint.ts";
import { buildFrame, FrameSigningContext, frameDigest, signFrame } from "../../codecs/frame.ts";
import { encodeInterrupt } from "../../codecs/interrupt.ts";
import { encodeReceipt } from "../../codecs/receipt.ts";
import { makeAccessToken } from "../../signaling/access-token.ts";
import { bodyHash } from "../../signaling/attribution.ts";
import { makeClosing } from "../../signaling/closing.ts";
import { SEAL, type SealPayload } from "../../signaling/evidence/lines.ts";
import { signJws } from "../../signaling/jws.ts";
import { makeLifeEvent } from "../../signaling/life-events.ts";
import { makeNarrowing } from "../../signaling/narrowing.ts";
import { makeProof } from "../../signaling/proof.ts";
import { RecordChain, SessionLink } from "../../signaling/record-chain.ts";
import { deriveTerms, termsBytes } from "../../signaling/terms.ts";
import { makeTermsAcceptance, makeTermsChange, termsChangeDigest } from "../../signaling/terms-change.ts";
import { makeTombstone } from "../../signaling/tombstone.ts";
import {
  ALICE,
  ANSWER,
  BOB,
  CALL_SECONDS,
  CALL_TIME,
  CORE,
  CORE_DIGEST,
  OFFER,
  SERVER,
  SESSION_ID,
  scopes,
  WITNESS,
} from "../signed-call.ts";

/** An example as it is signed, with the 32-byte public key that it verifies under. */
export type Example =
  | { readonly envelope: "JWS"; readonly signer: string; readonly key: Uint8Array; readonly jws: string }
  | {
      readonly envelope: "member";
      readonly signer: string;
      readonly key: Uint8Array;
      readonly bytes: Uint8Array;
      readonly member: string;
    }
  | {
      readonly envelope: "bytes";
      readonly signer: string;
      readonly key: Uint8Array;
      /** What follows the domain string in what is signed. */
      readonly body: Uint8Array;
      readonly signature: Uint8Array;
    };

const SIGNATURE_BYTES = 64;
const STREAM = 0;
/** Seconds from the NTP epoch to the Unix epoch, RFC 5905. */
const NTP_OFFSET = 2_208_988_800;
const capture = { seconds: CALL_SECONDS + NTP_OFFSET + 6, fraction: 0 };

const alice = { signer: "Alice", key: ALICE.identity.publicKey };
const server = { signer: "the server", key: SERVER.identity.publicKey };
const aliceMedia = { signer: "Alice's media key", key: ALICE.media.publicKey };
const bobMedia = { signer: "Bob's media key", key: BOB.media.publicKey };

const proof = makeProof(
  {
    agentId: ALICE.genesis.agentId,
    method: "ESTABLISH",
    path: "/sessions",
    parameters: { target_agent_id: BOB.genesis.agentId },
    nonce: "bm9uY2Utb2YtdGhpcy1jb25uZWN0aW9u",
    audience: "https://127.0.0.1:4480",
    certificateHash: new Uint8Array(32).fill(0xcc),
    jti: "019b76da-a800-7000-8000-00000000000a",
    now: CALL_TIME,
  },
  ALICE.identity,
);

const token = makeAccessToken(
  {
    issuer: SERVER.genesis.agentId,
    agentId: ALICE.genesis.agentId,
    audience: "https://127.0.0.1:4480",
    scope: scopes("communication:audio:*, communication:limit:duration-s:600"),
    lifetime: 600,
    jti: "019b76da-a800-7000-8000-00000000000b",
    now: CALL_TIME,
  },
  SERVER.identity,
);

const packet = buildFrame({
  profile: "frame",
  keyGeneration: 0,
  sequence: 1,
  captureSeconds: capture.seconds,
  captureFraction: capture.fraction,
  payloadType: 111,
  timestamp: 960,
  ssrc: 0x0a11ce,
  payload: Uint8Array.of(0xf8, 0xff, 0xfe),
});
const frameBytes = signFrame(new FrameSigningContext(CORE.digest, 0, STREAM), packet, ALICE.media).slice();
const domainOf = (name: string) => new TextEncoder().encode(`\0parley ${name} v1\0`).length;

const checkpoint: Checkpoint = {
  sessionDigest: CORE.digest,
  leg: 0,
  stream: STREAM,
  keyGeneration: 0,
  final: true,
  index: 0,
  previous: new Uint8Array(32),
  firstSequence: 1,
  digests: [frameDigest(frameBytes)],
  firstCapture: capture,
  lastCapture: capture,
  epoch: 0,
  totalFrames: 1,
};
const checkpointBytes = encodeCheckpoint(checkpoint, ALICE.media);
const receiptBytes = encodeReceipt(
  {
    sessionDigest: CORE.digest,
    listenerLeg: 1,
    speakerLeg: 0,
    stream: STREAM,
    keyGeneration: 0,
    final: true,
    index: 0,
    previous: new Uint8Array(32),
    time: { seconds: capture.seconds + 1, fraction: 0 },
    totals: { received: 1, heard: 1, concealed: 0, late: 0, refused: 0 },
    received: [{ first: 1, last: 1 }],
    heard: [{ first: 1, last: 1 }],
  },
  BOB.media,
);

const record = new RecordChain(
  { agentId: SERVER.genesis.agentId, ownerId: "example.org", serverId: "parley.example.org" },
  SERVER.identity,
).next(
  {
    requestId: "019b76da-a800-7000-8000-0000000000aa",
    responseId: "019b76da-a800-7000-8000-0000000000ab",
    status: 200,
    method: "ESTABLISH",
    path: "/sessions",
    requestHash: bodyHash(new TextEncoder().encode("{}")),
    resultHash: bodyHash(),
    counterpartyAgentId: ALICE.genesis.agentId,
    event: "session-established",
  },
  CALL_TIME + 5000,
  new SessionLink(SESSION_ID),
);

const narrowing = makeNarrowing(
  {
    v: 1,
    session_id: SESSION_ID,
    session_digest: CORE_DIGEST,
    leg: 0,
    number: 2,
    scope: ["communication:audio:capture"],
    last_audit_id: record.auditId,
    iat: CALL_SECONDS + 7,
  },
  ALICE.identity,
);
const termsChange = makeTermsChange(
  {
    v: 1,
    session_id: SESSION_ID,
    session_digest: CORE_DIGEST,
    leg: 0,
    number: 2,
    change_id: "019b76da-c6e8-7000-8000-000000000001",
    settings: { profile: "frame", streams: [{ leg: 0, stream: STREAM, bitrate_bps: 16_000 }] },
    reason: "bandwidth",
    last_audit_id: record.auditId,
    iat: CALL_SECONDS + 8,
  },
  ALICE.identity,
);
const termsAcceptance = makeTermsAcceptance(
  {
    v: 1,
    session_id: SESSION_ID,
    session_digest: CORE_DIGEST,
    leg: 1,
    change_digest: termsChangeDigest(termsChange),
    last_audit_id: record.auditId,
    iat: CALL_SECONDS + 8,
  },
  BOB.identity,
);
const interruptBytes = encodeInterrupt(
  {
    sessionDigest: CORE.digest,
    leg: 1,
    speakerLeg: 0,
    stream: STREAM,
    keyGeneration: 0,
    epoch: 1,
    time: { seconds: capture.seconds + 1, fraction: 0 },
  },
  BOB.media,
);

const closing = makeClosing(
  {
    v: 1,
    session_id: SESSION_ID,
    session_digest: CORE_DIGEST,
    leg: 0,
    last_audit_id: record.auditId,
    reason: "hangup",
    totals: {
      sent: { frames: 1, checkpoints: 1 },
      received: { frames: 0, heard: 0, concealed: 0, late: 0, refused: 0, receipts: 1 },
    },
    iat: CALL_SECONDS + 8,
  },
  ALICE.identity,
);
const event = makeLifeEvent(
  { chainSeq: 1, previousSeq: 0, jws: record.jws },
  { agentId: SERVER.genesis.agentId, signer: SERVER.identity },
);
if (!event.ok) throw new Error(event.fault.message);
const tombstone = makeTombstone(
  { auditId: record.auditId, chainSeq: 0, payload: record.payload, erasure: 1 },
  SERVER.identity,
  CALL_TIME,
);
const seal: SealPayload = {
  session_id: SESSION_ID,
  lines: 20,
  sha256: "ab".repeat(32),
  iat: CALL_SECONDS + 9,
};

/** Examples by the name of their object in the table. */
export const EXAMPLES: ReadonlyMap<string, Example> = new Map<string, Example>([
  ["Genesis", { envelope: "member", ...alice, bytes: ALICE.genesis.bytes, member: "signature" }],
  [
    "identity document",
    { envelope: "member", ...alice, bytes: ALICE.document.bytes, member: "manifest_signature" },
  ],
  ["possession proof", { envelope: "JWS", ...alice, jws: proof }],
  ["access token", { envelope: "JWS", ...server, jws: token }],
  ["media-key certificate", { envelope: "JWS", ...alice, jws: OFFER.payload.media_key }],
  ["offer", { envelope: "JWS", ...alice, jws: OFFER.jws }],
  ["answer", { envelope: "JWS", signer: "Bob", key: BOB.identity.publicKey, jws: ANSWER.jws }],
  ["core witness", { envelope: "JWS", ...server, jws: WITNESS }],
  [
    "media frame",
    {
      envelope: "bytes",
      ...aliceMedia,
      body: frameBytes.subarray(domainOf("frame")),
      // First in the extension: RTP header 12, extension header 4, element header 2, then 13 bytes before the tag.
      signature: packet.slice(31, 31 + SIGNATURE_BYTES),
    },
  ],
  ["checkpoint", { envelope: "bytes", ...aliceMedia, ...statement(checkpointBytes) }],
  ["receipt", { envelope: "bytes", ...bobMedia, ...statement(receiptBytes) }],
  ["narrowing", { envelope: "JWS", ...alice, jws: narrowing }],
  ["terms change", { envelope: "JWS", ...alice, jws: termsChange }],
  ["terms acceptance", { envelope: "JWS", signer: "Bob", key: BOB.identity.publicKey, jws: termsAcceptance }],
  ["interrupt", { envelope: "bytes", ...bobMedia, ...statement(interruptBytes) }],
  ["closing statement", { envelope: "JWS", ...alice, jws: closing }],
  ["Attribution-Record", { envelope: "JWS", ...server, jws: record.jws }],
  ["event", { envelope: "JWS", ...server, jws: event.value }],
  ["tombstone", { envelope: "JWS", ...server, jws: tombstone }],
  ["evidence seal", { envelope: "JWS", ...server, jws: signJws(SEAL.typ, seal, SERVER.identity) }],
]);

/** What is agreed and hashed, not signed by itself. */
export const AGREED = {
  core: CORE.bytes,
  digest: CORE_DIGEST,
  terms: termsBytes(deriveTerms(OFFER, ANSWER)),
} as const;

/** Who is who in the examples. */
export const CAST: readonly (readonly [who: string, seed: number, key: Uint8Array])[] = [
  ["Alice, the caller", 0x01, ALICE.identity.publicKey],
  ["Bob, the callee", 0x02, BOB.identity.publicKey],
  ["the server", 0x03, SERVER.identity.publicKey],
  ["Alice's media key", 0x11, ALICE.media.publicKey],
  ["Bob's media key", 0x12, BOB.media.publicKey],
];

function statement(bytes: Uint8Array): { readonly body: Uint8Array; readonly signature: Uint8Array } {
  const end = bytes.length - SIGNATURE_BYTES;
  return { body: bytes.subarray(0, end), signature: bytes.subarray(end) };
}
