/** How the voice gets through, in rows of figures. */
import type { LiveMedia } from "../model/live-media.ts";
import type { CallState } from "../model/page-state.ts";
import { heardRows, sentRows } from "../model/way-facts.ts";
import { el } from "./dom.ts";
import { FactList } from "./fact-list.ts";

export class WayView {
  readonly element: HTMLElement;
  readonly #heard = new FactList("Heard");
  readonly #sent = new FactList("Sent");
  #painted: unknown;

  constructor() {
    this.element = el(
      "section",
      { class: "panel way", "aria-labelledby": "way-title" },
      el("h2", { id: "way-title" }, "How it gets through"),
      el("div", { class: "way-lists" }, this.#heard.element, this.#sent.element),
    );
  }

  paint(call: CallState, { way }: LiveMedia): void {
    if (way === this.#painted) return;
    this.#painted = way;
    this.#heard.show(heardRows(way));
    this.#sent.show(sentRows(way, call.peerName));
  }
}
