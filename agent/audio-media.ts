import { type AudioCodec, rtpTicks } from "../codecs/audio-codec.ts";
import { audioFormat } from "../codecs/audio-formats.ts";
import { INTERRUPT_BYTES } from "../codecs/interrupt.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { isThin } from "../sfu/media-leg.ts";
import { AudioReceiver } from "./audio-receiver.ts";
import { AudioSender } from "./audio-sender.ts";
import { CallAudio, type VoiceControl } from "./call-audio.ts";
import { CallStream, type StreamControl, type StreamFacts } from "./call-stream.ts";
import { FirstWords } from "./first-words.ts";
import type { FrameFate } from "./frame-fate.ts";
import type { HeardPlace, StreamMediaContext, StreamSide, StreamSides } from "./stream-media.ts";
import type { AudioStreamParameters } from "./stream-parameters.ts";
import { speakingParts } from "./stream-parts.ts";
import { hearDatagrams, hearingParts, LiveMedia, type TwoWayParts } from "./two-way-media.ts";

/** Ceiling for what a listener takes from one speaker: this many times the agreed frame rate. */
export const RATE_HEADROOM = 2;
/** Seconds of burst on top, so that a network that held frames back and lets them go at once is not refused. */
const RATE_BURST_SECONDS = 2;

type AudioSide = StreamSide<AudioStreamParameters>;

/** A stream of audio as the application has it. */
export class VoiceStream extends CallStream {
  /** What is said and heard there. */
  readonly audio: CallAudio;

  /** @internal */
  constructor(facts: StreamFacts, control: StreamControl, audio: CallAudio) {
    super(facts, control);
    this.audio = audio;
  }
}

/** A voice, both ways. */
export class AudioMedia extends LiveMedia<AudioSender, AudioReceiver> {
  readonly modality = "audio";
  readonly handle: VoiceStream;
  readonly #firstWords: FirstWords;
  #isHeld = false;
  #isWanted = true;

  constructor(
    parts: TwoWayParts<AudioSender, AudioReceiver>,
    own: { readonly handle: VoiceStream; readonly firstWords: FirstWords },
  ) {
    super(parts);
    this.handle = own.handle;
    this.#firstWords = own.firstWords;
  }

  get audio(): CallAudio {
    return this.handle.audio;
  }

  want(isWanted: boolean): void {
    this.#isWanted = isWanted;
    this.#hear();
  }

  override hold(): void {
    this.#isHeld = true;
    this.sender?.pause("suspended");
    this.#hear();
  }

  override release(): void {
    this.#isHeld = false;
    this.sender?.goOn("suspended");
    this.#hear();
  }

  override peerSeen(): void {
    this.#firstWords.seen();
  }

  override peerCame(received: readonly HeardPlace[]): void {
    this.#firstWords.anew();
    super.peerCame(received);
  }

  override finish(): void {
    this.#firstWords.finish();
    super.finish();
    this.audio.finish();
  }

  #hear(): void {
    if (this.#isHeld || !this.#isWanted) this.receiver?.hold();
    else this.receiver?.release();
  }
}

/** Makes the media of a stream of audio and claims its flows. Throws `proposal-rejected` for a codec that is not here. */
export async function openAudioMedia(
  context: StreamMediaContext,
  facts: StreamFacts,
  sides: StreamSides<AudioStreamParameters>,
): Promise<AudioMedia> {
  const { sends, hears } = sides;
  const { platform, report, tagKeys } = context;
  const { clock } = platform;
  const [sendCodec, hearCodec] = await Promise.all([
    sends && makeCodec(context, sends.entry),
    hears && makeCodec(context, hears.entry),
  ]);
  const firstWords = new FirstWords({
    clock,
    // What each end does not know of the server's clock is half its round trip.
    roundTrip: 2 * context.peerClock.uncertainty,
    wait: () => sender?.pause("peer-silent"),
    goOn: () => sender?.goOn("peer-silent"),
  });
  let speaks: (fate: FrameFate) => void = () => {};
  const watching = {
    ...context,
    watch: (fate: FrameFate) => {
      speaks(fate);
      context.watch(fate);
    },
  };
  const sender = sends && sendCodec && makeSender(watching, sends, sendCodec, () => firstWords.sent());
  const audio = new CallAudio({
    ...{ sends: sendCodec?.format, hears: hearCodec?.format, sender, clock, report },
    control: controlOf(context.control, facts.id),
  });
  speaks = (fate) => audio.frame(fate);
  const receiver = hears && hearCodec && makeReceiver(watching, hears, hearCodec, audio);
  audio.hearSilenceWith(() => receiver?.hearSilence());
  // Who takes a call up speaks to an end that is there, or is told that it is not.
  if (context.statements !== undefined) firstWords.seen();
  context.hop().onEstimate(({ behind }) => {
    if (behind !== undefined) firstWords.seen();
  });
  listenTo(context, sides, receiver, () => firstWords.seen());
  return new AudioMedia(
    { stream: facts.id, sides, sender, receiver, tagKeys },
    { handle: new VoiceStream(facts, context.control, audio), firstWords },
  );
}

