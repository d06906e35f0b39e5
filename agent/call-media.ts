import type { AudioCodec } from "../codecs/audio-codec.ts";
import { audioFormat } from "../codecs/audio-formats.ts";
import { DATA_CLOCK_RATE } from "../codecs/data-formats.ts";
import { INTERRUPT_BYTES } from "../codecs/interrupt.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { formatOf, payloadTypeOf, streamsSentBy, type TermsFormat } from "../signaling/terms.ts";
import { AudioReceiver, type PacketTap } from "./audio-receiver.ts";
import { AudioSender } from "./audio-sender.ts";
import type { FramesRefused } from "./call.ts";
import { CallAudio } from "./call-audio.ts";
import { type DataMedia, openDataMedia } from "./data-media.ts";
import { type FrameWatch, guarded, refusedSequences } from "./frame-fate.ts";
import type { MediaPort } from "./media-port.ts";
import type { MediaTime } from "./media-time.ts";
import type { AudioCodecOptions } from "./platform.ts";
import type { AudioStreamParameters, StreamParameters } from "./stream-parameters.ts";
import { listeningParts, type StreamContext, speakingParts } from "./stream-parts.ts";

/** Ceiling for what a listener takes from one speaker: this many times the agreed frame rate. */
const RATE_HEADROOM = 2;
/** Seconds of burst on top, so that a network that held frames back and lets them go at once is not refused. */
const RATE_BURST_SECONDS = 2;

/** The media of one call: what it sends, what it hears, and the flows both are bound to. */
export interface CallMedia {
  readonly audio: CallAudio;
  readonly sender: AudioSender | undefined;
  readonly receiver: AudioReceiver | undefined;
  /** Structured data, as far as it was agreed. */
  readonly messages: DataMedia;
  /** `take` gets the interrupts that the server hands on beside the statements of the voice, unproved. */
  interruptedWith(take: (bytes: Uint8Array) => void): void;
  /** Tells the watcher, if there is one, what the relay refused. */
  refusedByRelay(report: FramesRefused): void;
  /** Sends and plays nothing until `release`, and keeps nothing of the voice for then: the call is suspended. Idempotent. */
  hold(): void;
  release(): void;
  /** Sends what is still owed (final checkpoint, final receipt) and resolves when the carrier took it. Idempotent. */
  finish(): Promise<void>;
}

export interface CallMediaOptions extends StreamContext {
  readonly time: MediaTime;
  readonly port: MediaPort;
  /** As the server laid them out; what they repeat of the signed terms is checked against those. */
  readonly streams: readonly StreamParameters[];
  readonly speaker: string;
  readonly codecOptions: AudioCodecOptions;
  readonly tap?: PacketTap | undefined;
  readonly watch?: FrameWatch | undefined;
  readonly outgoing?: ((packet: Uint8Array) => void) | undefined;
  /** Takes what these three throw: a tool must not stop the sound. */
  readonly report: (error: unknown) => void;
}

/** Builds the media of a checked session and claims its flows. Throws `session-core-mismatch`. */
export async function openCallMedia(given: CallMediaOptions): Promise<CallMedia> {
  const { tap, watch, outgoing, report } = given;
  const options = {
    ...given,
    tap: tap && guarded(tap, report),
    watch: watch && guarded(watch, report),
    outgoing: outgoing && guarded(outgoing, report),
  };
  const audible = options.streams.filter((entry) => entry.modality === "audio");
  const sends = audible.find((entry) => entry.direction === "send");
  const hears = audible.find((entry) => entry.direction === "receive");
  checkLayout(options);
  for (const entry of options.streams) checkAgainstTerms(options, entry);
  const [sendCodec, hearCodec] = await Promise.all([
    sends === undefined ? undefined : makeCodec(options, sends),
    hears === undefined ? undefined : makeCodec(options, hears),
  ]);
  const sender =
    sends === undefined || sendCodec === undefined ? undefined : makeSender(options, sends, sendCodec);
  const audio = new CallAudio({ sends: sendCodec?.format, hears: hearCodec?.format, sender });
  const receiver =
    hears === undefined || hearCodec === undefined
      ? undefined
      : makeReceiver(options, hears, hearCodec, audio);
  let interrupted: (bytes: Uint8Array) => void = () => {};
  const releases = claimFlows(options.port, sends, hears, receiver, (bytes) => interrupted(bytes));
  const messages = openDataMedia(options);
  let finished: Promise<void> | undefined;
  const finish = async () => {
    sender?.finish();
    receiver?.finish();
    for (const release of releases) release();
    audio.finish();
    await Promise.all([
      messages.finish(),
      sends === undefined ? undefined : options.port.finishStream(sends.flow),
      sends === undefined ? undefined : options.port.finishStream(sends.checkpointFlow),
      hears === undefined ? undefined : options.port.finishStream(hears.receiptFlow),
    ]);
  };
  return {
    audio,
    sender,
    receiver,
    messages,
    interruptedWith: (take) => {
      interrupted = take;
    },
    hold: () => {
      sender?.hold();
      receiver?.hold();
      messages.sender?.hold();
    },
    release: () => {
      sender?.release();
      receiver?.release();
      messages.sender?.release();
    },
    refusedByRelay: (refused) => tellRefused(options, refused),
    finish: () => {
      finished ??= finish();
      return finished;
    },
  };
}

function tellRefused({ platform, streams, watch }: CallMediaOptions, refused: FramesRefused): void {
  const entry = streams.find(({ flow }) => flow === refused.flow);
  if (watch === undefined || entry === undefined) return;
  const direction = entry.direction === "send" ? "sent" : "heard";
  const { stream } = entry;
  const { reason } = refused;
  const at = platform.clock.now();
  for (const sequence of refusedSequences(refused))
    watch({ direction, stream, sequence, fate: "refused", reason, at });
}

