import type { Clock } from "../../codecs/clock.ts";
import { encodeSenderReport, type SenderReport } from "../../codecs/rtcp-report.ts";
import { parseRtpPacket, type RtpPacket } from "../../codecs/rtp-packet.ts";
import type { MediaKind } from "../../transports/webrtc/description.ts";
import type { PeerMedia } from "./peer-media.ts";

/** Sender reports go so often, ms. */
const REPORT_EVERY_MS = 1_000;

/** One kind of media of a peer as RTP: its packets are read, and what goes to it is reported on once a second. */
export class PeerRtp {
  readonly #kind: MediaKind;
  readonly #clock: Clock;
  readonly #media: Pick<PeerMedia, "write" | "report">;
  #malformed = 0;
  #reportedAt = Number.NEGATIVE_INFINITY;

  constructor(kind: MediaKind, clock: Clock, media: Pick<PeerMedia, "write" | "report">) {
    this.#kind = kind;
    this.#clock = clock;
    this.#media = media;
  }

  /** What came and is no RTP. */
  get malformed(): number {
    return this.#malformed;
  }

  /** A packet of the peer; `undefined`: it is no RTP, and counted. */
  read(bytes: Uint8Array): RtpPacket | undefined {
    const read = parseRtpPacket(bytes);
    if (read.ok) return read.value;
    this.#malformed += 1;
    return undefined;
  }

  /** Sends packets of one stream to the peer, and behind them the report that `stream` makes for this moment (Unix milliseconds), where one is due. */
  write(packets: readonly Uint8Array[], stream: { report(wall: number): SenderReport | undefined }): void {
    for (const packet of packets) this.#media.write(this.#kind, packet);
    const now = this.#clock.now();
    if (now - this.#reportedAt < REPORT_EVERY_MS) return;
    const report = stream.report(this.#clock.wall());
    if (report === undefined) return;
    this.#reportedAt = now;
    this.#media.report(this.#kind, encodeSenderReport(report));
  }
}
