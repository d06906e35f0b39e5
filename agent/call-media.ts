import type { FrameProfile } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { MAX_DATAGRAM_BYTES } from "../sfu/carrier.ts";
import { legBitrate } from "../sfu/media-leg.ts";
import { DATA_RATE } from "../signaling/data-stream.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import type { Modality } from "../signaling/scope.ts";
import { type AudioMedia, openAudioMedia, RATE_HEADROOM } from "./audio-media.ts";
import type { AudioReceiver } from "./audio-receiver.ts";
import type { AudioSender } from "./audio-sender.ts";
import { CallAudio } from "./call-audio.ts";
import type { CallData } from "./call-data.ts";
import type { FramesRefused } from "./call-events.ts";
import { CallHop } from "./call-hop.ts";
import type { StreamFacts } from "./call-stream.ts";
import { CallVideos } from "./call-videos.ts";
import { type DataMedia, openDataMedia } from "./data-media.ts";
import { isOwnLabel } from "./data-offer.ts";
import { type FrameFate, type FrameWatch, guarded, refusedSequences } from "./frame-fate.ts";
import type { PeerClock } from "./heard-row.ts";
import type { MediaPort } from "./media-port.ts";
import { checkLayout } from "./stream-layout.ts";
import { StreamLine } from "./stream-line.ts";
import type {
  HeardPlace,
  StreamMedia,
  StreamMediaContext,
  StreamSide,
  StreamTotals,
  Unattributed,
} from "./stream-media.ts";
import type { StatementPlace, StreamParameters } from "./stream-parameters.ts";
import { placeOf, tagKeysOf } from "./stream-parts.ts";
import { openVideoMedia, type VideoMedia } from "./video-media.ts";

export interface CallMediaOptions
  extends Omit<
    StreamMediaContext,
    | "tagKeys"
    | "watch"
    | "hop"
    | "control"
    | "heard"
    | "unattributed"
    | "interrupted"
    | "receipt"
    | "slowReader"
  > {
  readonly port: MediaPort;
  /** As the server laid them out; what they repeat of the signed terms is checked against those. */
  readonly streams: readonly StreamParameters[];
  readonly watch?: FrameWatch | undefined;
}

/** Builds the media of a checked session and claims its flows. Throws `session-core-mismatch`. */
export async function openCallMedia(options: CallMediaOptions): Promise<CallMedia> {
  const { session, leg, streams, port } = options;
  checkLayout(session.terms, leg, streams);
  const media = new CallMedia(options);
  const ids = [...new Set(streams.map(({ stream }) => stream))];
  for (const stream of ids) {
    await media.add(
      port,
      streams.filter((entry) => entry.stream === stream),
    );
  }
  return media;
}

/** The media of one call: its streams, each with what this end sends and hears there, and the flows that they are bound to. */
export class CallMedia {
  readonly #options: CallMediaOptions;
  readonly #context: StreamMediaContext;
  readonly #streams = new Map<number, StreamMedia>();
  readonly #lines: StreamLine[] = [];
  readonly #watched: FrameWatch | undefined;
  readonly #silent: CallAudio;
  /** Its pictures. */
  readonly videos: CallVideos;
  #hop: CallHop | undefined;
  #profile: FrameProfile;
  #peerKey: MediaKey;
  #unattributed: (frames: Unattributed) => void = () => {};
  #interrupted: (bytes: Uint8Array) => void = () => {};
  #receipt: (bytes: Uint8Array) => void = () => {};
  #keyFrameWanted: (stream: number) => void = () => {};
  #slowReader: (stream: number, isSlow: boolean) => void = () => {};
  #isWhole = true;
  #isFinished = false;

