/** RTP and RTCP as WebRTC peers get them from us, read by a tool that has never heard of Parley. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { concatBytes } from "../../codecs/concat-bytes.ts";
import { encodeIvf, parseIvf } from "../../codecs/ivf.ts";
import { encodeFullIntra } from "../../codecs/rtcp-fir.ts";
import { encodePictureLoss } from "../../codecs/rtcp-pli.ts";
import { encodeSenderReport } from "../../codecs/rtcp-report.ts";
import { encodeCanonicalName, encodeGoodbye } from "../../codecs/rtcp-source.ts";
import { readVideoUnit } from "../../codecs/video-payload.ts";
import { RtpFrames } from "../../sfu/rtp-frames.ts";
import { OutgoingVideo } from "../../sfu/rtp-outgoing-video.ts";
import { OutgoingVoice } from "../../sfu/rtp-outgoing-voice.ts";
import { CHROMIUM_VIDEOS, chromiumRtp } from "../generators/chromium-rtp.ts";
import { encodePcap } from "./pcap.ts";

const PORT = 5006;
const WALL = 1_795_000_000_000;
const FIRST = { sequence: 65_530, timestamp: 2 ** 32 - 10_000 };
const EXTENSIONS = { audioLevel: 6, captureTime: 10 };

const folder = mkdtempSync(join(tmpdir(), "parley-webrtc-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The video of a clip, as it goes out: its packets, and how many each unit has. */
function sentVideo(): {
  readonly packets: Uint8Array[];
  readonly counts: number[];
  readonly keys: boolean[];
} {
  const ivf = parseIvf(
    new Uint8Array(readFileSync(new URL("../vectors/ffmpeg/vp8-layers.ivf", import.meta.url))),
  );
  if (!ivf.ok) throw new Error(ivf.fault.message);
  const out = new OutgoingVideo({
    ...{ format: "vp8", ssrc: 0x5ca1ab1e, payloadType: 96, firstPicture: 32_766 },
    ...{ first: FIRST, extensions: EXTENSIONS },
  });
  const [packets, counts, keys]: [Uint8Array[], number[], boolean[]] = [[], [], []];
  ivf.value.frames.slice(0, 20).forEach(({ data }, index) => {
    const facts = readVideoUnit("vp8", data);
    const key = facts.ok && facts.value.key;
    const sent = out.send({ data, key, capturedAt: WALL + index * 50 });
    if (!sent.ok) throw new Error(sent.fault.message);
    packets.push(...sent.value);
    counts.push(sent.value.length);
    keys.push(key);
  });
  return { packets, counts, keys };
}

describe("a video that goes to a WebRTC peer", () => {
  it("reads as VP8 over RTP in tshark: numbers, times, markers, descriptors, the picture's size", () => {
    const { packets, counts, keys } = sentVideo();
    const units = counts.flatMap((count, index) =>
      Array.from({ length: count }, (_, at) => ({ index, isFirst: at === 0, isLast: at === count - 1 })),
    );
    const read = dissect(
      packets,
      ["-d", `udp.port==${PORT},rtp`, "-d", "rtp.pt==96,vp8"],
      [
        ...["rtp.seq", "rtp.timestamp", "rtp.marker", "rtp.ssrc", "rtp.p_type"],
        ...["vp8.pld.s", "vp8.pld.partid", "vp8.pld.pictureid", "vp8.pld.t", "vp8.keyframe.width"],
        ...["vp8.keyframe.height", "rtp.ext.rfc5285.id", "_ws.malformed"],
      ],
    );
    expect(read).toEqual(
      units.map(({ index, isFirst, isLast }, at) => [
        String((FIRST.sequence + at) % 0x10000),
        String((FIRST.timestamp + index * 4_500) % 2 ** 32),
        isLast ? "1" : "0",
        "0x5ca1ab1e",
        "96",
        isFirst ? "1" : "0",
        "0",
        // Of 15 bits, over their end.
        String((32_766 + index) % 0x8000),
        "0",
        isFirst && keys[index] === true ? "320" : "",
        isFirst && keys[index] === true ? "180" : "",
        at === 0 ? "10" : "",
        "",
      ]),
    );
    expect(keys.filter((key) => key)).toHaveLength(2);
    expect(Math.max(...counts)).toBeGreaterThan(3);
  });
});

