import type { Row } from "../row.ts";

const CARRIERS = "test/e2e/exchanges.test.ts";
const MEMORY = "test/exchanges/over-memory.test.ts";
const REQUESTS = "signaling/switchboard/bad-input.test.ts";
const PEER = "signaling/peer-check.test.ts";

/** What an agent may do: scopes, zones, tokens, delegation. */
export const AUTHORITY: readonly Row[] = [
  {
    id: "I17",
    level: "MUST",
    binds: "server",
    requirement: "A claim beyond the identity document is 262 `scope-claim-invalid`.",
    source: "BASE, Request Headers",
    proof: {
      tests: [
        {
          file: REQUESTS,
          name: "authority > a claim beyond the identity document, in the base dialect",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call with more scope than the document grants",
        },
      ],
    },
  },
  {
    id: "I18",
    level: "MUST",
    binds: "server",
    requirement: "Authority-Scope is parsed on every request, and violations are refused and logged.",
    source: "BASE, Authority Scope Enforcement",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/request-headers.test.ts",
          name: "headers of any request > a scope that is none is 400, one beyond the identity document 262, and both are logged or recorded",
        },
        {
          file: "signaling/switchboard/every-route.test.ts",
          name: "DISCOVER / > is refused with a scope that is none, and the record says so",
        },
        {
          file: "signaling/switchboard/every-route.test.ts",
          name: "QUERY /sessions/{session_id} > is refused with a scope beyond the identity document, and the record says so",
        },
        {
          file: "signaling/switchboard/every-route.test.ts",
          name: "ESTABLISH /sessions > is refused with a scope beyond the identity document, and the record says so",
        },
      ],
    },
  },
  {
    id: "I19",
    level: "MUST",
    binds: "both",
    requirement: "Any white space around the commas of a scope is accepted.",
    source: "BASE, Authority-Scope Format",
    proof: {
      tests: [
        { file: "signaling/scope.test.ts", name: 'the grammar (spec 5.1) > " a:b \\t,\\t c:d "' },
        {
          file: MEMORY,
          name: 'exchanges over memory, on virtual time > a scope list written "communication:audio:capture ,\\t communication:audio:transmit"',
        },
      ],
    },
  },
  {
    id: "I20",
    level: "MUST",
    binds: "both",
    requirement: "The receiver validates the initiator's scope for each modality.",
    source: "SEED, Authority Scope Considerations",
    proof: {
      tests: [
        { file: REQUESTS, name: "authority > sending without the scope for it, in the base dialect" },
        { file: PEER, name: "a call that rings > a claim beyond the documents" },
        {
          file: "test/scenario/data.test.ts",
          name: "structured data > takes the scope for it: without, the offer is refused, and a callee without only reads",
        },
      ],
    },
  },
  {
    id: "I21",
    level: "MUST",
    binds: "both",
    requirement: "Capture takes scope, and that is enforced when the session is established.",
    source: "SEED, Media Capture Authorization",
    proof: {
      tests: [
        { file: REQUESTS, name: "authority > sending without the scope for it, in the seed dialect" },
        {
          file: "test/scenario/calls.test.ts",
          name: "a call that is not taken > for want of authority: scope-violation, and it never rings",
        },
      ],
    },
  },
  {
    id: "I22",
    level: "MUST",
    binds: "server",
    requirement: "Where zones are enforced, a violation is 457.",
    source: "BASE; CERT, Scope Enforcement",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/certification.test.ts",
          name: "an Agent Certificate > names the zone it is for: another in the header is 457",
        },
      ],
    },
  },
  {
    id: "I23",
    level: "MUST NOT",
    binds: "server",
    requirement: "A Governance Token is used twice, or for another agent than it names.",
    source: "BASE",
    proof: { notDone: "no governance runtime is asked, and no such token is issued or read" },
  },
  {
    id: "I24",
    level: "MUST",
    binds: "server",
    requirement:
      "Lifecycle methods are authorised, never open to all in production, and failures are logged.",
    source: "BASE, Lifecycle Method Authorization",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/lifecycle.test.ts",
          name: "who may change an agent's status > nobody without a certificate: 401; nobody with another's: 403; both are in the log",
        },
        {
          file: "signaling/switchboard/operator.test.ts",
          name: "who is no operator > whoever brings the server's documents without its key",
        },
        {
          file: "signaling/switchboard/operator.test.ts",
          name: "the operator stops agents > of any issuer, at once, and the record says by whom",
        },
      ],
    },
  },
  {
    id: "I25",
    level: "MUST",
    binds: "both",
    requirement: "Delegated scope is a strict part of the delegator's.",
    source: "BASE",
    proof: {
      tests: [
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call with a chain of delegation",
        },
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > DELEGATE, for which something is missing here",
        },
      ],
    },
  },
  {
    id: "I26",
    level: "MUST",
    binds: "server",
    requirement: "Headers overrule the same fields of the body.",
    source: "BASE, Precedence Rule; COMP",
    proof: {
      tests: [
        {
          file: "signaling/body.test.ts",
          name: "a request's body > overrules the query, and is overruled by headers",
        },
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a task in the body and another in the header: the header's counts",
        },
      ],
    },
  },
];
