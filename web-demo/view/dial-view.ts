/** The dial pad: who is online, and a button to call each. */
import { aboutEntry, type DialEntry } from "../model/dial-pad.ts";
import { isBusy, type PageState } from "../model/page-state.ts";
import type { PageActions } from "./actions.ts";
import { button, el, type Row, RowList, setText } from "./dom.ts";
import { KeyPicture } from "./key-view.ts";

interface Entry {
  readonly entry: DialEntry;
  readonly canCall: boolean;
}

export class DialView {
  readonly element: HTMLElement;
  readonly #list = el("ul", { class: "dial", "data-testid": "dial" });
  readonly #empty = el("p", { class: "hint" });
  readonly #rows: RowList<Entry>;

  constructor(actions: PageActions) {
    this.#rows = new RowList(
      this.#list,
      ({ entry }) => entry.agentId,
      ({ entry }) => dialRow(entry, actions),
    );
    this.element = el(
      "nav",
      { class: "panel dial-panel", "aria-labelledby": "dial-title" },
      el("h2", { id: "dial-title" }, "Who is here"),
      this.#list,
      this.#empty,
      el(
        "p",
        { class: "hint" },
        "Open this page in another browser, or be somebody else in another tab, and you can call each other.",
      ),
    );
  }

  show(state: PageState): void {
    const isOnline = state.line.kind === "online";
    // During a call there is nobody to dial, and the room goes to what the call shows.
    this.element.hidden = isBusy(state);
    const canCall = isOnline && !isBusy(state);
    this.#rows.show(state.dial.map((entry) => ({ entry, canCall })));
    this.#empty.hidden = state.dial.length > 0;
    setText(
      this.#empty,
      isOnline ? "Nobody else is online now." : "The list comes once this page is online.",
    );
  }
}

function dialRow(entry: DialEntry, actions: PageActions): Row<Entry> {
  const picture = new KeyPicture();
  const name = el("span", { class: "name" });
  const about = el("span", { class: "about" });
  const call = button("Call", { class: "call" }, () => actions.call(entry.agentId, name.textContent ?? ""));
  const element = el(
    "li",
    { "data-testid": `dial-${entry.resident ?? "agent"}`, "data-agent": entry.agentId },
    picture.element as unknown as HTMLElement,
    el("span", { class: "text" }, name, about),
    call,
  );
  return {
    element,
    update({ entry: now, canCall }) {
      picture.show(now.agentId);
      setText(name, now.name);
      setText(about, now.online ? aboutEntry(now) : "Not online now.");
      call.setAttribute("aria-label", `Call ${now.name}`);
      call.disabled = !canCall || !now.online;
    },
  };
}
