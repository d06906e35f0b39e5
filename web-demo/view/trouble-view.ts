/** A switch for bad networks: what a call does there. */
import type { PageState } from "../model/page-state.ts";
import { TROUBLE_KINDS, TROUBLES } from "../phone/troubles.ts";
import type { PageActions } from "./actions.ts";
import { el, setText } from "./dom.ts";

export class TroubleView {
  readonly element: HTMLElement;
  readonly #select: HTMLSelectElement;
  readonly #about = el("p", { class: "hint", id: "trouble-about", "data-testid": "trouble-about" });

  constructor(actions: PageActions) {
    const options = TROUBLE_KINDS.map((kind) => el("option", { value: kind }, TROUBLES[kind].label));
    this.#select = el(
      "select",
      { id: "trouble", "data-testid": "trouble", "aria-describedby": "trouble-about" },
      ...options,
    );
    this.#select.addEventListener("change", () => {
      const kind = TROUBLE_KINDS[this.#select.selectedIndex];
      if (kind !== undefined) actions.trouble(kind);
    });
    this.element = el(
      "section",
      { class: "panel trouble", "aria-labelledby": "trouble-title" },
      el("h2", { id: "trouble-title" }, "Network trouble"),
      el("label", { for: "trouble" }, "Send this page's calls through"),
      this.#select,
      this.#about,
    );
  }

  show({ trouble, call }: PageState): void {
    // What WebRTC sends does not go through this page's own carriers.
    this.element.hidden = call?.phase !== "up" || call.way === "gateway";
    this.#select.selectedIndex = TROUBLE_KINDS.indexOf(trouble);
    setText(this.#about, TROUBLES[trouble].about);
    this.element.dataset.trouble = trouble;
  }
}