describe("a voice that goes to a WebRTC peer", () => {
  it("reads as RTP in tshark, with a gap where a frame is missing, and how loud it is", () => {
    const out = new OutgoingVoice({
      ...{ ssrc: 7, payloadType: 111, clockRate: 48_000, frameTicks: 960 },
      ...{ first: FIRST, extensions: EXTENSIONS },
    });
    const packets = [0, 1, 3, 4].flatMap((index) => {
      const bytes = out.send({
        ...{ payload: Uint8Array.of(0x78, index), sequence: 900 + index, timestamp: 50 + index * 960 },
        ...{ epoch: 0, capturedAt: WALL + index * 20, level: 33, voice: true, startOfTurn: false },
      });
      return bytes === undefined ? [] : [bytes];
    });
    const fields = ["rtp.seq", "rtp.marker", "rtp.ext.rfc5285.id", "rtp.ext.rfc5285.data", "_ws.malformed"];
    const read = dissect(packets, ["-d", `udp.port==${PORT},rtp`], fields);
    expect(read.map(([sequence, marker, , , malformed]) => [sequence, marker, malformed])).toEqual([
      ...[
        ["65530", "1", ""],
        ["65531", "0", ""],
        ["65533", "0", ""],
        ["65534", "0", ""],
      ],
    ]);
    expect(read[0]?.[2]).toBe("6,10");
    expect(read[1]?.slice(2, 4)).toEqual(["6", "a1"]);
  });
});

describe("what goes beside it", () => {
  it("reads as RTCP in tshark, report, name, requests for key frames and goodbye to the last field", () => {
    const compound = concatBytes([
      encodeSenderReport({
        ...{ sender: 7, time: { seconds: 0xee8a_d001, fraction: 0x8000_0000 }, timestamp: 123_456 },
        ...{ packets: 50, octets: 5_000 },
        blocks: [
          { ssrc: 9, fractionLost: 64, lost: 12, highest: 70_000, jitter: 5, lastReport: 6, delay: 65_536 },
        ],
      }),
      encodeCanonicalName({ ssrc: 7, name: "parley" }),
      encodePictureLoss({ sender: 7, ssrc: 9 }),
      encodeFullIntra({ sender: 7, streams: [{ ssrc: 10, number: 3 }] }),
      encodeGoodbye({ streams: [7], reason: "over" }),
    ]);
    const expected = {
      "rtcp.pt": "200,202,206,206,203",
      "rtcp.timestamp.ntp.msw": String(0xee8a_d001),
      "rtcp.timestamp.ntp.lsw": String(0x8000_0000),
      "rtcp.timestamp.rtp": "123456",
      "rtcp.sender.packetcount": "50",
      "rtcp.sender.octetcount": "5000",
      "rtcp.ssrc.fraction": "64",
      "rtcp.ssrc.cum_nr": "12",
      "rtcp.ssrc.ext_high": "70000",
      "rtcp.ssrc.jitter": "5",
      "rtcp.ssrc.dlsr": "65536",
      // The name, and why it is over.
      "rtcp.sdes.text": "parley,over",
      "rtcp.psfb.fmt": "1,4",
      "rtcp.psfb.fir.fci.ssrc": "0x0000000a",
      "rtcp.psfb.fir.fci.csn": "3",
      "rtcp.length_check": "1",
      "_ws.malformed": "",
    };
    const [read] = dissect([compound], ["-d", `udp.port==${PORT},rtcp`], Object.keys(expected));
    expect(Object.fromEntries(Object.keys(expected).map((name, at) => [name, read?.[at]]))).toEqual(expected);
  });
});

describe.each(CHROMIUM_VIDEOS)("what Chromium sent as $name", ({ name, format }) => {
  it("is decoded by ffmpeg as it was put together, without a complaint", () => {
    const frames = new RtpFrames(format);
    const units: Uint8Array[] = [];
    for (const packet of chromiumRtp(name)) {
      frames.insert(packet, 0);
      for (let unit = frames.next(0); unit !== undefined; unit = frames.next(0)) units.push(unit.data);
    }
    const file = join(folder, `${name}.ivf`);
    writeFileSync(
      file,
      encodeIvf({
        ...{ format, width: 320, height: 180, rate: 20, scale: 1 },
        frames: units.map((data, time) => ({ data, time })),
      }),
    );
    const out = execFileSync("ffmpeg", ["-v", "error", "-xerror", "-i", file, "-f", "framemd5", "-"], {
      ...{ encoding: "utf8", timeout: 60_000 },
    });
    const pictures = out.split("\n").filter((line) => /^0,/.test(line));
    expect(pictures).toHaveLength(units.length);
  });
});

function dissect(
  packets: readonly Uint8Array[],
  how: readonly string[],
  fields: readonly string[],
): string[][] {
  const file = join(folder, "rtp.pcap");
  writeFileSync(
    file,
    encodePcap(
      packets.map((payload, index) => ({ at: WALL + index, payload })),
      PORT,
    ),
  );
  const out = execFileSync(
    "tshark",
    ["-r", file, ...how, "-T", "fields", "-E", "separator=|", ...fields.flatMap((field) => ["-e", field])],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 60_000 },
  );
  return out
    .trimEnd()
    .split("\n")
    .map((line) => line.split("|"));
}
