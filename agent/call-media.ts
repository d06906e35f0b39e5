import { ParleyError } from "../codecs/parley-error.ts";
import type { ScopeLimits } from "../signaling/scope.ts";
import { streamIn, type Terms } from "../signaling/terms.ts";
import { AgreedRates } from "./agreed-rates.ts";
import { silentAudio } from "./audio-making.ts";
import type { CallAudio } from "./call-audio.ts";
import type { FramesRefused } from "./call-events.ts";
import type { CallHop } from "./call-hop.ts";
import type { StreamControl } from "./call-stream.ts";
import { CallVideos } from "./call-videos.ts";
import { EveryStream } from "./every-stream.ts";
import { type FrameFate, type FrameWatch, guarded, refusedSequences } from "./frame-fate.ts";
import type { MediaPort } from "./media-port.ts";
import { EndingStreams, statementsLost } from "./stream-ending.ts";
import { checkEntry, checkLayout, checkStream } from "./stream-layout.ts";
import type { StreamLine } from "./stream-line.ts";
import { hopFor, makeStream, sentBits } from "./stream-making.ts";
import type { StreamMedia, StreamMediaContext, StreamWatch } from "./stream-media.ts";
import type { StatementPlace, StreamParameters } from "./stream-parameters.ts";
import { placeOf, tagKeysOf } from "./stream-parts.ts";
import type { StreamTotals } from "./stream-totals.ts";
import { StreamsToCome } from "./streams-to-come.ts";
import type { VoiceSender } from "./voice-ends.ts";

export interface CallMediaOptions
  extends Omit<
    StreamMediaContext,
    | "tagKeys"
    | "watch"
    | "hop"
    | "rates"
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
  /** Caps of what the server says that this end may do. */
  readonly authority: ScopeLimits;
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
export class CallMedia extends EveryStream {
  readonly #options: CallMediaOptions;
  readonly #context: StreamMediaContext;
  readonly #toCome: StreamsToCome;
  readonly #ending: EndingStreams;
  readonly #rates: AgreedRates;
  readonly #watched: FrameWatch | undefined;
  /** Its video. */
  readonly videos: CallVideos;
  #lines: StreamLine[] = [];
  #hop: CallHop | undefined;
  #limit: number | undefined;
  /** `undefined` while the call has no connection. */
  #port: MediaPort | undefined;
  readonly #silent: CallAudio;
  #watch: StreamWatch | undefined;
  #isWhole = true;
  #isFinished = false;

