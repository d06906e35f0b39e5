import type { FrameProfile } from "../codecs/frame.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import { MAX_STREAMS } from "../signaling/offer.ts";
import type { Modality } from "../signaling/scope.ts";
import { streamIn, type Terms } from "../signaling/terms.ts";
import type { AudioMedia } from "./audio-media.ts";
import type { AudioReceiver } from "./audio-receiver.ts";
import type { AudioSender } from "./audio-sender.ts";
import { CallAudio } from "./call-audio.ts";
import type { CallData } from "./call-data.ts";
import type { FramesRefused } from "./call-events.ts";
import type { CallHop } from "./call-hop.ts";
import { CallVideos } from "./call-videos.ts";
import type { DataMedia } from "./data-media.ts";
import { isOwnLabel } from "./data-offer.ts";
import { type FrameFate, type FrameWatch, guarded, refusedSequences } from "./frame-fate.ts";
import type { PeerClock } from "./heard-row.ts";
import type { MediaPort } from "./media-port.ts";
import { EndingStreams, statementsLost } from "./stream-ending.ts";
import { checkEntry, checkLayout, checkStream } from "./stream-layout.ts";
import type { StreamLine } from "./stream-line.ts";
import { hopFor, makeStream, sentBits } from "./stream-making.ts";
import type {
  HeardPlace,
  StreamMedia,
  StreamMediaContext,
  StreamWatch,
  Unattributed,
} from "./stream-media.ts";
import type { StatementPlace, StreamParameters } from "./stream-parameters.ts";
import { placeOf, tagKeysOf } from "./stream-parts.ts";
import type { StreamTotals } from "./stream-totals.ts";
import type { VideoMedia } from "./video-media.ts";

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
  const { session, leg } = options;
  const streams = options.streams.filter(({ isClosed }) => !isClosed);
  checkLayout(session.terms, leg, streams);
  const media = new CallMedia(options);
  media.layOut(streams);
  await media.ready();
  return media;
}

