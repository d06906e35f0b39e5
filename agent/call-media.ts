import { type AudioCodec, rtpTicks } from "../codecs/audio-codec.ts";
import { audioFormat } from "../codecs/audio-formats.ts";
import { DATA_CLOCK_RATE } from "../codecs/data-formats.ts";
import type { FrameProfile } from "../codecs/frame.ts";
import { INTERRUPT_BYTES } from "../codecs/interrupt.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { UnattributedFrames } from "../sfu/attribution.ts";
import { MAX_DATAGRAM_BYTES } from "../sfu/carrier.ts";
import { isThin, legBitrate } from "../sfu/media-leg.ts";
import type { RedundancyLevel } from "../sfu/redundancy.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import { formatOf, payloadTypeOf, streamsSentBy, type TermsFormat } from "../signaling/terms.ts";
import { AudioReceiver } from "./audio-receiver.ts";
import { AudioSender } from "./audio-sender.ts";
import { CallAudio } from "./call-audio.ts";
import type { FramesRefused } from "./call-events.ts";
import { CallHop } from "./call-hop.ts";
import type { UnattributedRule } from "./call-options.ts";
import { type DataMedia, type HeardPlace, openDataMedia } from "./data-media.ts";
import { FirstWords } from "./first-words.ts";
import { type FrameFate, type FrameWatch, guarded, refusedSequences } from "./frame-fate.ts";
import type { PacketTap } from "./frame-intake.ts";
import type { PeerClock } from "./heard-row.ts";
import type { MediaPort } from "./media-port.ts";
import type { MediaTime } from "./media-time.ts";
import type { AudioCodecOptions } from "./platform.ts";
import { StreamLine } from "./stream-line.ts";
import type { AudioStreamParameters, StatementPlace, StreamParameters } from "./stream-parameters.ts";
import { listeningParts, placeOf, type StreamContext, speakingParts, tagKeysOf } from "./stream-parts.ts";
import type { TurnDetector } from "./turns/turn-detector.ts";

/** Ceiling for what a listener takes from one speaker: this many times the agreed frame rate. */
const RATE_HEADROOM = 2;
/** Seconds of burst on top, so that a network that held frames back and lets them go at once is not refused. */
const RATE_BURST_SECONDS = 2;

/** What a listener played of a stream in profile `chain` and nobody can be shown to have sent: no word on whose fault it is. */
export interface Unattributed extends UnattributedFrames {
  readonly stream: number;
}

/** The media of one call: what it sends, what it hears, and the flows both are bound to. */
export interface CallMedia {
  readonly audio: CallAudio;
  readonly sender: AudioSender | undefined;
  readonly receiver: AudioReceiver | undefined;
  /** The way of live media to the server; none in a call without. */
  readonly hop: CallHop | undefined;
  /** Structured data, as far as it was agreed. */
  readonly messages: DataMedia;
  /** `take` gets the interrupts that the server hands on beside the statements of the voice, unproved. */
  interruptedWith(take: (bytes: Uint8Array) => void): void;
  /** `take` gets frames of profile `chain` that were not attributed in time. */
  unattributedWith(take: (unattributed: Unattributed) => void): void;
  /** `take` gets the receipts of the other end for what this end says, unproved. */
  receiptsWith(take: (bytes: Uint8Array) => void): void;
  /** Tells the watcher, if there is one, what the relay refused. */
  refusedByRelay(report: FramesRefused): void;
  /** Sends and plays nothing until `release`, and keeps nothing of the voice for then: the call is suspended. Idempotent. */
  hold(): void;
  release(): void;
  /** The call has no connection: what is said waits for a moment, then goes nowhere, and nothing comes. Idempotent. */
  detach(): void;
  /**
   * It goes on over another connection, by these flows there, where the server has this end's statements as far as `statements` say.
   * Throws `session-core-mismatch`.
   */
  attach(port: MediaPort, streams: readonly StreamParameters[], statements: readonly StatementPlace[]): void;
  /** The other end's media is signed with another key from now on. */
  takeKey(key: MediaKey): void;
  /** The other end has no connection for its media yet, as the call begins: what is said waits for `peerCame`. */
  peerIsToCome(): void;
  /** Nothing can come of the other end, since it has no connection; or it has one again. Idempotent. */
  peerLeft(): void;
  peerCame(received: readonly HeardPlace[]): void;
  /** Frames are of this profile from now on in both directions, by the terms of this number; those on their way are of the one before. */
  useProfile(profile: FrameProfile, termsNumber: number): void;
  /** Both ends agree to this profile: the other one may use it before this end is told that it is in force. */
  expectProfile(profile: FrameProfile): void;
  /** The other end goes by another clock from now on. */
  takeClock(clock: PeerClock): void;
  /** The server can have everything that this end stated: a closing statement that counts it holds. */
  readonly isWhole: boolean;
  /**
   * Signs what is still owed (final checkpoint, final receipt), once, and resolves when the carrier took all of it. Over a connection that
   * came after, what the server lacks went again: told once more, this waits for that.
   */
  finish(): Promise<void>;
}