/** Every stream of the terms must be laid out once in each direction it flows, and no other. */
function checkLayout({ session, streams }: CallMediaOptions): void {
  const agreed = [0, 1].flatMap((leg) =>
    streamsSentBy(session.terms, leg as 0 | 1).map(({ stream }) => `${stream} of leg ${leg}`),
  );
  const laidOut = streams.map(({ stream, leg }) => `${stream} of leg ${leg}`);
  const wrong = [...new Set([...agreed, ...laidOut])].find(
    (name) => !agreed.includes(name) || laidOut.filter((other) => other === name).length !== 1,
  );
  if (wrong === undefined) return;
  throw new ParleyError({
    code: "session-core-mismatch",
    message: "The server does not lay out the streams that both ends signed.",
    at: `stream ${wrong}`,
  });
}

/** What was signed about the stream that `entry` lays out: its codec or format, and its speaker's SSRC. */
function signedStream(options: CallMediaOptions, entry: StreamParameters) {
  const answered = options.session.answer.payload.streams.find(({ stream }) => stream === entry.stream);
  const offered = options.session.offer.payload.streams.find(({ stream }) => stream === entry.stream);
  if (answered === undefined || offered === undefined) return undefined;
  return { format: formatOf(answered), ssrc: entry.leg === 0 ? offered.ssrc : answered.ssrc };
}

function checkAgainstTerms(options: CallMediaOptions, entry: StreamParameters): void {
  const signed = signedStream(options, entry);
  const speaker = entry.direction === "send" ? options.leg : 1 - options.leg;
  const agrees =
    signed !== undefined &&
    entry.leg === speaker &&
    entry.ssrc === signed.ssrc &&
    entry.payloadType === payloadTypeOf(signed.format) &&
    isLaidOutAs(entry, signed.format);
  if (agrees) return;
  throw new ParleyError({
    code: "session-core-mismatch",
    message: "The server lays a stream out differently from what both ends signed.",
    at: `stream ${entry.stream}`,
  });
}

function isLaidOutAs(entry: StreamParameters, signed: TermsFormat): boolean {
  if (entry.modality === "data") {
    return (
      signed.modality === "data" && entry.format === signed.format.name && entry.clockRate === DATA_CLOCK_RATE
    );
  }
  return (
    signed.modality === "audio" &&
    entry.codec === signed.codec.name &&
    entry.clockRate === signed.codec.clock_rate &&
    entry.channels === signed.codec.channels &&
    entry.frameMs === signed.codec.frame_ms
  );
}

async function makeCodec(options: CallMediaOptions, entry: AudioStreamParameters): Promise<AudioCodec> {
  const format = audioFormat(entry.codec, entry.channels, entry.frameMs);
  if (format === undefined) {
    throw new ParleyError({ code: "proposal-rejected", message: `No codec here for ${entry.codec}.` });
  }
  return await options.platform.createAudioCodec(format, options.codecOptions);
}

function makeSender(options: CallMediaOptions, entry: AudioStreamParameters, codec: AudioCodec): AudioSender {
  const { platform, port, time } = options;
  return new AudioSender({
    clock: platform.clock,
    time,
    codec,
    ...speakingParts(options, entry, codec.format.frameSamples),
    outlet: {
      frame: (frame) => {
        options.outgoing?.(frame.packet);
        if (!frame.fitsDatagram || port.sendDatagram(frame.datagram) === "too-large") {
          port.sendItem(entry.flow, frame.packet);
        }
      },
      checkpoint: (bytes) => port.sendItem(entry.checkpointFlow, bytes),
    },
    stream: entry.stream,
    watch: options.watch,
  });
}

function makeReceiver(
  options: CallMediaOptions,
  entry: AudioStreamParameters,
  codec: AudioCodec,
  audio: CallAudio,
): AudioReceiver {
  const { platform, port, time } = options;
  const framesPerSecond = (1000 / entry.frameMs) * RATE_HEADROOM;
  const rate = { framesPerSecond, bytesPerSecond: framesPerSecond * 1500, burst: RATE_BURST_SECONDS };
  return new AudioReceiver({
    clock: platform.clock,
    time,
    codec,
    ...listeningParts(options, entry, { rate }),
    speaker: options.speaker,
    heard: (heard) => audio.deliver(heard),
    silenceIsHeard: () => audio.silenceIsHeard,
    receipt: (bytes) => port.sendItem(entry.receiptFlow, bytes),
    tap: options.tap,
    watch: options.watch,
  });
}

function claimFlows(
  port: MediaPort,
  sends: StreamParameters | undefined,
  hears: StreamParameters | undefined,
  receiver: AudioReceiver | undefined,
  interrupted: (bytes: Uint8Array) => void,
): (() => void)[] {
  const releases: (() => void)[] = [];
  const nothing = () => {};
  const statement = (take: (bytes: Uint8Array) => void) => (bytes: Uint8Array) =>
    bytes.length === INTERRUPT_BYTES ? interrupted(bytes.slice()) : take(bytes);
  if (hears !== undefined && receiver !== undefined) {
    releases.push(
      port.claim(hears.flow, {
        datagram: (bytes) => receiver.datagram(bytes),
        item: (bytes) => receiver.item(bytes),
      }),
      port.claim(hears.checkpointFlow, {
        datagram: nothing,
        item: statement((bytes) => receiver.checkpoint(bytes)),
      }),
    );
  }
  // The listener's receipts travel on to the record; the speaker has no use for them while the call is up.
  if (sends !== undefined)
    releases.push(port.claim(sends.receiptFlow, { datagram: nothing, item: statement(nothing) }));
  return releases;
}
