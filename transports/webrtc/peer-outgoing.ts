/** What goes to one peer of one kind: from us into the router, and out through its transport. */
import { randomInt } from "node:crypto";
import type { types } from "mediasoup";
import type { MediaKind, RtpCodec, RtpHeaderExtension, SentMedia } from "./description.ts";
import { EXTENSION_IDS, isRepetition, repetitionOf, takenCapabilities } from "./router-codecs.ts";

/** How what goes does, since the beginning; as the peer reports it. */
export interface OutgoingStats {
  readonly kind: MediaKind;
  readonly packets: number;
  readonly bytes: number;
  readonly packetsLost: number;
  /** Of 256, in the peer's last report. */
  readonly fractionLost: number;
  readonly packetsRepeated: number;
  /** In milliseconds; `undefined` until the peer has reported. */
  readonly roundTrip: number | undefined;
}

/** A stream to the peer. The numbers of its packets, on the wire, are the worker's. */
export class OutgoingMedia {
  readonly kind: MediaKind;
  /** Synchronization source and payload type that packets have to come with here. */
  readonly ssrc: number;
  readonly payloadType: number;
  /** For our description: what the peer sees. */
  readonly sends: SentMedia;
  /** Header extensions that the worker writes toward this peer, for our description. */
  readonly headerExtensions: readonly RtpHeaderExtension[];
  readonly #direct: types.DirectTransport;
  readonly #producer: types.Producer;
  readonly #consumer: types.Consumer;

  private constructor(
    direct: types.DirectTransport,
    producer: types.Producer,
    consumer: types.Consumer,
    names: { readonly ssrc: number; readonly payloadType: number },
  ) {
    this.#direct = direct;
    this.#producer = producer;
    this.#consumer = consumer;
    this.kind = producer.kind;
    this.ssrc = names.ssrc;
    this.payloadType = names.payloadType;
    const { encodings, rtcp, headerExtensions } = consumer.rtpParameters;
    this.sends = {
      encodings: (encodings ?? []).flatMap(({ ssrc, rtx }) =>
        ssrc === undefined ? [] : [{ ssrc, ...(rtx === undefined ? {} : { rtx }) }],
      ),
      ...(rtcp?.cname === undefined ? {} : { cname: rtcp.cname }),
    };
    this.headerExtensions = (headerExtensions ?? []).map(({ uri, id }) => ({ uri, id }));
  }

  static async open(
    transport: types.WebRtcTransport,
    direct: types.DirectTransport,
    taken: {
      readonly kind: MediaKind;
      readonly mid: string;
      readonly codecs: readonly RtpCodec[];
      readonly headerExtensions: readonly RtpHeaderExtension[];
      readonly cname: string;
    },
  ): Promise<OutgoingMedia> {
    const { kind, mid, codecs, headerExtensions, cname } = taken;
    const codec = codecs.find((one) => !isRepetition(one));
    if (codec === undefined) throw new TypeError(`No codec of ${kind} that this connection was opened for.`);
    const ssrc = randomInt(1, 2 ** 32 - 1);
    const { mimeType, payloadType, clockRate, channels, parameters } = codec;
    const producer = await direct.produce({
      kind,
      rtpParameters: {
        codecs: [
          {
            ...{ mimeType, payloadType, clockRate },
            ...(channels === undefined ? {} : { channels }),
            parameters: { ...parameters },
            // Nothing is lost on the way from here to the worker.
            rtcpFeedback: kind === "video" ? [{ type: "nack", parameter: "pli" }] : [],
          },
        ],
        headerExtensions:
          kind === "audio"
            ? [{ uri: "urn:ietf:params:rtp-hdrext:ssrc-audio-level", id: EXTENSION_IDS.audioLevel }]
            : [],
        encodings: [{ ssrc }],
        rtcp: { cname },
      },
    });
    const consumer = await transport.consume({
      producerId: producer.id,
      rtpCapabilities: takenCapabilities(codecs, headerExtensions),
      mid,
      ...(kind === "video" ? { enableRtx: repetitionOf(codecs, headerExtensions) !== "none" } : {}),
    });
    const unknown = consumer.rtpParameters.codecs.find(({ payloadType: sent }) =>
      codecs.every((named) => named.payloadType !== sent),
    );
    if (unknown !== undefined)
      throw new TypeError(
        `The worker would send ${unknown.mimeType} as ${unknown.payloadType}, which no description names.`,
      );
    return new OutgoingMedia(direct, producer, consumer, { ssrc, payloadType });
  }

  /** Sends an RTP packet with this {@link ssrc} and {@link payloadType}. Pictures flow from their first key frame on. */
  write(packet: Uint8Array): void {
    if (!this.#producer.closed) this.#producer.send(bufferOf(packet));
  }

  /**
   * A sender report (RTCP) of this {@link ssrc}: what the ones that the peer gets are made of. Without any the peer cannot keep sound and
   * pictures together.
   */
  report(rtcp: Uint8Array): void {
    if (!this.#direct.closed) this.#direct.sendRtcp(bufferOf(rtcp));
  }

  async stats(): Promise<OutgoingStats> {
    const all = await this.#consumer.getStats();
    const own = all.find(({ type }) => type === "outbound-rtp");
    return {
      kind: this.kind,
      packets: own?.packetCount ?? 0,
      bytes: own?.byteCount ?? 0,
      packetsLost: own?.packetsLost ?? 0,
      fractionLost: own?.fractionLost ?? 0,
      packetsRepeated: own?.packetsRetransmitted ?? 0,
      roundTrip: own?.roundTripTime || undefined,
    };
  }
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
