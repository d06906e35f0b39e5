/** The peer connection of one leg: opened once it is settled what it carries, described as an answer or an offer, closed with a last word. */
import type { Clock } from "../../codecs/clock.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type {
  LocalDescription,
  MediaKind,
  MediaSection,
  RemoteDescription,
  Section,
} from "../../transports/webrtc/description.ts";
import { sha256Of } from "../../transports/webrtc/fingerprints.ts";
import { offeredExtensions, sentMid } from "../../transports/webrtc/header-extensions.ts";
import {
  type ChannelSettings,
  MAX_MESSAGE_BYTES,
  PeerConnection,
  type PeerEnd,
  type PeerHandlers,
} from "../../transports/webrtc/peer.ts";
import type { OutgoingMedia } from "../../transports/webrtc/peer-outgoing.ts";
import { EXTENSION_IDS } from "../../transports/webrtc/router-codecs.ts";
import { readAnswer } from "../../transports/webrtc/sdp-reading.ts";
import { answeredSections, type Taken } from "../../transports/webrtc/sdp-writing.ts";
import type { MediaWorkers } from "../../transports/webrtc/workers.ts";
import type { LegStreams } from "./leg.ts";
import { CHANNELS, type PeerMedia } from "./peer-media.ts";
import {
  ownCodecs,
  peerReceives,
  peerSends,
  type SettledMedia,
  sectionOf,
  settledCodecs,
} from "./peer-plan.ts";

/** Both the same, so that sound and pictures keep time together. */
const NAME = "parley";
const DATA_CHANNELS: readonly ChannelSettings[] = [
  { label: "parley-control", ordered: true },
  { label: "parley-data", ordered: true },
];
/** Messages for the peer that wait until there is a peer connection; further ones are dropped, which the sender is told. */
const MOST_EARLY = 16;
/** How long the last word may take to leave, and, where the peer is not there yet, to find it, ms. */
const LAST_WORD_MS = 2_000;
const LOOK_MS = 20;
/** From when the worker took it until it is on its way, ms. */
const LEAVING_MS = 50;

export interface PeerLinkOptions {
  readonly workers: MediaWorkers;
  readonly handlers: PeerHandlers;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  readonly report: (error: unknown) => void;
}

/** One peer connection and its descriptions. */
export class PeerLink implements PeerMedia {
  readonly #options: PeerLinkOptions;
  readonly #outgoing = new Map<MediaKind, OutgoingMedia>();
  readonly #early: { readonly stream: number; readonly message: string | Uint8Array }[] = [];
  readonly #origin: { readonly id: string; version: number };
  #connection: PeerConnection | undefined;
  /** The sections of this end's last description. */
  #sections: readonly Section[] = [];
  #offered: LocalDescription | undefined;
  #fingerprint: string | undefined;
  /** Of what its streams carry. */
  #settled: SettledMedia | undefined;
  #isConnected = false;
  #isClosed = false;

  constructor(options: PeerLinkOptions) {
    this.#options = options;
    const [high = 0, low = 0] = new Uint32Array(options.random(8).buffer.slice(0, 8));
    this.#origin = { id: String((BigInt(high >>> 1) << 32n) | BigInt(low)), version: 0 };
  }

  /** SHA-256 of the certificate that the peer's description names, once it came. */
  get fingerprint(): string | undefined {
    return this.#fingerprint;
  }

  /** An answer to an offer of this end is awaited. */
  get awaitsAnswer(): boolean {
    return this.#offered !== undefined;
  }

  get workerPid(): number | undefined {
    return this.#connection?.workerPid;
  }

  /** Names the present ICE credentials. */
  get iceTag(): string {
    return this.#connection?.ice.usernameFragment ?? "none";
  }

  /** The streams to the peer, for the call. */
  get streams(): LegStreams {
    const streamOf = (kind: MediaKind) => {
      const outgoing = this.#outgoing.get(kind);
      return outgoing && { ssrc: outgoing.ssrc, payloadType: outgoing.payloadType };
    };
    const [audio, video] = [streamOf("audio"), streamOf("video")];
    const settled = this.#settled;
    return {
      toPeer: { ...(audio && { audio }), ...(video && { video }) },
      fromPeer: [
        ...(peerSends(settled?.audio) ? (["audio"] as const) : []),
        ...(peerSends(settled?.video?.direction) ? (["video"] as const) : []),
      ],
      pictures: settled?.video?.format,
      levelId: EXTENSION_IDS.audioLevel,
    };
  }

