import type { Row } from "../row.ts";

const IDENTIFICATION = "signaling/switchboard/identification.test.ts";
const DOCUMENT = "signaling/identity-document.test.ts";
const GENESIS = "signaling/genesis.test.ts";
const PEER = "signaling/peer-check.test.ts";
const TIERS = "signaling/switchboard/trust-tiers.test.ts";
const TRUST = "signaling/trust.test.ts";
const CERTIFICATES = "signaling/switchboard/certification.test.ts";
const OPENSSL = "signaling/certificate/agent-certificate.test.ts";
const CERTIFIED_CALL = "test/e2e/agent-certificates.test.ts";

/** Who an agent is, and how far it is trusted. */
export const IDENTITY: readonly Row[] = [
  {
    id: "I1",
    level: "MUST",
    binds: "both",
    requirement: "Agent-ID is on every request that is not anonymous.",
    source: "BASE, Request Headers",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/request-headers.test.ts",
          name: "headers of any request > only discovery may leave its Agent-ID out",
        },
        {
          file: "test/scenario/requests-on-the-wire.test.ts",
          name: "every request of an agent > names the agent that asks",
        },
      ],
    },
  },
  {
    id: "I2",
    level: "MUST",
    binds: "both",
    requirement: "The Genesis is hashed again and its signature verified before its Agent-ID is trusted.",
    source: "BASE; CERT",
    proof: {
      tests: [
        { file: GENESIS, name: "what is refused > another Agent-ID" },
        { file: GENESIS, name: "what is refused > any change of a member" },
        { file: IDENTIFICATION, name: "registration > open, with another agent's Genesis: refused" },
        { file: PEER, name: "a relay that lies about who is there > another agent's Genesis" },
      ],
    },
  },
  {
    id: "I3",
    level: "MUST NOT",
    binds: "both",
    requirement: "A valid signature is taken for a trusted issuer.",
    source: "BASE, Tamper-Proofing",
    proof: {
      tests: [
        { file: PEER, name: "anchors > that do not hold it refuse the peer" },
        {
          file: "signaling/evidence/verify.test.ts",
          name: "trust > another issuer's key: { issuerKeys: [Array], …(1) } gives unanchored",
        },
      ],
    },
  },
  {
    id: "I4",
    level: "MUST",
    binds: "server",
    requirement: "An Agent-ID without an active Genesis in a registry that can be reached is refused.",
    source: "BASE, Registration",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/operator.test.ts",
          name: "the operator registers agents > with their documents, on a server that takes no others; they are served from then on, and after a restart",
        },
        { file: IDENTIFICATION, name: "registration > closed: only whom the log knows" },
        {
          file: IDENTIFICATION,
          name: "registration > open, without documents: unknown, naming what is missing",
        },
      ],
    },
  },
  {
    id: "I5",
    level: "MUST",
    binds: "server",
    requirement: "A suspended agent is answered 503 and a retired one 410; a deprecated one is served.",
    source: "BASE",
    proof: {
      tests: [
        {
          file: IDENTIFICATION,
          name: "registration > a newer identity document of the same issuer replaces the older, not the other way round",
        },
        {
          file: IDENTIFICATION,
          name: "registration > retired agents and tiers below the floor may not call or be called",
        },
        {
          file: IDENTIFICATION,
          name: "registration > deprecated agents are served: they have an inbox, call and are called, and their status is told",
        },
      ],
    },
  },
  {
    id: "I6",
    level: "MUST",
    binds: "server",
    requirement: "Agent-ID and the principal behind it are logged for every request.",
    source: "BASE, Agent Identity Verification",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/named-in-answers.test.ts",
          name: "what a record names > who asked and whose agent that is, or what was claimed and not proved",
        },
      ],
    },
  },
  {
    id: "I7",
    level: "SHOULD",
    binds: "server",
    requirement: "Whoever wants more than to read has its identity document verified.",
    source: "BASE, Agent Identity Verification",
    proof: {
      tests: [
        { file: IDENTIFICATION, name: "registration > open, with another agent's Genesis: refused" },
        { file: DOCUMENT, name: "what is refused > any change of a member, and a member more" },
        { file: IDENTIFICATION, name: "possession proofs > by another key: nobody is registered or bound" },
      ],
    },
  },
  {
    id: "I8",
    level: "MUST",
    binds: "server",
    requirement:
      "A header that names another agent or owner than the credential is refused with 401 and logged.",
    source: "CERT",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/request-headers.test.ts",
          name: "headers of any request > an Owner-ID is held against the agent's own, and a wrong one logged",
        },
        {
          file: "signaling/switchboard/every-route.test.ts",
          name: "ESTABLISH /sessions > is refused with another owner than the agent's",
        },
        {
          file: "signaling/switchboard/every-route.test.ts",
          name: "QUERY /sessions/{session_id} > is refused with another owner than the agent's",
        },
        {
          file: CERTIFICATES,
          name: "an Agent Certificate > of another agent than the header names: 401, and logged",
        },
        {
          file: CERTIFICATES,
          name: "an Agent Certificate > says who owns its agent, as the Genesis does and the header must",
        },
        { file: IDENTIFICATION, name: "binding > a connection speaks for one agent" },
      ],
    },
  },
  {
    id: "I9",
    level: "MUST",
    binds: "both",
    requirement:
      "Agent Certificates are shown by mutual TLS 1.3, and their extensions outrank the common name.",
    source: "CERT",
    proof: {
      tests: [
        {
          file: CERTIFIED_CALL,
          name: "agents with certificates > talk without a proof, and a revocation in the middle of their call ends it within a second",
        },
        {
          file: OPENSSL,
          name: "Agent Certificates made by OpenSSL > old-critical holds, and says what stands in it",
        },
        {
          file: OPENSSL,
          name: "Agent Certificates made by OpenSSL > new-plain holds, and says what stands in it",
        },
      ],
    },
  },
  {
    id: "I10",
    level: "MUST NOT",
    binds: "server",
    requirement: "A certificate's key must hash to the Agent-ID, or a changed key counts as another agent.",
    source: "CERT",
    proof: {
      tests: [
        {
          file: CERTIFICATES,
          name: "an Agent Certificate > has a key of its own, and the next one of the same agent another",
        },
      ],
    },
  },
  {
    id: "I11",
    level: "MUST",
    binds: "server",
    requirement: "A certificate without a checked Genesis counts for the transport alone.",
    source: "CERT",
    proof: {
      tests: [
        {
          file: CERTIFICATES,
          name: "an Agent Certificate > of an agent that nobody knows here is for transport alone: it names nobody without a Genesis",
        },
      ],
    },
  },
  {
    id: "I12",
    level: "MUST NOT",
    binds: "server",
    requirement: "Trust is decided by a certificate's SCT extension.",
    source: "CERT",
    proof: {
      tests: [
        {
          file: "signaling/certificate/agent-extensions.test.ts",
          name: "AGTP's extensions > decide nothing on the timestamp of a log: one that is none",
        },
        {
          file: "signaling/certificate/agent-extensions.test.ts",
          name: "AGTP's extensions > decide nothing on the timestamp of a log: one in a list",
        },
      ],
    },
  },
  {
    id: "I13",
    level: "MUST NOT",
    binds: "server",
    requirement:
      "A tier 2 agent without an Agent Certificate is granted more than to query documents and knowledge.",
    source: "TRUST",
    proof: {
      tests: [
        {
          file: TIERS,
          name: "where the floor is `verified` > an agent of tier 2 without a certificate may not talk: 455 with what is missing; it may still look around",
        },
        { file: TRUST, name: "who may talk > who may not keeps what is for reading" },
        {
          file: "src/config.test.ts",
          name: "parseServerConfig > has agents of tier 2 talk without a certificate only where registration is open or the operator says so, and tier 3 only then",
        },
      ],
    },
  },
  {
    id: "I14",
    level: "MUST NOT",
    binds: "server",
    requirement: "A tier 3 agent is served in production.",
    source: "TRUST",
    proof: {
      tests: [
        {
          file: "src/config.test.ts",
          name: "parseServerConfig > has agents of tier 2 talk without a certificate only where registration is open or the operator says so, and tier 3 only then",
        },
        {
          file: TIERS,
          name: "where the floor is `verified` > agents of tier 3 do not talk, nor where the floor is `org-asserted`",
        },
      ],
    },
  },
  {
    id: "I15",
    level: "MUST",
    binds: "server",
    requirement:
      "Trust follows the document, then the Genesis, then the default; tier 2 is told with a warning.",
    source: "TRUST",
    proof: {
      tests: [
        { file: TRUST, name: "tier and path > are the identity document's before the Genesis's" },
        {
          file: TRUST,
          name: "tier and path > are the Genesis's where the document says nothing, each for itself, and tier 2 by an organisation where neither does",
        },
        {
          file: TIERS,
          name: "what is told of trust > every answer to an agent of tier 2, and every one about it, warns; none to or about tier 1 by a server of tier 1",
        },
      ],
    },
  },
  {
    id: "I16",
    level: "MUST",
    binds: "both",
    requirement:
      "A trust score lies between 0 and 1 and has a time of computation, or the document is refused.",
    source: "TRUST",
    proof: {
      tests: [
        { file: DOCUMENT, name: "what is made > a field that would not be read back is refused at once" },
        { file: DOCUMENT, name: "what is refused > one without trust_score_computed_at" },
      ],
    },
  },
];
