import { concatBytes } from "../../codecs/concat-bytes.ts";
import { parseRtcp } from "../../codecs/rtcp.ts";
import { arrivalEntry, encodeArrivalReport, parseArrivalReport } from "../../codecs/rtcp-arrivals.ts";
import { encodeFullIntra, parseFullIntra } from "../../codecs/rtcp-fir.ts";
import { encodePictureLoss, parsePictureLoss } from "../../codecs/rtcp-pli.ts";
import { encodeRemb, parseRemb } from "../../codecs/rtcp-remb.ts";
import { encodeSenderReport, parseReceiverReport, parseSenderReport } from "../../codecs/rtcp-report.ts";
import { encodeCanonicalName, encodeGoodbye, parseGoodbye } from "../../codecs/rtcp-source.ts";
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
const compound = concatBytes([
  encodeSenderReport({
    ...{ sender: 9, time: { seconds: 4_004_327_289, fraction: 7 }, timestamp: 8, packets: 2, octets: 90 },
    blocks: [{ ssrc: 1, fractionLost: 3, lost: -1, highest: 65_540, jitter: 9, lastReport: 1, delay: 2 }],
  }),
  encodeCanonicalName({ ssrc: 9, name: "parley" }),
  encodePictureLoss({ sender: 9, ssrc: 1 }),
  encodeFullIntra({ sender: 9, streams: [{ ssrc: 1, number: 3 }] }),
  encodeGoodbye({ streams: [9], reason: "over" }),
]);
const OTHER_KINDS = [parseSenderReport, parseReceiverReport, parsePictureLoss, parseFullIntra, parseGoodbye];
const bitrate = { least: 50_000, most: 2_000_000, first: 300_000 };

export const FEEDBACK_TARGETS: readonly FuzzTarget[] = [
  {
    name: "rtcp",
    examples: [arrivals, remb, new Uint8Array([...arrivals, ...remb]), compound],
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
        const kinds = [report, rate, ...OTHER_KINDS.map((parse) => parse(input, packet))];
        if (kinds.filter(({ ok }) => ok).length > 1) throw new Error("feedback of two kinds");
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