function controlOf(control: StreamControl, stream: number): VoiceControl {
  return {
    interrupt: () => control.interrupt(stream),
    flush: () => control.flush(stream),
    heardPosition: () => control.heardPosition(stream),
    pause: (isPaused) => control.pause(stream, isPaused),
  };
}

async function makeCodec(context: StreamMediaContext, entry: AudioStreamParameters): Promise<AudioCodec> {
  const format = audioFormat(entry.codec, entry.channels, entry.frameMs);
  if (format === undefined) {
    throw new ParleyError({ code: "proposal-rejected", message: `No codec here for ${entry.codec}.` });
  }
  return await context.platform.createAudioCodec(format, context.codecOptions);
}

function makeSender(
  context: StreamMediaContext,
  { entry, line }: AudioSide,
  codec: AudioCodec,
  sent: () => void,
): AudioSender {
  const { platform, time } = context;
  const hop = context.hop();
  const sender = new AudioSender({
    clock: platform.clock,
    time,
    codec,
    turns: context.turns,
    ...speakingParts(context, entry, rtpTicks(codec.format)),
    outlet: {
      frame: (frame, later) => {
        context.outgoing?.(frame.packet);
        if (line.isAttached) sent();
        const fate = frame.fitsDatagram ? hop.send(line, entry.ssrc, frame, later) : "too-large";
        if (fate === "too-large") void line.writeFrame(frame.packet);
        return fate === "held" ? fate : line.isAttached;
      },
      discard: () => hop.discard(line, "epoch"),
      checkpoint: (bytes) => line.state(bytes),
      hasRoom: () => line.hasRoom,
    },
    stream: entry.stream,
    epoch: entry.epoch,
    watch: context.watch,
  });
  sender.useRedundancy(context.redundancy);
  hop.onEstimate((estimate) => sender.useThinWay(isThin(estimate)));
  return sender;
}

function makeReceiver(
  context: StreamMediaContext,
  side: AudioSide,
  codec: AudioCodec,
  audio: CallAudio,
): AudioReceiver {
  const { entry } = side;
  const framesPerSecond = (1000 / entry.frameMs) * RATE_HEADROOM;
  const rate = { framesPerSecond, bytesPerSecond: framesPerSecond * 1500, burst: RATE_BURST_SECONDS };
  const receiver = new AudioReceiver({
    ...hearingParts(context, side, { rate }),
    codec,
    epoch: entry.epoch,
    heard: (heard) => {
      receiver.waitFor(context.heard(heard));
      audio.deliver(heard);
    },
    silenceIsHeard: () => audio.silenceIsHeard,
  });
  return receiver;
}

function listenTo(
  context: StreamMediaContext,
  { sends, hears }: StreamSides,
  receiver: AudioReceiver | undefined,
  seen: () => void,
): void {
  const hop = context.hop();
  const nothing = () => {};
  const stream = (sends ?? hears)?.entry.stream ?? 0;
  const statement = (take: (bytes: Uint8Array) => void) => (bytes: Uint8Array) =>
    bytes.length === INTERRUPT_BYTES ? context.interrupted(bytes.slice()) : take(bytes);
  if (sends !== undefined) hop.sends(sends.line);
  if (receiver !== undefined && hears !== undefined) {
    hearDatagrams(hop, hears.line, receiver);
    hears.line.listen("checkpoints", {
      datagram: nothing,
      item: statement((bytes) => receiver.checkpoint(bytes)),
    });
  }
  sends?.line.listen("receipts", {
    datagram: nothing,
    item: statement((bytes) => {
      seen();
      context.receipt(bytes.slice(), stream);
    }),
  });
}
