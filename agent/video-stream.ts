import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { VideoFormatName } from "../codecs/video-formats.ts";
import type { SkewStats } from "../sfu/av-sync.ts";
import { FreezeMeter } from "../sfu/freeze-meter.ts";
import type { RenditionPlan } from "../sfu/video-ladder.ts";
import { CallStream, type StreamControl, type StreamFacts } from "./call-stream.ts";
import type { HeardVideo } from "./heard-video.ts";
import { TypedEvents } from "./typed-events.ts";
import { VideoQueue } from "./video-queue.ts";
import type { VideoReceiver, VideoReceiverCounters } from "./video-receiver.ts";
import type { UnitToSend, VideoSender, VideoSenderCounters } from "./video-sender.ts";

/** One access unit for {@link VideoStream.send}. */
export interface VideoUnitToSend extends UnitToSend {
  /** Which rendition of the video it is of; 0, the best, where there is one alone. Default 0. */
  readonly rendition?: number;
}

/** What an encoder should make of one rendition now. */
export interface RenditionWants extends RenditionPlan {
  /** The next unit is to be a key frame. */
  readonly keyFrame: boolean;
}

/** What encoders should make now, by the terms and by what the way takes. */
export interface VideoWants {
  /** Of all renditions together, bits a second; 0: nothing, for now. */
  readonly bitsPerSecond: number;
  /** Lines of the best rendition that is wanted, and frames a second. */
  readonly maxHeight: number;
  readonly maxFrameRate: number;
  /** The next unit of some rendition is to be a key frame. */
  readonly keyFrame: boolean;
  /** Best first. One that is wanted with 0 bits a second pauses. */
  readonly renditions: readonly RenditionWants[];
}

export type VideoStreamEvents = {
  /** What the encoder should make has changed. */
  wants: VideoWants;
};

/** What one stream of video counted at this end. */
export interface VideoStats {
  /** By rendition, best first; empty when this end only watches, or only shows. */
  readonly sent: readonly VideoSenderCounters[];
  readonly heard: readonly VideoReceiverCounters[];
  /** Units that no reader took in time. */
  readonly unread: number;
  /** How often what is watched stood still, and how long in all, ms: not while it was muted, held, suspended or closed. */
  readonly freezes: number;
  readonly frozenMs: number;
  /** Times at which another rendition came. */
  readonly switches: number;
  /** How far video and voice were apart as they were shown. */
  readonly skew: SkewStats;
}

/** One rendition of a video at this end. */
export interface VideoPart {
  readonly stream: number;
  readonly rendition: number;
  /** As its codec was taken. */
  readonly limits: { readonly width: number; readonly height: number; readonly frameRate: number };
  readonly sender: VideoSender | undefined;
  readonly receiver: VideoReceiver | undefined;
}

/** Units of another rendition that are kept until one is later than what is shown. */
const MOST_COMING = 16;

/** A video, both ways: access units in and out, with no encoder or decoder inside. */
export class VideoStream extends CallStream implements AsyncIterable<HeardVideo> {
  /** What it is coded in. */
  readonly codec: VideoFormatName;
  /** @internal When what it shows stands still. */
  readonly freezes = new FreezeMeter();
  readonly #clock: Clock;
  readonly #events: TypedEvents<VideoStreamEvents>;
  readonly #parts: VideoPart[] = [];
  /** Streams of those that are closed. */
  readonly #closed = new Set<number>();
  /** Streams of those that are over: they still count. */
  readonly #over = new Set<number>();
  readonly #skew: () => SkewStats;
  readonly #shows: (rendition: number | undefined) => void;
  /** What is heard before anybody reads: the first reader gets it from the last key frame on. */
  #preroll: VideoQueue | undefined;
  readonly #queues = new Set<VideoQueue>();
  readonly #shown = new WeakSet<HeardVideo>();
  #finished = false;
  #plans: readonly RenditionPlan[] = [];
  #told: string | undefined;
  /** Which rendition comes, and what of it came last. */
  #present: { readonly rendition: number; readonly capturedAt: number } | undefined;
  /** Of another one, from its key frame on: a large unit is overtaken by small ones of the same time, and old ones of what was shown before straggle in. */
  #coming: HeardVideo[] = [];
  #switches = 0;
  #unread = 0;
  #keepsSize = false;

