import type { Row } from "../row.ts";

const SENT = "test/scenario/requests-on-the-wire.test.ts";
const MEMORY = "test/exchanges/over-memory.test.ts";
const CARRIERS = "test/e2e/exchanges.test.ts";
const REQUESTS = "signaling/switchboard/bad-input.test.ts";

/** ESTABLISH and its answer, header by header. */
export const COMMUNICATION_ESTABLISH: readonly Row[] = [
  {
    id: "C12",
    level: "stated",
    binds: "both",
    requirement: "Request line `ESTABLISH /sessions HTTP/AGTP/1.0`.",
    source: "SEED, ESTABLISH Request",
    proof: {
      tests: [
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a start line with the version last",
        },
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a call with too little scope, version last",
        },
        {
          file: "test/docs/wire-signaling.test.ts",
          name: "the examples of docs/wire-signaling.md > are requests as we write them: ESTABLISH /sessions HTTP/AGTP/1.0",
        },
      ],
    },
  },
  {
    id: "C13",
    level: "stated",
    binds: "both",
    requirement: "An ESTABLISH is its headers; the example has no body.",
    source: "SEED, ESTABLISH Request",
    proof: {
      notDone:
        "the headers name no called agent and nobody has signed them: an ESTABLISH here also brings the caller's signed offer; without it the headers are judged and the answer is 422 `offer-required`",
    },
  },
  {
    id: "C14",
    level: "stated",
    binds: "both",
    requirement: "Header Agent-ID of the request: the initiator's canonical id.",
    source: "SEED, ESTABLISH Request",
    proof: {
      tests: [
        {
          file: SENT,
          name: "every request of an agent > that establishes a call names the caller and the intent to communicate",
        },
        {
          file: "signaling/switchboard/seed-form.test.ts",
          name: "an ESTABLISH whose header and proof name different agents > the header names the signer: 401, and nothing rings",
        },
        {
          file: "signaling/switchboard/seed-form.test.ts",
          name: "an ESTABLISH whose header and proof name different agents > the proof names the signer: 401, and nothing rings",
        },
        { file: CARRIERS, name: "exchanges over QUIC > a caller that is not the connection's" },
      ],
    },
  },
  {
    id: "C15",
    level: "stated",
    binds: "both",
    requirement: "Header Authority-Scope of the request: the scope of the session.",
    source: "SEED, ESTABLISH Request",
    proof: {
      tests: [
        {
          file: REQUESTS,
          name: "authority > a claim beside the offer must say the same",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call with a scope that is none",
        },
      ],
    },
  },
  {
    id: "C16",
    level: "stated",
    binds: "both",
    requirement: "Header Session-Intent: `communication`.",
    source: "SEED, ESTABLISH Request; IANA Considerations",
    proof: {
      tests: [
        {
          file: SENT,
          name: "every request of an agent > that establishes a call names the caller and the intent to communicate",
        },
        { file: CARRIERS, name: "exchanges over QUIC > a call with another intent" },
      ],
    },
  },
  {
    id: "C17",
    level: "stated",
    binds: "both",
    requirement:
      "Header Communication-Modalities of the request: the modalities that the initiator wishes for.",
    source: "SEED, ESTABLISH Request; IANA Considerations",
    proof: {
      tests: [
        { file: REQUESTS, name: "offers and answers > headers that contradict the offer: 463, ambiguous" },
        {
          file: "signaling/negotiate-data.test.ts",
          name: 'headers {"dataFormats":["cbor","json"],"modalities":["structured-data","audio"]} agree with the offer: true',
        },
      ],
    },
  },
  {
    id: "C18",
    level: "stated",
    binds: "both",
    requirement: "Header Audio-Codecs: what the initiator supports, best first.",
    source: "SEED, ESTABLISH Request; IANA Considerations",
    proof: {
      tests: [
        {
          file: "signaling/negotiate-audio.test.ts",
          name: 'headers beside the offer > {"audioCodecs":["pcmu","opus"]} contradict it',
        },
        {
          file: "signaling/negotiate-audio.test.ts",
          name: "the choice > follows the offer's preference, not ours",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call with a codec that is not served",
        },
      ],
    },
  },
  {
    id: "C19",
    level: "stated",
    binds: "both",
    requirement: "Header Video-Codecs: what the initiator supports, best first.",
    source: "SEED, ESTABLISH Request; IANA Considerations",
    proof: {
      tests: [
        {
          file: "signaling/negotiate-video.test.ts",
          name: 'headers {"videoCodecs":["vp9","vp8"],"modalities":["video"]} agree with the offer: true',
        },
        {
          file: "signaling/negotiate-video.test.ts",
          name: 'headers {"videoCodecs":["vp8","vp9"]} agree with the offer: false',
        },
        {
          file: "signaling/negotiate-video.test.ts",
          name: "a picture is answered with the first codec in the offer's order that is known here",
        },
      ],
    },
  },
  {
    id: "C20",
    level: "stated",
    binds: "both",
    requirement: "Header Content-Type: `application/agtp+json`.",
    source: "SEED, ESTABLISH Request",
    proof: {
      tests: [
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a body of application/agtp+json",
        },
        {
          file: "test/docs/wire-signaling.test.ts",
          name: "the examples of docs/wire-signaling.md > are requests as we write them: ESTABLISH /sessions HTTP/AGTP/1.0",
        },
      ],
    },
  },
  {
    id: "C21",
    level: "stated",
    binds: "client",
    requirement: "The receiving agent answers with what it agrees to, or rejects the session.",
    source: "SEED, ESTABLISH Response",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/ringing.test.ts",
          name: "ringing > the callee declines, is busy, or has no codec in common",
        },
        {
          file: "test/scenario/calls.test.ts",
          name: "a call that is taken > rings, is answered, carries both voices and ends for both",
        },
      ],
    },
  },
  {
    id: "C22",
    level: "stated",
    binds: "both",
    requirement: "Response line `HTTP/AGTP/1.0 200 OK`.",
    source: "SEED, ESTABLISH Response",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/seed-form.test.ts",
          name: "a call in the seed dialect > begins with ESTABLISH as the draft writes it, and is answered as the draft writes it",
        },
      ],
    },
  },
  {
    id: "C23",
    level: "stated",
    binds: "server",
    requirement: "Header Agent-ID of the response.",
    source: "SEED, ESTABLISH Response",
    proof: {
      tests: [
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a call set up: who called hears of the ringing, then both of the session",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call set up: who called hears of the ringing, then both of the session",
        },
      ],
    },
  },
  {
    id: "C24",
    level: "stated",
    binds: "server",
    requirement: "Header Session-ID of the response.",
    source: "SEED, ESTABLISH Response",
    proof: {
      tests: [
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a call set up: who called hears of the ringing, then both of the session",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call set up: who called hears of the ringing, then both of the session",
        },
      ],
    },
  },
  {
    id: "C25",
    level: "stated",
    binds: "server",
    requirement: "Header Communication-Modalities of the response: what was agreed.",
    source: "SEED, ESTABLISH Response",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/seed-form.test.ts",
          name: "a call in the seed dialect > says which modalities were agreed",
        },
      ],
    },
  },
  {
    id: "C26",
    level: "stated",
    binds: "server",
    requirement: "Header Audio-Codec: the codec agreed.",
    source: "SEED, ESTABLISH Response; IANA Considerations",
    proof: {
      tests: [
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a call set up: who called hears of the ringing, then both of the session",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call set up: who called hears of the ringing, then both of the session",
        },
      ],
    },
  },
  {
    id: "C27",
    level: "stated",
    binds: "server",
    requirement: "Header Video-Codec: the codec agreed.",
    source: "SEED, ESTABLISH Response; IANA Considerations",
    proof: {
      tests: [
        {
          file: "signaling/switchboard/seed-form.test.ts",
          name: "a call in the seed dialect > begins with ESTABLISH as the draft writes it, and is answered as the draft writes it",
        },
      ],
    },
  },
  {
    id: "C28",
    level: "stated",
    binds: "server",
    requirement: "Header Stream-Parameters: the streams agreed.",
    source: "SEED, ESTABLISH Response",
    proof: {
      tests: [
        {
          file: MEMORY,
          name: "exchanges over memory, on virtual time > a call set up: who called hears of the ringing, then both of the session",
        },
        {
          file: CARRIERS,
          name: "exchanges over QUIC > a call set up: who called hears of the ringing, then both of the session",
        },
        {
          file: "signaling/switchboard/happy-call.test.ts",
          name: "a call from ESTABLISH to its final record > every answer is complete",
        },
      ],
    },
  },
];
