/** What the browser measures of a call over WebRTC, in rows. */
import type { PeerStats } from "@parley-rt/parley/agent";
import { codecName } from "./video-codec.ts";
import type { FactRow } from "./way-facts.ts";
import { durationText, rateText } from "./words.ts";

type Facts = PeerStats | undefined;

export function gatewayHeardRows(facts: Facts): readonly FactRow[] {
  const heard = facts?.heard;
  if (heard === undefined) return [["rtc-heard", "Voice", "nothing yet"]];
  return [
    ["rtc-heard", "Voice", formatAt(heard)],
    ["rtc-heard-lost", "Packets lost", ofAll(heard.lost, heard.packets + heard.lost)],
    ["rtc-heard-jitter", "Jitter", milliseconds(heard.jitter)],
    ["rtc-heard-concealed", "Made up", ofAll(heard.concealed, heard.samples)],
  ];
}

export function gatewaySentRows(facts: Facts): readonly FactRow[] {
  const spoken = facts?.spoken;
  if (spoken === undefined) return [["rtc-sent", "Voice", "nothing yet"]];
  return [
    ["rtc-sent", "Voice", formatAt(spoken)],
    ["rtc-sent-lost", "Lost, as the gateway reports", percent(spoken.lossShare)],
    ["rtc-sent-jitter", "Jitter there", milliseconds(spoken.jitter)],
    ["rtc-room", "The way out takes", facts?.room === undefined ? UNKNOWN : `about ${rateText(facts.room)}`],
  ];
}

export function gatewaySeenRows(facts: Facts): readonly FactRow[] {
  const seen = facts?.seen;
  if (seen === undefined) return [];
  return [
    ["rtc-seen", "Picture", pictureText(seen)],
    ["rtc-seen-format", "Format", formatAt(seen)],
    ["rtc-seen-decoded", "Decoded, dropped", `${seen.decoded}, ${seen.dropped}`],
    ["rtc-seen-lost", "Packets lost", ofAll(seen.lost, seen.packets + seen.lost)],
    ["rtc-seen-keys", "Key frames came, asked for", `${seen.keyFrames}, ${seen.keysAsked}`],
    [
      "rtc-seen-frozen",
      "Stood still",
      seen.freezes === 0 ? "never" : `${durationText(seen.frozen)} in ${stops(seen.freezes)}`,
    ],
  ];
}

export function gatewayShownRows(facts: Facts): readonly FactRow[] {
  const shown = facts?.shown;
  if (shown === undefined) return [];
  return [
    ["rtc-shown", "Picture", pictureText(shown)],
    ["rtc-shown-format", "Format", formatAt(shown)],
    ["rtc-shown-encoded", "Encoded, key frames", `${shown.encoded}, ${shown.keyFrames}`],
    ["rtc-shown-lost", "Lost, as the gateway reports", percent(shown.lossShare)],
    ["rtc-shown-limit", "Held back by", LIMITS[shown.limitedBy ?? "none"] ?? UNKNOWN],
  ];
}

/** What stands under a picture that the browser encodes or decodes itself. */
export function gatewayCaption(picture: PeerStats["seen"] | PeerStats["shown"]): string {
  if (picture === undefined || picture.width === undefined) return "";
  return [
    `${picture.width} × ${picture.height}`,
    picture.framesPerSecond === undefined ? undefined : `${Math.round(picture.framesPerSecond)} a second`,
    picture.codec === undefined ? undefined : codecText(picture.codec),
  ]
    .filter((part) => part !== undefined)
    .join(" · ");
}

/** Name of a format of either kind. */
export function codecText(codec: string): string {
  return codec.toLowerCase() === "opus" ? "Opus" : codecName(codec.toLowerCase());
}

function formatAt({
  codec,
  bitsPerSecond,
}: {
  codec: string | undefined;
  bitsPerSecond: number | undefined;
}): string {
  const name = codec === undefined ? UNKNOWN : codecText(codec);
  return bitsPerSecond === undefined ? name : `${name}, ${rateText(bitsPerSecond)}`;
}

function pictureText({
  width,
  height,
  framesPerSecond,
}: NonNullable<PeerStats["shown"] | PeerStats["seen"]>): string {
  if (width === undefined) return "none yet";
  const rate = framesPerSecond === undefined ? "" : `, ${Math.round(framesPerSecond)} a second`;
  return `${width} × ${height}${rate}`;
}

function ofAll(some: number, all: number): string {
  return all === 0 ? "none" : `${some}, ${percent(some / all)}`;
}

function percent(share: number | undefined): string {
  return share === undefined ? UNKNOWN : `${(100 * share).toFixed(1)} %`;
}

function milliseconds(ms: number | undefined): string {
  return ms === undefined ? UNKNOWN : `${ms.toFixed(1)} ms`;
}

function stops(count: number): string {
  return count === 1 ? "1 stop" : `${count} stops`;
}

const LIMITS: Readonly<Record<string, string>> = {
  none: "nothing",
  bandwidth: "the way out",
  cpu: "this machine",
  other: "something else",
};
const UNKNOWN = "–";
