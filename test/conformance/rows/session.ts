import type { Row } from "../row.ts";

const CALL = "signaling/switchboard/happy-call.test.ts";
const ENDINGS = "signaling/switchboard/endings.test.ts";
const IDENTIFICATION = "signaling/switchboard/identification.test.ts";
const REATTACHING = "test/scenario/reattaching.test.ts";
const HANGING_UP = "signaling/switchboard/hanging-up.test.ts";

/** Sessions: how they begin, who may use them, how they end. */
export const SESSION: readonly Row[] = [
  {
    id: "S1",
    level: "MUST",
    binds: "both",
    requirement:
      "ESTABLISH names model, lifetime and grants; its answer the session's id, the accepted ones, and a signature that binds it to both Agent-IDs.",
    source: "SESSION, Session Establishment",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/seed-form.test.ts",
          name: "the answer to ESTABLISH has id, model, lifetime and grants, and a witness that binds them to both agents",
        },
      ],
    },
  },
  {
    id: "S2",
    level: "MUST NOT",
    binds: "server",
    requirement: "A session comes into being as a side effect of anything else.",
    source: "SESSION, Session Establishment",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/session-ids.test.ts",
          name: "a session comes into being by ESTABLISH and CONFIRM alone > not by SUBSCRIBE /agents/{agent_id}/inbox",
        },
        {
          file: "signaling/switchboard/session-ids.test.ts",
          name: "a session comes into being by ESTABLISH and CONFIRM alone > not by OPEN /sessions/{session_id}/media",
        },
        {
          file: "signaling/switchboard/session-ids.test.ts",
          name: "a session comes into being by ESTABLISH and CONFIRM alone > not by PROPOSE /",
        },
        {
          file: "signaling/switchboard/session-ids.test.ts",
          name: "a session comes into being by ESTABLISH and CONFIRM alone > nor by CONFIRM without an offer",
        },
      ],
    },
  },
  {
    id: "S3",
    level: "MUST NOT",
    binds: "both",
    requirement: "ESTABLISH is sent or taken in early data, before the handshake is complete.",
    source: "SESSION",
    proof: {
      tests: [
        { file: IDENTIFICATION, name: "possession proofs > without one: 401 with the nonce to use" },
        { file: IDENTIFICATION, name: "possession proofs > for another nonce: refused by name" },
      ],
    },
  },
  {
    id: "S4",
    level: "MUST",
    binds: "server",
    requirement: "A Session-ID has at least 128 random bits.",
    source: "BASE, Session Hijacking",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/session-ids.test.ts",
          name: "a session's id > is 32 bytes of the random source and nothing else",
        },
      ],
    },
  },
  {
    id: "S5",
    level: "MUST NOT",
    binds: "server",
    requirement: "A Session-ID is derived from Agent-IDs.",
    source: "SESSION",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/session-ids.test.ts",
          name: "a session's id > is drawn anew for each session of the same two agents",
        },
        {
          file: "signaling/switchboard/session-ids.test.ts",
          name: "a session's id > is 32 bytes of the random source and nothing else",
        },
      ],
    },
  },
  {
    id: "S6",
    level: "MUST",
    binds: "server",
    requirement: "A session is bound to both participants and to a channel binding of the connection.",
    source: "SESSION",
    proof: {
      notDone:
        "the QUIC stack shows neither TLS exporter nor connection id; proofs sign the exporter where there is one, else a nonce that the server gave the very connection, and the session core binds both participants",
    },
  },
  {
    id: "S7",
    level: "MUST NOT",
    binds: "server",
    requirement: "A Session-ID alone authorises anything.",
    source: "SESSION",
    proof: {
      tests: [
        { file: HANGING_UP, name: "hanging up > only participants may, in sessions that exist" },
        {
          file: "test/scenario/hostile-identity.test.ts",
          name: "a call of others > cannot be ended, closed, read or answered by an agent that takes no part in it",
        },
        {
          file: REATTACHING,
          name: "who may come back > is the agent alone: another identity with the session id is turned away, and nothing moves",
        },
      ],
    },
  },
  {
    id: "S8",
    level: "MUST",
    binds: "server",
    requirement:
      "Session-ID, Agent-ID and the identity proved on the connection must agree; a request is refused otherwise.",
    source: "BASE, Session Hijacking; SESSION",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/certification.test.ts",
          name: "a session that an end came into with its certificate > goes on for that end on connections that show one, not on a proof alone",
        },
        {
          file: IDENTIFICATION,
          name: "binding > a connection speaks for one agent",
        },
        {
          file: REATTACHING,
          name: "who may come back > proves itself each time: no proof, or one made for another request, opens nothing",
        },
        {
          file: HANGING_UP,
          name: "hanging up > only participants may, in sessions that exist",
        },
        {
          file: "signaling/switchboard/gateways.test.ts",
          name: "a call in which a gateway acts > is not the business of another gateway's leg, nor of the agent's own calls",
        },
        {
          file: "test/exchanges/over-memory.test.ts",
          name: "exchanges over memory, on virtual time > a session with another in the header",
        },
      ],
    },
  },
  {
    id: "S9",
    level: "MUST",
    binds: "both",
    requirement: "Session-ID is on every request and response in a session, and in the record.",
    source: "IDENT; SESSION",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/named-in-answers.test.ts",
          name: "the session in an answer > is in every one about it to its participants, refusals and inbox events too, and to nobody else",
        },
        {
          file: "test/scenario/requests-on-the-wire.test.ts",
          name: "every request of an agent > names its session, where it is about one",
        },
      ],
    },
  },
  {
    id: "S10",
    level: "MUST",
    binds: "server",
    requirement: "Scope is enforced on every invocation in a session; a violation yields the code for it.",
    source: "SESSION, Inheritance",
    proof: {
      tests: [
        {
          file: "test/scenario/steering.test.ts",
          name: "narrowing > lets a speaker that goes on be refused, for scope, and its peer hears nothing",
        },
        {
          file: "signaling/switchboard/authorities.test.ts",
          name: "an identity document renewed in the middle of a call > with a smaller scope: the relay lets nothing through from then on, both ends are told, and the record names the last frame",
        },
        {
          file: "sfu/relay-order.test.ts",
          name: "admission, fault by fault > refuses for scope, counts it once and reports it",
        },
        {
          file: "signaling/switchboard/bad-input.test.ts",
          name: "authority > the callee's answer is held to its own documents, and it may still answer less",
        },
      ],
    },
  },
  {
    id: "S11",
    level: "SHOULD",
    binds: "server",
    requirement: "A scope violation ends a bounded session.",
    source: "SESSION",
    proof: {
      notDone:
        "frames outside the scope are refused before anybody hears them, and some are on their way whenever scope is given up: ending the call for them would punish who gave it up",
    },
  },
  {
    id: "S12",
    level: "MUST",
    binds: "server",
    requirement: "A session ends when either participant is revoked, at the latest at the next invocation.",
    source: "SESSION",
    proof: {
      tests: [
        {
          file: "test/scenario/authority-withdrawn.test.ts",
          name: "an agent stopped by its issuer > REVOKE ends its call at once; frames on their way are refused, both ends are told, and the record says why",
        },
        {
          file: "signaling/switchboard/lifecycle.test.ts",
          name: "what an agent is in when it is stopped > DEACTIVATE ends its sessions (agent-deactivated) before its next request (503), and the other end is told",
        },
        {
          file: "signaling/switchboard/lifecycle.test.ts",
          name: "what an agent is in when it is stopped > REVOKE ends its sessions (identity-revoked) before its next request (410), and the other end is told",
        },
      ],
    },
  },
  {
    id: "S13",
    level: "MUST",
    binds: "server",
    requirement: "A revocation NOTIFY ends the agent's sessions before their next request.",
    source: "CERT",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/certification.test.ts",
          name: "a revocation > by the authority ends the sessions under that certificate at once: no frame, both ends told, on record",
        },
        {
          file: "signaling/switchboard/certification.test.ts",
          name: "a revocation > holds for new connections, after a restart too, and not for another certificate of the agent",
        },
        {
          file: "test/e2e/agent-certificates.test.ts",
          name: "agents with certificates > talk without a proof, and a revocation in the middle of their call ends it within a second",
        },
      ],
    },
  },
  {
    id: "S14",
    level: "SHOULD",
    binds: "server",
    requirement: "The scope of persistent sessions is validated again from time to time.",
    source: "SESSION, Inheritance",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/authorities.test.ts",
          name: "an identity document renewed in the middle of a call > which leaves neither end anything to send: the session ends, scope-violation",
        },
        {
          file: "test/scenario/authority-withdrawn.test.ts",
          name: "an Agent Certificate in the middle of a call > run out: the session ends at that moment, with nobody asking anything",
        },
      ],
    },
  },
  {
    id: "S15",
    level: "MUST",
    binds: "server",
    requirement: "A session's lifetime is judged by the server's clock.",
    source: "SESSION",
    proof: {
      tests: [
        { file: ENDINGS, name: "ends nobody asked for > the lifetime is up by the server's clock" },
        {
          file: ENDINGS,
          name: "ends nobody asked for > an agreed end is a date: a clock set past it ends the call",
        },
        {
          file: REATTACHING,
          name: "a persistent call whose end goes away > ends with its lifetime by the server's clock (T14), away or not",
        },
      ],
    },
  },
  {
    id: "S16",
    level: "MUST",
    binds: "server",
    requirement: "Every ending leaves a final signed record with its reason.",
    source: "SESSION, Graceful Termination",
    proof: {
      tests: [
        {
          file: CALL,
          name: "a call from ESTABLISH to its final record > the session's records chain from established to terminated, naming the reason",
        },
        {
          file: ENDINGS,
          name: "ends nobody asked for > a connection that its client closes ends a bounded session at once, and both learn it",
        },
        { file: ENDINGS, name: "ends nobody asked for > the lifetime is up by the server's clock" },
        {
          file: "signaling/switchboard/recovery.test.ts",
          name: "a call that was up when the server stopped gets its final record at the next start",
        },
        {
          file: "signaling/switchboard/restart.test.ts",
          name: "nobody waits for ever after a restart > a bounded call ends, and one of which too little is left too, with a reason",
        },
        {
          file: "signaling/switchboard/restart.test.ts",
          name: "a restart in the middle of > hanging up ends it as the ends said, and takes their last words",
        },
      ],
    },
  },
  {
    id: "S17",
    level: "MUST",
    binds: "both",
    requirement: "Early data in a session is taken only where a replay of it does no harm.",
    source: "SESSION",
    proof: { notDone: "no carrier takes early data, so no request of a session can come in it" },
  },
  {
    id: "S18",
    level: "MUST",
    binds: "server",
    requirement:
      "The nonce that resumes a session has 128 bits of a cryptographic generator and is used once.",
    source: "BASE, SUSPEND",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/session-ids.test.ts",
          name: "the nonce that resumes a session is 16 bytes of the random source, drawn anew each time",
        },
        {
          file: "signaling/switchboard/suspending.test.ts",
          name: "T6: RESUME > with a used nonce: 409 while the session is up, and in a later suspension",
        },
        {
          file: "signaling/switchboard/suspending.test.ts",
          name: "T6: RESUME > with a wrong nonce: 409, counted and logged, and the right one still opens",
        },
        {
          file: "signaling/switchboard/restart.test.ts",
          name: "a restart in the middle of > a suspension leaves it suspended: the nonce opens it once, and is on no record",
        },
      ],
    },
  },
  {
    id: "S19",
    level: "MUST",
    binds: "server",
    requirement: "A session that stays suspended past `resume_by` becomes expired.",
    source: "BASE, SUSPEND",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/suspending.test.ts",
          name: "T7: the deadline > ends the session as expired; a later RESUME is 408, also when only its tombstone is left",
        },
      ],
    },
  },
  {
    id: "S20",
    level: "SHOULD",
    binds: "server",
    requirement: "Inactivity ends nothing before 60 s.",
    source: "BASE, Connection Model",
    proof: {
      tests: [
        {
          file: ENDINGS,
          name: "ends nobody asked for > a minute without media ends it, media keeps it up",
        },
        {
          file: "transports/webtransport/server.test.ts",
          name: "WebTransport listener > a quiet connection stays up on pings alone",
        },
      ],
    },
  },
];
