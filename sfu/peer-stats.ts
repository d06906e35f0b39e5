/** What a peer connection measured of one stream that comes. */
export interface ReceivedStats {
  /** `opus`, `VP8` …; undefined before the first packet. */
  readonly codec: string | undefined;
  readonly packets: number;
  readonly lost: number;
  /** Milliseconds. */
  readonly jitter: number | undefined;
  /** Since the look before, headers excluded; undefined at the first. */
  readonly bitsPerSecond: number | undefined;
  /** How long what was played lately waited for its turn, ms. */
  readonly delay: number | undefined;
}

export interface ReceivedAudioStats extends ReceivedStats {
  /** Samples played, and those of them that were made up for want of packets. */
  readonly samples: number;
  readonly concealed: number;
}

export interface ReceivedVideoStats extends ReceivedStats {
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly framesPerSecond: number | undefined;
  readonly decoded: number;
  readonly dropped: number;
  readonly keyFrames: number;
  /** Key frames asked for. */
  readonly keysAsked: number;
  readonly freezes: number;
  /** Milliseconds in all. */
  readonly frozen: number;
}

/** What a peer connection measured of one stream that goes. */
export interface SentStats {
  readonly codec: string | undefined;
  readonly packets: number;
  readonly bitsPerSecond: number | undefined;
  /** As the other end last reported: packets in all, share of the last report's, and milliseconds. */
  readonly lost: number | undefined;
  readonly lossShare: number | undefined;
  readonly jitter: number | undefined;
}

export interface SentVideoStats extends SentStats {
  readonly width: number | undefined;
  readonly height: number | undefined;
  readonly framesPerSecond: number | undefined;
  readonly encoded: number;
  readonly keyFrames: number;
  /** Why it is smaller or slower than it could be: `none`, `cpu`, `bandwidth`, `other`. */
  readonly limitedBy: string | undefined;
}

/** `undefined`: nothing flows in that direction yet. */
export interface PeerStats {
  /** Milliseconds, as ICE measured it last. */
  readonly roundTrip: number | undefined;
  /** What the way out takes, bits a second, as estimated. */
  readonly room: number | undefined;
  readonly heard: ReceivedAudioStats | undefined;
  readonly spoken: SentStats | undefined;
  readonly seen: ReceivedVideoStats | undefined;
  readonly shown: SentVideoStats | undefined;
}

type Entry = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

/** What reports of one peer connection say, with what changed since the one before. */
export class PeerMeter {
  readonly #before = new Map<
    string,
    { readonly at: number; readonly counts: Readonly<Record<string, number>> }
  >();

  /** Reads one report: the values of `RTCPeerConnection.getStats()`. */
  read(report: Iterable<unknown>): PeerStats {
    const entries = new Map([...report].map((entry) => [(entry as Entry).id, entry as Entry]));
    const streams = [...entries.values()];
    const find = (type: string, kind: string) =>
      streams.find(
        (entry) =>
          entry.type === type &&
          entry.kind === kind &&
          number(entry.packetsReceived ?? entry.packetsSent) > 0,
      );
    const pair = pairOf(streams, entries);
    const heard = find("inbound-rtp", "audio");
    const spoken = find("outbound-rtp", "audio");
    const seen = find("inbound-rtp", "video");
    const shown = find("outbound-rtp", "video");
    return {
      roundTrip: milliseconds(pair?.currentRoundTripTime),
      room: optional(pair?.availableOutgoingBitrate),
      heard: heard && {
        ...this.#received(heard, entries),
        samples: number(heard.totalSamplesReceived),
        concealed: number(heard.concealedSamples),
      },
      spoken: spoken && this.#sent(spoken, entries),
      seen: seen && {
        ...this.#received(seen, entries),
        ...sizeOf(seen),
        decoded: number(seen.framesDecoded),
        dropped: number(seen.framesDropped),
        keyFrames: number(seen.keyFramesDecoded),
        keysAsked: number(seen.pliCount) + number(seen.firCount),
        freezes: number(seen.freezeCount),
        frozen: 1_000 * number(seen.totalFreezesDuration),
      },
      shown: shown && {
        ...this.#sent(shown, entries),
        ...sizeOf(shown),
        encoded: number(shown.framesEncoded),
        keyFrames: number(shown.keyFramesEncoded),
        limitedBy:
          typeof shown.qualityLimitationReason === "string" ? shown.qualityLimitationReason : undefined,
      },
    };
  }