export interface CallMediaOptions extends StreamContext {
  readonly time: MediaTime;
  readonly port: MediaPort;
  /** As the server laid them out; what they repeat of the signed terms is checked against those. */
  readonly streams: readonly StreamParameters[];
  readonly speaker: string;
  readonly codecOptions: AudioCodecOptions;
  readonly unattributedRule: UnattributedRule;
  /** How many of the frames before it each frame sent carries, where that was agreed. */
  readonly redundancy: RedundancyLevel;
  /** What tells where turns begin and end in what is written; the writer, where there is none. */
  readonly turns?: TurnDetector | "loudness" | undefined;
  readonly tap?: PacketTap | undefined;
  readonly watch?: FrameWatch | undefined;
  readonly outgoing?: ((packet: Uint8Array) => void) | undefined;
  /** Takes what these three throw: a tool must not stop the sound. */
  readonly report: (error: unknown) => void;
}

/** Builds the media of a checked session and claims its flows. Throws `session-core-mismatch`. */
export async function openCallMedia(given: CallMediaOptions): Promise<CallMedia> {
  const { tap, watch, outgoing, report } = given;
  const watched = watch && guarded(watch, report);
  let speaks: FrameWatch = () => {};
  let isThere: () => void = () => {};
  const options = {
    ...given,
    tap: tap && guarded(tap, report),
    watch: (fate: FrameFate) => {
      speaks(fate);
      if (fate.fate === "verified" || fate.fate === "late") isThere();
      watched?.(fate);
    },
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
  const lineOf = (entry: StreamParameters) =>
    new StreamLine(options.port, entry, placeOf(options.statements, entry).nextIndex);
  const lines = options.streams.map(lineOf);
  const find = (entry: StreamParameters | undefined) =>
    entry && lines.find(({ stream, direction }) => stream === entry.stream && direction === entry.direction);
  const [sendLine, hearLine] = [find(sends), find(hears)];
  const hop = audible.length === 0 ? undefined : makeHop(options, sends);
  const { clock } = options.platform;
  const firstWords = new FirstWords({
    clock,
    // What each end does not know of the server's clock is half its round trip.
    roundTrip: 2 * options.peerClock.uncertainty,
    wait: () => sender?.wait("peer-silent"),
    goOn: () => sender?.goOn("peer-silent"),
  });
  const frameSent = () => firstWords.sent();
  const sender =
    sends && sendCodec && sendLine && makeSender(options, sends, sendLine, sendCodec, hop, frameSent);
  isThere = () => firstWords.seen();
  // Who takes a call up speaks to an end that is there, or is told that it is not.
  if (options.statements !== undefined) isThere();
  hop?.onEstimate(({ behind }) => {
    if (behind !== undefined) isThere();
  });
  const audio = new CallAudio({ sends: sendCodec?.format, hears: hearCodec?.format, sender, clock, report });
  speaks = (fate) => audio.frame(fate);
  let unattributed: (frames: Unattributed) => void = () => {};
  const tellUnattributed = (frames: Unattributed) => unattributed(frames);
  const receiver =
    hears &&
    hearCodec &&
    hearLine &&
    makeReceiver(options, hears, hearLine, hearCodec, audio, tellUnattributed);
  let interrupted: (bytes: Uint8Array) => void = () => {};
  let receipted: (bytes: Uint8Array) => void = () => {};
  listenTo(sendLine, hearLine, receiver, hop, {
    interrupted: (bytes) => interrupted(bytes),
    receipt: (bytes) => {
      isThere();
      receipted(bytes);
    },
  });
  const messages = openDataMedia(options, find, tellUnattributed);
  const tagKeys = tagKeysOf(options);
  let { profile } = options.session.terms;
  let peerKey = options.session.peer.mediaKey;
  const reseal = () => {
    if (sends !== undefined) sender?.useSeal(tagKeys.seal(profile, sends.stream, peerKey));
    messages.reseal(profile, peerKey);
  };
  let isWhole = true;
  let isFinished = false;
  const finish = async () => {
    if (!isFinished) {
      isFinished = true;
      firstWords.finish();
      sender?.finish();
      receiver?.finish();
      messages.finish();
      audio.finish();
      hop?.detach();
    }
    await Promise.all(lines.map((line) => line.finish()));
  };
  const attach: CallMedia["attach"] = (port, streams, statements) => {
    checkLayout({ ...options, streams });
    for (const entry of streams) checkAgainstTerms(options, entry);
    for (const entry of streams) {
      if (find(entry)?.attach(port, entry, placeOf(statements, entry)) !== false) continue;
      isWhole = false;
      options.report(statementsLost(entry));
    }
    hop?.attach();
    sender?.moveTo(flowOf(sendLine));
    receiver?.moveTo(flowOf(hearLine));
    receiver?.reached();
    messages.attach(streams);
    sender?.goOn("detached");
  };
  return {
    audio,
    sender,
    receiver,
    hop,
    messages,
    interruptedWith: (take) => {
      interrupted = take;
    },
    unattributedWith: (take) => {
      unattributed = take;
    },
    receiptsWith: (take) => {
      receipted = take;
    },
    hold: () => {
      sender?.hold();
      receiver?.hold();
      messages.sender?.hold();
      messages.receiver?.stop();
    },
    release: () => {
      sender?.release();
      receiver?.release();
      messages.sender?.release();
      messages.receiver?.goOn();
    },
    detach: () => {
      hop?.detach();
      for (const line of lines) line.detach();
      messages.sender?.detach();
      messages.receiver?.stop();
      receiver?.cutOff();
      sender?.wait("detached");
    },
    attach,
    peerIsToCome: () => sender?.wait("peer-detached"),
    peerLeft: () => {
      sender?.wait("peer-detached");
      messages.peerLeft();
      receiver?.cutOff();
    },
    peerCame: (received) => {
      firstWords.anew();
      sender?.goOn("peer-detached");
      messages.peerCame(received);
      receiver?.reached();
    },
    useProfile: (next, termsNumber) => {
      if (next === profile) return;
      profile = next;
      reseal();
      receiver?.useProfile(next, termsNumber);
      messages.receiver?.useProfile(next, termsNumber);
    },
    expectProfile: (next) => {
      receiver?.expectProfile(next);
      messages.receiver?.expectProfile(next);
    },
    takeKey: (key) => {
      const expiresAt = options.session.terms.expires_at * 1000;
      peerKey = key;
      if (receiver !== undefined) receiver.takeKey(tagKeys.heard(receiver.stream, key), expiresAt);
      const { receiver: reader } = messages;
      if (reader !== undefined) reader.takeKey(tagKeys.heard(reader.stream, key), expiresAt);
      reseal();
    },
    takeClock: (clock) => {
      receiver?.takeClock(clock);
      messages.receiver?.takeClock(clock);
    },
    refusedByRelay: (refused) => tellRefused(options, lines, refused),
    get isWhole() {
      return isWhole;
    },
    finish,
  };
}

function tellRefused(
  { platform, watch }: CallMediaOptions,
  lines: readonly StreamLine[],
  refused: FramesRefused,
): void {
  const entry = lines.find(({ flow }) => flow === refused.flow);
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
    entry.frameMs === signed.codec.frame_ms &&
    entry.redPayloadType === signed.codec.red_payload_type
  );
}

