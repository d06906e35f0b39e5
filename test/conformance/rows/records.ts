import type { Row } from "../row.ts";

const CHAIN = "signaling/record-chain.test.ts";
const CALL = "signaling/switchboard/happy-call.test.ts";
const HOSTILE = "test/scenario/hostile-media.test.ts";

/** Records, privacy, load, media, and two neighbours of a media server. */
export const RECORDS: readonly Row[] = [
  {
    id: "R1",
    level: "MUST",
    binds: "server",
    requirement: "Records have the fields of a chain, and the first names 64 zeros before it.",
    source: "IDENT",
    proof: {
      tests: [
        { file: CHAIN, name: "a chain > numbers its records, and each names the one before" },
        { file: CHAIN, name: "a chain > says whose it is, what was asked and answered, and when" },
      ],
    },
  },
  {
    id: "R2",
    level: "MUST",
    binds: "both",
    requirement: "An Audit-ID is the digest of the whole compact JWS.",
    source: "IDENT",
    proof: {
      tests: [
        { file: CHAIN, name: "one record > is named by the digest of its text" },
        {
          file: "signaling/agtp-reference.test.ts",
          name: "Attribution-Record > the same payload and key give the reference's record, to the byte",
        },
      ],
    },
  },
  {
    id: "R3",
    level: "MUST",
    binds: "server",
    requirement: "Records are only ever appended, found by Audit-ID, and read with INSPECT.",
    source: "IDENT; BASE",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/inspection.test.ts",
          name: "INSPECT of sessions > lists an agent's own, newest first and page by page, and reads their chains to whoever takes part",
        },
        {
          file: "signaling/switchboard/inspection.test.ts",
          name: "INSPECT of a record by its Audit-ID > gives the record and what it says to whom it answered",
        },
        {
          file: "signaling/switchboard/inspection.test.ts",
          name: "INSPECT of a record by its Audit-ID > gives any record of a session to its participants, long after it is over, and to nobody else",
        },
        {
          file: "store/record-log.test.ts",
          name: "the record log in memory > records are found by Audit-ID, the last one is the head",
        },
      ],
    },
  },
  {
    id: "R4",
    level: "MUST",
    binds: "both",
    requirement: "Production has a signing key, and `alg: none` is never authoritative.",
    source: "BASE; IDENT",
    proof: {
      tests: [
        { file: "signaling/jws.test.ts", name: "what is refused > alg none" },
        { file: "signaling/jws.test.ts", name: "what is refused > alg none without a signature" },
        {
          file: "test/scenario/hostile-relay.test.ts",
          name: "a relay that deceives the caller > with records of other answers than it gave: signature-invalid",
        },
      ],
    },
  },
  {
    id: "R5",
    level: "MUST NOT",
    binds: "server",
    requirement: "A record holds a raw Authorization header or token.",
    source: "COMP",
    proof: {
      tests: [
        {
          file: "test/scenario/nothing-recorded.test.ts",
          name: "credentials > of a request stand in no record and in no line of the server's log",
        },
        {
          file: "test/e2e/access-tokens.test.ts",
          name: "none of them is in the data folder or in a line of the log",
        },
      ],
    },
  },
  {
    id: "R6",
    level: "MUST",
    binds: "server",
    requirement: "Records of methods that change state have an `action_id`.",
    source: "IDENT, Identifier Layers",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/named-in-answers.test.ts",
          name: "what a record names > an action where something is changed, the same in every answer of a series",
        },
        {
          file: "signaling/switchboard/every-route.test.ts",
          name: "ADJUST /sessions/{session_id} > names an action",
        },
        {
          file: "signaling/switchboard/every-route.test.ts",
          name: "TERMINATE /sessions/{session_id} > names an action",
        },
        {
          file: "signaling/switchboard/every-route.test.ts",
          name: "QUERY /sessions/{session_id} > names no action",
        },
      ],
    },
  },
  {
    id: "R7",
    level: "MUST",
    binds: "server",
    requirement:
      "Logs are sensitive: who reads them, how long they are kept and how little they hold is controlled.",
    source: "BASE, Privacy",
    proof: {
      tests: [
        {
          file: "test/scenario/erasure.test.ts",
          name: "records grow old > at the start and daily, those that are too old are erased; who is registered stays so",
        },
        {
          file: "store/erasure.test.ts",
          name: "erasing in the log in lmdb > by age: what was over before, not what tells of agents, not a call that is up or ended later",
        },
        {
          file: "signaling/switchboard/inspection.test.ts",
          name: "who may read is the operator's setting > operator_only: an agent is 403 whatever it names",
        },
        {
          file: "test/scenario/nothing-recorded.test.ts",
          name: "what was said > is on the wire and in the other end's ear, and nowhere in the log",
        },
      ],
    },
  },
  {
    id: "R8",
    level: "MUST",
    binds: "server",
    requirement: "Where law requires erasure, a person's link is removed and the chain stays whole.",
    source: "IDENT",
    proof: {
      tests: [
        {
          file: "test/scenario/erasure.test.ts",
          name: "an agent is erased > its call ends first, with a final record; then nothing of it is kept and the chain holds",
        },
        {
          file: "test/scenario/erasure.test.ts",
          name: "a server that was killed in the middle > goes on with the erasure when it starts, and says so in its chain",
        },
        {
          file: "store/erasure.test.ts",
          name: "erasing in the log in lmdb > an agent: whatever names it, what its sessions left, its documents; the chain and the sessions' hold",
        },
        {
          file: "store/erasure.test.ts",
          name: "on the disk > nothing of what was erased is left in the folder when the record of it is durable",
        },
      ],
    },
  },
  {
    id: "R9",
    level: "MUST NOT",
    binds: "server",
    requirement: "Log statements hold secrets.",
    source: "LOG",
    proof: {
      tests: [
        {
          file: "test/e2e/http-side.test.ts",
          name: "a whole call is measured, and logged by session and agent without payloads, proofs or tokens",
        },
      ],
    },
  },
  {
    id: "R10",
    level: "SHOULD",
    binds: "server",
    requirement: "Requests are limited for each Agent-ID and principal besides each address; beyond it 429.",
    source: "BASE",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/shared-rates.test.ts",
          name: "an agent > may ask so much over all its connections, and is told when it may again",
        },
        {
          file: "signaling/switchboard/shared-rates.test.ts",
          name: "an agent > gets no more by connecting anew for every request",
        },
        {
          file: "signaling/switchboard/shared-rates.test.ts",
          name: "an address may ask so much through all agents that come from it",
        },
        {
          file: "store/shared-state.test.ts",
          name: "processes of one host > refuse each other's proofs and spend one rate, also after kill -9",
        },
        {
          file: "signaling/switchboard/shared-rates.test.ts",
          name: "an owner > may ask so much through all its agents",
        },
        {
          file: "src/http/address-limits.test.ts",
          name: "one address > has so many connections at once, and another has its own",
        },
      ],
    },
  },
  {
    id: "R11",
    level: "MUST",
    binds: "server",
    requirement: "ESCALATE is forwarded as it came.",
    source: "BASE",
    proof: { notDone: "the server forwards no requests between agents, so there is none to pass on" },
  },
  {
    id: "R12",
    level: "MUST",
    binds: "both",
    requirement: "Media parameters adapt to bandwidth, and both ends take part.",
    source: "SEED, Bandwidth Adaptation",
    proof: {
      tests: [
        {
          file: "test/scenario/adaptation.test.ts",
          name: "a way to the server that takes less than the voice makes it less at both ends within 1 s, and all of it again some seconds after",
        },
      ],
    },
  },
  {
    id: "R13",
    level: "MUST NOT",
    binds: "both",
    requirement: "Audio or video can be replayed in another session without being marked as recorded.",
    source: "SEED, Replay and Tampering",
    proof: {
      tests: [
        {
          file: "sfu/relay-forgery.test.ts",
          name: "a signed frame > moved to another session does not verify there, though key, SSRC and format are the same",
        },
        {
          file: HOSTILE,
          name: "a frame on its way to the listener > kept from an earlier call of the same two is refused in the next: terms, signature or window",
        },
        {
          file: HOSTILE,
          name: "a frame on its way to the listener > routed into another call is refused: terms, and by signature or window once it names that call's SSRC",
        },
        {
          file: "test/scenario/recorded.test.ts",
          name: "is heard as it was, each frame with where it comes from, and is proven by the evidence of both calls",
        },
      ],
    },
  },
  {
    id: "R14",
    level: "SHOULD",
    binds: "both",
    requirement: "Traffic on port 4480 has priority by its modality.",
    source: "SEED, Priority Within AGTP",
    proof: {
      tests: [
        {
          file: "transports/mux/thin-ways.test.ts",
          name: "audio beside a bulk stream > waits no longer than the documentation says",
        },
        {
          file: "transports/mux/mux.test.ts",
          name: "what is on the way > is limited by the peer's feedback, and datagrams still find room",
        },
      ],
    },
  },
  {
    id: "R15",
    level: "SHOULD",
    binds: "both",
    requirement: "Media has rate limits and resource controls.",
    source: "SEED, Denial of Service",
    proof: {
      tests: [
        {
          file: "sfu/relay.test.ts",
          name: "the rate > lets a steady speaker through for a minute and stops a flood until credit returns",
        },
        {
          file: "test/scenario/frames-refused.test.ts",
          name: "frames that are refused by name > more than a second's worth and its credit: rate, before anything costlier is looked at",
        },
        {
          file: "signaling/switchboard/load.test.ts",
          name: "a server whose kilobits are limited > refuses the call that would be too much, says by which limit, and when to come again",
        },
        {
          file: "signaling/switchboard/ringing.test.ts",
          name: "room > a full server says so, a full callee is busy",
        },
      ],
    },
  },
  {
    id: "R16",
    level: "stated",
    binds: "server",
    requirement: "Media content is not recorded by default.",
    source: "SEED, Attribution and Recording",
    proof: {
      tests: [
        {
          file: "test/scenario/nothing-recorded.test.ts",
          name: "what was said > is on the wire and in the other end's ear, and nowhere in the log",
        },
        {
          file: "test/e2e/nothing-recorded.test.ts",
          name: "a data folder holds who spoke and how much, and nothing of what was said",
        },
      ],
    },
  },
  {
    id: "R17",
    level: "MUST",
    binds: "server",
    requirement: "The events of a session's life leave records.",
    source: "SEED, Attribution and Recording; SESSION",
    proof: {
      tests: [
        {
          file: CALL,
          name: "a call from ESTABLISH to its final record > the session's records chain from established to terminated, naming the reason",
        },
        {
          file: "test/scenario/steering.test.ts",
          name: "narrowing > takes effect at both ends, in the record and in the evidence",
        },
        {
          file: "signaling/evidence/life.test.ts",
          name: "the evidence of a long life > verifies, and says of each turn whose word it is",
        },
        {
          file: "test/scenario/server-restart.test.ts",
          name: "a persistent call > goes on after a restart: both are heard again, every message came once, and the evidence says what happened",
        },
      ],
    },
  },
  {
    id: "G1",
    level: "MUST",
    binds: "server",
    requirement:
      "A gateway from HTTP, which here is that of WebRTC peers (WHIP and WHEP), has its own Agent-ID, finishes records, passes on no Allow-RCNS and takes no identity from HTTP.",
    source: "COMP",
    proof: {
      tests: [
        {
          file: "test/interop/webrtc-whip.test.ts",
          name: "the gateway takes part under its own name, for the token's agent, whatever else HTTP says, and the call's records come to an end",
        },
        {
          file: "src/http/webrtc-routes.test.ts",
          name: "WHIP and WHEP > take who asks from the token alone, and hand on nothing that their request's headers say",
        },
        {
          file: "src/gateway/gateway.test.ts",
          name: "a token that does not hold is no asker's",
        },
        {
          file: "test/scenario/gateway-calls.test.ts",
          name: "an agent calls one for which a gateway answers > talks with it, knows that it is a gateway, and the evidence says whose word is whose",
        },
      ],
    },
  },
  {
    id: "P1",
    level: "MUST",
    binds: "server",
    requirement: "Declared visibility is honoured; an invisible agent is 404 like one that does not exist.",
    source: "PRES",
    proof: {
      notDone:
        "not yet: agents declare no visibility; the operator decides for all of them who may list agents, by `agentDisclosure`",
    },
  },
];
