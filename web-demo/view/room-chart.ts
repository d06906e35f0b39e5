/** What the way to the server takes, against what is sent on it, over the last minute. */
import type { LivePictures } from "../model/live-pictures.ts";
import { SERIES_MS, type Series } from "../model/series.ts";
import { el, setAttribute, setText } from "./dom.ts";
import { fitCanvas, palette } from "./palette.ts";

/** Top of an empty chart, kbit/s. */
const FLOOR = 500;

export class RoomChart {
  readonly element: HTMLElement;
  readonly #canvas = el("canvas", { class: "chart room-chart", role: "img" });
  readonly #takes = el("output", { "data-testid": "room-takes" }, "–");
  readonly #sent = el("output", { "data-testid": "room-sent" }, "–");
  readonly #top = el("span", { class: "chart-top", "aria-hidden": "true" });
  #paintedAt = 0;

  constructor() {
    this.element = el(
      "figure",
      { class: "room" },
      el(
        "figcaption",
        {},
        "Room on the way, and what is sent, voice included",
        el(
          "ul",
          { class: "legend" },
          el("li", {}, el("span", { class: "key-dashed", "aria-hidden": "true" }), "estimate ", this.#takes),
          el("li", {}, el("span", { class: "key-line", "aria-hidden": "true" }), "sent ", this.#sent),
        ),
      ),
      el("div", { class: "chart-box" }, this.#canvas, this.#top),
    );
  }

  paint({ takes, sent }: LivePictures, now: number): void {
    if (now - this.#paintedAt < 250) return;
    this.#paintedAt = now;
    setText(this.#takes, textOf(takes));
    setText(this.#sent, textOf(sent));
    const ceiling = Math.max(sent.ceiling(FLOOR), FLOOR);
    setText(this.#top, `${ceiling} kbit/s`);
    setAttribute(
      this.#canvas,
      "aria-label",
      `Estimate ${textOf(takes)}, sent ${textOf(sent)}, last minute up to ${ceiling} kbit/s`,
    );
    this.#lines(takes, sent, ceiling, now);
  }

  #lines(takes: Series, sent: Series, ceiling: number, now: number): void {
    const fitted = fitCanvas(this.#canvas);
    if (fitted === undefined) return;
    const { pen, width, height } = fitted;
    const colors = palette();
    pen.fillStyle = colors.rule;
    pen.fillRect(0, 0, width, 1);
    pen.fillRect(0, height - 1, width, 1);
    const line = (series: Series, color: string, dash: readonly number[], fill?: string): void => {
      for (const run of series.runs(now)) {
        const points = run.map(({ at, value }) => ({
          x: width - ((now - at) / SERIES_MS) * width,
          y: height - 2 - (Math.min(value, ceiling) / ceiling) * (height - 6),
        }));
        pen.beginPath();
        for (const { x, y } of points) pen.lineTo(x, y);
        pen.strokeStyle = color;
        pen.lineWidth = 2;
        pen.lineJoin = "round";
        pen.setLineDash([...dash]);
        pen.stroke();
        if (fill === undefined) continue;
        pen.lineTo(points.at(-1)?.x ?? 0, height - 1);
        pen.lineTo(points[0]?.x ?? 0, height - 1);
        pen.fillStyle = fill;
        pen.fill();
      }
    };
    line(sent, colors.accent, [], colors["accent-soft"]);
    line(takes, colors.ink, [5, 4]);
    pen.setLineDash([]);
  }
}

function textOf({ latest }: Series): string {
  return latest === undefined ? "–" : `${Math.round(latest)} kbit/s`;
}
