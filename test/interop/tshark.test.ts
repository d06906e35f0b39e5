/** Frames of a real call, without their flow identifiers, are RTP to a tool that has never heard of Parley. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { connectAgent } from "../../agent/connect.ts";
import type { AgentPlatform } from "../../agent/platform.ts";
import { readVarint, varintLength } from "../../codecs/varint.ts";
import { readScript } from "../../examples/conversation/script.ts";
import { WireTap } from "../net/wire-tap.ts";
import { ORIGIN, World } from "../scenario/world.ts";
import { type CapturedPacket, encodePcap } from "./pcap.ts";

const PORT = 5004;
/** Eight frames before the 16-bit sequence number and the 32-bit timestamp wrap. */
const START = { sequence: 0x0001_fff8, timestamp: 2 ** 32 - 8 * 960 };
const TURNS = 2;
/** Attribution with a signature, frame info, audio level. */
const ATTRIBUTION = { id: 1, length: 77 };
const INFO = { id: 2, length: 1 };
const LEVEL = { id: 4, length: 1 };

const folder = mkdtempSync(join(tmpdir(), "parley-tshark-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FIELDS = {
  version: "rtp.version",
  padding: "rtp.padding",
  extended: "rtp.ext",
  contributors: "rtp.cc",
  marker: "rtp.marker",
  payloadType: "rtp.p_type",
  sequence: "rtp.seq",
  timestamp: "rtp.timestamp",
  ssrc: "rtp.ssrc",
  profile: "rtp.ext.profile",
  words: "rtp.ext.len",
  ids: "rtp.ext.rfc5285.id",
  lengths: "rtp.ext.rfc5285.len",
  data: "rtp.ext.rfc5285.data",
  payload: "rtp.payload",
  udpLength: "udp.length",
  malformed: "_ws.malformed",
  checksum: "ip.checksum.status",
} as const;
type Dissected = Record<keyof typeof FIELDS, string>;

describe.each([
  { codec: "opus", payloadType: 111, samples: 960 },
  { codec: "pcmu", payloadType: 0, samples: 160 },
  { codec: "pcma", payloadType: 8, samples: 160 },
])("a call in $codec", ({ codec, payloadType, samples }) => {
  it("reads as RTP in tshark: header, extension elements and payload of every frame", async () => {
    const { up, down, spoken, ssrc } = await converse(codec, samples);
    expect(spoken.length).toBeGreaterThan(40);
    expect(up).toHaveLength(spoken.length);
    // What the listener's carrier got is what the speaker's sent, but for the flow identifier.
    expect(down.map(({ payload }) => hex(payload))).toEqual(up.map(({ payload }) => hex(payload)));

    const frames = dissect(codec, down);
    expect(frames).toHaveLength(spoken.length);
    expect(frames.filter(({ malformed }) => malformed !== "")).toEqual([]);
    const starts = frames.flatMap(({ marker }, index) => (marker === "1" ? [index] : []));
    expect(starts).toHaveLength(TURNS);
    expect(starts[0]).toBe(0);
    const secondTurn = starts[1] as number;
    for (const [index, frame] of frames.entries()) {
      const turnEdge = starts.includes(index) || index === secondTurn - 1 || index === frames.length - 1;
      const elements = turnEdge ? [ATTRIBUTION, INFO, LEVEL] : [ATTRIBUTION, LEVEL];
      const extension = elements.reduce((sum, { length }) => sum + 2 + length, 0);
      expect(frame).toMatchObject({
        version: "2",
        padding: "0",
        extended: "1",
        contributors: "0",
        payloadType: String(payloadType),
        sequence: String((START.sequence + index) % 2 ** 16),
        ssrc: `0x${ssrc.toString(16).padStart(8, "0")}`,
        profile: "0x1000",
        checksum: "1",
        words: String(Math.ceil(extension / 4)),
        ids: elements.map(({ id }) => id).join(","),
        lengths: elements.map(({ length }) => length).join(","),
        payload: hex(spoken[index] as Uint8Array),
        udpLength: String(8 + 12 + 4 + 4 * Math.ceil(extension / 4) + (spoken[index] as Uint8Array).length),
      });
      // The high part of the sequence number goes up where the low part wraps.
      const attribution = Buffer.from(frame.data.split(",")[0] as string, "hex");
      expect(attribution.readUInt32BE(1) * 2 ** 16 + Number(frame.sequence)).toBe(START.sequence + index);
    }
    // Contiguous within a turn, over the wrap; between turns by as much as the pause was long.
    const steps = frames.slice(1).map(({ timestamp }, at) => {
      return (Number(timestamp) - Number((frames[at] as Dissected).timestamp) + 2 ** 32) % 2 ** 32;
    });
    expect(Number((frames[0] as Dissected).timestamp)).toBe(START.timestamp);
    expect(steps.filter((_, at) => at !== secondTurn - 1).every((step) => step === samples)).toBe(true);
    expect(steps[secondTurn - 1]).toBeGreaterThan(10 * samples);
    expect(Number((frames.at(-1) as Dissected).sequence)).toBeLessThan(START.sequence % 2 ** 16);
    expect(Number((frames.at(-1) as Dissected).timestamp)).toBeLessThan(START.timestamp);
  });
});

/** One agent says two turns to another over the memory carrier; what crossed it and what the encoder made. */
async function converse(codec: string, samples: number) {
  const world = new World();
  const tap = new WireTap(world.network);
  const spoken: Uint8Array[] = [];
  const platform: AgentPlatform = {
    ...world.platform(),
    carrier: tap,
    // The first sequence number and timestamp are drawn together, in eight bytes.
    random: (length) => (length === 8 ? startingPoint() : world.platform().random(length)),
    createAudioCodec: async (format, options) => {
      const made = await world.platform().createAudioCodec(format, options);
      const encode = made.encode.bind(made);
      made.encode = (pcm) => {
        const payload = encode(pcm);
        spoken.push(payload.slice());
        return payload;
      };
      return made;
    },
  };
  const ada = await world.during(
    connectAgent(platform, ORIGIN, { identity: world.identity({ name: "Ada" }) }),
  );
  const listener = new WireTap(world.network);
  const bob = await world.during(
    connectAgent({ ...world.platform(), carrier: listener }, ORIGIN, {
      identity: world.identity({ name: "Bob" }),
    }),
  );
  bob.onCall(async (incoming) => void (await incoming.accept()));
  const call = await world.during(ada.call(bob.id, { audio: { codecs: [codec], direction: "sendonly" } }));
  const speech = readScript()[0]?.pcm.subarray(0, 48_000) ?? new Int16Array(0);
  const pcm = samples === 960 ? speech : speech.filter((_, at) => at % 6 === 0);
  for (let turn = 0; turn < TURNS; turn += 1) {
    await world.during(call.audio.write(pcm));
    await world.during(call.audio.endTurn());
    await world.clock.advance(700);
  }
  const ssrc = call.session.offer.payload.streams[0]?.ssrc as number;
  await world.during(call.end("done"));
  expect(world.reported).toEqual([]);
  return {
    spoken,
    ssrc,
    up: packets(tap, "to-server", world.clock.wall()),
    down: packets(listener, "to-client", world.clock.wall()),
  };
}

function packets(tap: WireTap, direction: "to-server" | "to-client", at: number): CapturedPacket[] {
  return tap.datagrams
    .filter((datagram) => datagram.direction === direction)
    .map(({ bytes }) => {
      expect(readVarint(bytes, 0)).toBeGreaterThan(0);
      return { at, payload: bytes.subarray(varintLength(bytes[0] as number)) };
    });
}

function dissect(name: string, captured: readonly CapturedPacket[]): Dissected[] {
  const file = join(folder, `${name}.pcap`);
  writeFileSync(file, encodePcap(captured, PORT));
  const names = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
  const out = execFileSync(
    "tshark",
    [
      ...["-r", file, "-d", `udp.port==${PORT},rtp`, "-o", "ip.check_checksum:TRUE", "-T", "fields"],
      ...["-E", "separator=|", ...names.flatMap((field) => ["-e", FIELDS[field]])],
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 60_000 },
  );
  return out
    .trimEnd()
    .split("\n")
    .map((line) => {
      const values = line.split("|");
      return Object.fromEntries(names.map((field, at) => [field, values[at] ?? ""])) as Dissected;
    });
}

function startingPoint(): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt32BE(START.sequence, 0);
  bytes.writeUInt32BE(START.timestamp, 4);
  return new Uint8Array(bytes.buffer, bytes.byteOffset, 8).slice();
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString("hex");
}
