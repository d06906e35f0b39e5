import { parseRtcp } from "../../codecs/rtcp.ts";
import { arrivalEntry, encodeArrivalReport, parseArrivalReport } from "../../codecs/rtcp-arrivals.ts";
import { encodeRemb, parseRemb } from "../../codecs/rtcp-remb.ts";
import type { HopPacket } from "../../sfu/congestion/hop-packet.ts";
import { MediaHop } from "../../sfu/congestion/media-hop.ts";
import type { FuzzTarget } from "./target.ts";

const streams = [
  {
    ssrc: 1,
    begin: 65_530,
    packets: Uint16Array.from({ length: 12 }, (_, at) => arrivalEntry(1_200 - at * 20)),
  },
  { ssrc: 2, begin: 0, packets: Uint16Array.of(arrivalEntry(9_000), 0, arrivalEntry(3, 3)) },
];
const arrivals = encodeArrivalReport({ sender: 9, streams, time: 7_000 });
const remb = encodeRemb({ sender: 9, bitsPerSecond: 1_250_000, streams: [1, 2] });
const bitrate = { least: 50_000, most: 2_000_000, first: 300_000 };

export const FEEDBACK_TARGETS: readonly FuzzTarget[] = [
  {
    name: "rtcp",
    examples: [arrivals, remb, new Uint8Array([...arrivals, ...remb])],
    tokens: ["\u0000\u0001", "REMB", "\u0000\u0000\u0000\u0001", "\u007f"],
    run(input) {
      const packets = parseRtcp(input);
      if (!packets.ok) return false;
      let end = 0;
      for (const packet of packets.value) {
        if (packet.offset < end || packet.end > input.length) throw new Error("packets that overlap");
        end = packet.end;
        const report = parseArrivalReport(input, packet);
        const rate = parseRemb(input, packet);
        if (report.ok && rate.ok) throw new Error("feedback of two kinds");
        if (rate.ok && !Number.isSafeInteger(rate.value.bitsPerSecond))
          throw new Error("a rate that is none");
      }
      return true;
    },
  },
  {
    name: "hop-feedback",
    examples: [arrivals, new Uint8Array([...arrivals, ...remb])],
    tokens: ["\u0000\u0001", "\u0000\u0000\u0000\u0001", "\u007f"],
    run(input) {
      const hop = new MediaHop({ start: 0, bitrate });
      for (let at = 0; at < 20; at += 1) {
        hop.trySend(packet(1, 65_530 + at, "audio"), at * 20);
        hop.trySend(packet(2, at, "video"), at * 20);
      }
      const before = hop.estimate.inFlight;
      const taken = hop.feedback(input, 500);
      for (const again of [600, 700]) hop.feedback(input, again);
      const { bitsPerSecond, inFlight, queueDelay, lossShare } = hop.estimate;
      const isBounded = bitsPerSecond >= bitrate.least && bitsPerSecond <= bitrate.most;
      if (!isBounded || inFlight < 0 || inFlight > before || !(queueDelay >= 0) || !(lossShare >= 0))
        throw new Error(`feedback led astray: ${JSON.stringify(hop.estimate)}`);
      return taken.ok;
    },
  },
];

function packet(ssrc: number, sequence: number, kind: HopPacket["kind"]): HopPacket {
  return { ssrc, sequence, bytes: new Uint8Array(200), kind, deadline: 1_000 };
}
