/** Every frame of the call as a tick: a strip for what is heard, a strip for what is sent, and what the shapes mean. */
import type { Fate, FrameStrip } from "../model/frame-strip.ts";
import type { LiveMedia } from "../model/live-media.ts";
import { refusalWords } from "../model/words.ts";
import { el, setAttribute, setText } from "./dom.ts";
import { fitCanvas, palette } from "./palette.ts";
import { paintTick, TICK_PITCH } from "./tick-painter.ts";

const HEARD: readonly (readonly [Fate, string, string])[] = [
  ["verified", "verified", "The signature held; it was played."],
  ["late", "late", "It came too late to be played."],
  ["concealed", "concealed", "Made up here in place of a missing frame. Nobody signed it."],
  ["refused", "refused", "It was not played."],
  ["away", "away", "An end had no connection: nothing could come."],
];
const SENT: readonly (readonly [Fate, string, string])[] = [
  ["sent", "sent", "Signed here and sent; no refusal was reported."],
  ["refused", "refused", "The server did not let it through."],
  ["unsent", "unsent", "Signed here while there was no connection. It never left."],
  ["away", "away", "This page was gone: nothing was said."],
];

export class StripsView {
  readonly element: HTMLElement;
  readonly #heard = new Strip("heard", "Heard", HEARD);
  readonly #sent = new Strip("sent", "Sent", SENT);

  constructor() {
    this.element = el(
      "section",
      { class: "panel strips", "aria-labelledby": "strips-title" },
      el(
        "div",
        { class: "panel-head" },
        el("h2", { id: "strips-title" }, "Frames"),
        el("p", { class: "hint" }, "One tick is one frame of 20 ms, newest at the right. Louder is taller."),
      ),
      this.#heard.element,
      this.#sent.element,
    );
  }

  /** Paints what changed since the last time. */
  paint(live: LiveMedia): void {
    this.#heard.paint(live.heard);
    this.#sent.paint(live.sent);
  }
}

class Strip {
  readonly element: HTMLElement;
  readonly #title: string;
  readonly #legend: readonly (readonly [Fate, string, string])[];
  readonly #canvas: HTMLCanvasElement;
  readonly #counts = new Map<Fate, HTMLElement>();
  readonly #samples = new Map<Fate, HTMLCanvasElement>();
  readonly #reasons: HTMLElement;
  #painted: unknown[] = [];

  constructor(id: string, title: string, legend: readonly (readonly [Fate, string, string])[]) {
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
    const now = [strip, strip.changes, colors, this.#canvas.clientWidth];
    if (now.every((value, index) => value === this.#painted[index])) return;
    // The key is painted anew with each scheme, and when it first has a size.
    const needsKeys = this.#painted[2] !== colors || this.#painted[3] !== this.#canvas.clientWidth;
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
