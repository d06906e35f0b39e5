import type { Row } from "../row.ts";

const SENT = "test/scenario/requests-on-the-wire.test.ts";
const ANSWERS = "signaling/switchboard/answers.test.ts";
const CARRIERS = "test/e2e/exchanges.test.ts";

/** Status texts and headers. */
export const HEADERS: readonly Row[] = [
  {
    id: "W10",
    level: "MUST NOT",
    binds: "client",
    requirement: "A decision is made on the text behind the status number.",
    source: "BASE, Response Line Grammar",
    proof: {
      tests: [
        {
          file: "signaling/body.test.ts",
          name: "a response's body > is judged by the number on its line, whatever the text behind it",
        },
      ],
    },
  },
  {
    id: "W11",
    level: "MUST",
    binds: "both",
    requirement: "Content-Type stands with every body, and never without one.",
    source: "BASE, Content-Type",
    proof: {
      tests: [
        {
          file: ANSWERS,
          name: "every answer, in the base dialect > has a Content-Type where it has a body, of its own dialect",
        },
        {
          file: ANSWERS,
          name: "every answer, in the seed dialect > has a Content-Type where it has a body, of its own dialect",
        },
        {
          file: SENT,
          name: "every request of an agent > has a Content-Type where it has a body, and nowhere else",
        },
      ],
    },
  },
  {
    id: "W12",
    level: "MUST",
    binds: "server",
    requirement: "Server-ID and Response-ID are on every response.",
    source: "BASE, Response Headers",
    proof: {
      tests: [
        {
          file: ANSWERS,
          name: "every answer, in the base dialect > has the server's name and an identifier that no other has",
        },
        {
          file: ANSWERS,
          name: "every answer, in the seed dialect > has the server's name and an identifier that no other has",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call set up: who called hears of the ringing, then both of the session",
        },
      ],
    },
  },
  {
    id: "W13",
    level: "MUST",
    binds: "server",
    requirement: "Attribution-Record and Audit-ID are on every response.",
    source: "BASE, Response Headers",
    proof: {
      tests: [
        {
          file: ANSWERS,
          name: "every answer, in the base dialect > has its own signed record, which its Audit-ID names",
        },
        {
          file: ANSWERS,
          name: "every answer, in the seed dialect > has its own signed record, which its Audit-ID names",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call set up: who called hears of the ringing, then both of the session",
        },
      ],
    },
  },
  {
    id: "W14",
    level: "MUST NOT",
    binds: "server",
    requirement: "The echoed Agent-ID differs from the one sent.",
    source: "BASE, Response Headers",
    proof: {
      tests: [
        {
          file: ANSWERS,
          name: "what an answer echoes > the Agent-ID letter for letter, be it well-formed or refused",
        },
        { file: CARRIERS, name: "exchanges over QUIC > a caller that is not the connection's" },
      ],
    },
  },
  {
    id: "W15",
    level: "SHOULD",
    binds: "server",
    requirement: "Task-ID and Request-ID are echoed.",
    source: "BASE, Response Headers; IDENT",
    proof: {
      tests: [
        {
          file: ANSWERS,
          name: "what an answer echoes > Request-ID and Task-ID as sent, whatever their form",
        },
        { file: ANSWERS, name: "what an answer echoes > the Task-ID of the body, which a header overrules" },
        { file: ANSWERS, name: "what an answer echoes > nothing that was not sent" },
      ],
    },
  },
  {
    id: "W16",
    level: "MUST NOT",
    binds: "both",
    requirement: "AGTP-Version, AGTP-Method, AGTP-Status, Principal-ID or Server-Agent-ID is sent.",
    source: "BASE, Retired Headers",
    proof: {
      tests: [
        { file: ANSWERS, name: "every answer, in the base dialect > has none of the retired headers" },
        { file: ANSWERS, name: "every answer, in the seed dialect > has none of the retired headers" },
        { file: SENT, name: "every request of an agent > has none of the retired headers" },
      ],
    },
  },
  {
    id: "W17",
    level: "MUST NOT",
    binds: "both",
    requirement: "A reserved header or an X-* header is required of the other side.",
    source: "BASE",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/happy-call.test.ts",
          name: "a call from ESTABLISH to its final record > both ends are told the same session, and their checks hold",
        },
      ],
    },
  },
];
