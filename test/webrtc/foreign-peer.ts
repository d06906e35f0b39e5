/** WebRTC peers that have never heard of Parley, as a test drives them: what all of them can do, whatever they are made of. */
import { readU32 } from "../../codecs/big-endian.ts";
import { unixMsToNtp } from "../../codecs/ntp.ts";
import { isRtcp, parseRtcp } from "../../codecs/rtcp.ts";
import { parseFullIntra } from "../../codecs/rtcp-fir.ts";
import { encodePictureLoss, parsePictureLoss } from "../../codecs/rtcp-pli.ts";
import { parseSenderReport, type SenderReport } from "../../codecs/rtcp-report.ts";
import { splitVideoPayload } from "../../codecs/rtp-fragment.ts";
import { parseRtpPacket, type RtpPacket } from "../../codecs/rtp-packet.ts";
import type { VideoFormatName } from "../../codecs/video-formats.ts";
import { VideoPayloadWriter } from "../../codecs/video-payload.ts";
import { RtpFrames } from "../../sfu/rtp-frames.ts";
import { pause } from "../waiting.ts";

export type MediaKind = "audio" | "video";
export type MediaDirection = "sendrecv" | "sendonly" | "recvonly";

export interface ForeignPeerOptions {
  /** Absent: no such section. */
  readonly audio?: MediaDirection;
  readonly video?: MediaDirection;
  /** Of its video. Default `vp8`. */
  readonly format?: VideoFormatName;
  /** Labels of data channels that are negotiated beforehand: their places are their SCTP streams. Default: none. */
  readonly channels?: readonly string[];
  /** Of libdatachannel: its DTLS certificate and key, PEM, so that its fingerprint is known before it describes itself. Default: one of its own making. */
  readonly certificate?: { readonly certificatePem: string; readonly privateKeyPem: string };
  /** Of werift: where the server names sections in packets of sound, its offer has another meaning, of any length, which such packets would be misread by. */
  readonly misreads?: boolean;
  /** What it says of its certificate is not true: whoever looks ends the handshake. */
  readonly wrongFingerprint?: boolean;
}

/** Payload types that it offers, as browsers do. */
export const PAYLOAD_TYPES: Readonly<Record<"opus" | VideoFormatName, number>> = {
  opus: 111,
  vp8: 96,
  vp9: 98,
  av1: 45,
};
/** A packet as a test has it; the rest is for the peer to fill in. */
export type PacketToSend = Omit<RtpPacket, "ssrc" | "payloadType">;

/** Bytes of a payload that it sends at most. */
const MOST_PAYLOAD = 1_100;
const OPUS_TICKS = 960;

/** A peer: describes itself, connects, sends at a pace, and keeps all that comes. */
export abstract class ForeignPeer implements AsyncDisposable {
  /** RTP that came, as it came. */
  readonly heard: Readonly<Record<MediaKind, RtpPacket[]>> = { audio: [], video: [] };
  readonly reports: SenderReport[] = [];
  readonly messages: { readonly stream: number; readonly message: string | Uint8Array }[] = [];
  /** Times that it was asked for a key frame. */
  keyFramesAsked = 0;
  protected readonly options: ForeignPeerOptions;
  readonly #next = { audio: { sequence: 65_500, ticks: 0 }, video: { sequence: 100, ticks: 0 } };
  readonly #sources = new Map<MediaKind, number>();
  #description = "";

  constructor(options: ForeignPeerOptions) {
    this.options = options;
  }

  /** Its offer, with all its candidates. */
  async offer(): Promise<string> {
    return this.#said(await this.makeOffer());
  }

  /** Takes the answer to its offer. */
  abstract accept(answer: string): Promise<void>;

  /** Its answer to an offer, with all its candidates. */
  async answer(offer: string): Promise<string> {
    return this.#said(await this.makeAnswer(offer));
  }

  /** Resolves once media can go both ways; rejects where that fails, or does not come about in time. */
  abstract connected(): Promise<void>;

  abstract get isConnected(): boolean;

  /** Resolves once the connection is gone. */
  abstract ended(): Promise<void>;

