import type { Row } from "../row.ts";

const CARRIERS = "test/e2e/exchanges.test.ts";
const REQUESTS = "signaling/switchboard/bad-input.test.ts";
const SCOPE = "signaling/scope.test.ts";
const RINGING = "signaling/switchboard/ringing.test.ts";

/** Status codes of ESTABLISH, scope tokens, and who checks them. */
export const COMMUNICATION_AUTHORITY: readonly Row[] = [
  {
    id: "C29",
    level: "stated",
    binds: "server",
    requirement: "Status 200 with the negotiated parameters when a session is established.",
    source: "SEED, ESTABLISH Response",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/happy-call.test.ts",
          name: "a call from ESTABLISH to its final record > both ends are told the same session, and their checks hold",
        },
      ],
    },
  },
  {
    id: "C30",
    level: "stated",
    binds: "server",
    requirement: "Status 451 Scope Violation where authority is wanting.",
    source: "SEED, ESTABLISH Response",
    proof: {
      tests: [
        {
          file: "test/exchanges/over-memory.test.ts",
          name: "exchanges over memory, on virtual time > a call with too little scope, version last",
        },
        {
          file: "test/exchanges/over-memory.test.ts",
          name: "exchanges over memory, on virtual time > a call with more scope than the document grants, version last",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call with too little scope, version last",
        },
      ],
    },
  },
  {
    id: "C31",
    level: "stated",
    binds: "server",
    requirement: "Status 463 Proposal Rejected where parameters do not fit.",
    source: "SEED, ESTABLISH Response",
    proof: {
      tests: [
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call with a codec that is not served",
        },
        {
          file: "test/scenario/calls.test.ts",
          name: "a call that is not taken > for want of a common codec: the caller is told what would do",
        },
      ],
    },
  },
  {
    id: "C32",
    level: "stated",
    binds: "server",
    requirement: "Status 503 Service Unavailable where capacity is wanting.",
    source: "SEED, ESTABLISH Response",
    proof: { tests: [{ file: RINGING, name: "room > a full server says so, a full callee is busy" }] },
  },
  {
    id: "C33",
    level: "MUST",
    binds: "client",
    requirement: "Authority-Scope includes the permissions for each modality.",
    source: "SEED, Authority Scope Considerations",
    proof: {
      tests: [
        { file: SCOPE, name: "matching (spec 5.3) > sending takes capture and transmit, receiving nothing" },
        {
          file: "test/scenario/data.test.ts",
          name: "structured data > takes the scope for it: without, the offer is refused, and a callee without only reads",
        },
      ],
    },
  },
  {
    id: "C34",
    level: "stated",
    binds: "both",
    requirement: "Scope `communication:audio:capture` for capturing audio.",
    source: "SEED, Authority Scope Considerations",
    proof: {
      tests: [{ file: REQUESTS, name: "authority > sending without the scope for it, in the base dialect" }],
    },
  },
  {
    id: "C35",
    level: "stated",
    binds: "both",
    requirement: "Scope `communication:audio:transmit` for transmitting audio.",
    source: "SEED, Authority Scope Considerations",
    proof: {
      tests: [
        { file: SCOPE, name: "matching (spec 5.3) > sending takes capture and transmit, receiving nothing" },
        {
          file: "test/scenario/steering.test.ts",
          name: "narrowing > takes effect at both ends, in the record and in the evidence",
        },
      ],
    },
  },
  {
    id: "C36",
    level: "stated",
    binds: "both",
    requirement: "Scope `communication:video:capture` for capturing video.",
    source: "SEED, Authority Scope Considerations",
    proof: {
      tests: [
        {
          file: "signaling/opened-streams.test.ts",
          name: "a stream opened in mid-call > needs the scope of whoever would send it, and room under its caps",
        },
        {
          file: "signaling/switchboard/offer-authority.test.ts",
          name: "an offer of video > takes the scope communication:video:capture",
        },
      ],
    },
  },
  {
    id: "C37",
    level: "stated",
    binds: "both",
    requirement: "Scope `communication:video:transmit` for transmitting video.",
    source: "SEED, Authority Scope Considerations",
    proof: {
      tests: [
        {
          file: "signaling/opened-streams.test.ts",
          name: "a stream opened in mid-call > needs the scope of whoever would send it, and room under its caps",
        },
        {
          file: "signaling/switchboard/offer-authority.test.ts",
          name: "an offer of video > takes the scope communication:video:transmit",
        },
      ],
    },
  },
  {
    id: "C38",
    level: "stated",
    binds: "both",
    requirement: "Scope `communication:bilateral` stands for capture and transmission of every modality.",
    source: "SEED, Authority Scope Considerations",
    proof: {
      tests: [
        {
          file: SCOPE,
          name: "matching (spec 5.3) > communication:bilateral and communication:audio:capture: true",
        },
        {
          file: SCOPE,
          name: "matching (spec 5.3) > communication:bilateral and communication:video:transmit: true",
        },
        {
          file: SCOPE,
          name: "matching (spec 5.3) > communication:bilateral and communication:data:transmit: true",
        },
      ],
    },
  },
  {
    id: "C39",
    level: "MUST",
    binds: "both",
    requirement: "The receiver validates that the initiator's scope covers the modalities it asks for.",
    source: "SEED, Authority Scope Considerations",
    proof: {
      tests: [
        { file: REQUESTS, name: "authority > sending without the scope for it, in the seed dialect" },
        {
          file: "signaling/peer-check.test.ts",
          name: "a call that rings > a claim beyond the documents",
        },
        {
          file: "signaling/peer-check.test.ts",
          name: "authority > a peer that would send without authority",
        },
      ],
    },
  },
];
