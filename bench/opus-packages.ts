/**
 * The Opus packages of npm side by side, on the example conversation: what a frame costs, and what each can do about
 * loss and silence, found by trying. Then the settings of the one chosen: how much of the waveform each keeps.
 * `docs/audio-codecs.md` holds a run and the verdict.
 *
 *     node bench/opus-packages.ts
 */
import { readdirSync, readFileSync } from "node:fs";
import { Decoder, Encoder } from "@evan/opus";
import {
  Application,
  createDecoder,
  createEncoder,
  type EncoderOptions,
  loadLibopus,
  Signal,
} from "libopus-wasm";
import OpusScript from "opusscript";
import { formatMachine, machineFacts } from "./machine.ts";
import { median } from "./median.ts";

/** One encoder and one decoder of a package, through its own interface: 48 kHz mono, 20 ms. */
interface Codec {
  encode(pcm: Int16Array): Uint8Array;
  decode(payload: Uint8Array): Int16Array;
  /** The frame before `next`, from the copy `next` carries. Absent where the package has no way to ask for it. */
  recover?(next: Uint8Array): Int16Array;
  /** A frame in place of a lost one, by the package's own call, else by what it makes of an empty payload. */
  conceal(): Int16Array;
  lookahead?(): number;
}

interface Package {
  readonly name: string;
  readonly libopus: string;
  readonly kind: string;
  create(dtx: boolean): Promise<Codec>;
}

const packages: readonly Package[] = [
  {
    name: "@evan/opus",
    libopus: "not stated",
    kind: "native, CJS; wasm through node:fs",
    async create(dtx) {
      const encoder = new Encoder({ channels: 1, sample_rate: 48_000, application: "audio" });
      encoder.bitrate = BITRATE;
      encoder.signal = "voice";
      encoder.complexity = COMPLEXITY;
      encoder.inband_fec = true;
      encoder.packet_loss = EXPECTED_LOSS;
      encoder.dtx = dtx;
      const decoder = new Decoder({ channels: 1, sample_rate: 48_000 });
      const decode = (payload: Uint8Array) => toSamples(decoder.decode(payload));
      // Its types misspell `lookahead`.
      const lookahead = () => (encoder as unknown as { lookahead: number }).lookahead;
      return {
        encode: (pcm) => encoder.encode(pcm),
        decode,
        conceal: () => decode(new Uint8Array(0)),
        lookahead,
      };
    },
  },
  {
    name: "libopus-wasm",
    libopus: (await loadLibopus()).version.replace("libopus ", ""),
    kind: "wasm inside one ES module",
    async create(dtx) {
      const encoder = await createEncoder({
        application: Application.Audio,
        bitrate: BITRATE,
        channels: 1,
        complexity: COMPLEXITY,
        dtx,
        fec: true,
        packetLossPercent: EXPECTED_LOSS,
        signal: Signal.Voice,
      });
      const decoder = await createDecoder({ channels: 1 });
      return {
        encode: (pcm) => encoder.encode(pcm),
        decode: (payload) => decoder.decode(payload),
        recover: (next) => decoder.decode(next, { decodeFec: true, frameSize: FRAME }),
        conceal: () => decoder.decodePacketLoss(FRAME),
        lookahead: () => encoder.getLookahead(),
      };
    },
  },
  {
    name: "opusscript",
    libopus: "1.4",
    kind: "wasm file through node:fs, CJS",
    async create(dtx) {
      const codec = new OpusScript(48_000, 1, OpusScript.Application.AUDIO);
      codec.setBitrate(BITRATE);
      for (const [request, value] of [
        [CTL.signal, CTL.voice],
        [CTL.complexity, COMPLEXITY],
        [CTL.fec, 1],
        [CTL.loss, EXPECTED_LOSS],
        [CTL.dtx, dtx ? 1 : 0],
      ] as const) {
        codec.encoderCTL(request, value);
      }
      const decode = (payload: Uint8Array) =>
        toSamples(codec.decode(Buffer.from(payload.buffer, payload.byteOffset, payload.length)));
      return {
        encode: (pcm) => codec.encode(Buffer.from(pcm.buffer, pcm.byteOffset, pcm.byteLength), FRAME),
        decode,
        conceal: () => decode(new Uint8Array(0)),
      };
    },
  },
];

/** One line of the table: a feature, and what came out of each package. */
type Line = readonly [feature: string, ...results: string[]];

