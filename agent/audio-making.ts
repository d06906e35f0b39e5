import { type AudioFormat, rtpTicks } from "../codecs/audio-codec.ts";
import { audioFormat } from "../codecs/audio-formats.ts";
import type { Clock } from "../codecs/clock.ts";
import { INTERRUPT_BYTES } from "../codecs/interrupt.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { isThin } from "../sfu/media-leg.ts";
import { AudioMedia, type PcmCounters, VoiceStream } from "./audio-media.ts";
import { AudioReceiver } from "./audio-receiver.ts";
import { AudioSender } from "./audio-sender.ts";
import { CallAudio } from "./call-audio.ts";
import type { StreamFacts } from "./call-stream.ts";
import type { CallVoice, VoiceControl } from "./call-voice.ts";
import { EncodedReceiver } from "./encoded-receiver.ts";
import { EncodedSender } from "./encoded-sender.ts";
import { EncodedVoice } from "./encoded-voice.ts";
import { FirstWords } from "./first-words.ts";
import type { FrameFate } from "./frame-fate.ts";
import type { HeardVoiceOptions } from "./heard-voice.ts";
import type { SpokenVoiceOptions } from "./spoken-voice.ts";
import type { StreamMediaContext, StreamSide, StreamSides } from "./stream-media.ts";
import type { AudioStreamParameters } from "./stream-parameters.ts";
import { speakingParts } from "./stream-parts.ts";
import { hearDatagrams, hearingParts } from "./two-way-media.ts";
import type { VoiceReceiver, VoiceSender } from "./voice-ends.ts";

/** Ceiling for what a listener takes from one speaker: this many times the agreed frame rate. */
export const RATE_HEADROOM = 2;
/** Seconds of burst on top, so that a network that held frames back and lets them go at once is not refused. */
const RATE_BURST_SECONDS = 2;

type AudioSide = StreamSide<AudioStreamParameters>;

/** What a voice is made from, whatever is written and heard there. */
interface VoiceMaking {
  readonly context: StreamMediaContext;
  readonly control: VoiceControl;
  readonly sends: VoiceSide<SpokenVoiceOptions> | undefined;
  readonly hears: VoiceSide<HeardVoiceOptions> | undefined;
}

/** One direction of it. */
interface VoiceSide<Parts> {
  readonly format: AudioFormat;
  readonly parts: Parts;
}

/** What it is made of. */
interface MadeVoice {
  readonly sender: VoiceSender | undefined;
  readonly receiver: VoiceReceiver | undefined;
  /** That of the two which takes what is said. */
  readonly spoken: CallVoice;
  readonly audio: CallAudio;
  readonly voice?: EncodedVoice;
  readonly counted?: () => PcmCounters;
}

/** Makes the media of a stream of audio and claims its flows. Throws `proposal-rejected` for a codec that is not here. */
export async function openAudioMedia(
  context: StreamMediaContext,
  facts: StreamFacts,
  sides: StreamSides<AudioStreamParameters>,
): Promise<AudioMedia> {
  const { sends, hears } = sides;
  const { tagKeys, control } = context;
  const { clock } = context.platform;
  let made: MadeVoice | undefined;
  const firstWords = new FirstWords({
    clock,
    // What each end does not know of the server's clock is half its round trip.
    roundTrip: 2 * context.peerClock.uncertainty,
    wait: () => made?.sender?.pause("peer-silent"),
    goOn: () => made?.sender?.goOn("peer-silent"),
  });
  const watching = {
    ...context,
    watch: (fate: FrameFate) => {
      made?.spoken.frame(fate);
      context.watch(fate);
    },
  };
  const making: VoiceMaking = {
    context: watching,
    control: {
      interrupt: () => control.interrupt(facts.id),
      flush: () => control.flush(facts.id),
      heardPosition: () => control.heardPosition(facts.id),
      pause: (isPaused) => control.pause(facts.id, isPaused),
    },
    sends:
      sends &&
      sidesOf(sends.entry, (format) => spokenParts(watching, sends, format, () => firstWords.sent())),
    hears: hears && sidesOf(hears.entry, () => heardParts(watching, hears)),
  };
  made = context.voices === "encoded" ? makeEncoded(making) : await makePcm(making);
  const { sender, receiver, audio, voice, counted } = made;
  const hop = context.hop();
  if (sender !== undefined) {
    sender.useRedundancy(context.redundancy);
    hop.onEstimate((estimate) => sender.useThinWay(isThin(estimate)));
  }
  // Who takes a call up speaks to an end that is there, or is told that it is not.
  if (context.statements !== undefined) firstWords.seen();
  hop.onEstimate(({ behind }) => {
    if (behind !== undefined) firstWords.seen();
  });
  listenTo(context, sides, receiver, () => firstWords.seen());
  return new AudioMedia(
    { stream: facts.id, sides, sender, receiver, tagKeys },
    {
      handle: new VoiceStream(facts, control, { audio, voice }),
      firstWords,
      ...(counted === undefined ? {} : { counted }),
    },
  );
}

