/** How the voice gets through, in rows of figures. */
import type { LiveMedia } from "../model/live-media.ts";
import type { CallState } from "../model/page-state.ts";
import { type FactRow, heardRows, sentRows } from "../model/way-facts.ts";
import { el, setText } from "./dom.ts";

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

class FactList {
  readonly element: HTMLElement;
  readonly #list = el("dl", {});
  readonly #rows = new Map<string, { readonly label: HTMLElement; readonly value: HTMLElement }>();

  constructor(title: string) {
    this.element = el("div", {}, el("h3", {}, title), this.#list);
  }

  show(rows: readonly FactRow[]): void {
    for (const [id, label, text] of rows) {
      const row = this.#rows.get(id) ?? this.#add(id);
      setText(row.label, label);
      setText(row.value, text);
    }
  }

  #add(id: string) {
    const row = { label: el("dt", {}), value: el("dd", { "data-testid": id }) };
    this.#list.append(el("div", {}, row.label, row.value));
    this.#rows.set(id, row);
    return row;
  }
}