async function makeCodec(options: CallMediaOptions, entry: AudioStreamParameters): Promise<AudioCodec> {
  const format = audioFormat(entry.codec, entry.channels, entry.frameMs);
  if (format === undefined) {
    throw new ParleyError({ code: "proposal-rejected", message: `No codec here for ${entry.codec}.` });
  }
  return await options.platform.createAudioCodec(format, options.codecOptions);
}

function makeHop(options: CallMediaOptions, sends: AudioStreamParameters | undefined): CallHop {
  const framesPerSecond = sends === undefined ? 0 : (1000 / sends.frameMs) * RATE_HEADROOM;
  return new CallHop({
    clock: options.platform.clock,
    ssrc: sends?.ssrc ?? 0,
    bitrate: legBitrate(framesPerSecond * MAX_DATAGRAM_BYTES * 8),
    tooLarge: (line, packet) => void line.writeFrame(packet),
  });
}

function makeSender(
  options: CallMediaOptions,
  entry: AudioStreamParameters,
  line: StreamLine,
  codec: AudioCodec,
  hop: CallHop | undefined,
  sent: () => void,
): AudioSender {
  const { platform, time } = options;
  const sender = new AudioSender({
    clock: platform.clock,
    time,
    codec,
    turns: options.turns,
    ...speakingParts(options, entry, rtpTicks(codec.format)),
    outlet: {
      frame: (frame, later) => {
        options.outgoing?.(frame.packet);
        if (line.isAttached) sent();
        const fate = frame.fitsDatagram ? hop?.send(line, entry.ssrc, frame, later) : "too-large";
        if (fate === "too-large") void line.writeFrame(frame.packet);
        return fate === "held" ? fate : line.isAttached;
      },
      discard: () => hop?.discard(line, "epoch"),
      checkpoint: (bytes) => line.state(bytes),
      hasRoom: () => line.hasRoom,
    },
    stream: entry.stream,
    epoch: entry.epoch,
    watch: options.watch,
  });
  sender.useRedundancy(options.redundancy);
  hop?.onEstimate((estimate) => sender.useThinWay(isThin(estimate)));
  return sender;
}

