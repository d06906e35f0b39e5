/** Every frame of the call as a tick: a strip for what is heard, a strip for what is sent, and what the shapes mean. */
import type { Fate, FrameStrip } from "../model/frame-strip.ts";
import type { LiveMedia } from "../model/live-media.ts";
import { refusalWords } from "../model/words.ts";
import { el, setAttribute, setText } from "./dom.ts";
import { fitCanvas, palette, sizeOf } from "./palette.ts";
import { paintTick, TICK_PITCH } from "./tick-painter.ts";

/** What each fate is called, and what it means. */
type Legend = readonly (readonly [Fate, string, string])[];

const HEARD: Legend = [
  ["verified", "verified", "The signature held; it was played."],
  ["late", "late", "It came too late to be played."],
  ["concealed", "concealed", "Made up here in place of a missing frame. Nobody signed it."],
  ["refused", "refused", "It was not played."],
  ["away", "away", "An end had no connection: nothing could come."],
];
const SENT: Legend = [
  ["sent", "sent", "Signed here and sent; no refusal was reported."],
  ["refused", "refused", "The server did not let it through."],
  ["unsent", "unsent", "Signed here while there was no connection. It never left."],
  ["away", "away", "This page was gone: nothing was said."],
];

const SEEN: Legend = [
  ["verified", "verified", "The signature held; it was decoded."],
  ["refused", "refused", "It was not decoded."],
];
const SHOWN: Legend = [
  ["sent", "sent", "Signed here and sent; no refusal was reported."],
  ["refused", "refused", "The server did not let it through."],
  ["unsent", "unsent", "Signed here, and it did not leave whole."],
];

export class StripsView {
  readonly element: HTMLElement;
  readonly #heard = new Strip("heard", "Heard", HEARD);
  readonly #sent = new Strip("sent", "Sent", SENT);

  constructor() {
    this.element = panel(
      "strips-title",
      "Frames",
      "One tick is one frame of 20 ms, newest at the right. Louder is taller.",
      this.#heard,
      this.#sent,
    );
  }

  /** Paints what changed since the last time. */
  paint(live: LiveMedia): void {
    this.#heard.paint(live.heard);
    this.#sent.paint(live.sent);
  }
}

/** The same for pictures; there once a picture came or went. */
export class PictureStripsView {
  readonly element: HTMLElement;
  readonly #seen = new Strip("seen", "Seen", SEEN);
  readonly #shown = new Strip("shown", "Shown", SHOWN);

  constructor() {
    this.element = panel(
      "picture-strips-title",
      "Units of pictures",
      "One tick is one unit, newest at the right. Those seen are taller with more bytes.",
      this.#seen,
      this.#shown,
    );
    this.element.hidden = true;
  }

  paint({ pictures: { seen, shown } }: LiveMedia): void {
    if (seen.changes + shown.changes === 0) return;
    this.element.hidden = false;
    for (const [strip, ticks] of [
      [this.#seen, seen],
      [this.#shown, shown],
    ] as const) {
      strip.element.hidden = ticks.changes === 0;
      strip.paint(ticks);
    }
  }
}

function panel(id: string, title: string, hint: string, ...strips: readonly Strip[]): HTMLElement {
  return el(
    "section",
    { class: "panel strips", "aria-labelledby": id },
    el("div", { class: "panel-head" }, el("h2", { id }, title), el("p", { class: "hint" }, hint)),
    ...strips.map(({ element }) => element),
  );
}

class Strip {
  readonly element: HTMLElement;
  readonly #title: string;
  readonly #legend: Legend;
  readonly #canvas: HTMLCanvasElement;
  readonly #counts = new Map<Fate, HTMLElement>();
  readonly #samples = new Map<Fate, HTMLCanvasElement>();
  readonly #reasons: HTMLElement;
  #painted: unknown[] = [];

  constructor(id: string, title: string, legend: Legend) {
    this.#title = title;
    this.#legend = legend;
    this.#canvas = el("canvas", { class: "strip", role: "img", "aria-label": `${title}: no frames yet` });
    this.#reasons = el("p", { class: "reasons", "data-testid": `${id}-reasons` });
    const keys = legend.map(([fate, word, meaning]) => {
      const sample = el("canvas", { class: "sample", "aria-hidden": "true" });
      const count = el("output", { "data-testid": `${id}-${fate}` }, "0");
      this.#counts.set(fate, count);
      this.#samples.set(fate, sample);
      return el("li", { title: meaning }, sample, word, " ", count);
    });
    this.element = el(
      "div",
      { class: "strip-row" },
      el("div", { class: "strip-head" }, el("h3", {}, title), el("ul", { class: "legend" }, ...keys)),
      this.#canvas,
      this.#reasons,
    );
  }

  paint(strip: FrameStrip): void {
    const colors = palette();
    const { width } = sizeOf(this.#canvas);
    const now = [strip, strip.changes, colors, width];
    if (now.every((value, index) => value === this.#painted[index])) return;
    // The key is painted anew with each scheme, and when it first has a size.
    const needsKeys = this.#painted[2] !== colors || this.#painted[3] !== width;
    this.#painted = now;
    this.#ticks(strip);
    if (needsKeys) this.#keys();
    for (const [fate, count] of this.#counts) setText(count, String(strip.totals[fate]));
    const reasons = strip.reasons.map(([reason, count]) => `${reason} (${count}): ${refusalWords(reason)}`);
    setText(this.#reasons, reasons.length === 0 ? "" : `Refused for ${reasons.join("; ")}.`);
    const summary = this.#legend.map(([fate, word]) => `${strip.totals[fate]} ${word}`).join(", ");
    setAttribute(this.#canvas, "aria-label", `${this.#title}: ${summary}`);
  }

  #ticks(strip: FrameStrip): void {
    const fitted = fitCanvas(this.#canvas);
    if (fitted === undefined) return;
    const { pen, width, height } = fitted;
    const colors = palette();
    pen.fillStyle = colors.rule;
    pen.fillRect(0, height - 1, width, 1);
    const ticks = strip.last(Math.floor(width / TICK_PITCH));
    const start = width - ticks.length * TICK_PITCH;
    ticks.forEach((tick, index) => {
      paintTick(pen, colors, tick, Math.round(start + index * TICK_PITCH), height);
    });
  }

  #keys(): void {
    for (const [fate, canvas] of this.#samples) {
      const fitted = fitCanvas(canvas);
      if (fitted !== undefined)
        paintTick(fitted.pen, palette(), { fate, loudness: undefined }, 4, fitted.height);
    }
  }
}
