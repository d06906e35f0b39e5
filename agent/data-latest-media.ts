import { DATA_RATE, LATEST_DEADLINE_MS } from "../signaling/data-stream.ts";
import { CallData } from "./call-data.ts";
import type { StreamFacts } from "./call-stream.ts";
import { LatestReceiver } from "./data-latest-receiver.ts";
import { LatestSender } from "./data-latest-sender.ts";
import type { StreamMediaContext, StreamSide, StreamSides } from "./stream-media.ts";
import type { DataStreamParameters } from "./stream-parameters.ts";
import { speakingParts } from "./stream-parts.ts";
import { hearDatagrams, hearingParts, LiveMedia, type TwoWayParts } from "./two-way-media.ts";

/** Ceiling for what a listener takes from one speaker: this many times what a sender keeps to. */
const RATE_HEADROOM = 2;
/** Seconds of burst on top, so that a network that held values back and lets them go at once is not refused. */
const RATE_BURST_SECONDS = 2;

type DataSide = StreamSide<DataStreamParameters>;

/** Latest values, both ways. */
export class LatestMedia extends LiveMedia<LatestSender, LatestReceiver> {
  readonly modality = "data";
  readonly data: CallData;

  constructor(parts: TwoWayParts<LatestSender, LatestReceiver>, data: CallData) {
    super(parts);
    this.data = data;
  }

  get handle(): CallData {
    return this.data;
  }

  /** The server forwards none. */
  want(): void {}
}

/** Makes the media of a stream of latest values and claims its flows. */
export function openLatestMedia(
  context: StreamMediaContext,
  facts: StreamFacts,
  sides: StreamSides<DataStreamParameters>,
): LatestMedia {
  const { sends, hears } = sides;
  const hop = context.hop();
  const sender = sends && makeSender(context, sends);
  const receiver = hears && makeReceiver(context, hears);
  if (sends !== undefined) hop.sends(sends.line);
  if (hears !== undefined && receiver !== undefined) {
    hearDatagrams(hop, hears.line, receiver);
    hears.line.listen("checkpoints", { datagram: () => {}, item: (bytes) => receiver.checkpoint(bytes) });
  }
  const data = new CallData(facts, context.control, { ...formOf(sides), sender, receiver });
  return new LatestMedia({ stream: facts.id, sides, sender, receiver, tagKeys: context.tagKeys }, data);
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

function makeReceiver(context: StreamMediaContext, side: DataSide): LatestReceiver {
  const { format, deadlineMs = LATEST_DEADLINE_MS } = side.entry;
  const rate = {
    framesPerSecond: DATA_RATE.messagesPerSecond * RATE_HEADROOM,
    bytesPerSecond: DATA_RATE.bytesPerSecond * RATE_HEADROOM,
    burst: RATE_BURST_SECONDS,
  };
  return new LatestReceiver({ ...hearingParts(context, side, { rate, deadlineMs }), format, deadlineMs });
}