  #received(entry: Entry, entries: ReadonlyMap<string, Entry>): ReceivedStats {
    const { bytes, waited, emitted, seconds } = this.#since(entry, {
      bytes: number(entry.bytesReceived),
      waited: number(entry.jitterBufferDelay),
      emitted: number(entry.jitterBufferEmittedCount),
    });
    return {
      codec: codecOf(entry, entries),
      packets: number(entry.packetsReceived),
      // Copies count as what was found again: less than nothing is none.
      lost: Math.max(0, number(entry.packetsLost)),
      jitter: milliseconds(entry.jitter),
      bitsPerSecond: seconds === undefined ? undefined : (8 * bytes) / seconds,
      delay: emitted > 0 ? (1_000 * waited) / emitted : undefined,
    };
  }

  #sent(entry: Entry, entries: ReadonlyMap<string, Entry>): SentStats {
    const { bytes, seconds } = this.#since(entry, { bytes: number(entry.bytesSent) });
    const told = typeof entry.remoteId === "string" ? entries.get(entry.remoteId) : undefined;
    return {
      codec: codecOf(entry, entries),
      packets: number(entry.packetsSent),
      bitsPerSecond: seconds === undefined ? undefined : (8 * bytes) / seconds,
      lost: told && Math.max(0, number(told.packetsLost)),
      lossShare: told && Math.max(0, number(told.fractionLost)),
      jitter: milliseconds(told?.jitter),
    };
  }

  /** By how much counters rose since the look before, and over what time; all of it, and no time, at the first. */
  #since<Name extends string>(
    entry: Entry,
    counts: Readonly<Record<Name, number>>,
  ): Readonly<Record<Name, number>> & { readonly seconds: number | undefined } {
    const at = number(entry.timestamp);
    const before = this.#before.get(entry.id);
    this.#before.set(entry.id, { at, counts });
    const seconds = before === undefined || at <= before.at ? undefined : (at - before.at) / 1_000;
    const risen = Object.fromEntries(
      (Object.entries(counts) as [Name, number][]).map(([name, count]) => [
        name,
        count - (before?.counts[name] ?? 0),
      ]),
    ) as Record<Name, number>;
    return { ...risen, seconds };
  }
}

/** The pair of addresses that is in use. */
function pairOf(streams: readonly Entry[], entries: ReadonlyMap<string, Entry>): Entry | undefined {
  const transport = streams.find(({ type }) => type === "transport");
  const chosen = transport?.selectedCandidatePairId;
  if (typeof chosen === "string") return entries.get(chosen);
  return streams.find(
    ({ type, nominated, state }) => type === "candidate-pair" && nominated === true && state === "succeeded",
  );
}

function codecOf(entry: Entry, entries: ReadonlyMap<string, Entry>): string | undefined {
  const codec = typeof entry.codecId === "string" ? entries.get(entry.codecId)?.mimeType : undefined;
  return typeof codec === "string" ? codec.replace(/^\w+\//, "") : undefined;
}

function sizeOf({ frameWidth, frameHeight, framesPerSecond }: Entry) {
  return {
    width: optional(frameWidth),
    height: optional(frameHeight),
    framesPerSecond: optional(framesPerSecond),
  };
}

function number(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function optional(value: unknown): number | undefined {
  return typeof value === "number" ? value : undefined;
}

function milliseconds(seconds: unknown): number | undefined {
  return typeof seconds === "number" ? 1_000 * seconds : undefined;
}