  /** Opens it for what was offered; gives the answer. Throws `webrtc-unavailable`. */
  async answer(offer: RemoteDescription, settled: SettledMedia): Promise<LocalDescription> {
    this.#settled = settled;
    const codecs = settledCodecs(offer, settled);
    const connection = await this.#open(codecs, settled.data);
    const taken: Taken[] = [];
    for (const kind of ["audio", "video"] as const) {
      const section = sectionOf(offer, kind);
      const direction = kind === "audio" ? settled.audio : settled.video?.direction;
      const codec = codecs.find(({ mimeType }) => mimeType.startsWith(`${kind}/`));
      if (section === undefined || direction === undefined || codec === undefined) continue;
      const own = { ...section, codecs: codecs.filter(({ mimeType }) => mimeType.startsWith(`${kind}/`)) };
      if (peerSends(direction)) await connection.receive(own);
      const sends = peerReceives(direction)
        ? await this.#send(connection, { ...own, mid: sentMid(own.mid, offer.mappedExtensions) })
        : undefined;
      const { payloadType } = codec;
      taken.push({ kind, payloadType, receives: peerSends(direction), ...(sends && { sends }) });
    }
    await this.#connect(connection, offer);
    const setup = offer.setup === "passive" ? "active" : "passive";
    const { sctpPort } = connection;
    const data = sctpPort === undefined ? undefined : { sctpPort, maxMessageSize: MAX_MESSAGE_BYTES };
    return this.#describe(setup, answeredSections(offer, taken, data));
  }

  /** Opens it for what is to be offered; gives the offer, for {@link answered}. Throws `webrtc-unavailable`. */
  async offer(settled: SettledMedia): Promise<LocalDescription> {
    this.#settled = settled;
    const codecs = ownCodecs(settled);
    const connection = await this.#open(codecs, settled.data);
    const sections: Section[] = [];
    for (const kind of ["audio", "video"] as const) {
      const direction = kind === "audio" ? settled.audio : settled.video?.direction;
      if (direction === undefined) continue;
      const section = {
        ...{ kind, mid: String(sections.length), headerExtensions: offeredExtensions(kind) },
        codecs: codecs.filter(({ mimeType }) => mimeType.startsWith(`${kind}/`)),
      };
      const sends = peerReceives(direction) ? await this.#send(connection, section) : undefined;
      sections.push({
        ...section,
        direction: peerSends(direction) ? (sends ? "sendrecv" : "recvonly") : "sendonly",
        ...(sends && { sends }),
      });
    }
    const { sctpPort } = connection;
    if (sctpPort !== undefined)
      sections.push({
        ...{ kind: "data", mid: String(sections.length), sctpPort, maxMessageSize: MAX_MESSAGE_BYTES },
      });
    return this.#offer(sections);
  }

