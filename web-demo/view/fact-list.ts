/** Figures in rows, under a heading. */
import type { FactRow } from "../model/way-facts.ts";
import { el, setText } from "./dom.ts";

export class FactList {
  readonly element: HTMLElement;
  readonly #list = el("dl", {});
  readonly #rows = new Map<
    string,
    { readonly element: HTMLElement; readonly label: HTMLElement; readonly value: HTMLElement }
  >();

  constructor(title: string) {
    this.element = el("div", {}, el("h3", {}, title), this.#list);
  }

  /** Shows these rows and no others; nothing at all where there are none. */
  show(rows: readonly FactRow[]): void {
    const ids = new Set(rows.map(([id]) => id));
    for (const [id, { element }] of this.#rows) {
      if (ids.has(id)) continue;
      element.remove();
      this.#rows.delete(id);
    }
    rows.forEach(([id, label, text], index) => {
      const row = this.#rows.get(id) ?? this.#add(id);
      setText(row.label, label);
      setText(row.value, text);
      const present = this.#list.children[index];
      if (present !== row.element) this.#list.insertBefore(row.element, present ?? null);
    });
    this.element.hidden = rows.length === 0;
  }

  #add(id: string) {
    const [label, value] = [el("dt", {}), el("dd", { "data-testid": id })];
    const row = { element: el("div", {}, label, value), label, value };
    this.#rows.set(id, row);
    return row;
  }
}
