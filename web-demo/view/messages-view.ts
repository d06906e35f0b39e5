/** Structured messages beside the voice. */
import { messageText } from "../model/data-message.ts";
import type { CallState, DataLine } from "../model/page-state.ts";
import type { PageActions } from "./actions.ts";
import { el, type Row, RowList, setText } from "./dom.ts";

export class MessagesView {
  readonly element: HTMLElement;
  readonly #log = el("ol", {
    class: "messages",
    "aria-live": "polite",
    "aria-label": "Messages",
    tabindex: "0",
    "data-testid": "messages",
  });
  readonly #rows: RowList<DataLine>;
  readonly #input = el("textarea", { id: "message", rows: "2", placeholder: 'Hello, or {"read": "…"}' });
  readonly #send = el("button", { type: "submit" }, "Send");
  readonly #hint = el("p", { class: "hint" });
  readonly #form: HTMLFormElement;
  #shown = 0;
  #isSigned = true;

  constructor(actions: PageActions) {
    this.#rows = new RowList(
      this.#log,
      ({ id }) => String(id),
      (line) => messageRow(line, this.#isSigned),
    );
    this.#form = el(
      "form",
      { class: "data-form" },
      el("label", { for: "message" }, "Message: JSON, or plain text"),
      this.#input,
      this.#send,
    );
    const send = () => {
      actions.send(this.#input.value);
      this.#input.value = "";
    };
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      send();
    });
    this.#input.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      send();
    });
    this.element = el(
      "section",
      { class: "panel data", "aria-labelledby": "data-title" },
      el("h2", { id: "data-title" }, "Data"),
      this.#log,
      this.#hint,
      this.#form,
    );
  }

  show(call: CallState, name: string): void {
    this.#isSigned = call.way === "signed";
    this.element.dataset.peer = name;
    this.#rows.show(call.messages);
    const isUp = call.phase === "up" && call.hasData;
    this.#form.hidden = !isUp;
    this.#hint.hidden = call.messages.length > 0;
    setText(
      this.#hint,
      call.phase === "up" && !call.hasData
        ? "The other end took no data stream."
        : isUp
          ? this.#isSigned
            ? "Messages are signed and checked like the voice, and arrive in order."
            : "Messages are signed and checked by the gateway, like the voice, and arrive in order."
          : "There were no messages.",
    );
    const newest = call.messages.at(-1)?.id ?? 0;
    if (newest !== this.#shown) {
      this.#shown = newest;
      this.#log.scrollTop = this.#log.scrollHeight;
    }
  }
}

function messageRow(line: DataLine, isSigned: boolean): Row<DataLine> {
  const time = new Date(line.at);
  const element = el(
    "li",
    { class: line.mine ? "mine" : "theirs" },
    el("span", { class: "label" }, labelOf(line, isSigned)),
    el("pre", {}, messageText(line.value)),
    el("time", { datetime: time.toISOString() }, time.toLocaleTimeString()),
  );
  return { element, update() {} };
}

function labelOf({ mine }: DataLine, isSigned: boolean): string {
  if (isSigned) return mine ? "You, signed here" : "Verified, from the other end";
  return mine ? "You, signed by the gateway" : "From the other end, by the gateway's word";
}
