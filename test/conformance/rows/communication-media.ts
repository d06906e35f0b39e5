import type { Row } from "../row.ts";

const AUDIO = "signaling/negotiate-audio.test.ts";
const VIDEO = "signaling/negotiate-video.test.ts";
const FILM = "test/scenario/video.test.ts";
const PARSE = "codecs/frame-parse.test.ts";
const SENDER = "sfu/frame-sender.test.ts";
const JITTER = "sfu/jitter-buffer.test.ts";
const DATA = "test/scenario/data.test.ts";

/** Streams and frames. */
export const COMMUNICATION_MEDIA: readonly Row[] = [
  {
    id: "C40",
    level: "stated",
    binds: "both",
    requirement: "Audio frames carry a timestamp.",
    source: "SEED, Audio Streams",
    proof: {
      tests: [
        {
          file: SENDER,
          name: "a sent frame > stays contiguous under capture jitter and jumps with a pause, marked",
        },
        { file: PARSE, name: "a good frame > tells when it was captured" },
      ],
    },
  },
  {
    id: "C41",
    level: "stated",
    binds: "both",
    requirement: "Sequence numbers tell of loss and reordering of audio.",
    source: "SEED, Audio Streams",
    proof: {
      tests: [
        {
          file: JITTER,
          name: "the jitter buffer > says what follows a lost frame, and nothing where two are lost in a row",
        },
        {
          file: JITTER,
          name: "the jitter buffer > puts frames in order across the wraps of sequence number and timestamp",
        },
      ],
    },
  },
  {
    id: "C42",
    level: "stated",
    binds: "both",
    requirement: "The size of audio frames is negotiated when the session is established.",
    source: "SEED, Audio Streams",
    proof: {
      tests: [
        { file: AUDIO, name: "the choice > takes the first frame size that is ours" },
        { file: AUDIO, name: "the choice > needs a frame size in common" },
      ],
    },
  },
  {
    id: "C43",
    level: "stated",
    binds: "both",
    requirement: "Sample rate and channels are negotiated.",
    source: "SEED, Audio Streams",
    proof: {
      tests: [
        { file: AUDIO, name: "the choice > needs the same sample rate" },
        { file: AUDIO, name: "the choice > needs the same channels" },
        { file: "test/scenario/calls.test.ts", name: "a call that is taken > may be G.711, at its own rate" },
      ],
    },
  },
  {
    id: "C44",
    level: "stated",
    binds: "both",
    requirement: "Timestamps and sequence numbers mean what they mean in RTP.",
    source: "SEED, Audio Streams",
    proof: {
      tests: [
        {
          file: PARSE,
          name: "a good frame > is an RTP packet to a reader that knows only RFC 3550 and RFC 8285",
        },
        {
          file: "test/interop/tshark.test.ts",
          name: "a call in pcmu > reads as RTP in tshark: header, extension elements and payload of every frame",
        },
      ],
    },
  },
  {
    id: "C45",
    level: "stated",
    binds: "both",
    requirement: "Video frames carry a timestamp and a sequence number.",
    source: "SEED, Video Streams",
    proof: {
      tests: [
        { file: FILM, name: "video in profile frame > arrives bit-exact and verified: vp8-layers" },
        { file: "sfu/video-order.test.ts", name: "waits for a unit that others overtook" },
        { file: PARSE, name: "a good frame > tells when it was captured" },
      ],
    },
  },
  {
    id: "C46",
    level: "stated",
    binds: "both",
    requirement: "Video frames say whether they are key or delta frames.",
    source: "SEED, Video Streams",
    proof: {
      tests: [
        {
          file: PARSE,
          name: "a good frame > gives back every field it was built from, wherever it stands",
        },
        {
          file: "sfu/video-order.test.ts",
          name: "gives nothing out before a key frame, and says that it needs one",
        },
        { file: FILM, name: "video in profile chain > arrives bit-exact and verified: av1-svt" },
      ],
    },
  },
  {
    id: "C47",
    level: "stated",
    binds: "both",
    requirement: "Resolution and frame rate of video are negotiated.",
    source: "SEED, Video Streams",
    proof: {
      tests: [
        { file: VIDEO, name: "height, width and frame rate are cut > to what this end can" },
        {
          file: VIDEO,
          name: "height, width and frame rate are cut > to what the scope of each end lets it send, and that alone",
        },
        {
          file: "signaling/opened-streams.test.ts",
          name: "what is agreed of video and data > is a rate, a height and a number of frames within what was opened",
        },
      ],
    },
  },
  {
    id: "C48",
    level: "stated",
    binds: "both",
    requirement: "Signals of video's bandwidth go through control messages.",
    source: "SEED, Video Streams",
    proof: {
      tests: [
        {
          file: "test/scenario/video-terms.test.ts",
          name: "rate, height and frame rate of a picture are agreed on in mid-call, and the evidence says so",
        },
        {
          file: "signaling/opened-streams.test.ts",
          name: "what is agreed of video and data > is a rate, a height and a number of frames within what was opened",
        },
      ],
    },
  },
  {
    id: "C49",
    level: "stated",
    binds: "both",
    requirement: "Structured data flows beside other media.",
    source: "SEED, Structured Data Streams",
    proof: {
      tests: [
        {
          file: DATA,
          name: "structured data > goes both ways beside the voice, each message signed by its speaker",
        },
        { file: DATA, name: "structured data > needs no voice" },
      ],
    },
  },
  {
    id: "C50",
    level: "stated",
    binds: "both",
    requirement: "Parameters of structured data are negotiated when the session is established.",
    source: "SEED, Structured Data Streams",
    proof: {
      tests: [
        {
          file: "signaling/negotiate-data.test.ts",
          name: "a data stream is answered with the first offered format that is known here",
        },
        { file: "signaling/negotiate-data.test.ts", name: "463 > no format in common" },
        { file: DATA, name: "structured data > is there only where both ends want it" },
      ],
    },
  },
  {
    id: "C51",
    level: "stated",
    binds: "both",
    requirement: "Structured data may tolerate loss, by its use.",
    source: "SEED, Structured Data Streams",
    proof: {
      tests: [
        {
          file: "test/scenario/data-streams.test.ts",
          name: "latest values > arrive fresh whatever the backlog: the newest alone waits, and none is older than its deadline",
        },
        {
          file: "agent/data-latest.test.ts",
          name: "the sender of latest values > lets nothing leave that is past its deadline, wherever it waited",
        },
        {
          file: "signaling/negotiate-data.test.ts",
          name: "label, delivery and deadline are those of the offer",
        },
      ],
    },
  },
];
