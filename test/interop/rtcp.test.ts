/** Feedback as we write it, read by a tool that has never heard of Parley. It knows REMB whole, and of RFC 8888 the header. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { FeedbackWriter } from "../../sfu/congestion/feedback-writer.ts";
import { encodePcap } from "./pcap.ts";

const PORT = 5005;
const SENDER = 0x01020304;
const SOURCES = [0xaabbccdd, 7];

const folder = mkdtempSync(join(tmpdir(), "parley-tshark-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const FIELDS = {
  type: "rtcp.pt",
  format: "rtcp.rtpfb.fmt",
  words: "rtcp.length",
  sender: "rtcp.senderssrc",
  media: "rtcp.mediassrc",
  content: "rtcp.fci",
  exponent: "rtcp.psfb.remb.fci.br_exp",
  mantissa: "rtcp.psfb.remb.fci.br_mantissa",
  streams: "rtcp.psfb.remb.fci.ssrc",
  complete: "rtcp.length_check",
  malformed: "_ws.malformed",
} as const;

describe("feedback on what arrived", () => {
  it("reads as RTCP in tshark: two packets in one datagram, REMB to the last field", () => {
    const writer = new FeedbackWriter({ ssrc: SENDER, start: 0 });
    writer.takes(1_310_720);
    for (let index = 0; index < 5; index += 1) {
      writer.arrived(SOURCES[0] as number, 65_533 + index, 200, 1_000 + index * 20);
      if (index !== 2) writer.arrived(SOURCES[1] as number, 10 + index, 200, 1_000 + index * 20);
    }
    const report = writer.report(1_100);
    if (report === undefined) throw new Error("no report");
    const read = dissect(report);
    expect(read).toEqual({
      type: "205,206",
      format: "11",
      words: "12,6",
      sender: "0x01020304,0x01020304",
      media: "0xaabbccdd,0x00000000",
      // From 65,533 five packets, 102 to 20 steps of 1/1,024 s before; from 10 five, the third missing; made at 1.1 s.
      content: "fffd000580668052803d802980140000" + "00000007000a000580668052000080298014000" + "00001199a",
      // 163,840 * 2^3 = 1,310,720.
      exponent: "3",
      mantissa: "163840",
      streams: "0xaabbccdd,0x00000007",
      complete: "1",
      malformed: "",
    });
  });
});

function dissect(payload: Uint8Array): Record<keyof typeof FIELDS, string> {
  const file = join(folder, "rtcp.pcap");
  writeFileSync(file, encodePcap([{ at: 0, payload }], PORT));
  const names = Object.keys(FIELDS) as (keyof typeof FIELDS)[];
  const out = execFileSync(
    "tshark",
    [
      ...["-r", file, "-d", `udp.port==${PORT},rtcp`, "-T", "fields", "-E", "separator=|"],
      ...names.flatMap((field) => ["-e", FIELDS[field]]),
    ],
    { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], timeout: 60_000 },
  );
  const values = out.trimEnd().split("|");
  return Object.fromEntries(names.map((field, at) => [field, values[at] ?? ""])) as Record<
    keyof typeof FIELDS,
    string
  >;
}
