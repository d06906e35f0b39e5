import { DATA_RATE, LATEST_DEADLINE_MS } from "../signaling/data-stream.ts";
import { CallData } from "./call-data.ts";
import type { StreamFacts } from "./call-stream.ts";
import { LatestReceiver } from "./data-latest-receiver.ts";
import { LatestSender } from "./data-latest-sender.ts";
import type { DataMedia } from "./data-media.ts";
import type { StreamMediaContext, StreamSide, StreamSides } from "./stream-media.ts";
import type { DataStreamParameters } from "./stream-parameters.ts";
import { listeningParts, speakingParts } from "./stream-parts.ts";

/** Ceiling for what a listener takes from one speaker: this many times what a sender keeps to. */
const RATE_HEADROOM = 2;
/** Seconds of burst on top, so that a network that held values back and lets them go at once is not refused. */
const RATE_BURST_SECONDS = 2;

type DataSide = StreamSide<DataStreamParameters>;

/** Makes the media of a stream of latest values and claims its flows. */
export function openLatestMedia(
  context: StreamMediaContext,
  facts: StreamFacts,
  sides: StreamSides<DataStreamParameters>,
): DataMedia {
  const { sends, hears } = sides;
  const { tagKeys } = context;
  const { id: stream } = facts;
  let isMuted = false;
  let isHeld = false;
  const pause = () => (isMuted || isHeld ? sender?.hold() : sender?.release());
  const sender = sends && makeSender(context, sends);
  const receiver = hears && makeReceiver(context, hears);
  const nothing = () => {};
  if (sends !== undefined) context.hop().sends(sends.line);
  if (hears !== undefined && receiver !== undefined) {
    const hop = context.hop();
    hop.hears(hears.line);
    hears.line.listen("frames", {
      datagram: (bytes, held) => {
        hop.arrived(bytes, held);
        receiver.datagram(bytes, held);
      },
      item: (bytes) => receiver.item(bytes),
    });
    hears.line.listen("checkpoints", { datagram: nothing, item: (bytes) => receiver.checkpoint(bytes) });
  }
  const data = new CallData(facts, context.control, { ...formOf(sides), sender, receiver });
  return {
    stream,
    modality: "data",
    handle: data,
    data,
    sender,
    receiver,
    // The server forwards none.
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
      receiver?.cutOff();
    },
    attach: () => {
      if (hears !== undefined) receiver?.moveTo(hears.line.flow);
      receiver?.reached();
      sender?.attach(sends?.line.flow ?? 0);
    },
    peerSeen: () => {},
    peerIsToCome: () => sender?.peerLeft(),
    peerLeft: () => {
      sender?.peerLeft();
      receiver?.cutOff();
    },
    peerCame: () => {
      sender?.peerCame();
      receiver?.reached();
    },
    useProfile: (profile, termsNumber, peer) => {
      sender?.useSeal(tagKeys.seal(profile, stream, peer));
      receiver?.useProfile(profile, termsNumber);
    },
    expectProfile: (profile) => receiver?.expectProfile(profile),
    takeKey: (key, profile, expiresAt) => {
      receiver?.takeKey(tagKeys.heard(stream, key), expiresAt);
      sender?.useSeal(tagKeys.seal(profile, stream, key));
    },
    takeClock: (clock) => receiver?.takeClock(clock),
    permit: (isPermitted) => {
      if (sender !== undefined) sender.permitted = isPermitted;
    },
    underTerms: (termsNumber, transmitAllowed) => receiver?.underTerms(termsNumber, transmitAllowed),
    heardPlace: undefined,
    get totals() {
      return { sent: sender?.counters, heard: receiver?.receipts };
    },
    poll: (now) => {
      sender?.poll(now);
      receiver?.poll(now);
    },
    finish: () => {
      sender?.finish();
      receiver?.finish();
    },
  };
}

/** What the messages of a stream are, as it was laid out. */
export function formOf({ sends, hears }: StreamSides<DataStreamParameters>) {
  const { format = "json", label } = (sends ?? hears)?.entry ?? {};
  return { format, label } as const;
}

function makeSender(context: StreamMediaContext, { entry, line }: DataSide): LatestSender {
  const { platform, time } = context;
  const hop = context.hop();
  return new LatestSender({
    clock: platform.clock,
    time,
    ...speakingParts(context, entry, 0),
    outlet: {
      frame: (frame, deadline, later) => {
        context.outgoing?.(frame.packet);
        return hop.sendLatest(line, entry.ssrc, frame, deadline, later);
      },
      takeBack: () => hop.discard(line, "replaced"),
      checkpoint: (bytes) => line.state(bytes),
      get hasRoom() {
        return line.hasRoom;
      },
    },
    stream: entry.stream,
    deadlineMs: entry.deadlineMs ?? LATEST_DEADLINE_MS,
    watch: context.watch,
  });
}

function makeReceiver(context: StreamMediaContext, { entry, line }: DataSide): LatestReceiver {
  const { platform, time } = context;
  const deadlineMs = entry.deadlineMs ?? LATEST_DEADLINE_MS;
  const rate = {
    framesPerSecond: DATA_RATE.messagesPerSecond * RATE_HEADROOM,
    bytesPerSecond: DATA_RATE.bytesPerSecond * RATE_HEADROOM,
    burst: RATE_BURST_SECONDS,
  };
  return new LatestReceiver({
    clock: platform.clock,
    time,
    ...listeningParts(context, entry, { rate, deadlineMs }),
    format: entry.format,
    deadlineMs,
    stopsUnattributed: context.unattributedRule === "stop",
    unattributed: (frames) => context.unattributed({ ...frames, stream: entry.stream }),
    speaker: context.speaker,
    receipt: (bytes) => line.state(bytes),
    hasRoom: () => line.hasRoom,
    tap: context.tap,
    watch: context.watch,
  });
}
