import { parseReceipt } from "../codecs/receipt.ts";
import { DATA_CATCH_UP_SECONDS, DATA_RATE } from "../signaling/data-stream.ts";
import { CallData } from "./call-data.ts";
import type { StreamFacts } from "./call-stream.ts";
import { formOf, type LatestMedia, openLatestMedia } from "./data-latest-media.ts";
import { DataReceiver } from "./data-receiver.ts";
import { DataSender } from "./data-sender.ts";
import type { HeardPlace, StreamMediaContext, StreamSide, StreamSides } from "./stream-media.ts";
import type { DataStreamParameters, StreamParameters } from "./stream-parameters.ts";
import { speakingParts } from "./stream-parts.ts";
import { hearingParts, TwoWayMedia, type TwoWayParts } from "./two-way-media.ts";

/** Ceiling for what a listener takes from one speaker: this many times what a sender keeps to. */
const RATE_HEADROOM = 2;

type DataSide = StreamSide<DataStreamParameters>;

/** A stream of data, both ways. */
export type DataMedia = ReliableMedia | LatestMedia;

/** Reliable data, both ways: what was lost with a connection goes again, so that it waits rather than is dropped. */
export class ReliableMedia extends TwoWayMedia<DataSender, DataReceiver> {
  readonly modality = "data";
  readonly data: CallData;
  readonly #context: Pick<StreamMediaContext, "hop" | "report">;

  constructor(
    parts: TwoWayParts<DataSender, DataReceiver>,
    data: CallData,
    context: Pick<StreamMediaContext, "hop" | "report">,
  ) {
    super(parts);
    this.data = data;
    this.#context = context;
  }

  get handle(): CallData {
    return this.data;
  }

  /** What the server does not forward comes late, and not before. */
  want(): void {}

  detach(): void {
    this.sender?.detach();
    this.receiver?.hold();
  }

  attach(entries: readonly StreamParameters[]): void {
    const { sends, hears } = this.sides;
    if (hears !== undefined) this.receiver?.moveTo(hears.line.flow);
    const mine = entries.find(({ direction }) => direction === "send");
    const { nextSequence = 0, isSettled = true } = mine ?? {};
    this.sender?.attach(sends?.line.flow ?? 0, nextSequence, isSettled).catch(this.#context.report);
  }

  peerLeft(): void {
    this.sender?.peerLeft();
    this.receiver?.cutOff();
  }

  peerCame(received: readonly HeardPlace[]): void {
    this.receiver?.reached();
    this.sender?.peerCame(received.find((place) => place.stream === this.stream)?.nextSequence);
  }

  override get heardPlace(): HeardPlace | undefined {
    return this.receiver && { stream: this.stream, nextSequence: this.receiver.nextSequence };
  }

  override finish(): void {
    super.finish();
    const { sends, hears } = this.sides;
    const hop = this.#context.hop();
    if (sends !== undefined) hop.finishItems(sends.line);
    if (hears !== undefined) hop.closes(hears.line, hears.entry.ssrc);
  }
}

/** Makes the media of a stream of data and claims its flows. */
export function openDataMedia(
  context: StreamMediaContext,
  facts: StreamFacts,
  sides: StreamSides<DataStreamParameters>,
): DataMedia {
  const { sends, hears } = sides;
  if ((sends ?? hears)?.entry.delivery === "latest") return openLatestMedia(context, facts, sides);
  const sender = sends && makeSender(context, sends);
  const receiver = hears && makeReceiver(context, hears);
  listenTo(context, sides, sender, receiver);
  const data = new CallData(facts, context.control, { ...formOf(sides), sender, receiver });
  const { tagKeys } = context;
  return new ReliableMedia({ stream: facts.id, sides, sender, receiver, tagKeys }, data, context);
}

function listenTo(
  context: StreamMediaContext,
  { sends, hears }: StreamSides<DataStreamParameters>,
  sender: DataSender | undefined,
  receiver: DataReceiver | undefined,
): void {
  const nothing = () => {};
  if (receiver !== undefined && hears !== undefined) {
    hears.line.listen("frames", {
      datagram: (bytes) => receiver.datagram(bytes),
      item: (bytes) => receiver.item(bytes),
      piece: context.hop().hearsItems(hears.line, hears.entry.ssrc),
    });
    hears.line.listen("checkpoints", { datagram: nothing, item: (bytes) => receiver.checkpoint(bytes) });
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

function makeReceiver(context: StreamMediaContext, side: DataSide): DataReceiver {
  const { stream, format, nextSequence } = side.entry;
  const rate = {
    framesPerSecond: DATA_RATE.messagesPerSecond * RATE_HEADROOM,
    bytesPerSecond: DATA_RATE.bytesPerSecond * RATE_HEADROOM,
    burst: DATA_CATCH_UP_SECONDS,
  };
  return new DataReceiver({
    ...hearingParts(context, side, { rate, reliable: true }),
    format,
    nextSequence,
    slow: (isSlow) => context.slowReader(stream, isSlow),
  });
}