/** Compares the packages, about ten seconds. */
async function comparePackages(): Promise<Line[]> {
  const frames = speechFiles().flat();
  const costs = await measureCosts(frames);
  const column = async (line: (candidate: Package) => unknown) => {
    const cells: string[] = [];
    for (const candidate of packages) {
      try {
        cells.push(String(await line(candidate)));
      } catch (error) {
        cells.push(`no: ${(error as Error).message || "throws"}`);
      }
    }
    return cells;
  };
  return [
    ["", ...packages.map(({ name }) => name)],
    ["libopus", ...packages.map(({ libopus }) => libopus)],
    ["kind", ...packages.map(({ kind }) => kind)],
    ["encode p50, us", ...costs.map(({ encode }) => encode.toFixed(0))],
    ["decode p50, us", ...costs.map(({ decode }) => decode.toFixed(0))],
    ["correlation with the source", ...(await column((candidate) => fidelity(candidate, frames)))],
    [
      "lookahead, samples",
      ...(await column(async (p) => (await p.create(false)).lookahead?.() ?? "cannot ask")),
    ],
    ["lost frame by FEC, correlation", ...(await column((candidate) => repair(candidate, frames, true)))],
    ["lost frame concealed, correlation", ...(await column((candidate) => repair(candidate, frames, false)))],
    ["1 s of silence with DTX, bytes", ...(await column(silence))],
    [`codecs at a time, up to ${MOST_CODECS}`, ...(await column(capacity))],
  ];
}

/** How well libopus-wasm keeps the waveform: the weakest and the best of the speech files, each at its best alignment. */
async function compareSettings(): Promise<Line[]> {
  const base = { channels: 1, signal: Signal.Voice, bitrate: BITRATE, complexity: COMPLEXITY } as const;
  const fec = { fec: true, packetLossPercent: EXPECTED_LOSS } as const;
  const settings: [string, EncoderOptions][] = [
    ["VOIP, 32 kbit/s", { ...base, application: Application.Voip }],
    ["AUDIO, 32 kbit/s", { ...base, application: Application.Audio }],
    ["AUDIO, 64 kbit/s", { ...base, application: Application.Audio, bitrate: 64_000 }],
    ["AUDIO, 24 kbit/s, FEC", { ...base, ...fec, application: Application.Audio, bitrate: 24_000 }],
    ["AUDIO, 32 kbit/s, FEC", { ...base, ...fec, application: Application.Audio }],
    ["AUDIO, 48 kbit/s, FEC", { ...base, ...fec, application: Application.Audio, bitrate: 48_000 }],
    ["AUDIO, 64 kbit/s, FEC", { ...base, ...fec, application: Application.Audio, bitrate: 64_000 }],
    [
      "AUDIO, 32 kbit/s, FEC, complexity 10",
      { ...base, ...fec, application: Application.Audio, complexity: 10 },
    ],
  ];
  const lines: Line[] = [["libopus-wasm", "weakest", "best", "alignment, samples", "encode p50, us"]];
  for (const [name, options] of settings) {
    const found: Fidelity[] = [];
    const costs: number[] = [];
    for (const frames of speechFiles()) {
      const encoder = await createEncoder(options);
      const decoder = await createDecoder({ channels: 1 });
      const encode = (pcm: Int16Array): Uint8Array => {
        const start = process.hrtime.bigint();
        const payload = encoder.encode(pcm);
        costs.push(Number(process.hrtime.bigint() - start) / 1_000);
        return payload;
      };
      found.push(align(frames, (frame) => decoder.decode(encode(frame))));
      encoder.free();
      decoder.free();
    }
    found.sort((a, b) => a.correlation - b.correlation);
    const lags = [...new Set(found.map(({ lag }) => lag))].join(", ");
    const [weakest, best] = [found[0], found.at(-1)].map((each) => each?.correlation.toFixed(3) ?? "");
    lines.push([name, weakest ?? "", best ?? "", lags, median(costs).toFixed(0)]);
  }
  return lines;
}

/** Median microseconds of a call. The packages take turns, so that other work on the machine hits all alike. */
async function measureCosts(frames: readonly Int16Array[]): Promise<{ encode: number; decode: number }[]> {
  const runs = [];
  for (const candidate of packages) {
    runs.push({ codec: await candidate.create(false), encode: [] as number[], decode: [] as number[] });
  }
  for (let round = 0; round < ROUNDS; round++) {
    for (const { codec, encode, decode } of runs) {
      for (const frame of frames) {
        const start = process.hrtime.bigint();
        const payload = codec.encode(frame);
        const encoded = process.hrtime.bigint();
        codec.decode(payload);
        encode.push(Number(encoded - start) / 1_000);
        decode.push(Number(process.hrtime.bigint() - encoded) / 1_000);
      }
    }
  }
  return runs.map(({ encode, decode }) => ({ encode: median(encode), decode: median(decode) }));
}

async function fidelity(candidate: Package, frames: readonly Int16Array[]): Promise<string> {
  const codec = await candidate.create(false);
  const { correlation, lag } = align(frames, (frame) => codec.decode(codec.encode(frame)));
  return `${correlation.toFixed(3)} at ${lag} samples`;
}

interface Fidelity {
  readonly correlation: number;
  /** Samples by which what is heard comes after its source. */
  readonly lag: number;
}