/** The media of one call: its streams, each with what this end sends and hears there, and the flows that they are bound to. */
export class CallMedia {
  readonly #options: CallMediaOptions;
  readonly #context: StreamMediaContext;
  readonly #streams = new Map<number, StreamMedia>();
  #lines: StreamLine[] = [];
  /** Where streams are on the present connection that are not made yet. */
  readonly #layout = new Map<number, readonly StreamParameters[]>();
  readonly #opening = new Map<number, Promise<void>>();
  /** Who waits for streams that are to be made. */
  readonly #waiters = new Map<number, PromiseWithResolvers<StreamMedia>>();
  readonly #ending: EndingStreams;
  readonly #watched: FrameWatch | undefined;
  readonly #silent: CallAudio;
  /** Its pictures. */
  readonly videos: CallVideos;
  #hop: CallHop | undefined;
  /** `undefined` while the call has no connection. */
  #port: MediaPort | undefined;
  #terms: Terms;
  #peerClock: PeerClock;
  #isHeld = false;
  #peer: "here" | "to-come" | "away" = "here";
  #mayTransmit: (modality: Modality) => boolean = () => true;
  #mayBeHeard: (modality: Modality) => boolean = () => true;
  #watch: StreamWatch | undefined;
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
    this.#port = options.port;
    this.#terms = session.terms;
    this.#peerClock = options.peerClock;
    this.#profile = session.terms.profile;
    this.#peerKey = session.peer.mediaKey;
    this.#watched = watch && guarded(watch, report);
    this.videos = new CallVideos(report, platform.clock);
    this.#context = {
      ...options,
      tagKeys: tagKeysOf(options),
      tap: tap && guarded(tap, report),
      outgoing: outgoing && guarded(outgoing, report),
      watch: (fate) => this.#saw(fate),
      hop: () => this.#liveHop(),
      control: {
        mute: (stream, isMuted) => {
          this.#streams.get(stream)?.mute(isMuted);
          this.#watch?.control.mute(stream, isMuted);
        },
        hold: (stream, isHeld) => {
          this.#streams.get(stream)?.want(!isHeld);
          this.#watch?.control.hold(stream, isHeld);
        },
        requestKeyFrame: (stream) => this.#keyFrameWanted(stream),
        show: (source, rendition) => this.#watch?.control.show(source, rendition),
        close: async (stream) => await this.#watch?.control.close(stream),
      },
      heard: (heard) => this.videos.heard(heard),
      slowReader: (stream, isSlow) => this.#slowReader(stream, isSlow),
      unattributed: (frames) => this.#unattributed(frames),
      // Of further voices nobody asks how far they were heard, and none is interrupted.
      interrupted: (bytes, stream) => stream === this.#voice?.stream && this.#interrupted(bytes),
      receipt: (bytes, stream) => stream === this.#voice?.stream && this.#receipt(bytes),
    };
    this.#ending = new EndingStreams({
      clock: platform.clock,
      isAttached: () => this.#port !== undefined,
      dropped: (lines) => {
        this.#lines = this.#lines.filter((line) => !lines.includes(line));
      },
      report,
    });
    this.#silent = new CallAudio({
      ...{ sends: undefined, hears: undefined, sender: undefined },
      clock: platform.clock,
      report,
    });
  }

  /** All of its streams, by their numbers. */
  get streams(): readonly StreamMedia[] {
    return [...this.#streams.values()].sort((a, b) => a.stream - b.stream);
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

  /** What each stream counts, and what those that are over counted. */
  get totals(): readonly StreamTotals[] {
    return [this.#ending.totals, ...this.streams.map(({ totals }) => totals)];
  }

  /** How far each reliable stream was heard. */
  get heardPlaces(): readonly HeardPlace[] {
    return this.streams.map(({ heardPlace }) => heardPlace).filter((place) => place !== undefined);
  }

  /** The server can have everything that this end stated: a closing statement that counts it holds. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Who is told of streams that come and go, and does what they ask for. */
  watchWith(watch: StreamWatch): void {
    this.#watch = watch;
  }

  /** Where streams lie on the present connection, as the server says: those of the terms in force are made, the others once terms name them. */
  layOut(entries: readonly StreamParameters[]): void {
    if (this.#port === undefined) return;
    for (const stream of new Set(entries.map((entry) => entry.stream))) {
      const isKnown = this.#streams.has(stream) || this.#layout.has(stream);
      const mine = entries.filter((entry) => entry.stream === stream && !entry.isClosed);
      const hasRoom = this.#layout.size < MAX_STREAMS;
      if (!isKnown && hasRoom && mine.length > 0) this.#layout.set(stream, mine);
    }
    this.#openAll();
  }

  /** Streams are those of these terms from now on: what was opened is made as it was laid out, what was closed ends, by `closer`. */
  follow(terms: Terms, closer: 0 | 1 | undefined): void {
    this.#terms = terms;
    for (const media of this.streams)
      if (streamIn(terms, media.stream) === undefined) this.#end(media, closer === this.#options.leg);
    this.#hop?.useStreams(sentBits(terms, this.#options.leg));
    this.#openAll();
  }

  /** Resolves when nothing of what is laid out is still to be made. Throws `session-core-mismatch`, `proposal-rejected`. */
  async ready(): Promise<void> {
    await Promise.all(this.#opening.values());
  }

  /** Resolves with a stream once it is made. Throws what that fails with, and `closed` where it is closed before. */
  async opened(stream: number): Promise<StreamMedia> {
    const present = this.#streams.get(stream);
    if (present !== undefined) return present;
    const waiter = this.#waiters.get(stream) ?? Promise.withResolvers<StreamMedia>();
    this.#waiters.set(stream, waiter);
    return await waiter.promise;
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

  /** A stream of video. */
  video(stream: number): VideoMedia | undefined {
    const media = this.#streams.get(stream);
    return media?.modality === "video" ? (media as VideoMedia) : undefined;
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
    this.#isHeld = true;
    for (const media of this.streams) media.hold();
  }

  release(): void {
    this.#isHeld = false;
    for (const media of this.streams) media.release();
  }

  /** The call has no connection: what is said waits for a moment, then goes nowhere, and nothing comes. Idempotent. */
  detach(): void {
    this.#port = undefined;
    this.#layout.clear();
    this.#hop?.detach();
    for (const line of this.#lines) line.detach();
    for (const media of this.streams) media.detach();
  }

  /**
   * It goes on over another connection, by these flows there, where the server has this end's statements as far as `statements` say.
   * Throws `session-core-mismatch`.
   */
  attach(port: MediaPort, streams: readonly StreamParameters[], statements: readonly StatementPlace[]): void {
    const { leg, report } = this.#options;
    for (const entry of streams) {
      // What was opened since is held to the terms that name it, once they are here.
      const isAgreed = !entry.isClosed && streamIn(this.#terms, entry.stream) !== undefined;
      if (isAgreed) checkEntry(this.#terms, leg, entry);
    }
    this.#port = port;
    for (const entry of streams) {
      const line = this.#lines.find(
        (one) => one.stream === entry.stream && one.direction === entry.direction,
      );
      if (line?.attach(port, entry, placeOf(statements, entry)) !== false) continue;
      this.#isWhole = false;
      report(statementsLost(entry));
    }
    this.#ending.keepOnly(streams.map(({ stream }) => stream));
    this.#hop?.attach();
    for (const media of this.streams) {
      const mine = streams.filter(({ stream }) => stream === media.stream);
      if (mine.length > 0) media.attach(mine);
    }
    this.layOut(streams);
  }

  /** The other end's media is signed with another key from now on. */
  takeKey(key: MediaKey): void {
    this.#peerKey = key;
    const expiresAt = this.#terms.expires_at * 1000;
    for (const media of this.streams) media.takeKey(key, this.#profile, expiresAt);
  }

  /** The other end has no connection for its media yet, as the call begins: what is said waits for `peerCame`. */
  peerIsToCome(): void {
    this.#peer = "to-come";
    for (const media of this.streams) media.peerIsToCome();
  }

  /** Nothing can come of the other end, since it has no connection; or it has one again. Idempotent. */
  peerLeft(): void {
    this.#peer = "away";
    for (const media of this.streams) media.peerLeft();
  }

  peerCame(received: readonly HeardPlace[]): void {
    this.#peer = "here";
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
    this.#peerClock = clock;
    for (const media of this.streams) media.takeClock(clock);
  }

  /** This end sends what is of a modality that `mayTransmit` lets pass. */
  permit(mayTransmit: (modality: Modality) => boolean): void {
    this.#mayTransmit = mayTransmit;
    for (const media of this.streams) media.permit(mayTransmit(media.modality));
  }

  /** By the terms of this number the other end sends what is of a modality that `mayTransmit` lets pass. */
  underTerms(termsNumber: number, mayTransmit: (modality: Modality) => boolean): void {
    this.#mayBeHeard = mayTransmit;
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
      for (const media of this.streams) {
        media.finish();
        media.handle.ended();
      }
      this.#ending.finish();
      for (const [stream, { reject }] of this.#waiters) {
        this.#waiters.delete(stream);
        reject(new ParleyError({ code: "closed", message: "The call has ended." }));
      }
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

  /** Makes what the terms name, and what is laid out and not made yet. */
  #openAll(): void {
    const port = this.#port;
    if (port === undefined || this.#isFinished) return;
    for (const { stream } of this.#terms.streams) {
      const entries = this.#layout.get(stream);
      if (entries === undefined || this.#streams.has(stream) || this.#opening.has(stream)) continue;
      this.#layout.delete(stream);
      const opening = this.#make(stream, port, entries).finally(() => {
        this.#opening.delete(stream);
        this.#openAll();
      });
      this.#opening.set(stream, opening);
      opening.catch((error: unknown) => {
        this.#waiters.get(stream)?.reject(error);
        this.#waiters.delete(stream);
        this.#watch?.failed(stream, error);
      });
    }
  }

  async #make(stream: number, port: MediaPort, entries: readonly StreamParameters[]): Promise<void> {
    checkStream(this.#terms, this.#options.leg, stream, entries);
    const [profile, key] = [this.#profile, this.#peerKey];
    const { media, lines } = await makeStream(this.#contextOf(stream), this.videos, stream, port, entries);
    if (this.#isFinished || this.#port !== port || streamIn(this.#terms, stream) === undefined) {
      for (const line of lines) line.detach();
      media.finish();
      return;
    }
    this.#lines = [...this.#lines, ...lines];
    this.#streams.set(stream, media);
    if (key !== this.#peerKey) media.takeKey(this.#peerKey, this.#profile, this.#terms.expires_at * 1000);
    if (profile !== this.#profile) media.useProfile(this.#profile, this.#terms.number, this.#peerKey);
    media.permit(this.#mayTransmit(media.modality));
    media.underTerms(this.#terms.number, this.#mayBeHeard(media.modality));
    if (this.#isHeld) media.hold();
    if (this.#peer === "to-come") media.peerIsToCome();
    else if (this.#peer === "away") media.peerLeft();
    this.#waiters.get(stream)?.resolve(media);
    this.#waiters.delete(stream);
    this.#watch?.opened(media);
  }

  #end(media: StreamMedia, isOwn: boolean): void {
    this.#streams.delete(media.stream);
    media.handle.ended();
    this.#watch?.closed(media);
    const lines = this.#lines.filter((line) => line.stream === media.stream);
    this.#ending.add(media, lines, isOwn);
  }

  /** What the media of a stream is made with: of one that is opened in mid-call, as things are now. */
  #contextOf(stream: number): StreamMediaContext {
    const { session, streams } = this.#options;
    if (streams.some((entry) => entry.stream === stream)) return this.#context;
    const peer = { ...session.peer, mediaKey: this.#peerKey };
    return {
      ...this.#context,
      session: { ...session, terms: this.#terms, peer },
      peerClock: this.#peerClock,
      statements: undefined,
    };
  }

  #liveHop(): CallHop {
    const { leg, platform } = this.#options;
    this.#hop ??= hopFor(this.#terms, leg, platform.clock);
    return this.#hop;
  }

  #saw(fate: FrameFate): void {
    if (fate.fate === "verified" || fate.fate === "late")
      for (const media of this.#streams.values()) media.peerSeen();
    this.#watched?.(fate);
  }
}
