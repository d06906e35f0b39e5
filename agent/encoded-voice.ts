import type { AudioFormat } from "../codecs/audio-codec.ts";
import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { CallVoice, type VoiceControl } from "./call-voice.ts";
import { type EncodedFormat, encodedFormat } from "./encoded-format.ts";
import type { EncodedReceiver, EncodedReceiverCounters } from "./encoded-receiver.ts";
import type {
  EncodedDrop,
  EncodedFrame,
  EncodedSender,
  EncodedSenderCounters,
  EncodedWants,
} from "./encoded-sender.ts";
import type { HeardEncoded } from "./heard-encoded.ts";
import { HeardReaders } from "./heard-readers.ts";
import type { SpeakingChanged } from "./turns/speaking.ts";
import { TypedEvents } from "./typed-events.ts";

/** Frames kept for a reader that is slow or has not begun; the oldest goes, counted in `unread`. 10 s at 20 ms. */
const HEARD_FRAMES = 500;

export type EncodedVoiceEvents = {
  /** Either end began to speak, or is done: told by the levels that frames are signed with. */
  speaking: SpeakingChanged;
  /** The encoder should run otherwise. Whoever listens follows it: only then is a lower rate agreed on. */
  wants: EncodedWants;
};

/** What one encoded voice counted at this end. */
export interface EncodedVoiceStats {
  /** Undefined when this end only listens. */
  readonly sent: EncodedSenderCounters | undefined;
  /** Undefined when this end only speaks. */
  readonly heard: EncodedReceiverCounters | undefined;
  /** Frames that no reader took in time. */
  readonly unread: number;
}

/** One voice of a call, both ways, in frames that are coded and decoded elsewhere: there is no codec, no pacing and no playout inside. */
export class EncodedVoice extends CallVoice implements AsyncIterable<HeardEncoded> {
  readonly #events: TypedEvents<EncodedVoiceEvents>;
  /** What `send` takes; undefined when this end only listens. */
  readonly sends: EncodedFormat | undefined;
  /** What is heard; undefined when this end only speaks. */
  readonly hears: EncodedFormat | undefined;
  readonly #sender: EncodedSender | undefined;
  readonly #readers = new HeardReaders<HeardEncoded>(HEARD_FRAMES);
  #receiver: EncodedReceiver | undefined;

  /** @internal Encoded voices come from `Call.voice` and `Call.open`. */
  constructor(options: {
    readonly sender: EncodedSender | undefined;
    readonly hears: AudioFormat | undefined;
    readonly control: VoiceControl;
    readonly clock: Clock;
    readonly report: (error: unknown) => void;
  }) {
    const { sender, hears, control, clock } = options;
    const events = new TypedEvents<EncodedVoiceEvents>(options.report);
    super({
      ...{ sender, control, clock, isHeard: hears !== undefined, stalled: () => {} },
      speaking: (event) => events.emit("speaking", event),
    });
    this.#events = events;
    this.#sender = sender;
    this.sends = sender?.format;
    this.hears = hears && encodedFormat(hears);
  }

  /**
   * Signs a frame and sends it at once: its source keeps the time. Says `sent`, or why it was left out. Throws `payload-malformed` for what is no
   * payload of `sends`, `field-invalid` for one that does not last `sends.frameMs`, for marks out of range, and when this end does not send audio; `closed` after the end.
   */
  send(frame: EncodedFrame): "sent" | EncodedDrop {
    return this.#speaking().send(frame);
  }

  /** The next frame is the last of a turn. For one that is known to be, say so in `send`. */
  endTurn(): void {
    this.#speaking().endTurn();
  }

  /** How the encoder should run, by the terms and by what the way takes: bits of payload a second, and the share of packets that are lost. */
  get wants(): EncodedWants {
    return this.#sender?.wants ?? {};
  }

  /**
   * What the other end says, frame by frame as each is verified, until the call ends: in order of arrival, with nothing made up for what is missing. Each
   * reader gets every frame from when it began to read; the first also gets what came before (10 s at most).
   */
  heard(): AsyncIterable<HeardEncoded> {
    return this.#readers.open();
  }

  [Symbol.asyncIterator](): AsyncIterator<HeardEncoded> {
    return this.heard()[Symbol.asyncIterator]();
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof EncodedVoiceEvents>(
    name: Name,
    listener: (event: EncodedVoiceEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  stats(): EncodedVoiceStats {
    const { dropped: unread } = this.#readers;
    return { sent: this.#sender?.counters, heard: this.#receiver?.counters, unread };
  }

  /** @internal */
  hearsWith(receiver: EncodedReceiver): void {
    this.#receiver = receiver;
  }

  /** @internal One frame from the receiver. */
  deliver(heard: HeardEncoded): void {
    this.#readers.push(heard);
  }

  /** @internal Somebody does as the encoder should. */
  get isFollowed(): boolean {
    return this.#events.has("wants");
  }

  /** @internal The encoder should run otherwise. */
  wanted(wants: EncodedWants): void {
    this.#events.emit("wants", wants);
  }

  /** @internal The call is over: readers get what is left, then the end. */
  override finish(): void {
    super.finish();
    this.#readers.finish();
  }

  #speaking(): EncodedSender {
    if (this.#sender !== undefined) return this.#sender;
    throw new ParleyError({ code: "field-invalid", message: "This end of the call does not send audio." });
  }
}