  /** @internal Streams come from `Call.video`, `Call.streams` and `Call.open`. */
  constructor(
    facts: StreamFacts,
    control: StreamControl,
    options: {
      readonly codec: VideoFormatName;
      readonly clock: Clock;
      readonly skew: () => SkewStats;
      /** Told which rendition is shown from now on; `undefined`: none any more. */
      readonly shows: (rendition: number | undefined) => void;
      readonly report: (error: unknown) => void;
    },
  ) {
    super(facts, control);
    this.codec = options.codec;
    this.#clock = options.clock;
    this.#events = new TypedEvents(options.report);
    this.#skew = options.skew;
    this.#shows = options.shows;
    this.#preroll = this.#queue();
  }

  /**
   * Sends one access unit, or leaves it out: where there is no rate for it, what it needs was left out, or nothing is to be sent (muted, suspended, held).
   * Resolves when it left whole, or did not; an encoder may go on meanwhile. Throws `payload-malformed` for what is no unit of `codec`, `field-invalid`
   * for a unit or rendition out of range or a stream that this end does not send, `closed` after its end.
   */
  async send(unit: VideoUnitToSend): Promise<"sent" | "dropped"> {
    const { rendition = 0 } = unit;
    const part = this.#parts.find((one) => one.rendition === rendition && one.sender !== undefined);
    if (part?.sender !== undefined) return await part.sender.send(unit);
    if (this.#finished) throw new ParleyError({ code: "closed", message: "The stream is over." });
    throw new ParleyError({
      code: "field-invalid",
      message: "This end sends no such rendition.",
      at: "rendition",
    });
  }

  /** What encoders should make now. Ask before each unit, or listen to `wants`. */
  get wants(): VideoWants {
    const renditions = this.#plans.map((plan) => {
      const sender = this.#parts.find(({ rendition }) => rendition === plan.rendition)?.sender;
      return { ...plan, keyFrame: plan.bitsPerSecond > 0 && sender?.wantsKeyFrame === true };
    });
    const best = renditions.find(({ bitsPerSecond }) => bitsPerSecond > 0) ?? renditions[0];
    return {
      bitsPerSecond: renditions.reduce((sum, one) => sum + one.bitsPerSecond, 0),
      maxHeight: best?.maxHeight ?? 0,
      maxFrameRate: best?.maxFrameRate ?? 0,
      keyFrame: renditions.some(({ keyFrame }) => keyFrame),
      renditions,
    };
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof VideoStreamEvents>(
    name: Name,
    listener: (event: VideoStreamEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  /**
   * What is sent was made elsewhere and goes on as it is: its height is no less than was offered and answered whatever the way takes, its rate alone is
   * agreed anew, and units above that are left out. Tell it before anything is sent.
   */
  keepSize(): void {
    this.#keepsSize = true;
  }

  /** @internal */
  get keepsSize(): boolean {
    return this.#keepsSize;
  }

  /** Asks the other end for a key frame, for a decoder that cannot go on; not more often than is of use. What is lost on the way is asked for anyway. */
  requestKeyFrame(): void {
    const rendition = this.#present?.rendition;
    const part = this.#parts.find((one) => rendition === undefined || one.rendition === rendition);
    part?.receiver?.requestKeyFrame();
  }

  /**
   * What the other end shows, unit by unit in the order in which to decode, until the stream ends. Each reader begins with a key frame; the first one also
   * gets what came before it, from the last key frame on. A reader that is four seconds behind goes on at the next key frame.
   */
  heard(): AsyncIterable<HeardVideo> {
    const queue = this.#preroll ?? this.#queue();
    this.#preroll = undefined;
    if (this.#finished) queue.end();
    else {
      this.#queues.add(queue);
      if (queue.needsKey) this.requestKeyFrame();
    }
    return queue;
  }

  [Symbol.asyncIterator](): AsyncIterator<HeardVideo> {
    return this.heard()[Symbol.asyncIterator]();
  }

  stats(): VideoStats {
    const counted = <Counters>(counters: readonly (Counters | undefined)[]) =>
      counters.filter((one) => one !== undefined);
    const unread = [...this.#queues].reduce((sum, queue) => sum + queue.unread, this.#unread);
    return {
      sent: counted(this.#parts.map(({ sender }) => sender?.counters)),
      heard: counted(this.#parts.map(({ receiver }) => receiver?.counters)),
      unread: unread + (this.#preroll?.unread ?? 0),
      ...this.freezes.at(this.#clock.now()),
      switches: this.#switches,
      skew: this.#skew(),
    };
  }

  /** @internal Its renditions that this end sends, best first. */
  get sentParts(): readonly (VideoPart & { readonly sender: VideoSender })[] {
    const open = this.#parts.filter(({ stream }) => !this.#over.has(stream));
    return open.flatMap((part) => (part.sender === undefined ? [] : [{ ...part, sender: part.sender }]));
  }

  /** @internal A rendition is closed; with the last one the video is. */
  closed(stream: number): void {
    this.#closed.add(stream);
    if (this.ids.length === 0) this.ended();
  }

  /** @internal A rendition is open. */
  add(part: VideoPart): void {
    this.#parts.push(part);
    this.#parts.sort((a, b) => a.rendition - b.rendition);
  }

  /** @internal A rendition is over; with the last one the stream is. */
  remove(stream: number): void {
    this.#over.add(stream);
    if (this.#parts.some((part) => !this.#over.has(part.stream)) || this.#finished) return;
    this.#finished = true;
    this.#shows(undefined);
    for (const queue of this.#queues) queue.end();
    this.#preroll?.end();
  }

  /** @internal What its renditions are to be. */
  plan(plans: readonly RenditionPlan[]): void {
    this.#plans = plans;
    this.changed();
  }

  /** @internal What encoders should make may be something else now. */
  changed(): void {
    const { wants } = this;
    const text = JSON.stringify(wants);
    if (text === this.#told) return;
    this.#told = text;
    this.#events.emit("wants", wants);
  }

  /**
   * @internal A unit that can be decoded. Renditions change at key frames alone. False: what needs it need not come, since a reader had no room for
   * it, or another rendition goes on whose key frame is gone.
   */
  deliver(unit: HeardVideo): boolean {
    const present = this.#present;
    if (present === undefined || present.rendition === unit.rendition) return this.#hand(unit);
    const isLater = unit.capturedAt > present.capturedAt;
    if (unit.key) this.#coming = [unit];
    else if (this.#coming[0]?.rendition === unit.rendition) this.#coming.push(unit);
    else return !isLater;
    if (isLater) return this.#change();
    if (this.#coming.length >= MOST_COMING) this.#coming = [];
    return true;
  }

  /** Those of its renditions that are not closed. */
  protected override get ids(): readonly number[] {
    return this.#parts.map(({ stream }) => stream).filter((stream) => !this.#closed.has(stream));
  }

  /** Another rendition goes on, from its key frame. */
  #change(): boolean {
    this.#switches += 1;
    const units = this.#coming;
    this.#coming = [];
    return units.map((unit) => this.#hand(unit)).every((isTaken) => isTaken);
  }

  #hand(unit: HeardVideo): boolean {
    const { rendition, capturedAt } = unit;
    if (this.#present?.rendition !== rendition) this.#shows(rendition);
    this.#present = { rendition, capturedAt };
    this.freezes.shown(Math.max(unit.playAt, this.#clock.now()));
    if (this.#preroll?.push(unit) === true && unit.key) this.#preroll.forgetOlder();
    let isTaken = true;
    for (const queue of this.#queues) {
      if (queue.hasEnded) this.#drop(queue);
      else isTaken = queue.push(unit) && isTaken;
    }
    return isTaken;
  }

  #drop(queue: VideoQueue): void {
    this.#unread += queue.unread;
    this.#queues.delete(queue);
  }

  #queue(): VideoQueue {
    return new VideoQueue((unit) => {
      if (this.#shown.has(unit)) return;
      this.#shown.add(unit);
      this.#parts.find(({ rendition }) => rendition === unit.rendition)?.receiver?.shown(unit);
    });
  }
}
