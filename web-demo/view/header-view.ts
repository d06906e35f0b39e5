/** The top of the page: whose page it is, how it is connected, and why so. */

import { LONGEST_NAME } from "../model/own-name.ts";
import type { Line, PageState } from "../model/page-state.ts";
import { isBusy, wayOf } from "../model/page-state.ts";
import { carrierName } from "../model/words.ts";
import type { PageActions } from "./actions.ts";
import { button, el, setText } from "./dom.ts";
import { KeyDetails, KeyPicture } from "./key-view.ts";

export class HeaderView {
  readonly element: HTMLElement;
  readonly #line = el("span", { class: "line", role: "status", "data-testid": "line" });
  readonly #why = el("p", { "data-testid": "carrier-why" });
  readonly #carrier = el("summary", { "data-testid": "carrier" });
  readonly #carrierDetails = el(
    "details",
    { class: "carrier" },
    this.#carrier,
    el("div", {}, el("span", { class: "label" }, "Why this carrier"), this.#why),
  );
  readonly #picture = new KeyPicture();
  readonly #name = el("span", { class: "own-name", "data-testid": "own-name" });
  readonly #key = new KeyDetails("Agent-ID", "own-id");
  readonly #input = el("input", {
    id: "name",
    name: "name",
    maxlength: String(LONGEST_NAME),
    autocomplete: "nickname",
    required: true,
  });
  readonly #other: HTMLButtonElement;
  readonly #save = el("button", { type: "submit", class: "quiet" }, "Use this name");
  readonly #ringAloud = el("input", { type: "checkbox", "data-testid": "ring-aloud" });
  readonly #form: HTMLFormElement;
  readonly #who: HTMLDetailsElement;

  constructor(actions: PageActions) {
    this.#other = button("Be somebody else in this tab", { "data-testid": "be-other" }, () => {
      this.#who.open = false;
      actions.beSomebodyElse();
    });
    this.#form = el(
      "form",
      { class: "name-form" },
      el("label", { for: "name" }, "Your name"),
      el("div", { class: "field" }, this.#input, this.#save),
      el(
        "p",
        { class: "hint" },
        "The name is part of who you are here: another name is another agent, with a key of its own. Both stay in this browser; a guest made up for one tab goes with it.",
      ),
      this.#key.element,
      el("label", { class: "tick" }, this.#ringAloud, "Ring aloud when somebody calls"),
      this.#other,
    );
    this.#ringAloud.addEventListener("change", () => actions.ringAloud(this.#ringAloud.checked));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#who.open = false;
      actions.rename(this.#input.value);
    });
    this.#who = el(
      "details",
      { class: "who", "data-testid": "who" },
      el("summary", {}, this.#picture.element, el("span", { class: "label" }, "You are "), this.#name),
      this.#form,
    );
    this.element = el(
      "header",
      { class: "top" },
      el("p", { class: "brand" }, "Parley"),
      el("div", { class: "standing" }, this.#line, this.#carrierDetails),
      this.#who,
    );
    // A click beside an open panel closes it, and so does Escape.
    for (const panel of [this.#who, this.#carrierDetails]) closeFromOutside(panel);
  }

  show(state: PageState): void {
    const { line } = state;
    setText(this.#line, lineText(line));
    this.#carrierDetails.hidden = line.kind !== "online";
    if (line.kind === "online") {
      const calls = wayOf(state) === "gateway" ? ", calls by WebRTC" : "";
      setText(this.#carrier, `by ${carrierName(line.carrier)}${calls}`);
      setText(this.#why, line.why);
    }
    this.#who.hidden = state.name === "";
    setText(this.#name, state.name);
    if (document.activeElement !== this.#input) this.#input.value = state.name;
    for (const one of [this.#save, this.#other]) one.disabled = isBusy(state);
    this.#ringAloud.checked = state.ringsAloud;
    this.#key.show(state.agentId);
    if (state.agentId !== undefined) this.#picture.show(state.agentId);
  }
}

/** What stands between people and a call when the page is offline for good, with the way on. */
export class StandingView {
  readonly element = el("section", { class: "notice-panel", "data-testid": "standing" });
  readonly #text = el("p", {});

  constructor(actions: PageActions) {
    const again = button("Connect again", { class: "primary" }, () => actions.reconnect());
    this.element.append(el("h1", {}, "This page is offline"), this.#text, el("div", { class: "row" }, again));
  }

  show({ line }: PageState): void {
    this.element.hidden = line.kind !== "closed";
    if (line.kind === "closed") setText(this.#text, line.why);
  }
}

function lineText(line: Line): string {
  if (line.kind === "online") return "Online";
  if (line.kind === "offline") return `Offline: ${line.why} Trying again.`;
  if (line.kind === "closed") return "Offline";
  return "Connecting";
}

function closeFromOutside(panel: HTMLDetailsElement): void {
  document.addEventListener("click", (event) => {
    if (panel.open && !panel.contains(event.target as Node)) panel.open = false;
  });
  panel.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !panel.open) return;
    panel.open = false;
    panel.querySelector("summary")?.focus();
  });
}
