/** How the pictures get through: what comes, what goes, and the room there is. */
import type { LiveMedia } from "../model/live-media.ts";
import { NO_PICTURES, seenRows, shownRows } from "../model/picture-facts.ts";
import { el } from "./dom.ts";
import { FactList } from "./fact-list.ts";
import { RoomChart } from "./room-chart.ts";

export class PictureWayView {
  readonly element: HTMLElement;
  readonly #seen = new FactList("Seen");
  readonly #shown = new FactList("Shown");
  readonly #chart = new RoomChart();
  #painted: unknown;

  constructor() {
    this.element = el(
      "section",
      { class: "panel way", "aria-labelledby": "picture-way-title" },
      el("h2", { id: "picture-way-title" }, "How the pictures get through"),
      this.#chart.element,
      el("div", { class: "way-lists" }, this.#seen.element, this.#shown.element),
    );
    this.element.hidden = true;
  }

  paint({ pictures }: LiveMedia, now: number): void {
    const { facts } = pictures;
    if (facts !== this.#painted) {
      this.#painted = facts;
      this.#seen.show(seenRows(facts));
      this.#shown.show(shownRows(facts));
      if (facts !== NO_PICTURES) this.element.hidden = false;
    }
    if (!this.element.hidden) this.#chart.paint(pictures, now);
  }
}
