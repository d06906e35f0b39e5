import type { Row } from "../row.ts";

const CALL = "signaling/switchboard/happy-call.test.ts";
const AUDIO = "signaling/negotiate-audio.test.ts";
const PARSE = "codecs/frame-parse.test.ts";
const SENDER = "sfu/frame-sender.test.ts";
const JITTER = "sfu/jitter-buffer.test.ts";

/** What a session is, and its layers. */
export const COMMUNICATION_SESSIONS: readonly Row[] = [
  {
    id: "C1",
    level: "stated",
    binds: "both",
    requirement: "Real-time sessions begin with ESTABLISH, and media parameters are negotiated in it.",
    source: "SEED, Relationship to AGTP-SESSION",
    proof: {
      tests: [
        {
          file: CALL,
          name: "a call from ESTABLISH to its final record > both ends are told the same session, and their checks hold",
        },
      ],
    },
  },
  {
    id: "C2",
    level: "stated",
    binds: "both",
    requirement: "A session is between two agents.",
    source: "SEED, Terminology",
    proof: { tests: [{ file: "signaling/session-core.test.ts", name: "the core > one leg is refused" }] },
  },
  {
    id: "C3",
    level: "stated",
    binds: "both",
    requirement: "A media stream goes one way; each modality usually has one in each direction.",
    source: "SEED, Terminology",
    proof: {
      tests: [
        {
          file: CALL,
          name: "a call from ESTABLISH to its final record > flows are installed before the answers, and meet at the relay",
        },
        { file: "signaling/terms.test.ts", name: "answered sendonly, the caller does the rest" },
      ],
    },
  },
  {
    id: "C4",
    level: "stated",
    binds: "both",
    requirement: "Each end is identified by its canonical Agent-ID and carries the scope for what it does.",
    source: "SEED, Terminology",
    proof: {
      tests: [
        {
          file: "signaling/peer-check.test.ts",
          name: "a call that rings > shows who calls, with what authority and key",
        },
        { file: "signaling/terms.test.ts", name: "each leg has the scope it signed" },
      ],
    },
  },
  {
    id: "C5",
    level: "stated",
    binds: "server",
    requirement: "Identity, scope and attribution chain of a session hold throughout it.",
    source: "SEED, Session Layer",
    proof: {
      tests: [
        {
          file: CALL,
          name: "a call from ESTABLISH to its final record > the session's records chain from established to terminated, naming the reason",
        },
        {
          file: "signaling/evidence/verify.test.ts",
          name: "the evidence of a call > verifies, and says whose word each line is",
        },
      ],
    },
  },
  {
    id: "C6",
    level: "stated",
    binds: "both",
    requirement: "Parameters, codecs and streams are agreed before media flows.",
    source: "SEED, Session Layer",
    proof: {
      tests: [
        {
          file: CALL,
          name: "a call from ESTABLISH to its final record > flows are installed before the answers, and meet at the relay",
        },
        {
          file: "test/scenario/frames-refused.test.ts",
          name: "frames that are refused by name > on a flow that the connection does not own: counted for nobody, told to nobody",
        },
      ],
    },
  },
  {
    id: "C7",
    level: "stated",
    binds: "both",
    requirement: "Each stream has a modality, a negotiated codec and a timing of its own.",
    source: "SEED, Media Layer",
    proof: {
      tests: [
        { file: AUDIO, name: "an answer takes each stream with one codec and an SSRC of its own" },
        { file: "signaling/terms.test.ts", name: "terms follow from offer and answer alone" },
      ],
    },
  },
  {
    id: "C8",
    level: "stated",
    binds: "both",
    requirement: "Framing keeps the timing and the order that real-time media needs.",
    source: "SEED, Media Layer",
    proof: {
      tests: [
        {
          file: "test/interop/tshark.test.ts",
          name: "a call in opus > reads as RTP in tshark: header, extension elements and payload of every frame",
        },
        {
          file: JITTER,
          name: "the jitter buffer > puts frames in order across the wraps of sequence number and timestamp",
        },
      ],
    },
  },
  {
    id: "C9",
    level: "stated",
    binds: "both",
    requirement: "Identity and attribution are on each frame.",
    source: "SEED, Media Layer",
    proof: {
      tests: [
        { file: PARSE, name: "a broken frame > with no elements is refused: attribution-missing at 48" },
        { file: SENDER, name: "a sent frame > carries what it was told, signed, under its flow identifier" },
        {
          file: "codecs/frame-signing.test.ts",
          name: "a signed frame > does not verify in another session, leg or stream, or under another key",
        },
      ],
    },
  },
  {
    id: "C10",
    level: "stated",
    binds: "both",
    requirement:
      "Control messages open streams, change parameters, deal with loss of quality and close streams.",
    source: "SEED, Control Layer",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/happy-call.test.ts",
          name: "a call from ESTABLISH to its final record > the session's records chain from established to terminated, naming the reason",
        },
        {
          file: "test/scenario/terms-changes.test.ts",
          name: "a change that one end asks for and the other accepts > is in force at both ends, in the sound, in the record and in the evidence",
        },
        {
          file: "test/scenario/quality.test.ts",
          name: "the listener > says when it hears badly, and when it hears well again",
        },
      ],
    },
  },
  {
    id: "C11",
    level: "stated",
    binds: "both",
    requirement: "Control messages are AGTP methods within the session.",
    source: "SEED, Control Layer",
    proof: {
      tests: [
        { file: "signaling/paths.test.ts", name: "routing > finds ADJUST /sessions/{session_id}" },
        { file: "signaling/paths.test.ts", name: "routing > finds NOTIFY /sessions/{session_id}" },
        {
          file: "test/scenario/steering.test.ts",
          name: "narrowing > takes effect at both ends, in the record and in the evidence",
        },
      ],
    },
  },
];