  /** @internal See {@link openCallMedia}. */
  constructor(options: CallMediaOptions) {
    const { authority, leg, tap, watch, outgoing, report, session, platform } = options;
    const { terms, peer } = session;
    const silent = silentAudio(platform.clock, report);
    super({ terms, key: peer.mediaKey, clock: options.peerClock, silent });
    this.#silent = silent;
    this.#options = options;
    this.#port = options.port;
    this.#watched = watch && guarded(watch, report);
    this.videos = new CallVideos(report, platform.clock);
    this.#rates = new AgreedRates({ clock: platform.clock, leg, terms, authority });
    this.#context = {
      ...options,
      tagKeys: tagKeysOf(options),
      tap: tap && guarded(tap, report),
      outgoing: outgoing && guarded(outgoing, report),
      watch: (fate) => this.#saw(fate),
      hop: () => this.#liveHop(),
      rates: this.#rates,
      control: this.#control(),
      heard: (heard) => this.videos.heard(heard),
      slowReader: (stream, isSlow) => this.#watch?.slowReader(stream, isSlow),
      unattributed: (frames) => this.#watch?.unattributed(frames),
      interrupted: (bytes) => this.#watch?.interrupted(bytes),
      receipt: (bytes, stream) => this.#watch?.receipt(bytes, stream),
    };
    this.#toCome = new StreamsToCome({
      agreed: () => this.terms.streams.map(({ stream }) => stream),
      isKnown: (stream) => this.stream(stream) !== undefined,
      make: (stream, entries) => this.#make(stream, entries),
      failed: (stream, error) => this.#watch?.failed(stream, error),
    });
    this.#ending = new EndingStreams({
      clock: platform.clock,
      isAttached: () => this.#port !== undefined,
      dropped: (lines) => {
        this.#lines = this.#lines.filter((line) => !lines.includes(line));
      },
      report,
    });
  }

  /** Who says the first voice that is open. */
  get sender(): VoiceSender | undefined {
    return this.voice()?.sender;
  }

  /** The way of live media to the server; none in a call without. */
  get hop(): CallHop | undefined {
    return this.#hop;
  }

  /** As much as a further way takes of what is heard here, bits a second; `undefined`: no bound. */
  get bound(): number | undefined {
    return this.#limit;
  }

  /** The server says that this end may do no more than these caps let it. */
  underAuthority(authority: ScopeLimits): void {
    this.#rates.underAuthority(authority);
  }

  limit(bitsPerSecond: number | undefined): void {
    this.#limit = bitsPerSecond;
    this.#hop?.limit(bitsPerSecond);
  }

  /** What each stream counts, and what those that are over counted. */
  get totals(): readonly StreamTotals[] {
    return [this.#ending.totals, ...this.streams.map(({ totals }) => totals)];
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
    this.#toCome.layOut(entries);
    this.#openAll();
  }

  /** Streams are those of these terms from now on: what was opened is made as it was laid out, what was closed ends, by `closer`. */
  follow(terms: Terms, closer: 0 | 1 | undefined): void {
    this.useTerms(terms);
    for (const media of this.streams)
      if (streamIn(terms, media.stream) === undefined) this.#end(media, closer === this.#options.leg);
    this.#toCome.dropClosed();
    this.#rates.underTerms(terms);
    this.#hop?.useStreams(sentBits(terms, this.#options.leg));
    this.#openAll();
  }

  /** Resolves when nothing of what is laid out is still to be made. Throws `session-core-mismatch`, `proposal-rejected`. */
  async ready(): Promise<void> {
    await this.#toCome.ready();
  }

  /** Resolves with a stream of the terms in force once it is made. Throws what that fails with, and `closed` where it is closed before. */
  async opened(stream: number): Promise<StreamMedia> {
    return this.stream(stream) ?? (await this.#toCome.opened(stream));
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

  /** The call has no connection: what is said waits for a moment, then goes nowhere, and nothing comes. Idempotent. */
  detach(): void {
    this.#port = undefined;
    this.#toCome.forgetLayout();
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
      const isAgreed = !entry.isClosed && streamIn(this.terms, entry.stream) !== undefined;
      if (isAgreed) checkEntry(this.terms, leg, entry);
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

  /**
   * Signs what is still owed (final checkpoint, final receipt), once, and resolves when the carrier took all of it. Over a connection that
   * came after, what the server lacks went again: told once more, this waits for that.
   */
  async finish(): Promise<void> {
    if (!this.#isFinished) {
      this.#isFinished = true;
      for (const media of this.streams) {
        media.finish();
        media.closed();
      }
      this.#ending.finish();
      this.#toCome.finish();
      this.#silent.finish();
      this.#hop?.detach();
    }
    await Promise.all(this.#lines.map((line) => line.finish()));
  }

  /** Makes what the terms name, and what is laid out and not made yet. */
  #openAll(): void {
    if (this.#port !== undefined && !this.#isFinished) this.#toCome.make();
  }

  /** `undefined` where it is not wanted any more by the time that it is made. */
  async #make(stream: number, entries: readonly StreamParameters[]): Promise<StreamMedia | undefined> {
    const port = this.#port;
    if (port === undefined || this.#isFinished) return undefined;
    checkStream(this.terms, this.#options.leg, stream, entries);
    const { beginning } = this;
    const { media, lines } = await makeStream(this.#contextOf(stream), this.videos, stream, port, entries);
    if (this.#isFinished || this.#port !== port || streamIn(this.terms, stream) === undefined) {
      for (const line of lines) line.detach();
      media.finish();
      return undefined;
    }
    this.#lines = [...this.#lines, ...lines];
    this.add(media, beginning);
    this.#watch?.opened(media);
    return media;
  }

  #end(media: StreamMedia, isOwn: boolean): void {
    this.remove(media);
    media.closed();
    this.#watch?.closed(media);
    const lines = this.#lines.filter((line) => line.stream === media.stream);
    this.#ending.add(media, lines, isOwn);
  }

  /** What the media of a stream is made with: of one that is opened in mid-call, as things are now. */
  #contextOf(stream: number): StreamMediaContext {
    const { session, streams } = this.#options;
    if (streams.some((entry) => entry.stream === stream)) return this.#context;
    const peer = { ...session.peer, mediaKey: this.beginning.key };
    const { peerClock, terms } = this;
    return { ...this.#context, session: { ...session, terms, peer }, peerClock, statements: undefined };
  }

  /** What streams have done, here and by who watches. */
  #control(): StreamControl {
    const watching = () => {
      if (this.#watch !== undefined) return this.#watch.control;
      throw new ParleyError({ code: "closed", message: "The call has not begun." });
    };
    return {
      mute: (stream, isMuted) => {
        this.stream(stream)?.mute(isMuted);
        this.#watch?.control.mute(stream, isMuted);
      },
      hold: (stream, isHeld) => {
        this.stream(stream)?.want(!isHeld);
        this.#watch?.control.hold(stream, isHeld);
      },
      requestKeyFrame: (stream) => this.#watch?.control.requestKeyFrame(stream),
      show: (source, rendition) => this.#watch?.control.show(source, rendition),
      close: (stream) => watching().close(stream),
      interrupt: (stream) => watching().interrupt(stream),
      flush: (stream) => watching().flush(stream),
      heardPosition: (stream) => watching().heardPosition(stream),
      pause: (stream, isPaused) => watching().pause(stream, isPaused),
    };
  }

  #liveHop(): CallHop {
    const { leg, platform } = this.#options;
    if (this.#hop !== undefined) return this.#hop;
    this.#hop = hopFor(this.terms, leg, platform.clock);
    this.#hop.limit(this.#limit);
    return this.#hop;
  }

  #saw(fate: FrameFate): void {
    if (fate.fate === "verified" || fate.fate === "late") for (const media of this.streams) media.peerSeen();
    this.#watched?.(fate);
  }
}
