/** The formats of structured data Parley knows, by name: what negotiation offers and what a message's bytes mean. */

export type DataFormatName = "json";

export interface DataFormatEntry {
  /** As offers and `Data-Formats` name it. */
  readonly name: DataFormatName;
  /** The dynamic RTP payload type that Parley offers. */
  readonly payloadType: number;
}

/** Every known format, best first. `json`: one value a message, as RFC 8785 canonical JSON. */
export const DATA_FORMATS: readonly DataFormatEntry[] = [{ name: "json", payloadType: 98 }];

/** RTP clock rate of data streams, Hz: a timestamp is a millisecond. */
export const DATA_CLOCK_RATE = 1000;
