import type { DataFormatName } from "../codecs/data-formats.ts";
import { dataFormat } from "../codecs/data-formats.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import {
  checkDataLabel,
  type DataDelivery,
  type DataOfferStream,
  LATEST_DEADLINE_MS,
} from "../signaling/data-stream.ts";
import type { Direction } from "../signaling/stream-fields.ts";
import type { CallOptions } from "./call-options.ts";
import { unwrap } from "./unwrap.ts";

/** Stream id of a call's first data. */
const FIRST_STREAM = 2;
/** That of its second; the renditions of a video lie between. */
const SECOND_STREAM = 7;

/** What the labels of Parley's own streams begin with. */
const OWN_LABEL_PREFIX = "parley.";
/** Of the streams that texts, and requests and answers, go over. */
export const TEXT_LABEL = `${OWN_LABEL_PREFIX}text`;
export const RPC_LABEL = `${OWN_LABEL_PREFIX}rpc`;

/** What a data stream is to be. */
export interface DataStreamOptions {
  /** What the streams of a call are told apart by, 1 to 64 printable characters of ASCII. Those that begin with `parley.` are Parley's own. */
  readonly label?: string;
  /** What its messages are: any JSON values, texts, or bytes. Default `json`. */
  readonly format?: DataFormatName;
  /**
   * `reliable` (default): messages arrive complete and in order. `latest`: each may be lost, and a newer one takes the place of one that waits; at most 1,024
   * bytes each.
   */
  readonly delivery?: "reliable" | "latest";
  /** Of `latest`: age from which a message is neither sent nor handed out, 20 to 10,000 ms. Default 1,000. */
  readonly deadlineMs?: number;
  /** Default `sendrecv`. */
  readonly direction?: Direction;
}

/** The data streams that a caller offers. Throws `field-invalid`. */
export function offeredData(
  { data = false, text = false, rpc = false }: Pick<CallOptions, "data" | "text" | "rpc">,
  freshSsrc: () => number,
): DataOfferStream[] {
  const wanted = data === false ? [] : data === true ? [{}] : data;
  for (const [index, { label }] of wanted.entries()) checkLabel(label, `data[${index}].label`);
  const own = [...(text ? [TEXT_LABEL] : []), ...(rpc ? [RPC_LABEL] : [])].map((label) => ({ label }));
  return [...wanted, ...own].map((options, index) =>
    offerData(options, index === 0 ? FIRST_STREAM : SECOND_STREAM + index - 1, freshSsrc()),
  );
}

/** One data stream as an end offers it. Throws `field-invalid`. */
export function offerData(options: DataStreamOptions, stream: number, ssrc: number): DataOfferStream {
  const { format = "json", direction = "sendrecv", label } = options;
  const entry = dataFormat(format);
  if (entry === undefined)
    throw new ParleyError({ code: "field-invalid", message: "No such data format.", at: "data.format" });
  return {
    stream,
    modality: "data",
    direction,
    ssrc,
    formats: [{ name: entry.name, payload_type: entry.payloadType }],
    ...(label === undefined ? {} : { label }),
    ...deliveryOf(options),
  };
}

/** Whether the streams of this label are Parley's own. */
export function isOwnLabel(label: string | undefined): boolean {
  return label?.startsWith(OWN_LABEL_PREFIX) === true;
}

/** Throws `field-invalid` for a label that no stream may bear, or no application's. */
export function checkLabel(label: string | undefined, at: string): void {
  if (label !== undefined) unwrap(checkDataLabel(label, at));
  if (!isOwnLabel(label)) return;
  throw new ParleyError({ code: "field-invalid", message: "Labels in parley. are Parley's own.", at });
}

function deliveryOf({ delivery, deadlineMs }: DataStreamOptions): Omit<DataDelivery, "label"> {
  if (delivery === "latest") return { delivery, deadline_ms: Math.round(deadlineMs ?? LATEST_DEADLINE_MS) };
  if (deadlineMs === undefined) return {};
  const message = "What comes complete and in order has no deadline.";
  throw new ParleyError({ code: "field-invalid", message, at: "data.deadlineMs" });
}