/** A voice that is written and heard as PCM. */
async function makePcm({ context, control, sends, hears }: VoiceMaking): Promise<MadeVoice> {
  const { codecOptions, platform, report, turns } = context;
  const { clock } = platform;
  const codecOf = (side: VoiceSide<unknown> | undefined) =>
    side && platform.createAudioCodec(side.format, codecOptions);
  const [sendCodec, hearCodec] = await Promise.all([codecOf(sends), codecOf(hears)]);
  const sender = sends && sendCodec && new AudioSender({ ...sends.parts, codec: sendCodec, turns });
  const audio = new CallAudio({
    ...{ sends: sendCodec?.format, hears: hearCodec?.format, sender, control, clock, report },
  });
  const receiver: AudioReceiver | undefined =
    hears &&
    hearCodec &&
    new AudioReceiver({
      ...hears.parts,
      codec: hearCodec,
      heard: (heard) => {
        receiver?.waitFor(context.heard(heard));
        audio.deliver(heard);
      },
      silenceIsHeard: () => audio.silenceIsHeard,
    });
  audio.hearSilenceWith(() => receiver?.hearSilence());
  const counted = () => ({ sent: sender?.counters, heard: receiver?.counters });
  return { sender, receiver, spoken: audio, audio, counted };
}

/** A voice whose frames are coded elsewhere. */
function makeEncoded({ context, control, sends, hears }: VoiceMaking): MadeVoice {
  const { report } = context;
  const { clock } = context.platform;
  const sender =
    sends &&
    new EncodedSender({
      ...sends.parts,
      format: sends.format,
      rates: context.rates,
      wants: (wants) => voice.wanted(wants),
      isFollowed: () => voice.isFollowed,
    });
  const voice: EncodedVoice = new EncodedVoice({ sender, hears: hears?.format, control, clock, report });
  const receiver =
    hears &&
    new EncodedReceiver({ ...hears.parts, format: hears.format, heard: (heard) => voice.deliver(heard) });
  if (receiver !== undefined) voice.hearsWith(receiver);
  return { sender, receiver, spoken: voice, audio: silentAudio(clock, report), voice };
}

/** Of a voice that nothing is written to and heard of as PCM. */
export function silentAudio(clock: Clock, report: (error: unknown) => void): CallAudio {
  const nothing = { sends: undefined, hears: undefined, sender: undefined, control: undefined };
  return new CallAudio({ ...nothing, clock, report });
}

function sidesOf<Parts>(
  entry: AudioStreamParameters,
  make: (format: AudioFormat) => Parts,
): VoiceSide<Parts> {
  const format = audioFormat(entry.codec, entry.channels, entry.frameMs);
  if (format !== undefined) return { format, parts: make(format) };
  throw new ParleyError({ code: "proposal-rejected", message: `No codec here for ${entry.codec}.` });
}

function spokenParts(
  context: StreamMediaContext,
  { entry, line }: AudioSide,
  format: AudioFormat,
  sent: () => void,
): SpokenVoiceOptions {
  const hop = context.hop();
  return {
    clock: context.platform.clock,
    time: context.time,
    ...speakingParts(context, entry, rtpTicks(format)),
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
  };
}

function heardParts(context: StreamMediaContext, side: AudioSide): HeardVoiceOptions {
  const { entry } = side;
  const framesPerSecond = (1000 / entry.frameMs) * RATE_HEADROOM;
  const rate = { framesPerSecond, bytesPerSecond: framesPerSecond * 1500, burst: RATE_BURST_SECONDS };
  return { ...hearingParts(context, side, { rate }), epoch: entry.epoch };
}

function listenTo(
  context: StreamMediaContext,
  { sends, hears }: StreamSides,
  receiver: VoiceReceiver | undefined,
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
