/** Data that bots send beside what they say and show: a stream of each delivery that was asked for, at a rate, all the time. */
import type { Call } from "../../agent/call.ts";
import { CallData } from "../../agent/call-data.ts";
import type { DataStreamOptions } from "../../agent/data-offer.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { BotTimes } from "./bot-times.ts";
import { pause } from "./pause.ts";
import type { BotsDelivery } from "./plan.ts";
import type { Tally } from "./tally.ts";

/** Age from which a latest value is of no use, ms: of a position or a reading. */
const DEADLINE_MS = 500;
/** Bytes of each message, beside its number. */
const FILLER = "x".repeat(100);
/** Of a message with its number. */
const MESSAGE_BITS = 1_000;

/** The streams that a call of these has. */
export function dataOptions(deliveries: readonly BotsDelivery[]): readonly DataStreamOptions[] {
  return deliveries.map((delivery) => ({
    label: labelOf(delivery),
    delivery,
    ...(delivery === "latest" ? { deadlineMs: DEADLINE_MS } : {}),
  }));
}

/** Sends numbered messages on a stream until `until` on `performance.now()`; a reliable one waits where its way, or its reader, is slower. */
export async function sendData(
  call: Call,
  delivery: BotsDelivery,
  {
    rate,
    until,
    stop,
    tally,
  }: { readonly rate: number; readonly until: number; readonly stop: AbortSignal; readonly tally: Tally },
): Promise<void> {
  const stream = streamOf(call, delivery);
  const counts = tally.data[delivery];
  const interval = (MESSAGE_BITS * 1_000) / rate;
  for (let due = performance.now(), n = 0; due < until && !stop.aborted; due += interval, n += 1) {
    await pause(due - performance.now());
    const sending = stream?.send({ n, filler: FILLER }).then(
      (fate) => {
        counts[fate] += 1;
      },
      (error: unknown) => {
        // A call that is over says so itself.
        if (!(error instanceof ParleyError) || error.code !== "closed") throw error;
      },
    );
    if (delivery === "reliable") await sending;
    // What its way did not take in time is not made up for in a burst.
    due = Math.max(due, performance.now() - interval);
  }
}

/** Reads a stream until the call is over. Numbers of a reliable one follow each other, those of latest values rise: all else is counted. */
export async function readData(
  call: Call,
  delivery: BotsDelivery,
  { tally, times }: { readonly tally: Tally; readonly times: BotTimes },
): Promise<void> {
  const stream = streamOf(call, delivery);
  if (stream === undefined) return;
  const counts = tally.data[delivery];
  let last = -1;
  for await (const { age, value } of stream) {
    const { n } = value as { readonly n: number };
    counts.read += 1;
    if (delivery === "reliable" ? n !== last + 1 : n <= last) counts.outOfOrder += 1;
    last = n;
    if (delivery === "latest") times.latestAge.record(age);
  }
}

function streamOf(call: Call, delivery: BotsDelivery): CallData | undefined {
  const found = call.streams.find(
    (stream) => stream instanceof CallData && stream.label === labelOf(delivery),
  );
  return found as CallData | undefined;
}

function labelOf(delivery: BotsDelivery): string {
  return `bots.${delivery}`;
}
