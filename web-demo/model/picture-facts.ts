/** How the pictures of a call get through, in figures: a few rows for each direction. */
import type { Encoding, Size } from "./picture-plan.ts";
import { codecName } from "./video-codec.ts";
import type { FactRow } from "./way-facts.ts";
import { durationText, rateText } from "./words.ts";

/** What is measured of the pictures that come. */
export interface SeenFacts {
  readonly codec: string;
  readonly size: Size | undefined;
  readonly rendition: number;
  /** Pictures shown a second, lately. */
  readonly shownRate: number | undefined;
  /** Decoded, and never shown. */
  readonly passedOver: number;
  readonly keysAsked: number;
  /** Times at which nothing could be decoded, and how long in all, ms. */
  readonly freezes: number;
  readonly frozenMs: number;
  /** Renditions changed so often. */
  readonly switches: number;
  /** How far pictures and voice were apart, ms. */
  readonly skew: { readonly p50: number | undefined; readonly p95: number | undefined };
}

/** What is made of one rendition. */
export interface RenditionFacts {
  readonly rendition: number;
  /** Undefined: it pauses. */
  readonly encoding: Encoding | undefined;
}

/** What is measured of the pictures that go. */
export interface ShownFacts {
  readonly codec: string;
  readonly renditions: readonly RenditionFacts[];
  /** What the agreed terms and the way leave for pictures now, bits a second. */
  readonly wanted: number;
  readonly keys: number;
  /** Key frames that the other end, or the server, asked for. */
  readonly keysAsked: number;
  /** Pictures left out: for want of rate, and because the encoder was behind. */
  readonly leftOut: number;
  readonly behind: number;
}

/** `undefined`: no picture in that direction. */
export interface PictureFacts {
  readonly seen: SeenFacts | undefined;
  readonly shown: ShownFacts | undefined;
}

export const NO_PICTURES: PictureFacts = { seen: undefined, shown: undefined };

export function seenRows({ seen }: PictureFacts): readonly FactRow[] {
  if (seen === undefined) return [];
  return [
    ["seen-size", "Picture", pictureText(seen)],
    ["seen-rendition", "Rendition", renditionText(seen)],
    ["seen-skew", "Apart from the voice", skewText(seen.skew)],
    ["seen-keys", "Key frames asked for", String(seen.keysAsked)],
    ["seen-frozen", "Stood still", frozenText(seen)],
    ["seen-passed-over", "Decoded and not shown", String(seen.passedOver)],
  ];
}

export function shownRows({ shown }: PictureFacts): readonly FactRow[] {
  if (shown === undefined) return [];
  return [
    ...shown.renditions.map(
      ({ rendition, encoding }): FactRow => [
        `shown-rendition-${rendition}`,
        shown.renditions.length === 1 ? "Picture" : `Rendition ${rendition + 1}`,
        encodingText(encoding),
      ],
    ),
    ["shown-wanted", "Room for pictures now", shown.wanted === 0 ? "none" : rateText(shown.wanted)],
    ["shown-keys", "Key frames made, asked for", `${shown.keys}, ${shown.keysAsked}`],
    ["shown-left-out", "Left out for want of room, of time", `${shown.leftOut}, ${shown.behind}`],
  ];
}

/** What stands under the other end's picture. */
export function captionOf({ codec, size, shownRate }: SeenFacts): string {
  const parts = [
    size && `${size.width} × ${size.height}`,
    shownRate === undefined ? undefined : `${Math.round(shownRate)} a second`,
    codecName(codec),
  ];
  return parts.filter((part) => part !== undefined).join(" · ");
}

/** What stands under one's own picture. */
export function ownCaptionOf({ codec, renditions }: ShownFacts): string {
  const best = renditions.find(({ encoding }) => encoding !== undefined);
  if (best?.encoding === undefined) return "Paused: there is no room for it";
  const { width, height, frameRate } = best.encoding;
  return `${width} × ${height} · up to ${Math.round(frameRate)} a second · ${codecName(codec)}`;
}

function pictureText({ size, shownRate }: SeenFacts): string {
  if (size === undefined) return "none yet";
  const rate = shownRate === undefined ? "" : `, ${Math.round(shownRate)} a second`;
  return `${size.width} × ${size.height}${rate}`;
}

function renditionText({ rendition, switches }: SeenFacts): string {
  const which = rendition === 0 ? "the best" : `number ${rendition + 1}`;
  return switches === 0 ? which : `${which}, changed ${switches === 1 ? "once" : `${switches} times`}`;
}

function skewText({ p50, p95 }: SeenFacts["skew"]): string {
  if (p50 === undefined || p95 === undefined) return "not known yet";
  return `${Math.round(p50)} ms, at most ${Math.round(p95)} ms in 95 %`;
}

function frozenText({ freezes, frozenMs }: SeenFacts): string {
  if (freezes === 0) return "never";
  return `${durationText(frozenMs)} in ${freezes === 1 ? "1 stop" : `${freezes} stops`}`;
}

function encodingText(encoding: Encoding | undefined): string {
  if (encoding === undefined) return "paused";
  const { width, height, frameRate, bitsPerSecond } = encoding;
  return `${width} × ${height}, ${Math.round(frameRate)} a second, ${rateText(bitsPerSecond)}`;
}
