/** How the voice of a call gets through, in figures: a few rows for each direction. */
import { clockText, durationText, rateText } from "./words.ts";

/** What is measured of a call. `undefined`: not known, or not yet. */
export interface WayFacts {
  readonly heard:
    | {
        /** Frame times made up, and those of them made of what the frame after carries. */
        readonly concealed: number;
        readonly recovered: number;
        /** Frames played of a copy that another frame carried. */
        readonly redundant: number;
        /** Milliseconds played shorter and longer to change the delay. */
        readonly accelerated: number;
        readonly expanded: number;
        /** Delay aimed at, ms. */
        readonly target: number | undefined;
      }
    | undefined;
  /** Bits a second that left lately, headers included. */
  readonly sentRate: number | undefined;
  /** What the way to the server takes, bits a second, headers included; `isLeast`: no more was tried. */
  readonly takes: { readonly rate: number; readonly isLeast: boolean; readonly loss: number } | undefined;
  /** What the other end says that it can be sent, bits a second. */
  readonly peerTakes: number | undefined;
  /** How far the other end signed that it heard this one, ms of the turn, and when, Unix milliseconds. */
  readonly heardTo: { readonly playedMs: number | undefined; readonly at: number } | undefined;
}

/** One row: an id for tests, what it is, and how it stands. */
export type FactRow = readonly [id: string, label: string, text: string];

/** What comes from the other end. */
export function heardRows({ heard }: WayFacts): readonly FactRow[] {
  const concealed =
    heard === undefined
      ? UNKNOWN
      : `${frames(heard.concealed)}, ${heard.recovered} recovered from the next one`;
  const stretched =
    heard === undefined ? UNKNOWN : `${durationText(heard.accelerated)}, ${durationText(heard.expanded)}`;
  return [
    ["way-concealed", "Made up", concealed],
    ["way-redundant", "From copies in other frames", heard === undefined ? UNKNOWN : frames(heard.redundant)],
    ["way-stretched", "Played shorter, longer", stretched],
    [
      "way-target",
      "Delay aimed at",
      heard?.target === undefined ? UNKNOWN : `${Math.round(heard.target)} ms`,
    ],
  ];
}

/** What goes to the other end. */
export function sentRows(
  { sentRate, takes, peerTakes, heardTo }: WayFacts,
  peer: string,
): readonly FactRow[] {
  const way =
    takes === undefined
      ? UNKNOWN
      : `${takes.isLeast ? "at least" : "about"} ${rateText(takes.rate)}, ${(takes.loss * 100).toFixed(1)} % lost`;
  return [
    ["way-sent", "Sent, headers included", sentRate === undefined ? UNKNOWN : rateText(sentRate)],
    ["way-takes", "The way to the server takes", way],
    ["way-peer", `${peer} says it can take`, peerTakes === undefined ? UNKNOWN : rateText(peerTakes)],
    [
      "way-heard-to",
      `${peer} signed that it heard`,
      heardTo === undefined ? "nothing yet" : heardText(heardTo),
    ],
  ];
}

function heardText({ playedMs, at }: NonNullable<WayFacts["heardTo"]>): string {
  const time = new Date(at).toLocaleTimeString();
  if (playedMs === undefined) return `you until ${time}`;
  const far = playedMs < 60_000 ? durationText(playedMs) : clockText(playedMs);
  return `${far} of your last turn, until ${time}`;
}

function frames(count: number): string {
  return count === 1 ? "1 frame" : `${count} frames`;
}

const UNKNOWN = "–";
