/** Round trip, loss and playout delay over the last minute. */
import type { LiveMedia } from "../model/live-media.ts";
import { SERIES_MS, type Series } from "../model/series.ts";
import { el, setAttribute, setText } from "./dom.ts";
import { fitCanvas, palette } from "./palette.ts";

export class ChartsView {
  readonly element: HTMLElement;
  readonly #charts: readonly Chart[] = [
    new Chart("Round trip to the server", "ms", 50, "round-trip", (live) => live.roundTrip),
    new Chart("Loss", "%", 5, "loss", (live) => live.loss),
    new Chart("Playout delay", "ms", 100, "playout-delay", (live) => live.playoutDelay),
  ];

  constructor() {
    this.element = el(
      "section",
      { class: "charts", "aria-label": "The last minute in figures" },
      ...this.#charts.map(({ element }) => element),
    );
  }

  paint(live: LiveMedia, now: number): void {
    for (const chart of this.#charts) chart.paint(live, now);
  }
}

class Chart {
  readonly element: HTMLElement;
  readonly #title: string;
  readonly #unit: string;
  readonly #floor: number;
  readonly #of: (live: LiveMedia) => Series;
  readonly #canvas = el("canvas", { class: "chart", role: "img" });
  readonly #value: HTMLElement;
  readonly #top = el("span", { class: "chart-top", "aria-hidden": "true" });
  #paintedAt = 0;

  constructor(title: string, unit: string, floor: number, id: string, of: (live: LiveMedia) => Series) {
    this.#title = title;
    this.#unit = unit;
    this.#floor = floor;
    this.#of = of;
    this.#value = el("output", { "data-testid": id }, "–");
    this.element = el(
      "figure",
      { class: "panel chart-panel" },
      el("figcaption", {}, title),
      el("p", { class: "figure" }, this.#value, el("span", { class: "unit" }, ` ${unit}`)),
      el("div", { class: "chart-box" }, this.#canvas, this.#top),
    );
  }

  paint(live: LiveMedia, now: number): void {
    // Four times a second is as often as anything here changes.
    if (now - this.#paintedAt < 250) return;
    this.#paintedAt = now;
    const series = this.#of(live);
    const latest = series.latest;
    const text = latest === undefined ? "–" : latest >= 10 ? latest.toFixed(0) : latest.toFixed(1);
    setText(this.#value, text);
    const ceiling = series.ceiling(this.#floor);
    setText(this.#top, `${ceiling} ${this.#unit}`);
    setAttribute(
      this.#canvas,
      "aria-label",
      `${this.#title}, last minute, up to ${ceiling} ${this.#unit}: now ${text} ${this.#unit}`,
    );
    this.#line(series, ceiling, now);
  }

  #line(series: Series, ceiling: number, now: number): void {
    const fitted = fitCanvas(this.#canvas);
    if (fitted === undefined) return;
    const { pen, width, height } = fitted;
    const colors = palette();
    pen.fillStyle = colors.rule;
    pen.fillRect(0, 0, width, 1);
    pen.fillRect(0, height - 1, width, 1);
    const xOf = (at: number) => width - ((now - at) / SERIES_MS) * width;
    const yOf = (value: number) => height - 2 - (Math.min(value, ceiling) / ceiling) * (height - 6);
    for (const run of series.runs(now)) {
      const points = run.map(({ at, value }) => ({ x: xOf(at), y: yOf(value) }));
      const left = points[0]?.x ?? 0;
      // A lone sample is a short dash.
      const right = Math.max(points.at(-1)?.x ?? 0, left + 2);
      pen.beginPath();
      for (const { x, y } of points) pen.lineTo(x, y);
      pen.lineTo(right, points.at(-1)?.y ?? height);
      pen.strokeStyle = colors.accent;
      pen.lineWidth = 2;
      pen.lineJoin = "round";
      pen.stroke();
      pen.lineTo(right, height - 1);
      pen.lineTo(left, height - 1);
      pen.fillStyle = colors["accent-soft"];
      pen.fill();
    }
  }
}
