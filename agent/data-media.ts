import { DATA_CATCH_UP_SECONDS, DATA_RATE } from "../signaling/data-stream.ts";
import type { PacketTap } from "./audio-receiver.ts";
import { CallData } from "./call-data.ts";
import { DataReceiver } from "./data-receiver.ts";
import { DataSender } from "./data-sender.ts";
import type { FrameWatch } from "./frame-fate.ts";
import type { MediaPort } from "./media-port.ts";
import type { MediaTime } from "./media-time.ts";
import type { DataStreamParameters, StreamParameters } from "./stream-parameters.ts";
import { listeningParts, type StreamContext, speakingParts } from "./stream-parts.ts";

/** Ceiling for what a listener takes from one speaker: this many times what a sender keeps to. */
const RATE_HEADROOM = 2;

export interface DataMediaOptions extends StreamContext {
  readonly time: MediaTime;
  readonly port: MediaPort;
  readonly streams: readonly StreamParameters[];
  readonly speaker: string;
  readonly tap?: PacketTap | undefined;
  readonly watch?: FrameWatch | undefined;
  readonly outgoing?: ((packet: Uint8Array) => void) | undefined;
}

/** The data stream of a call, as far as one was agreed. */
export interface DataMedia {
  readonly data: CallData | undefined;
  readonly sender: DataSender | undefined;
  readonly receiver: DataReceiver | undefined;
  /** Signs what is still owed and resolves when the carrier took it. */
  finish(): Promise<void>;
}

/** Makes both directions of a call's data stream and claims their flows. */
export function openDataMedia(options: DataMediaOptions): DataMedia {
  const { port } = options;
  const entries = options.streams.filter((entry) => entry.modality === "data");
  const sends = entries.find((entry) => entry.direction === "send");
  const hears = entries.find((entry) => entry.direction === "receive");
  const sender = sends && makeSender(options, sends);
  const receiver = hears && makeReceiver(options, hears);
  const releases: (() => void)[] = [];
  const nothing = () => {};
  if (hears !== undefined && receiver !== undefined) {
    releases.push(
      port.claim(hears.flow, {
        datagram: (bytes) => receiver.datagram(bytes),
        item: (bytes) => receiver.item(bytes),
      }),
      port.claim(hears.checkpointFlow, { datagram: nothing, item: (bytes) => receiver.checkpoint(bytes) }),
    );
  }
  if (sends !== undefined) releases.push(port.claim(sends.receiptFlow, { datagram: nothing, item: nothing }));
  return {
    data: entries.length === 0 ? undefined : new CallData(sender, receiver),
    sender,
    receiver,
    finish: async () => {
      sender?.finish();
      receiver?.finish();
      for (const release of releases) release();
      await Promise.all([
        sends && port.finishStream(sends.flow),
        sends && port.finishStream(sends.checkpointFlow),
        hears && port.finishStream(hears.receiptFlow),
      ]);
    },
  };
}

function makeSender(options: DataMediaOptions, entry: DataStreamParameters): DataSender {
  const { platform, port, time } = options;
  return new DataSender({
    clock: platform.clock,
    time,
    ...speakingParts(options, entry, 0),
    outlet: {
      frame: (packet) => {
        options.outgoing?.(packet);
        return port.writeItem(entry.flow, packet);
      },
      checkpoint: (bytes) => port.sendItem(entry.checkpointFlow, bytes),
      giveUp: () => port.abandonStream(entry.flow),
    },
    stream: entry.stream,
    watch: options.watch,
  });
}

function makeReceiver(options: DataMediaOptions, entry: DataStreamParameters): DataReceiver {
  const { platform, port, time } = options;
  const rate = {
    framesPerSecond: DATA_RATE.messagesPerSecond * RATE_HEADROOM,
    bytesPerSecond: DATA_RATE.bytesPerSecond * RATE_HEADROOM,
    burst: DATA_CATCH_UP_SECONDS,
  };
  return new DataReceiver({
    clock: platform.clock,
    time,
    ...listeningParts(options, entry, { rate, reliable: true }),
    speaker: options.speaker,
    receipt: (bytes) => port.sendItem(entry.receiptFlow, bytes),
    tap: options.tap,
    watch: options.watch,
  });
}
