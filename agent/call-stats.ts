import type { ClosingPayload } from "../signaling/closing.ts";
import type { AudioReceiverCounters } from "./audio-receiver.ts";
import type { AudioSenderCounters } from "./audio-sender.ts";
import type { DataStats } from "./call-data.ts";
import type { HopStats } from "./call-hop.ts";
import type { CallMedia } from "./call-media.ts";

/** What a call counted at this end. */
export interface CallStats {
  /** What this end said; undefined when it only listens, and of encoded voices: see `EncodedVoice.stats`. */
  readonly sent: AudioSenderCounters | undefined;
  /** What this end heard; undefined until the first frame, and of encoded voices. */
  readonly heard: AudioReceiverCounters | undefined;
  /** Heard frames that no reader took in time. */
  readonly unread: number;
  /** How live media gets to the server, as the server reports it; undefined in a call without. */
  readonly hop: HopStats | undefined;
  /** The first stream of data; undefined when the call has none. `CallData.stats` has those of each. */
  readonly data: DataStats | undefined;
}

export function callStats(media: CallMedia): CallStats {
  const { audio, messages } = media;
  return {
    ...(media.voice()?.counters ?? { sent: undefined, heard: undefined }),
    unread: audio.unread,
    hop: media.hop?.stats,
    data: messages && { sent: messages.sender?.counters, heard: messages.receiver?.counters },
  };
}

/** What a closing statement counts: all streams together. */
export function closingTotals({ totals }: CallMedia): ClosingPayload["totals"] {
  const spoken = totals.map(({ sent }) => sent).filter((one) => one !== undefined);
  const heard = totals.map((one) => one.heard).filter((one) => one !== undefined);
  const sum = <Count>(all: readonly Count[], count: (one: Count) => number) =>
    all.reduce((total, one) => total + count(one), 0);
  return {
    sent: { frames: sum(spoken, (one) => one.sent), checkpoints: sum(spoken, (one) => one.checkpoints) },
    received: {
      frames: sum(heard, (one) => one.received),
      heard: sum(heard, (one) => one.heard),
      concealed: sum(heard, (one) => one.concealed),
      late: sum(heard, (one) => one.late),
      refused: sum(heard, (one) => one.refused),
      receipts: sum(heard, (one) => one.receipts),
    },
  };
}