  /** Reads the answer to the offer of this end, and holds it to what it has to be. Faults: `sdp-malformed`, `codec-unsupported`, `session-state-conflict`. */
  read(sdp: string): Result<RemoteDescription> {
    if (this.#offered === undefined)
      return refuse("session-state-conflict", "No answer is awaited: there is no offer of this end.", "sdp");
    return readAnswer(sdp, this.#offered);
  }

  /** Takes that answer. */
  async answered(answer: RemoteDescription): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#offered = undefined;
    if (this.#fingerprint !== undefined) return;
    for (const section of answer.sections) {
      if (section.kind === "none" || section.kind === "data") continue;
      if (peerSends(section.direction)) await connection.receive(section);
    }
    await this.#connect(connection, answer);
  }

  /** New ICE credentials of this end. `isOffer`: in an offer of this end. */
  async restart(isOffer: boolean): Promise<LocalDescription> {
    await this.#connection?.restartIce();
    return isOffer ? this.#offer(this.#sections) : this.#describe("passive", this.#sections);
  }

  write(kind: MediaKind, packet: Uint8Array): void {
    this.#outgoing.get(kind)?.write(packet);
  }

  report(kind: MediaKind, rtcp: Uint8Array): void {
    this.#outgoing.get(kind)?.report(rtcp);
  }

  requestKeyFrame(): void {
    this.#connection?.requestKeyFrame();
  }

  limitIncoming(bitsPerSecond: number): void {
    this.#connection?.limitIncoming(bitsPerSecond).catch((error: unknown) => {
      // The connection may end meanwhile.
      if (this.#connection?.end === undefined) this.#options.report(error);
    });
  }

  sendMessage(stream: number, message: string | Uint8Array): boolean {
    if (this.#connection !== undefined) return this.#connection.sendMessage(stream, message);
    if (this.#isClosed || this.#early.length >= MOST_EARLY) return false;
    this.#early.push({ stream, message });
    return true;
  }

  waiting(stream: number): number {
    return this.#connection?.waiting(stream) ?? 0;
  }

  /** Ends it. What was said on the control channel before still leaves, where the peer can be reached in a short time. */
  async close(reason: PeerEnd): Promise<void> {
    this.#isClosed = true;
    const connection = this.#connection;
    if (connection === undefined || connection.end !== undefined) return;
    const { clock } = this.#options;
    const latest = clock.now() + LAST_WORD_MS;
    const pause = (ms: number) => new Promise<void>((resolve) => clock.at(clock.now() + ms, () => resolve()));
    const isDue = () => this.#fingerprint !== undefined && connection.end === undefined;
    const isSaid = () => this.#isConnected && connection.waiting(CHANNELS.control) === 0;
    while (isDue() && !isSaid() && clock.now() < latest) await pause(LOOK_MS);
    await pause(LEAVING_MS);
    connection.close(reason);
  }

  async #open(
    codecs: Parameters<typeof PeerConnection.open>[1]["codecs"],
    data: boolean,
  ): Promise<PeerConnection> {
    const { handlers, workers } = this.#options;
    const channels = data ? DATA_CHANNELS : [];
    const connection = await PeerConnection.open(
      workers,
      { codecs, channels },
      {
        ...handlers,
        connected: () => {
          this.#isConnected = true;
          handlers.connected?.();
        },
      },
    );
    if (this.#isClosed) {
      connection.close("cancelled");
      throw new ParleyError({ code: "cancelled", message: "It was ended meanwhile." });
    }
    this.#connection = connection;
    for (const { stream, message } of this.#early.splice(0)) connection.sendMessage(stream, message);
    return connection;
  }

  async #send(
    connection: PeerConnection,
    section: Pick<MediaSection, "kind" | "mid" | "codecs" | "headerExtensions">,
  ): Promise<NonNullable<MediaSection["sends"]>> {
    const outgoing = await connection.send({ ...section, cname: NAME });
    this.#outgoing.set(section.kind, outgoing);
    return { ...outgoing.sends, stream: { stream: NAME } };
  }

  async #connect(connection: PeerConnection, remote: RemoteDescription): Promise<void> {
    this.#fingerprint = sha256Of(remote.fingerprints);
    await connection.connect(remote.fingerprints, remote.setup);
  }

  #offer(sections: readonly Section[]): LocalDescription {
    this.#offered = this.#describe("actpass", sections);
    return this.#offered;
  }

  #describe(setup: LocalDescription["setup"], sections: readonly Section[]): LocalDescription {
    const connection = this.#connection;
    if (connection === undefined) throw new TypeError("Nothing is open that could be described.");
    this.#sections = sections;
    this.#origin.version += 1;
    const { ice, candidates, fingerprints } = connection;
    return { origin: { ...this.#origin }, ice, candidates, fingerprints, setup, sections };
  }
}

/** Whether an answer names the certificate that the offer before it named, where there was one. Faults: `fingerprint-mismatch`. */
export function sameCertificate(known: string | undefined, answer: RemoteDescription): Result<void> {
  if (known === undefined || known === sha256Of(answer.fingerprints)) return ok(undefined);
  return refuse(
    "fingerprint-mismatch",
    "The answer names another certificate than the peer did before.",
    "sdp",
  );
}
