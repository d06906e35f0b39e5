import type { FrameProfile } from "../codecs/frame.ts";
import { parseReceipt } from "../codecs/receipt.ts";
import { DATA_CATCH_UP_SECONDS, DATA_RATE } from "../signaling/data-stream.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import { CallData } from "./call-data.ts";
import type { Unattributed } from "./call-media.ts";
import type { UnattributedRule } from "./call-options.ts";
import { DataReceiver } from "./data-receiver.ts";
import { DataSender } from "./data-sender.ts";
import type { FrameWatch } from "./frame-fate.ts";
import type { PacketTap } from "./frame-intake.ts";
import type { MediaPort } from "./media-port.ts";
import type { MediaTime } from "./media-time.ts";
import type { StreamLine } from "./stream-line.ts";
import type { DataStreamParameters, StreamParameters } from "./stream-parameters.ts";
import { listeningParts, type StreamContext, speakingParts, tagKeysOf } from "./stream-parts.ts";

/** Ceiling for what a listener takes from one speaker: this many times what a sender keeps to. */
const RATE_HEADROOM = 2;

export interface DataMediaOptions extends StreamContext {
  readonly time: MediaTime;
  readonly port: MediaPort;
  readonly streams: readonly StreamParameters[];
  readonly speaker: string;
  readonly unattributedRule: UnattributedRule;
  readonly tap?: PacketTap | undefined;
  readonly watch?: FrameWatch | undefined;
  readonly outgoing?: ((packet: Uint8Array) => void) | undefined;
  /** Takes what nobody waits for. */
  readonly report: (error: unknown) => void;
}

/** How far a listener has heard a stream. */
export interface HeardPlace {
  readonly stream: number;
  readonly nextSequence: number;
}

/** The data stream of a call, as far as one was agreed. */
export interface DataMedia {
  readonly data: CallData | undefined;
  readonly sender: DataSender | undefined;
  readonly receiver: DataReceiver | undefined;
  /** The call goes on over another connection, by these flows: what was lost with the last one goes again. */
  attach(streams: readonly StreamParameters[]): void;
  /** The other end has no connection. */
  peerLeft(): void;
  /** It has one, and said how far it has heard these streams. */
  peerCame(received: readonly HeardPlace[]): void;
  /** What follows is of this profile, for a listener with this key. */
  reseal(profile: FrameProfile, peer: MediaKey): void;
  /** Signs what is still owed. */
  finish(): void;
}

/** Makes both directions of a call's data stream; `lineOf` has the lines of all streams. */
export function openDataMedia(
  options: DataMediaOptions,
  lineOf: (entry: StreamParameters | undefined) => StreamLine | undefined,
  tellUnattributed: (frames: Unattributed) => void,
): DataMedia {
  const entries = options.streams.filter((entry) => entry.modality === "data");
  const sends = entries.find((entry) => entry.direction === "send");
  const hears = entries.find((entry) => entry.direction === "receive");
  const [sendLine, hearLine] = [lineOf(sends), lineOf(hears)];
  const sender = sends && sendLine && makeSender(options, sends, sendLine);
  const receiver = hears && hearLine && makeReceiver(options, hears, hearLine, tellUnattributed);
  const tagKeys = tagKeysOf(options);
  const nothing = () => {};
  if (receiver !== undefined) {
    hearLine?.listen("frames", {
      datagram: (bytes) => receiver.datagram(bytes),
      item: (bytes) => receiver.item(bytes),
    });
    hearLine?.listen("checkpoints", { datagram: nothing, item: (bytes) => receiver.checkpoint(bytes) });
  }
  sendLine?.listen("receipts", {
    datagram: nothing,
    // It only lets go of what is kept for the listener; the server, which could withhold that as well, has checked who signed it.
    item: (bytes) => {
      const receipt = parseReceipt(bytes);
      const last = receipt.ok ? receipt.value.received.at(-1)?.last : undefined;
      if (last !== undefined) sender?.confirmed(last + 1);
    },
  });
  return {
    data: entries.length === 0 ? undefined : new CallData(sender, receiver),
    sender,
    receiver,
    attach: (streams) => {
      if (hearLine !== undefined) receiver?.moveTo(hearLine.flow);
      const mine = streams.find(({ modality, direction }) => modality === "data" && direction === "send");
      const { nextSequence = 0, isSettled = true } = mine ?? {};
      sender?.attach(sendLine?.flow ?? 0, nextSequence, isSettled).catch(options.report);
    },
    peerLeft: () => {
      sender?.peerLeft();
      receiver?.cutOff();
    },
    peerCame: (received) => {
      receiver?.reached();
      sender?.peerCame(received.find(({ stream }) => stream === sends?.stream)?.nextSequence);
    },
    reseal: (profile, peer) => {
      if (sends !== undefined) sender?.useSeal(tagKeys.seal(profile, sends.stream, peer), peer.generation);
    },
    finish: () => {
      sender?.finish();
      receiver?.finish();
    },
  };
}

function makeSender(options: DataMediaOptions, entry: DataStreamParameters, line: StreamLine): DataSender {
  const { platform, time } = options;
  return new DataSender({
    clock: platform.clock,
    time,
    ...speakingParts(options, entry, 0),
    outlet: {
      frame: (packet) => {
        options.outgoing?.(packet);
        return line.writeFrame(packet);
      },
      checkpoint: (bytes) => line.state(bytes),
      giveUp: () => line.abandonFrames(),
    },
    stream: entry.stream,
    listenerGeneration: options.session.peer.mediaKey.generation,
    watch: options.watch,
  });
}

function makeReceiver(
  options: DataMediaOptions,
  entry: DataStreamParameters,
  line: StreamLine,
  tellUnattributed: (frames: Unattributed) => void,
): DataReceiver {
  const { platform, time } = options;
  const rate = {
    framesPerSecond: DATA_RATE.messagesPerSecond * RATE_HEADROOM,
    bytesPerSecond: DATA_RATE.bytesPerSecond * RATE_HEADROOM,
    burst: DATA_CATCH_UP_SECONDS,
  };
  return new DataReceiver({
    clock: platform.clock,
    time,
    ...listeningParts(options, entry, { rate, reliable: true }),
    stopsUnattributed: options.unattributedRule === "stop",
    unattributed: (frames) => tellUnattributed({ ...frames, stream: entry.stream }),
    speaker: options.speaker,
    nextSequence: entry.nextSequence,
    receipt: (bytes) => line.state(bytes),
    hasRoom: () => line.hasRoom,
    tap: options.tap,
    watch: options.watch,
  });
}