  /** @internal See {@link openCallMedia}. */
  constructor(options: CallMediaOptions) {
    const { tap, watch, outgoing, report, session, platform } = options;
    this.#options = options;
    this.#profile = session.terms.profile;
    this.#peerKey = session.peer.mediaKey;
    this.#watched = watch && guarded(watch, report);
    this.videos = new CallVideos(report);
    this.#context = {
      ...options,
      tagKeys: tagKeysOf(options),
      tap: tap && guarded(tap, report),
      outgoing: outgoing && guarded(outgoing, report),
      watch: (fate) => this.#saw(fate),
      hop: () => this.#liveHop(),
      control: {
        mute: (stream, isMuted) => this.#streams.get(stream)?.mute(isMuted),
        requestKeyFrame: (stream) => this.#keyFrameWanted(stream),
      },
      heard: (heard) => this.videos.heard(heard),
      unattributed: (frames) => this.#unattributed(frames),
      interrupted: (bytes) => this.#interrupted(bytes),
      receipt: (bytes) => this.#receipt(bytes),
      slowReader: (stream, isSlow) => this.#slowReader(stream, isSlow),
    };
    this.#silent = new CallAudio({
      ...{ sends: undefined, hears: undefined, sender: undefined },
      clock: platform.clock,
      report,
    });
  }

  /** All of its streams. */
  get streams(): readonly StreamMedia[] {
    return [...this.#streams.values()];
  }

  /** The voice: the first stream of audio; one without either direction in a call that has none. */
  get audio(): CallAudio {
    return this.#voice?.audio ?? this.#silent;
  }

  get sender(): AudioSender | undefined {
    return this.#voice?.sender;
  }

  get receiver(): AudioReceiver | undefined {
    return this.#voice?.receiver;
  }

  /** The first stream of data that is the application's; undefined in a call that has none. */
  get messages(): DataMedia | undefined {
    return this.#dataStreams.find(({ data }) => !isOwnLabel(data.label));
  }

  /** All streams of data. */
  get data(): readonly CallData[] {
    return this.#dataStreams.map(({ data }) => data);
  }

  /** The way of live media to the server; none in a call without. */
  get hop(): CallHop | undefined {
    return this.#hop;
  }

  /** What each stream counts. */
  get totals(): readonly StreamTotals[] {
    return this.streams.map(({ totals }) => totals);
  }

  /** How far each reliable stream was heard. */
  get heardPlaces(): readonly HeardPlace[] {
    return this.streams.map(({ heardPlace }) => heardPlace).filter((place) => place !== undefined);
  }

  /** The server can have everything that this end stated: a closing statement that counts it holds. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Makes the media of one stream, laid out so, and claims its flows on `port`. */
  async add(port: MediaPort, entries: readonly StreamParameters[]): Promise<StreamMedia | undefined> {
    const [first] = entries;
    if (first === undefined) return undefined;
    const { stream: id, modality } = first;
    const directions = entries.map((entry) => entry.direction);
    const direction = directions.length > 1 ? "sendrecv" : directions[0] === "send" ? "sendonly" : "recvonly";
    const media = await this.#open({ id, modality, direction }, port, entries);
    this.#streams.set(media.stream, media);
    return media;
  }

  /** `take` gets the interrupts that the server hands on beside the statements of a voice, unproved. */
  interruptedWith(take: (bytes: Uint8Array) => void): void {
    this.#interrupted = take;
  }

  /** `take` gets frames of profile `chain` that were not attributed in time. */
  unattributedWith(take: (unattributed: Unattributed) => void): void {
    this.#unattributed = take;
  }

  /** `take` gets the receipts of the other end for what this end says, unproved. */
  receiptsWith(take: (bytes: Uint8Array) => void): void {
    this.#receipt = take;
  }

  /** `take` asks the other end for a key frame of a stream. */
  keyFramesWith(take: (stream: number) => void): void {
    this.#keyFrameWanted = take;
  }

  /** The other end, or a relay, asks for a key frame of a stream that this end sends. */
  keyFrameAsked(stream: number): void {
    const media = this.#streams.get(stream);
    if (media?.modality === "video")
      (media as VideoMedia).sender?.askKeyFrame(this.#hop?.stats.estimate?.roundTrip);
  }

  /** `take` is told when the reader of a stream of data takes less than comes, and when it has caught up. */
  slowReaderWith(take: (stream: number, isSlow: boolean) => void): void {
    this.#slowReader = take;
  }

  /** Tells the watcher, if there is one, what the relay refused. */
  refusedByRelay(refused: FramesRefused): void {
    const entry = this.#lines.find(({ flow }) => flow === refused.flow);
    if (this.#watched === undefined || entry === undefined) return;
    const direction = entry.direction === "send" ? "sent" : "heard";
    const { stream } = entry;
    const { reason } = refused;
    const at = this.#options.platform.clock.now();
    for (const sequence of refusedSequences(refused))
      this.#watched({ direction, stream, sequence, fate: "refused", reason, at });
  }

  /** Sends and plays nothing until `release`, and keeps nothing of a voice for then: the call is suspended. Idempotent. */
  hold(): void {
    for (const media of this.streams) media.hold();
  }

  release(): void {
    for (const media of this.streams) media.release();
  }

  /** The call has no connection: what is said waits for a moment, then goes nowhere, and nothing comes. Idempotent. */
  detach(): void {
    this.#hop?.detach();
    for (const line of this.#lines) line.detach();
    for (const media of this.streams) media.detach();
  }

  /**
   * It goes on over another connection, by these flows there, where the server has this end's statements as far as `statements` say.
   * Throws `session-core-mismatch`.
   */
  attach(port: MediaPort, streams: readonly StreamParameters[], statements: readonly StatementPlace[]): void {
    const { session, leg, report } = this.#options;
    checkLayout(session.terms, leg, streams);
    for (const entry of streams) {
      const line = this.#lines.find(
        (one) => one.stream === entry.stream && one.direction === entry.direction,
      );
      if (line?.attach(port, entry, placeOf(statements, entry)) !== false) continue;
      this.#isWhole = false;
      report(statementsLost(entry));
    }
    this.#hop?.attach();
    for (const media of this.streams) media.attach(streams.filter(({ stream }) => stream === media.stream));
  }

  /** The other end's media is signed with another key from now on. */
  takeKey(key: MediaKey): void {
    this.#peerKey = key;
    const expiresAt = this.#options.session.terms.expires_at * 1000;
    for (const media of this.streams) media.takeKey(key, this.#profile, expiresAt);
  }

  /** The other end has no connection for its media yet, as the call begins: what is said waits for `peerCame`. */
  peerIsToCome(): void {
    for (const media of this.streams) media.peerIsToCome();
  }

  /** Nothing can come of the other end, since it has no connection; or it has one again. Idempotent. */
  peerLeft(): void {
    for (const media of this.streams) media.peerLeft();
  }

  peerCame(received: readonly HeardPlace[]): void {
    for (const media of this.streams) media.peerCame(received);
  }

  /** Frames are of this profile from now on in both directions, by the terms of this number; those on their way are of the one before. */
  useProfile(profile: FrameProfile, termsNumber: number): void {
    if (profile === this.#profile) return;
    this.#profile = profile;
    for (const media of this.streams) media.useProfile(profile, termsNumber, this.#peerKey);
  }

  /** Both ends agree to this profile: the other one may use it before this end is told that it is in force. */
  expectProfile(profile: FrameProfile): void {
    for (const media of this.streams) media.expectProfile(profile);
  }

  /** The other end goes by another clock from now on. */
  takeClock(clock: PeerClock): void {
    for (const media of this.streams) media.takeClock(clock);
  }

  /** This end sends what is of a modality that `mayTransmit` lets pass. */
  permit(mayTransmit: (modality: Modality) => boolean): void {
    for (const media of this.streams) media.permit(mayTransmit(media.modality));
  }

  /** By the terms of this number the other end sends what is of a modality that `mayTransmit` lets pass. */
  underTerms(termsNumber: number, mayTransmit: (modality: Modality) => boolean): void {
    for (const media of this.streams) media.underTerms(termsNumber, mayTransmit(media.modality));
  }

  /** Signs what has fallen due; the call's timer runs it. */
  poll(now: number): void {
    for (const media of this.streams) media.poll(now);
  }

  /**
   * Signs what is still owed (final checkpoint, final receipt), once, and resolves when the carrier took all of it. Over a connection that
   * came after, what the server lacks went again: told once more, this waits for that.
   */
  async finish(): Promise<void> {
    if (!this.#isFinished) {
      this.#isFinished = true;
      for (const media of this.streams) media.finish();
      this.#silent.finish();
      this.#hop?.detach();
    }
    await Promise.all(this.#lines.map((line) => line.finish()));
  }

  get #dataStreams(): readonly DataMedia[] {
    return this.streams.filter((media): media is DataMedia => media.modality === "data");
  }

  get #voice(): AudioMedia | undefined {
    return this.streams.find((media): media is AudioMedia => media.modality === "audio");
  }

  async #open(
    facts: StreamFacts,
    port: MediaPort,
    entries: readonly StreamParameters[],
  ): Promise<StreamMedia> {
    const sides = <Entry extends StreamParameters>(modality: Entry["modality"]) => {
      const side = (direction: StreamParameters["direction"]): StreamSide<Entry> | undefined => {
        const entry = entries.find(
          (one): one is Entry => one.direction === direction && one.modality === modality,
        );
        return entry && { entry, line: this.#lineOf(port, entry) };
      };
      return { sends: side("send"), hears: side("receive") };
    };
    switch (entries[0]?.modality) {
      case "audio":
        return await openAudioMedia(this.#context, facts, sides("audio"));
      case "video":
        return openVideoMedia(this.#context, facts, sides("video"), this.videos);
      default:
        return openDataMedia(this.#context, facts, sides("data"));
    }
  }

  #lineOf(port: MediaPort, entry: StreamParameters): StreamLine {
    const line = new StreamLine(port, entry, placeOf(this.#options.statements, entry).nextIndex);
    this.#lines.push(line);
    return line;
  }

  #liveHop(): CallHop {
    this.#hop ??= this.#makeHop();
    return this.#hop;
  }

  #makeHop(): CallHop {
    const { streams, platform } = this.#options;
    const sends = streams.find(({ modality, direction }) => modality === "audio" && direction === "send");
    const spoken = sends?.modality === "audio" ? (1000 / sends.frameMs) * RATE_HEADROOM : 0;
    const latest = streams.filter(
      (entry) => entry.modality === "data" && entry.delivery === "latest" && entry.direction === "send",
    );
    const framesPerSecond = spoken + latest.length * DATA_RATE.messagesPerSecond;
    return new CallHop({
      clock: platform.clock,
      ssrc: sends?.ssrc ?? 0,
      bitrate: legBitrate(framesPerSecond * MAX_DATAGRAM_BYTES * 8),
      tooLarge: (line, packet) => void line.writeFrame(packet),
    });
  }

  #saw(fate: FrameFate): void {
    if (fate.fate === "verified" || fate.fate === "late")
      for (const media of this.#streams.values()) media.peerSeen();
    this.#watched?.(fate);
  }
}

function statementsLost({ stream, direction }: StreamParameters): ParleyError {
  return new ParleyError({
    code: "checkpoint-broken",
    message: "What this end states about a stream cannot go on at the server: the evidence will lack it.",
    details: { stream, direction },
  });
}
