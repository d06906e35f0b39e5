import { readFileSync } from "node:fs";
import { parseTemporalUnit, readAv1Facts, writeTemporalUnit } from "../../codecs/av1.ts";
import { readU16 } from "../../codecs/big-endian.ts";
import { concatBytes } from "../../codecs/concat-bytes.ts";
import { encodeIvf, type Ivf, parseIvf } from "../../codecs/ivf.ts";
import { joinVideoFragments, readVideoFragment, splitVideoPayload } from "../../codecs/rtp-fragment.ts";
import { parseRtpPacket, writeRtpPacket } from "../../codecs/rtp-packet.ts";
import { VIDEO_FORMATS, type VideoFormatName } from "../../codecs/video-formats.ts";
import { parseVideoPayload, readVideoUnit, VideoPayloadWriter } from "../../codecs/video-payload.ts";
import { RtpFrames } from "../../sfu/rtp-frames.ts";
import { CHROMIUM_VIDEOS, chromiumPackets } from "../generators/chromium-rtp.ts";
import type { FuzzTarget } from "./target.ts";

/** Short clips of each format, by an encoder that is not ours. */
const CLIPS: Readonly<Record<VideoFormatName, Ivf>> = {
  vp8: clip("vp8-small"),
  vp9: clip("vp9-layers"),
  av1: clip("av1-svt"),
};

export const VIDEO_TARGETS: readonly FuzzTarget[] = [
  ...VIDEO_FORMATS.map(({ name }) => payloadTarget(name)),
  ...VIDEO_FORMATS.map(({ name }) => fragmentsTarget(name)),
  ...CHROMIUM_VIDEOS.map(({ name, format }) => rtpTarget(name, format)),
  {
    name: "av1-temporal-unit",
    examples: CLIPS.av1.frames.slice(0, 4).map(({ data }) => data),
    tokens: ["\u0012\u0000", "\u000a\u0002", "\u0032\u0001", "\u0036\u0040\u0001"],
    run(input) {
      const obus = parseTemporalUnit(input);
      if (!obus.ok) return false;
      readAv1Facts(obus.value);
      const written = writeTemporalUnit(obus.value);
      const again = parseTemporalUnit(written);
      if (!again.ok || Buffer.compare(writeTemporalUnit(again.value), written) !== 0)
        throw new Error("what was written is not read as it was written");
      return true;
    },
  },
  {
    name: "ivf",
    examples: Object.values(CLIPS).map((some) => encodeIvf({ ...some, frames: some.frames.slice(1, 4) })),
    tokens: ["DKIF", "VP80", "VP90", "AV01", "\u0001\u0000\u0000\u0000", "\u0020\u0000"],
    run(input) {
      const parsed = parseIvf(input);
      if (!parsed.ok) return false;
      const bytes = parsed.value.frames.reduce((sum, { data }) => sum + data.length, 0);
      if (bytes > input.length) throw new Error("units out of nothing");
      encodeIvf(parsed.value);
      return true;
    },
  },
];

function payloadTarget(format: VideoFormatName): FuzzTarget {
  const writer = new VideoPayloadWriter(format, { picture: 0, base: 0 });
  const examples = CLIPS[format].frames.slice(0, 4).map(({ data }, index) => {
    const made = writer.write(data, index % 2 === 0 ? 0 : 1);
    if (!made.ok) throw new Error(made.fault.message);
    return made.value.payload;
  });
  return {
    name: `${format}-payload`,
    examples,
    tokens: ["\u0090\u00ff", "\u009d\u0001\u002a", "\u0049\u0083\u0042", "\u0010\u0032", "\u0000\u0001"],
    run(input) {
      const unit = parseVideoPayload(format, input);
      if (!unit.ok) return false;
      const { key, width, height, data } = unit.value;
      if (key !== (width !== undefined && height !== undefined)) throw new Error("a key frame of no size");
      const facts = readVideoUnit(format, data);
      if (!facts.ok || facts.value.key !== key) throw new Error("the unit says otherwise than its payload");
      return true;
    },
  };
}

/** The payloads of one unit in pieces, each behind its length. */
function fragmentsTarget(format: VideoFormatName): FuzzTarget {
  const writer = new VideoPayloadWriter(format, { picture: 0, base: 0 });
  const examples = CLIPS[format].frames.slice(0, 3).map(({ data }, index) => {
    const made = writer.write(data, index % 2 === 0 ? 0 : 1);
    const pieces = made.ok ? splitVideoPayload(format, made.value.payload, 300) : made;
    if (!pieces.ok) throw new Error(pieces.fault.message);
    return concatBytes(
      pieces.value.flatMap((piece) => [Uint8Array.of(piece.length >> 8, piece.length & 0xff), piece]),
    );
  });
  return {
    name: `${format}-fragments`,
    every: 4,
    examples,
    tokens: ["\u0090\u00ff", "\u0049\u0083\u0042", "\u0010\u0032", "\u0000\u0001", "\u0001\u002c"],
    run(input) {
      const pieces = piecesOf(input);
      for (const piece of pieces) readVideoFragment(format, piece);
      const unit = joinVideoFragments(format, pieces);
      if (!unit.ok) return false;
      const { key, data } = unit.value;
      if (data.length > 2 * input.length + 8) throw new Error("a unit out of nothing");
      const facts = readVideoUnit(format, data);
      if (!facts.ok || facts.value.key !== key) throw new Error("the unit says otherwise than its pieces");
      return true;
    },
  };
}

/** What comes of a source, packet by packet, each behind its length. */
function rtpTarget(name: string, format: VideoFormatName): FuzzTarget {
  const packets = chromiumPackets(name).map((bytes) => [
    Uint8Array.of(bytes.length >> 8, bytes.length & 0xff),
    bytes,
  ]);
  return {
    name: `rtp-${name}`,
    every: 5,
    examples: [concatBytes(packets.slice(0, 6).flat()), concatBytes(packets.slice(30, 36).flat())],
    tokens: ["\u0000\u0020", "\u0060", "\u000e", "\u0001\u0000"],
    run(input) {
      const frames = new RtpFrames(format);
      let isRtp = true;
      let now = 0;
      for (const bytes of piecesOf(input)) {
        const packet = parseRtpPacket(bytes);
        isRtp &&= packet.ok;
        if (!packet.ok) continue;
        const again = parseRtpPacket(writeRtpPacket(packet.value));
        if (!again.ok || again.value.payload.length !== packet.value.payload.length)
          throw new Error("a packet that is not read as it was written");
        now += 20;
        frames.insert(packet.value, now);
        for (let unit = frames.next(now); unit !== undefined; unit = frames.next(now))
          if (unit.data.length > 2 * input.length + 8) throw new Error("a unit out of nothing");
      }
      for (let due = frames.nextTimeout(); due !== undefined && now < 10_000; due = frames.nextTimeout()) {
        now = Math.max(now, due);
        while (frames.next(now) !== undefined);
        frames.asksKeyFrame(now);
      }
      return isRtp;
    },
  };
}

/** What is behind each length. */
function piecesOf(input: Uint8Array): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (let at = 0; at + 2 <= input.length; ) {
    const end = at + 2 + readU16(input, at);
    pieces.push(input.subarray(at + 2, end));
    at = end;
  }
  return pieces;
}

function clip(name: string): Ivf {
  const parsed = parseIvf(readFileSync(new URL(`../vectors/ffmpeg/${name}.ivf`, import.meta.url)));
  if (!parsed.ok) throw new Error(parsed.fault.message);
  return parsed.value;
}
