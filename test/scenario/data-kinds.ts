/** Calls with data of every kind. */
import type { Call } from "../../agent/call.ts";
import type { CallData, DataMessage } from "../../agent/call-data.ts";
import type { HeardText } from "../../agent/text-reader.ts";
import type { DataValue } from "../../codecs/data-message.ts";

/** A stream of each format and delivery, and what goes over streams of Parley's own. */
export const EVERY_KIND = {
  audio: false,
  data: [
    { label: "tasks" },
    { label: "captions", format: "text" },
    { label: "blobs", format: "binary" },
    { label: "position", delivery: "latest", deadlineMs: 300 },
  ],
  text: true,
  rpc: true,
} as const;

/** The data stream of a label. */
export function dataOf(call: Call, label: string): CallData<DataValue> {
  const found = call.streams.find((one) => "label" in one && one.label === label);
  if (found === undefined) throw new Error(`no stream ${label}`);
  return found as CallData<DataValue>;
}

/** What `data` hands out from now on. */
export function heardOn(data: CallData<DataValue>): DataMessage<DataValue>[] {
  const heard: DataMessage<DataValue>[] = [];
  void (async () => {
    for await (const message of data) heard.push(message);
  })();
  return heard;
}

/** The texts that `call` hears from now on. */
export function textsOf(call: Call): HeardText[] {
  const heard: HeardText[] = [];
  void (async () => {
    for await (const text of call.texts) heard.push(text);
  })();
  return heard;
}

export const valuesOf = (messages: readonly DataMessage<DataValue>[]) => messages.map(({ value }) => value);
