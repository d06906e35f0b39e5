import type { Row } from "../row.ts";

const ANSWERS = "signaling/switchboard/answers.test.ts";
const QUIC = "transports/webtransport/client.test.ts";
const WEBSOCKET = "transports/websocket/client.test.ts";
const TLS = "transports/tls/server-connection.test.ts";

/** Carriers and connections. */
export const BINDING: readonly Row[] = [
  {
    id: "W18",
    level: "MUST",
    binds: "both",
    requirement: "TLS 1.3 or newer; older versions and plaintext are refused.",
    source: "BASE, Mandatory TLS; BIND",
    proof: {
      tests: [
        { file: "src/server/tls-door.test.ts", name: "nobody comes in > with TLS 1.2, or without TLS" },
        {
          file: "transports/tls/client.test.ts",
          name: "AGTP over TLS > is not served below TLS 1.3, nor without TLS, nor to a client that wants HTTP/2 alone",
        },
      ],
    },
  },
  {
    id: "W19",
    level: "MUST",
    binds: "both",
    requirement: "The server shows a valid certificate, and the client validates it.",
    source: "BASE, Mandatory TLS; BIND",
    proof: {
      tests: [
        { file: QUIC, name: "WebTransport client > refuses a certificate that is not the one pinned" },
        { file: QUIC, name: "WebTransport client > without hashes trusts only the system's roots" },
        {
          file: QUIC,
          name: "WebTransport client > without hashes accepts a certificate among the system's roots, by its name",
        },
        { file: WEBSOCKET, name: "WebSocket client > says nothing to a server with another certificate" },
        { file: WEBSOCKET, name: "WebSocket client > without hashes trusts only the system's roots" },
        {
          file: "transports/webtransport/certificate.test.ts",
          name: "given certificate > is refused when missing, swapped, mismatched or expired",
        },
      ],
    },
  },
  {
    id: "W20",
    level: "MUST",
    binds: "server",
    requirement: "AGTP is offered over TLS on TCP; no service is on QUIC alone.",
    source: "BIND",
    proof: {
      tests: [
        { file: "test/e2e/tls-port.test.ts", name: "the README's one line asks for the manifest" },
        {
          file: "test/e2e/tls-port.test.ts",
          name: "AGTP, HTTP and WebSockets share the port, { ALPNProtocols: [ 'agtp' ] }",
        },
      ],
    },
  },
  {
    id: "W21",
    level: "MUST",
    binds: "both",
    requirement: "QUIC version 1 or newer with ALPN `agtp`.",
    source: "BIND",
    proof: {
      notDone:
        "the QUIC stack offers no ALPN of one's own: exchanges go over WebTransport, so ALPN `h3`, byte for byte as in this binding",
    },
  },
  {
    id: "W22",
    level: "MUST NOT",
    binds: "both",
    requirement: "Early data is sent or taken on TLS over TCP.",
    source: "BIND",
    proof: {
      tests: [
        {
          file: "test/e2e/tls-port.test.ts",
          name: "sessions are resumed without early data: a ticket allows none",
        },
        {
          file: "signaling/switchboard/request-headers.test.ts",
          name: "early data > takes QUERY and DISCOVER only, and nothing happens for any other method",
        },
      ],
    },
  },
  {
    id: "W23",
    level: "MUST",
    binds: "server",
    requirement: "Early data on QUIC carries QUERY and DISCOVER alone; any other method in it is 425.",
    source: "BIND",
    proof: { notDone: "the QUIC stack takes no early data, so no request can come in it" },
  },
  {
    id: "W24",
    level: "stated",
    binds: "server",
    requirement: "Requests on one TCP connection are answered in their order.",
    source: "BIND",
    proof: {
      tests: [
        {
          file: TLS,
          name: "the server's end of a TLS connection > hands out one request after the other and answers them in their order",
        },
        {
          file: TLS,
          name: "the server's end of a TLS connection > writes a series of answers before the next request is looked at",
        },
      ],
    },
  },
  {
    id: "W25",
    level: "MUST",
    binds: "both",
    requirement: "Nothing of one session is left for the next one on the same connection.",
    source: "BIND",
    proof: {
      tests: [
        {
          file: "test/scenario/hostile-media.test.ts",
          name: "a frame on its way to the listener > kept from an earlier call of the same two is refused in the next: terms, signature or window",
        },
        {
          file: "test/scenario/server-endurance.test.ts",
          name: "a server that is up for long > carries checkpoints and receipts in the hundredth call of a connection as in the first",
        },
        {
          file: "test/scenario/churn.test.ts",
          name: "keeps what a call left behind no longer than it says, and nothing else of it",
        },
      ],
    },
  },
  {
    id: "W26",
    level: "MUST",
    binds: "client",
    requirement: "Certificates are validated alike on every carrier.",
    source: "BIND",
    proof: {
      tests: [
        {
          file: "transports/certificates.test.ts",
          name: "over webtransport a server is who it should be by its pinned certificate, or by root, name and time",
        },
        {
          file: "transports/certificates.test.ts",
          name: "over websocket a server is who it should be by its pinned certificate, or by root, name and time",
        },
        {
          file: "transports/certificates.test.ts",
          name: "over tls a server is who it should be by its pinned certificate, or by root, name and time",
        },
        {
          file: "transports/tls/client.test.ts",
          name: "AGTP over TLS > refuses to go on with another certificate than the pinned one, before a byte is said",
        },
        { file: WEBSOCKET, name: "WebSocket client > says nothing to a server with another certificate" },
      ],
    },
  },
  {
    id: "W27",
    level: "SHOULD",
    binds: "server",
    requirement: "Connections of each client are limited, and idle ones close sooner under pressure.",
    source: "BIND",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/connections.test.ts",
          name: "an agent has so many connections; a further one is refused and closed, one that ends makes room",
        },
        {
          file: "src/http/address-limits.test.ts",
          name: "one address > has so many connections at once, and another has its own",
        },
        {
          file: "src/server/tls-door.test.ts",
          name: "AGTP connections may be idle for less while many of them are there",
        },
        {
          file: "signaling/switchboard/connections.test.ts",
          name: "while most places are taken, an identity must be proved within 3 s",
        },
        {
          file: TLS,
          name: "the server's end of a TLS connection > closes what asks nothing for too long, and sooner under pressure",
        },
      ],
    },
  },
  {
    id: "W28",
    level: "MUST",
    binds: "server",
    requirement: "Every status code that is AGTP's own is logged.",
    source: "BASE, Status Codes",
    proof: {
      tests: [
        {
          file: ANSWERS,
          name: "every answer, in the base dialect > that refuses leaves a record with its status and the error's code",
        },
        {
          file: ANSWERS,
          name: "every answer, in the seed dialect > that refuses leaves a record with its status and the error's code",
        },
      ],
    },
  },
];
