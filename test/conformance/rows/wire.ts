import type { Row } from "../row.ts";

const ANSWERS = "signaling/switchboard/answers.test.ts";
const MEMORY = "test/exchanges/over-memory.test.ts";
const CARRIERS = "test/e2e/exchanges.test.ts";
const READER = "codecs/message-reader.test.ts";
const MESSAGE = "codecs/message.test.ts";
const PATHS = "signaling/paths.test.ts";
const EXCHANGE = "transports/exchange.test.ts";

/** Messages: start lines, framing, paths, methods. */
export const WIRE: readonly Row[] = [
  {
    id: "W1",
    level: "MUST",
    binds: "both",
    requirement: "Version, method and status stand on the start line alone; no header repeats them.",
    source: "BASE, Header Format",
    proof: {
      tests: [
        {
          file: ANSWERS,
          name: "every answer, in the base dialect > has no header beyond those documented, and none that repeats the start line",
        },
        {
          file: ANSWERS,
          name: "every answer, in the seed dialect > has no header beyond those documented, and none that repeats the start line",
        },
        {
          file: "test/scenario/requests-on-the-wire.test.ts",
          name: "every request of an agent > has no header beyond those documented, and none that repeats the start line",
        },
      ],
    },
  },
  {
    id: "W2",
    level: "MUST",
    binds: "both",
    requirement: "A message is framed by Content-Length and complete at exactly that octet.",
    source: "BASE, Wire-Format Framing",
    proof: {
      tests: [
        { file: READER, name: "a request > with a body cut short is refused and the place named" },
        {
          file: READER,
          name: "however the bytes are cut > requests give the same result, at every byte and byte by byte",
        },
        {
          file: MESSAGE,
          name: "serialising > writes both dialects, always with three tokens and its own length",
        },
      ],
    },
  },
  {
    id: "W3",
    level: "MUST NOT",
    binds: "both",
    requirement:
      "The end of a connection, or of one direction of it, marks the end of a message; a message goes in chunks.",
    source: "BASE, Wire-Format Framing; BIND",
    proof: {
      tests: [
        {
          file: EXCHANGE,
          name: "an exchange > reads the request whole when it comes in pieces, and nothing behind it",
        },
        {
          file: EXCHANGE,
          name: "the client's side > throws when the stream ends without an answer, inside one, or is reset",
        },
        {
          file: "transports/tls/server-connection.test.ts",
          name: "the server's end of a TLS connection > drops a request that a FIN cuts short, be it the first or one that waited",
        },
        {
          file: "transports/tls/server-connection.test.ts",
          name: "the server's end of a TLS connection > takes pipelined requests that come byte by byte",
        },
      ],
    },
  },
  {
    id: "W4",
    level: "MUST",
    binds: "server",
    requirement:
      "Path and query are split before dispatch, and the path grammar is applied to the path alone.",
    source: "BASE, Request Line Grammar",
    proof: { tests: [{ file: READER, name: "a request > is read in the base dialect" }] },
  },
  {
    id: "W5",
    level: "MUST",
    binds: "server",
    requirement: "A request line with `#` is refused with 400.",
    source: "BASE, Request Line Grammar; API",
    proof: {
      tests: [
        {
          file: READER,
          name: 'a request > with the start line "AGTP/1.0 QUERY /a#b" is refused, its dialect told',
        },
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a start line with a fragment",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a start line with a fragment, version last",
        },
      ],
    },
  },
  {
    id: "W6",
    level: "MUST",
    binds: "server",
    requirement: "The path grammar is enforced; 460 names the segment at fault.",
    source: "API, Path Grammar",
    proof: {
      tests: [
        { file: PATHS, name: "the path grammar > refuses the segment check-point" },
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a path that breaks the grammar: /sessions/sus-pend",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a path that breaks the grammar: /stream",
        },
      ],
    },
  },
  {
    id: "W7",
    level: "MUST",
    binds: "server",
    requirement: "A verb outside the catalog is 459; a verb of the catalog never is.",
    source: "BASE; API, Method Rules",
    proof: {
      tests: [
        {
          file: "signaling/methods.test.ts",
          name: "has 18 floor methods, all in the catalog of 425, and 5 legacy verbs outside it with a preferred one inside",
        },
        {
          file: PATHS,
          name: "routing > answers FETCH /sessions/a with method-not-allowed",
        },
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a verb that only seems one of the family: AGTP/1.0 ADAPT /",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a catalog verb that nothing here takes",
        },
      ],
    },
  },
  {
    id: "W8",
    level: "MUST",
    binds: "server",
    requirement: "A 405 lists the methods allowed for the path.",
    source: "BASE; API",
    proof: {
      tests: [
        {
          file: PATHS,
          name: "routing > answers QUERY /sessions with method-not-allowed",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a method that the path does not take",
        },
      ],
    },
  },
  {
    id: "W9",
    level: "MUST",
    binds: "server",
    requirement: "Of 404, 405, 459 and 460 the most specific one is answered.",
    source: "API",
    proof: {
      tests: [
        { file: PATHS, name: "routing > answers ANSWER /stream/ with method-unknown" },
        { file: PATHS, name: "routing > answers QUERY /clock/ with path-invalid" },
        { file: PATHS, name: "routing > answers QUERY /sessions/a/b with not-found" },
        { file: PATHS, name: "routing > answers QUERY /sessions with method-not-allowed" },
      ],
    },
  },
];
