import { InvalidArgumentError } from "commander";
import { urlOfServer } from "../../agent/address.ts";
import { AUDIO_FORMATS } from "../../codecs/audio-formats.ts";
import type { FrameProfile } from "../../codecs/frame.ts";
import { isAgtpUri, parseAgtpUri } from "../../signaling/agtp-uri.ts";
import { END_REASON } from "../../signaling/closing.ts";
import { readShape } from "../../signaling/shape.ts";
import { parseNetworks } from "../bots/networks.ts";
import type { BotsPlan } from "../bots/plan.ts";
import { parseDurations, parseRates, type Range } from "../bots/ranges.ts";

/** A whole number between two bounds. */
export function integer(least: number, most: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= least && value <= most) return value;
    throw new InvalidArgumentError(`It is a whole number from ${least} to ${most}.`);
  };
}

/** A port number, or `off`. */
export function portOrOff(text: string): number | "off" {
  if (text === "off") return text;
  try {
    return integer(0, 65_535)(text);
  } catch {
    throw new InvalidArgumentError("It is a whole number from 0 to 65535, or off.");
  }
}

/** A time in seconds, fractions allowed. */
export function seconds(text: string): number {
  const value = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : Number.NaN;
  if (value >= 0) return value;
  throw new InvalidArgumentError("It is a number of seconds.");
}

/** A duration with its unit, or a range of them; milliseconds. */
export function durations(text: string): Range {
  const parsed = parseDurations(text);
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError(parsed.fault.message);
}

/** Bits a second, or a range of them. */
export function rates(text: string): Range {
  const parsed = parseRates(text);
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError(parsed.fault.message);
}

/** Networks that bots draw from. */
export function networks(text: string): BotsPlan["networks"] {
  const parsed = parseNetworks(text);
  if (parsed.ok) return parsed.value;
  throw new InvalidArgumentError(parsed.fault.message);
}

/** Deliveries of bots' data streams, each once. */
export function deliveries(text: string): BotsPlan["data"] {
  const names = text.split(",");
  const known = (["reliable", "latest"] as const).filter((name) => names.includes(name));
  if (known.length === names.length) return known;
  throw new InvalidArgumentError("It is reliable, latest or reliable,latest.");
}

/** 64 hex digits. */
export function agentId(text: string): string {
  if (HASH.test(text)) return text.toLowerCase();
  throw new InvalidArgumentError("It is 64 hex digits.");
}

/** Whom a call is for: an Agent-ID, or an `agtp://` URI of an agent. */
export function callee(text: string): string {
  if (!isAgtpUri(text)) return agentId(text);
  const uri = parseAgtpUri(text);
  if (!uri.ok) throw new InvalidArgumentError(uri.fault.message);
  if (uri.value.kind !== "server") return text;
  throw new InvalidArgumentError("It names a server; a call is for an agent.");
}

/** Where a server is: `https://host:port/agtp` or `agtp://host[:port]`, the latter as the former. */
export function server(text: string): string {
  if (!isAgtpUri(text)) {
    if (URL.canParse(text)) return text;
    throw new InvalidArgumentError("It is a URL, https://host:port/agtp or agtp://host.");
  }
  const uri = parseAgtpUri(text);
  if (!uri.ok) throw new InvalidArgumentError(uri.fault.message);
  if (uri.value.kind === "server") return urlOfServer(uri.value.server);
  throw new InvalidArgumentError("It names an agent; a server is agtp://host[:port].");
}

/** SHA-256 in hex, with or without colons; given again, one more. */
export function certificateHashes(text: string, before: readonly string[] | undefined): string[] {
  const hash = text.replaceAll(":", "");
  if (HASH.test(hash)) return [...(before ?? []), hash.toLowerCase()];
  throw new InvalidArgumentError("It is a SHA-256 of 64 hex digits.");
}

/** A SHA-256 fingerprint of a certificate, as 64 hex digits or as `a=fingerprint` of SDP writes it. */
export function fingerprint(text: string): string {
  const hash = text.replaceAll(":", "");
  if (HASH.test(hash)) return hash.toLowerCase();
  throw new InvalidArgumentError("It is a SHA-256 of 64 hex digits.");
}

/** Names of codecs; given again, one more. */
export function codecs(text: string, before: readonly string[] | undefined): string[] {
  const name = text.toLowerCase();
  if (AUDIO_FORMATS.some((known) => known.name === name)) return [...(before ?? []), name];
  throw new InvalidArgumentError(`It is one of ${AUDIO_FORMATS.map((known) => known.name).join(", ")}.`);
}

/** Attribution profiles; given again, one more. */
export function profiles(text: string, before: readonly FrameProfile[] | undefined): FrameProfile[] {
  if (text === "frame" || text === "chain") return [...(before ?? []), text];
  throw new InvalidArgumentError("It is frame or chain.");
}

/** A length of frames that some codec has, milliseconds. */
export function frameMs(text: string): number {
  const known = [...new Set(AUDIO_FORMATS.flatMap((format) => format.frameMs))].sort((a, b) => a - b);
  const value = Number(text);
  if (known.includes(value)) return value;
  throw new InvalidArgumentError(`It is one of ${known.join(", ")}.`);
}

/** Why a call is ended. */
export function reason(text: string): string {
  if (readShape(END_REASON, text, "reason").ok) return text;
  throw new InvalidArgumentError("It is 1 to 64 letters, digits, punctuation marks and blanks.");
}

/** Any text; given again, one more. */
export function collect(text: string, before: readonly string[] | undefined): string[] {
  return [...(before ?? []), text];
}

const HASH = /^[0-9a-fA-F]{64}$/;
