import { expect, it } from "vitest";
import type { SenderReport } from "../../codecs/rtcp-report.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { rtpPacket } from "../../test/rtp-packet.ts";
import { PeerRtp } from "./peer-rtp.ts";

const PACKET = new Uint8Array(
  rtpPacket({ payloadType: 96, ssrc: 7, sequence: 5, timestamp: 90, payload: Uint8Array.of(1, 2) }),
);

function scene() {
  const clock = new VirtualClock();
  const done: string[] = [];
  const rtp = new PeerRtp("video", clock, {
    write: (kind, packet) => done.push(`${kind} ${packet.length}`),
    report: (kind, rtcp) => done.push(`${kind} report ${new DataView(rtcp.buffer).getUint32(20)}`),
  });
  return { clock, done, rtp };
}

/** What a stream has to report: as many packets as it has sent by then. */
function reporting(packets: number): SenderReport {
  return {
    ...{ sender: 7, blocks: [], timestamp: 90, octets: 0, packets },
    time: { seconds: 1, fraction: 0 },
  };
}

it("reads a peer's packets, and counts what is none", () => {
  const { rtp } = scene();
  expect(rtp.read(PACKET)).toMatchObject({ sequence: 5, timestamp: 90, payload: Uint8Array.of(1, 2) });
  expect(rtp.malformed).toBe(0);
  expect(rtp.read(PACKET.subarray(0, 11))).toBeUndefined();
  expect(rtp.read(new Uint8Array(20))).toBeUndefined();
  expect(rtp.malformed).toBe(2);
});

it("reports behind what it sends, once a second, from the first time on that there is something to report", async () => {
  const { clock, done, rtp } = scene();
  const walls: number[] = [];
  const at = async (ms: number, packets: number, report?: SenderReport) => {
    await clock.run(ms);
    const sent = Array.from({ length: packets }, () => new Uint8Array(packets));
    rtp.write(sent, {
      report(wall) {
        walls.push(wall);
        return report;
      },
    });
    return done.splice(0);
  };
  expect(await at(0, 0)).toEqual([]);
  expect(await at(10, 2, reporting(2))).toEqual(["video 2", "video 2", "video report 2"]);
  expect(await at(1_009, 1, reporting(3))).toEqual(["video 1"]);
  expect(await at(1_010, 0, reporting(3))).toEqual(["video report 3"]);
  expect(await at(2_500, 1, reporting(4))).toEqual(["video 1", "video report 4"]);
  // Of the last one less than a second is gone.
  expect(await at(3_499, 1, reporting(5))).toEqual(["video 1"]);
  const start = clock.wall() - clock.now();
  expect(walls).toEqual([start, start + 10, start + 1_010, start + 2_500]);
});
