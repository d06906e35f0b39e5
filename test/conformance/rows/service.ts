import type { Row } from "../row.ts";

const CARRIERS = "test/e2e/exchanges.test.ts";
const CALL = "signaling/switchboard/happy-call.test.ts";

/** What every server offers, whatever it is for. */
export const SERVICE: readonly Row[] = [
  {
    id: "W29",
    level: "MUST",
    binds: "server",
    requirement: "Routing, logging and attribution go by the canonical Agent-ID.",
    source: "BASE, Collision Prevention",
    proof: {
      tests: [
        { file: "signaling/switchboard/ringing.test.ts", name: "ringing > no inbox, no such agent, oneself" },
        {
          file: CALL,
          name: "a call from ESTABLISH to its final record > the session's records chain from established to terminated, naming the reason",
        },
        {
          file: "test/e2e/http-side.test.ts",
          name: "a whole call is measured, and logged by session and agent without payloads, proofs or tokens",
        },
      ],
    },
  },
  {
    id: "W30",
    level: "MUST",
    binds: "server",
    requirement:
      "An alias that leads to another Agent-ID than the header names is refused with 401 and logged.",
    source: "BASE, Collision Prevention",
    proof: { notDone: "agents are addressed by their Agent-ID alone: the server resolves no aliases" },
  },
  {
    id: "W31",
    level: "MUST",
    binds: "server",
    requirement: "All eighteen floor methods are supported.",
    source: "BASE, The Sixteen-Method Floor",
    proof: {
      notDone:
        "twelve are served; PROPOSE, EXECUTE, DELEGATE, ESCALATE, SUMMARIZE and PLAN are taken and refused with what a server that carries calls lacks for them",
    },
  },
  {
    id: "W32",
    level: "MUST",
    binds: "server",
    requirement:
      "DISCOVER answers `/`, `/methods`, `/agents` and `/genesis` (byte-exact), and without Agent-ID a manifest.",
    source: "API",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/discovery.test.ts",
          name: "discovery > who says no Agent-ID gets the signed manifest, on its own, and no nonce",
        },
        {
          file: "signaling/switchboard/discovery.test.ts",
          name: "discovery > DISCOVER /methods lists every exchange with its tier",
        },
        {
          file: "signaling/switchboard/discovery.test.ts",
          name: "discovery > is open to anybody: directory, capabilities, the server's documents, the clock",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > the manifest, for who says no Agent-ID",
        },
        { file: CARRIERS, name: "exchanges over QUIC > the agents that are here" },
      ],
    },
  },
  {
    id: "W33",
    level: "SHOULD",
    binds: "server",
    requirement: "Supported-Methods is on the response that opens a session.",
    source: "BASE, Response Headers",
    proof: {
      tests: [
        {
          file: CALL,
          name: "a call from ESTABLISH to its final record > says what the session takes as it opens, and what the server takes as an inbox opens",
        },
      ],
    },
  },
  {
    id: "W34",
    level: "MUST",
    binds: "server",
    requirement: "Answers are kept for repetition by Agent-ID and Idempotency-Key together.",
    source: "BASE; API",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/session-ids.test.ts",
          name: "answers to ESTABLISH are kept by agent and key together: another's key is one's own",
        },
        {
          file: "signaling/switchboard/repeats.test.ts",
          name: "the same key with another request is a conflict, and other agents have keys of their own",
        },
      ],
    },
  },
];
