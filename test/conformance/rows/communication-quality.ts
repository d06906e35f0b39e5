import type { Row } from "../row.ts";

const CALL = "signaling/switchboard/happy-call.test.ts";
const QUALITY = "test/scenario/quality.test.ts";
const ADAPTATION = "test/scenario/adaptation.test.ts";
const CHANGES = "test/scenario/terms-changes.test.ts";
const EVIDENCE = "signaling/evidence/verify.test.ts";

/** Quality of service, attribution and recording. */
export const COMMUNICATION_QUALITY: readonly Row[] = [
  {
    id: "C52",
    level: "stated",
    binds: "both",
    requirement: "Audio takes less than 150 ms.",
    source: "SEED, Latency Requirements",
    proof: {
      tests: [
        {
          file: "test/scenario/latency.test.ts",
          name: "over a clean network a frame is heard within 150 ms of its capture, 99 in 100 and more",
        },
        {
          file: "test/scenario/latency.test.ts",
          name: "over wifi a frame is heard within 150 ms of its capture, 99 in 100 and more",
        },
      ],
    },
  },
  {
    id: "C53",
    level: "stated",
    binds: "both",
    requirement: "Audio and video stay together.",
    source: "SEED, Latency Requirements",
    proof: {
      tests: [
        {
          file: "sfu/av-sync.test.ts",
          name: "shows pictures as long after their capture as the voice is heard after its own",
        },
        { file: "sfu/av-sync.test.ts", name: "follows the voice's delay as that changes" },
        { file: "sfu/av-sync.test.ts", name: "compares each picture with what is heard as it is shown" },
      ],
    },
  },
  {
    id: "C54",
    level: "stated",
    binds: "both",
    requirement: "Over QUIC, streams of one session have flow control of their own.",
    source: "SEED, Latency Requirements",
    proof: {
      tests: [
        {
          file: "test/e2e/data.test.ts",
          name: "structured data over QUIC > waits for a slow reader without loss, and without holding up the call",
        },
      ],
    },
  },
  {
    id: "C55",
    level: "MUST",
    binds: "client",
    requirement: "An end can adapt its media parameters to the bandwidth there is.",
    source: "SEED, Bandwidth Adaptation",
    proof: {
      tests: [
        {
          file: ADAPTATION,
          name: "a way to the server that takes less than the voice makes it less at both ends within 1 s, and all of it again some seconds after",
        },
      ],
    },
  },
  {
    id: "C56",
    level: "stated",
    binds: "client",
    requirement: "The receiving end signals its estimate of the bandwidth by a control message.",
    source: "SEED, Bandwidth Adaptation",
    proof: {
      tests: [
        {
          file: QUALITY,
          name: "the listener > tells the speaker, and the record, what it believes that it can be sent, and again when that is another",
        },
      ],
    },
  },
  {
    id: "C57",
    level: "stated",
    binds: "client",
    requirement: "The sending end asks for an adaptation by a control message.",
    source: "SEED, Bandwidth Adaptation",
    proof: {
      tests: [
        {
          file: CHANGES,
          name: "a change that one end asks for and the other accepts > is in force at both ends, in the sound, in the record and in the evidence",
        },
      ],
    },
  },
  {
    id: "C58",
    level: "stated",
    binds: "client",
    requirement: "A change of parameters is confirmed by a control message.",
    source: "SEED, Bandwidth Adaptation",
    proof: {
      tests: [
        {
          file: CHANGES,
          name: "a change that one end asks for and the other accepts > is in force at both ends, in the sound, in the record and in the evidence",
        },
        {
          file: CHANGES,
          name: "a change that one end asks for and the other accepts > asks whoever listens where the policy says so, and takes no for an answer",
        },
      ],
    },
  },
  {
    id: "C59",
    level: "stated",
    binds: "client",
    requirement: "Both ends take part in the decision to adapt.",
    source: "SEED, Bandwidth Adaptation",
    proof: {
      tests: [
        {
          file: CHANGES,
          name: "a change that one end asks for and the other accepts > asks whoever listens where the policy says so, and takes no for an answer",
        },
        {
          file: ADAPTATION,
          name: "a way to the server that takes less than the voice makes it less at both ends within 1 s, and all of it again some seconds after",
        },
      ],
    },
  },
  {
    id: "C60",
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
    id: "C61",
    level: "SHOULD",
    binds: "both",
    requirement: "Network operators expect real-time media on the port and treat it accordingly.",
    source: "SEED, Priority Within AGTP",
    proof: { notDone: "this is for those who run networks, and nothing that a server or an agent does" },
  },
  {
    id: "C62",
    level: "stated",
    binds: "server",
    requirement: "Every session has an attribution chain.",
    source: "SEED, Attribution and Recording",
    proof: {
      tests: [
        {
          file: CALL,
          name: "a call from ESTABLISH to its final record > the session's records chain from established to terminated, naming the reason",
        },
      ],
    },
  },
  {
    id: "C63",
    level: "stated",
    binds: "server",
    requirement: "Attribution records are made of the events of a session's life.",
    source: "SEED, Attribution and Recording",
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
      ],
    },
  },
  {
    id: "C64",
    level: "stated",
    binds: "server",
    requirement: "Media is not recorded by the protocol.",
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
    id: "C65",
    level: "stated",
    binds: "server",
    requirement: "Records are evidence of who took part, with what scope, and how the session went.",
    source: "SEED, Attribution and Recording",
    proof: {
      tests: [
        { file: EVIDENCE, name: "the evidence of a call > verifies, and says whose word each line is" },
        {
          file: EVIDENCE,
          name: "the evidence of a call > tells what the ends changed while they talked, and whose word that is",
        },
        {
          file: "test/scenario/evidence.test.ts",
          name: "the evidence of a real call > verifies, counts every frame, and is the same for both ends",
        },
      ],
    },
  },
];
