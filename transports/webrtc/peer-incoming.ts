/** What one peer sends of one kind: through its transport into the router, and out to us. */
import type { types } from "mediasoup";
import type { SenderReport } from "../../codecs/rtcp-report.ts";
import type { MediaKind, MediaSection, RtpCodec } from "./description.ts";
import { sentParameters } from "./router-codecs.ts";

/** How what comes does, since the beginning; on the way from the peer to this machine. */
export interface IncomingStats {
  readonly kind: MediaKind;
  readonly packets: number;
  readonly bytes: number;
  /** Never came, repetitions counted as come. */
  readonly packetsLost: number;
  /** RFC 3550, in milliseconds. */
  readonly jitter: number;
  /** In milliseconds. */
  readonly roundTrip: number | undefined;
}

/** The same moment by the wall clock of the sender and as a timestamp of its stream (RFC 3550, section 6.4.1). */
export type CaptureReport = Pick<SenderReport, "time" | "timestamp">;

/** One stream of the peer. */
export class IncomingMedia {
  readonly kind: MediaKind;
  readonly #producer: types.Producer;
  readonly #consumer: types.Consumer;
  readonly #clockRate: number;

  private constructor(producer: types.Producer, consumer: types.Consumer) {
    this.#producer = producer;
    this.#consumer = consumer;
    this.kind = producer.kind;
    this.#clockRate = consumer.rtpParameters.codecs[0]?.clockRate ?? 1;
  }

  static async open(
    transport: types.WebRtcTransport,
    direct: types.DirectTransport,
    options: {
      readonly section: MediaSection;
      readonly codecs: readonly RtpCodec[];
      readonly capabilities: types.RtpCapabilities;
      readonly packet: (packet: Uint8Array) => void;
      readonly report: (report: CaptureReport) => void;
    },
  ): Promise<IncomingMedia> {
    const { section, codecs, capabilities, packet, report } = options;
    const producer = await transport.produce({
      kind: section.kind,
      rtpParameters: sentParameters(section, codecs),
    });
    await producer.enableTraceEvent(["sr"]);
    producer.on("trace", ({ info }) => {
      const { ntpSec, ntpFrac, rtpTs } = info as Readonly<Record<"ntpSec" | "ntpFrac" | "rtpTs", number>>;
      report({ time: { seconds: ntpSec, fraction: ntpFrac }, timestamp: rtpTs });
    });
    const consumer = await direct.consume({
      producerId: producer.id,
      rtpCapabilities: capabilities,
      enableRtx: false,
      paused: true,
    });
    consumer.on("rtp", packet);
    await consumer.resume();
    return new IncomingMedia(producer, consumer);
  }

  requestKeyFrame(): void {
    // A connection that closes meanwhile needs none.
    this.#consumer.requestKeyFrame().catch(() => {});
  }

  async stats(): Promise<IncomingStats> {
    const all = await this.#producer.getStats();
    const first = all[0];
    return {
      kind: this.kind,
      packets: all.reduce((sum, { packetCount }) => sum + packetCount, 0),
      bytes: all.reduce((sum, { byteCount }) => sum + byteCount, 0),
      packetsLost: all.reduce((sum, { packetsLost }) => sum + packetsLost, 0),
      jitter: ((first?.jitter ?? 0) * 1_000) / this.#clockRate,
      roundTrip: first?.roundTripTime || undefined,
    };
  }
}
