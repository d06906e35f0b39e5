import { parseReceipt } from "../codecs/receipt.ts";
import { DATA_CATCH_UP_SECONDS, DATA_RATE } from "../signaling/data-stream.ts";
import { CallData } from "./call-data.ts";
import type { StreamFacts } from "./call-stream.ts";
import { formOf, openLatestMedia } from "./data-latest-media.ts";
import type { LatestReceiver } from "./data-latest-receiver.ts";
import type { LatestSender } from "./data-latest-sender.ts";
import { DataReceiver } from "./data-receiver.ts";
import { DataSender } from "./data-sender.ts";
import type { StreamMedia, StreamMediaContext, StreamSide, StreamSides } from "./stream-media.ts";
import type { DataStreamParameters } from "./stream-parameters.ts";
import { listeningParts, speakingParts } from "./stream-parts.ts";

/** Ceiling for what a listener takes from one speaker: this many times what a sender keeps to. */
const RATE_HEADROOM = 2;

type DataSide = StreamSide<DataStreamParameters>;

/** A stream of data, both ways. */
export interface DataMedia extends StreamMedia {
  readonly modality: "data";
  readonly data: CallData;
  readonly sender: DataSender | LatestSender | undefined;
  readonly receiver: DataReceiver | LatestReceiver | undefined;
}

/** Makes the media of a stream of data and claims its flows. */
export function openDataMedia(
  context: StreamMediaContext,
  facts: StreamFacts,
  sides: StreamSides<DataStreamParameters>,
): DataMedia {
  const entry = (sides.sends ?? sides.hears)?.entry;
  return entry?.delivery === "latest"
    ? openLatestMedia(context, facts, sides)
    : openReliableMedia(context, facts, sides);
}

function openReliableMedia(
  context: StreamMediaContext,
  facts: StreamFacts,
  { sends, hears }: StreamSides<DataStreamParameters>,
): DataMedia {
  const { tagKeys } = context;
  const { id: stream } = facts;
  let isMuted = false;
  let isHeld = false;
  const pause = () => (isMuted || isHeld ? sender?.hold() : sender?.release());
  const sender = sends && makeSender(context, sends);
  const receiver = hears && makeReceiver(context, hears);
  listenTo({ sends, hears }, sender, receiver);
  const data = new CallData(facts, context.control, {
    ...formOf({ sends, hears }),
    sender,
    receiver,
  });
  return {
    stream,
    modality: "data",
    handle: data,
    data,
    sender,
    receiver,
    // What the server does not forward comes late, and not before.
    want: () => {},
    mute: (muted) => {
      isMuted = muted;
      pause();
    },
    hold: () => {
      isHeld = true;
      pause();
      receiver?.stop();
    },
    release: () => {
      isHeld = false;
      pause();
      receiver?.goOn();
    },
    detach: () => {
      sender?.detach();
      receiver?.stop();
    },
    attach: (entries) => {
      if (hears !== undefined) receiver?.moveTo(hears.line.flow);
      const mine = entries.find(({ direction }) => direction === "send");
      const { nextSequence = 0, isSettled = true } = mine ?? {};
      sender?.attach(sends?.line.flow ?? 0, nextSequence, isSettled).catch(context.report);
    },
    peerSeen: () => {},
    peerIsToCome: () => {},
    peerLeft: () => {
      sender?.peerLeft();
      receiver?.cutOff();
    },
    peerCame: (received) => {
      receiver?.reached();
      sender?.peerCame(received.find((place) => place.stream === stream)?.nextSequence);
    },
    useProfile: (profile, termsNumber, peer) => {
      sender?.useSeal(tagKeys.seal(profile, stream, peer), peer.generation);
      receiver?.useProfile(profile, termsNumber);
    },
    expectProfile: (profile) => receiver?.expectProfile(profile),
    takeKey: (key, profile, expiresAt) => {
      receiver?.takeKey(tagKeys.heard(stream, key), expiresAt);
      sender?.useSeal(tagKeys.seal(profile, stream, key), key.generation);
    },
    takeClock: (clock) => receiver?.takeClock(clock),
    permit: (isPermitted) => {
      if (sender !== undefined) sender.permitted = isPermitted;
    },
    underTerms: (termsNumber, transmitAllowed) => receiver?.underTerms(termsNumber, transmitAllowed),
    get heardPlace() {
      return receiver && { stream, nextSequence: receiver.nextSequence };
    },
    get totals() {
      return { sent: sender?.counters, heard: receiver?.receipts };
    },
    poll: (now) => {
      sender?.poll(now);
      receiver?.poll(now);
    },
    finish: () => {
      sender?.finish();
      if (sends !== undefined) context.hop().finishItems(sends.line);
      receiver?.finish();
    },
  };
}

function listenTo(
  { sends, hears }: StreamSides,
  sender: DataSender | undefined,
  receiver: DataReceiver | undefined,
): void {
  const nothing = () => {};
  if (receiver !== undefined) {
    hears?.line.listen("frames", {
      datagram: (bytes) => receiver.datagram(bytes),
      item: (bytes) => receiver.item(bytes),
    });
    hears?.line.listen("checkpoints", { datagram: nothing, item: (bytes) => receiver.checkpoint(bytes) });
  }
  sends?.line.listen("receipts", {
    datagram: nothing,
    // It only lets go of what is kept for the listener; the server, which could withhold that as well, has checked who signed it.
    item: (bytes) => {
      const receipt = parseReceipt(bytes);
      const last = receipt.ok ? receipt.value.received.at(-1)?.last : undefined;
      if (last !== undefined) sender?.confirmed(last + 1);
    },
  });
}

function makeSender(context: StreamMediaContext, { entry, line }: DataSide): DataSender {
  const { platform, time } = context;
  context.hop().sendsItems(line, entry.ssrc);
  return new DataSender({
    clock: platform.clock,
    time,
    ...speakingParts(context, entry, 0),
    outlet: {
      frame: (packet) => {
        context.outgoing?.(packet);
        return context.hop().sendItem(line, packet);
      },
      checkpoint: (bytes) => line.state(bytes),
      giveUp: () => {
        context.hop().dropItems(line);
        line.abandonFrames();
      },
    },
    stream: entry.stream,
    listenerGeneration: context.session.peer.mediaKey.generation,
    watch: context.watch,
  });
}

function makeReceiver(context: StreamMediaContext, { entry, line }: DataSide): DataReceiver {
  const { platform, time } = context;
  const rate = {
    framesPerSecond: DATA_RATE.messagesPerSecond * RATE_HEADROOM,
    bytesPerSecond: DATA_RATE.bytesPerSecond * RATE_HEADROOM,
    burst: DATA_CATCH_UP_SECONDS,
  };
  return new DataReceiver({
    clock: platform.clock,
    time,
    ...listeningParts(context, entry, { rate, reliable: true }),
    stopsUnattributed: context.unattributedRule === "stop",
    unattributed: (frames) => context.unattributed({ ...frames, stream: entry.stream }),
    speaker: context.speaker,
    format: entry.format,
    slow: (isSlow) => context.slowReader(entry.stream, isSlow),
    nextSequence: entry.nextSequence,
    receipt: (bytes) => line.state(bytes),
    hasRoom: () => line.hasRoom,
    tap: context.tap,
    watch: context.watch,
  });
}