function makeReceiver(
  options: CallMediaOptions,
  entry: AudioStreamParameters,
  line: StreamLine,
  codec: AudioCodec,
  audio: CallAudio,
  tellUnattributed: (frames: Unattributed) => void,
): AudioReceiver {
  const { platform, time } = options;
  const framesPerSecond = (1000 / entry.frameMs) * RATE_HEADROOM;
  const rate = { framesPerSecond, bytesPerSecond: framesPerSecond * 1500, burst: RATE_BURST_SECONDS };
  return new AudioReceiver({
    clock: platform.clock,
    time,
    codec,
    ...listeningParts(options, entry, { rate }),
    stopsUnattributed: options.unattributedRule === "stop",
    unattributed: (frames) => tellUnattributed({ ...frames, stream: entry.stream }),
    speaker: options.speaker,
    epoch: entry.epoch,
    heard: (heard) => audio.deliver(heard),
    silenceIsHeard: () => audio.silenceIsHeard,
    receipt: (bytes) => line.state(bytes),
    hasRoom: () => line.hasRoom,
    tap: options.tap,
    watch: options.watch,
  });
}

function listenTo(
  sends: StreamLine | undefined,
  hears: StreamLine | undefined,
  receiver: AudioReceiver | undefined,
  hop: CallHop | undefined,
  told: Record<"interrupted" | "receipt", (bytes: Uint8Array) => void>,
): void {
  const nothing = () => {};
  const statement = (take: (bytes: Uint8Array) => void) => (bytes: Uint8Array) =>
    bytes.length === INTERRUPT_BYTES ? told.interrupted(bytes.slice()) : take(bytes);
  if (sends !== undefined) hop?.sends(sends);
  if (receiver !== undefined && hears !== undefined) {
    hop?.hears(hears);
    hears.listen("frames", {
      datagram: (bytes, held) => {
        hop?.arrived(bytes, held);
        receiver.datagram(bytes, held);
      },
      item: (bytes) => receiver.item(bytes),
    });
    hears.listen("checkpoints", {
      datagram: nothing,
      item: statement((bytes) => receiver.checkpoint(bytes)),
    });
  }
  sends?.listen("receipts", { datagram: nothing, item: statement((bytes) => told.receipt(bytes.slice())) });
}

function flowOf(line: StreamLine | undefined): number {
  return line?.flow ?? 0;
}

function statementsLost({ stream, direction }: StreamParameters): ParleyError {
  return new ParleyError({
    code: "checkpoint-broken",
    message: "What this end states about a stream cannot go on at the server: the evidence will lack it.",
    details: { stream, direction },
  });
}