  abstract close(): Promise<void>;

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** SHA-256 of its DTLS certificate, 64 lowercase hex digits, as it says itself once it described itself. */
  get fingerprint(): string {
    const [, value = ""] = /^a=fingerprint:sha-256 (\S+)/im.exec(this.#description) ?? [];
    return value.replaceAll(":", "").toLowerCase();
  }

  /** Sends packets of Opus, one each 20 ms. */
  async speak(payloads: Iterable<Uint8Array>, everyMs = 20): Promise<void> {
    const next = this.#next.audio;
    await paced(payloads, everyMs, (payload) => {
      this.#send("audio", payload, true);
      next.ticks += OPUS_TICKS;
    });
  }

  /** Sends units of its format, each in as many packets as it needs. */
  async show(units: Iterable<Uint8Array>, everyMs = 50): Promise<void> {
    const { format = "vp8" } = this.options;
    const writer = new VideoPayloadWriter(format, { picture: 7, base: 0 });
    await paced(units, everyMs, (unit) => {
      const whole = writer.write(unit);
      const pieces = whole.ok ? splitVideoPayload(format, whole.value.payload, MOST_PAYLOAD) : whole;
      if (!pieces.ok) throw new Error(pieces.fault.message);
      const last = pieces.value.length - 1;
      pieces.value.forEach((piece, index) => {
        this.#send("video", piece, index === last);
      });
      this.#next.video.ticks += everyMs * 90;
    });
  }

  /** Asks for a key frame of the video that comes. */
  requestKeyFrame(): void {
    const ssrc = this.#sources.get("video");
    if (ssrc !== undefined) this.sendRtcp("video", encodePictureLoss({ sender: 1, ssrc }));
  }

  /** Sends one packet, under its own source and payload type. */
  abstract sendRtp(kind: MediaKind, packet: PacketToSend): void;

  /** Sends a packet of RTCP beside its media. What a peer writes itself it leaves out. */
  abstract sendRtcp(kind: MediaKind, bytes: Uint8Array): void;

  /** Sends a message on the channel of that place. */
  abstract message(stream: number, message: string | Uint8Array): void;

  /** The whole units of the video that came. */
  get pictures(): readonly {
    readonly data: Uint8Array;
    readonly key: boolean;
    readonly timestamp: number;
  }[] {
    const frames = new RtpFrames(this.options.format ?? "vp8");
    const units = [];
    for (const packet of this.heard.video) {
      frames.insert(packet, 0);
      for (let unit = frames.next(0); unit !== undefined; unit = frames.next(0)) units.push(unit);
    }
    return units;
  }

  protected abstract makeOffer(): Promise<string>;
  protected abstract makeAnswer(offer: string): Promise<string>;

  /** Takes what came, RTP or RTCP. */
  protected came(kind: MediaKind, bytes: Uint8Array): void {
    if (isRtcp(bytes, 0)) {
      this.#rtcpCame(bytes);
      return;
    }
    const packet = parseRtpPacket(new Uint8Array(bytes));
    if (!packet.ok) throw new Error(`${packet.fault.message} (${packet.fault.at})`);
    this.#sources.set(kind, readU32(bytes, 8));
    this.heard[kind].push(packet.value);
  }

  protected messageCame(stream: number, message: string | ArrayBuffer | Uint8Array): void {
    const isText = typeof message === "string";
    this.messages.push({ stream, message: isText ? message : new Uint8Array(message) });
  }

  /** A moment in its time, for its own reports. */
  protected present(kind: MediaKind) {
    const now = Date.now();
    return { time: unixMsToNtp(now), timestamp: this.#next[kind].ticks };
  }

  #send(kind: MediaKind, payload: Uint8Array, marker: boolean): void {
    const next = this.#next[kind];
    this.sendRtp(kind, {
      marker,
      sequence: next.sequence,
      timestamp: next.ticks,
      extensions: [],
      payload,
    });
    next.sequence = (next.sequence + 1) & 0xffff;
  }

  #rtcpCame(bytes: Uint8Array): void {
    const packets = parseRtcp(bytes);
    if (!packets.ok) throw new Error(packets.fault.message);
    for (const packet of packets.value) {
      const report = parseSenderReport(bytes, packet);
      if (report.ok) this.reports.push(report.value);
      if (parsePictureLoss(bytes, packet).ok || parseFullIntra(bytes, packet).ok) this.keyFramesAsked += 1;
    }
  }

  #said(description: string): string {
    this.#description = description;
    if (this.options.wrongFingerprint !== true) return description;
    // The first byte is another one.
    return description.replace(/(a=fingerprint:sha-256 )(..)/gi, (_, before: string, byte: string) => {
      return `${before}${byte.toUpperCase() === "00" ? "01" : "00"}`;
    });
  }
}

/** The sections of sound and pictures of a description: their names, and the payload type of a format. */
export function sectionsOf(sdp: string): readonly {
  readonly kind: MediaKind;
  readonly mid: string;
  payloadType(name: string): number | undefined;
}[] {
  return sdp
    .split(/^(?=m=)/m)
    .slice(1)
    .flatMap((text) => {
      const kind = /^m=(audio|video)/.exec(text)?.[1] as MediaKind | undefined;
      const mid = /^a=mid:(\S+)/m.exec(text)?.[1];
      if (kind === undefined || mid === undefined) return [];
      const payloadType = (name: string) => {
        const found = new RegExp(`^a=rtpmap:(\\d+) ${name}/`, "im").exec(text)?.[1];
        return found === undefined ? undefined : Number(found);
      };
      return [{ kind, mid, payloadType }];
    });
}

async function paced<Item>(
  items: Iterable<Item>,
  everyMs: number,
  send: (item: Item) => void,
): Promise<void> {
  const start = performance.now();
  let count = 0;
  for (const item of items) {
    send(item);
    count += 1;
    const wait = start + count * everyMs - performance.now();
    if (wait > 0) await pause(wait);
  }
}
