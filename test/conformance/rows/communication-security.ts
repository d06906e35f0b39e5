import type { Row } from "../row.ts";

const REQUESTS = "signaling/switchboard/bad-input.test.ts";
const HOSTILE = "test/scenario/hostile-media.test.ts";

const LIMITS = "signaling/switchboard/limits.test.ts";

/** Security, and the tokens to be registered. */
export const COMMUNICATION_SECURITY: readonly Row[] = [
  {
    id: "C66",
    level: "stated",
    binds: "both",
    requirement: "Transport is encrypted: TLS 1.3 or QUIC.",
    source: "SEED, Security Considerations",
    proof: {
      tests: [
        { file: "src/server/tls-door.test.ts", name: "nobody comes in > with TLS 1.2, or without TLS" },
        {
          file: "transports/websocket/client.test.ts",
          name: "WebSocket client > goes without encryption to this machine alone",
        },
        {
          file: "transports/webtransport/client.test.ts",
          name: "WebTransport client > refuses a certificate that is not the one pinned",
        },
      ],
    },
  },
  {
    id: "C67",
    level: "stated",
    binds: "both",
    requirement: "Agents' identities are verified.",
    source: "SEED, Security Considerations",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/identification.test.ts",
          name: "possession proofs > by another key: nobody is registered or bound",
        },
        {
          file: "signaling/peer-check.test.ts",
          name: "a relay that lies about who is there > another agent than the one dialled",
        },
      ],
    },
  },
  {
    id: "C68",
    level: "stated",
    binds: "server",
    requirement: "Scope is enforced in the protocol layer.",
    source: "SEED, Security Considerations",
    proof: {
      tests: [
        {
          file: "sfu/relay-order.test.ts",
          name: "admission, fault by fault > refuses for scope, counts it once and reports it",
        },
        { file: REQUESTS, name: "authority > server policy narrows what anybody may do" },
      ],
    },
  },
  {
    id: "C69",
    level: "MUST",
    binds: "client",
    requirement:
      "An agent that captures audio or video has the scope for it, enforced when the session is established.",
    source: "SEED, Media Capture Authorization",
    proof: {
      tests: [
        {
          file: "test/scenario/calls.test.ts",
          name: "a call that is not taken > for want of authority: scope-violation, and it never rings",
        },
        { file: REQUESTS, name: "authority > sending without the scope for it, in the base dialect" },
      ],
    },
  },
  {
    id: "C70",
    level: "stated",
    binds: "server",
    requirement: "Status 451 Scope Violation for capture without scope.",
    source: "SEED, Media Capture Authorization",
    proof: {
      tests: [{ file: REQUESTS, name: "authority > sending without the scope for it, in the seed dialect" }],
    },
  },
  {
    id: "C71",
    level: "MUST NOT",
    binds: "both",
    requirement: "Streams can be replayed in another session without the marks of a recording.",
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
      ],
    },
  },
  {
    id: "C72",
    level: "stated",
    binds: "both",
    requirement:
      "Session, timestamps and records let a recipient verify in which context media was captured.",
    source: "SEED, Replay and Tampering",
    proof: {
      tests: [
        {
          file: "codecs/frame-signing.test.ts",
          name: "a signed frame > covers domain, session, leg, stream and the packet with a zero tag, in that order",
        },
        {
          file: HOSTILE,
          name: "a frame on its way to the listener > held back for longer than freshness allows is refused: stale",
        },
        {
          file: "signaling/evidence/media.test.ts",
          name: "kept frames > belong to their call, each listed by its speaker's checkpoint, whatever order they come in",
        },
      ],
    },
  },
  {
    id: "C73",
    level: "SHOULD",
    binds: "both",
    requirement: "Both ends and the server limit rates and control resources.",
    source: "SEED, Denial of Service",
    proof: {
      tests: [
        {
          file: "sfu/relay.test.ts",
          name: "the rate > lets a steady speaker through for a minute and stops a flood until credit returns",
        },
        {
          file: "signaling/switchboard/identification.test.ts",
          name: "rate > an anonymous connection is limited, then closed; a bound one may do more",
        },
        {
          file: "test/scenario/data.test.ts",
          name: "structured data > gives the stream up when nobody reads, tells both ends, and leaves the call up",
        },
      ],
    },
  },
  {
    id: "C74",
    level: "stated",
    binds: "both",
    requirement: "A scope holds limits of resources, enforced when the session is established.",
    source: "SEED, Denial of Service",
    proof: {
      tests: [
        {
          file: LIMITS,
          name: "caps of the scope when a call is asked for > a codec that takes more bits than allowed: 463 naming cap and need, with codecs that would do",
        },
        {
          file: LIMITS,
          name: "caps of the scope when a call is asked for > an answer is held to the caps of both ends, and a better one is taken",
        },
        {
          file: LIMITS,
          name: "how long a session lasts > is the lower cap of both ends where that is less than was wished; then it ends for that",
        },
        {
          file: "sfu/leg-ceiling.test.ts",
          name: "a cap on what a leg sends > lets two seconds' worth through at once, then as much as it says; the rest is refused and counted as `limit`",
        },
      ],
    },
  },
  {
    id: "C75",
    level: "stated",
    binds: "both",
    requirement: "Scope `communication:audio:*`.",
    source: "SEED, IANA Considerations",
    proof: {
      tests: [
        {
          file: "signaling/scope.test.ts",
          name: "matching (spec 5.3) > communication:audio:* and communication:audio:capture: true",
        },
        {
          file: "signaling/scope.test.ts",
          name: 'intersection > "communication:bilateral" and "communication:audio:*": "communication:audio:capture, communication:audio:transmit"',
        },
      ],
    },
  },
  {
    id: "C76",
    level: "stated",
    binds: "both",
    requirement: "Scope `communication:video:*`.",
    source: "SEED, IANA Considerations",
    proof: {
      tests: [
        {
          file: "signaling/scope.test.ts",
          name: "matching (spec 5.3) > communication:audio:*, communication:video:*, communication:data:* and communication:bilateral: true",
        },
      ],
    },
  },
];
