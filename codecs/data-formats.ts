/** The formats of structured data Parley knows, by name: what negotiation offers and what a message's bytes mean. */

export type DataFormatName = "json" | "text" | "binary";

export interface DataFormatEntry {
  /** As offers and `Data-Formats` name it. */
  readonly name: DataFormatName;
  /** The dynamic RTP payload type that Parley offers. */
  readonly payloadType: number;
}

/** Every known format, best first. A message is, `json`: one value as RFC 8785 canonical JSON; `text`: UTF-8; `binary`: any bytes. */
export const DATA_FORMATS: readonly DataFormatEntry[] = [
  { name: "json", payloadType: 98 },
  { name: "text", payloadType: 99 },
  { name: "binary", payloadType: 100 },
];

/** The format of that name; `undefined` where there is none. */
export function dataFormat(name: string): DataFormatEntry | undefined {
  return DATA_FORMATS.find((format) => format.name === name);
}

/** RTP clock rate of data streams, Hz: a timestamp is a millisecond. */
export const DATA_CLOCK_RATE = 1000;