function align(frames: readonly Int16Array[], transcode: (frame: Int16Array) => Int16Array): Fidelity {
  const source = new Int16Array(frames.length * FRAME);
  const heard = new Int16Array(frames.length * FRAME);
  for (const [i, frame] of frames.entries()) {
    source.set(frame, i * FRAME);
    heard.set(transcode(frame), i * FRAME);
  }
  let best: Fidelity = { correlation: 0, lag: 0 };
  for (let lag = 300; lag < 320; lag++) {
    const found = correlate(source, heard.subarray(lag));
    if (found > best.correlation) best = { correlation: found, lag };
  }
  return best;
}

/** Every tenth frame is lost and made again; mean correlation with the same frame had it arrived, where it was speech. */
async function repair(candidate: Package, frames: readonly Int16Array[], byFec: boolean): Promise<string> {
  const [source, whole, holed] = [
    await candidate.create(false),
    await candidate.create(false),
    await candidate.create(false),
  ];
  if (byFec && holed.recover === undefined) return "no: the decoder cannot be asked";
  const payloads = frames.map((frame) => new Uint8Array(source.encode(frame)));
  const found: number[] = [];
  for (const [i, payload] of payloads.entries()) {
    const truth = whole.decode(payload).slice();
    const next = payloads[i + 1];
    if (i % 10 !== 9 || next === undefined) {
      holed.decode(payload);
      continue;
    }
    const made = byFec ? holed.recover?.(next) : holed.conceal();
    if (made?.length !== FRAME) return `no: ${(made?.length ?? 0) / 48} ms for a frame of 20`;
    if (truth.reduce((sum, sample) => sum + sample * sample, 0) > FRAME * 1e6)
      found.push(correlate(truth, made));
  }
  return `${(found.reduce((sum, value) => sum + value, 0) / found.length).toFixed(2)} (${found.length} frames)`;
}

async function silence(candidate: Package): Promise<number> {
  const codec = await candidate.create(true);
  const lengths = Array.from({ length: 100 }, () => codec.encode(new Int16Array(FRAME)).length);
  return lengths.slice(50).reduce((sum, length) => sum + length, 0);
}

async function capacity(candidate: Package): Promise<string> {
  const first = await candidate.create(false);
  const held: Codec[] = [];
  while (held.length < MOST_CODECS) {
    held.push(await candidate.create(false));
    if (held.length % 25 !== 0) continue;
    try {
      first.decode(first.encode(new Int16Array(FRAME)));
    } catch (error) {
      return `${held.length}, then ${(error as Error).name}: ${(error as Error).message.split(" ").slice(-3).join(" ")}`;
    }
  }
  return `${held.length}`;
}

/** The example conversation, each file in frames of 20 ms. */
function speechFiles(): Int16Array[][] {
  const folder = new URL("../examples/speech/", import.meta.url);
  return readdirSync(folder)
    .filter((file) => file.endsWith(".wav"))
    .map((name) => {
      const file = readFileSync(new URL(name, folder));
      const pcm = new Int16Array(
        file.buffer.slice(file.byteOffset + WAV_HEADER, file.byteOffset + file.length),
      );
      const count = Math.floor(pcm.length / FRAME);
      return Array.from({ length: count }, (_, i) => pcm.subarray(i * FRAME, (i + 1) * FRAME));
    });
}

function correlate(source: Int16Array, heard: Int16Array): number {
  let [product, a, b] = [0, 0, 0];
  for (let i = 0; i < Math.min(source.length, heard.length); i++) {
    const [x, y] = [source[i] ?? 0, heard[i] ?? 0];
    product += x * y;
    a += x * x;
    b += y * y;
  }
  return a === 0 || b === 0 ? 0 : product / Math.sqrt(a * b);
}

function toSamples(bytes: Uint8Array): Int16Array {
  // Not bytes.slice(): for a Buffer that is a view on shared memory.
  return new Int16Array(new Uint8Array(bytes).buffer);
}

const FRAME = 960;
const WAV_HEADER = 44;
const BITRATE = 32_000;
const COMPLEXITY = 5;
/** Percent. */
const EXPECTED_LOSS = 10;
const ROUNDS = 5;
const MOST_CODECS = 300;
const CTL = { complexity: 4010, fec: 4012, loss: 4014, dtx: 4016, signal: 4024, voice: 3001 } as const;

function table(lines: readonly Line[]): string {
  const widths = lines[0]?.map((_, i) => Math.max(...lines.map((line) => line[i]?.length ?? 0))) ?? [];
  const rows = lines.map((line) => `| ${line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(" | ")} |`);
  rows.splice(1, 0, `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`);
  return rows.join("\n");
}

if (import.meta.main) {
  console.log(formatMachine(machineFacts()));
  console.log(`\n${table(await comparePackages())}\n\n${table(await compareSettings())}`);
}
