/** Incoming calls that ring. */

import { shortFingerprint } from "../model/fingerprint.ts";
import type { PageState, Ringing } from "../model/page-state.ts";
import type { PageActions } from "./actions.ts";
import { button, el, type Row, RowList } from "./dom.ts";
import { KeyPicture } from "./key-view.ts";

export class RingingView {
  readonly element = el("section", {
    class: "ringing",
    "aria-label": "Incoming calls",
    "aria-live": "assertive",
    "data-testid": "ringing",
  });
  readonly #rows: RowList<Ringing>;

  constructor(actions: PageActions) {
    this.#rows = new RowList(
      this.element,
      ({ sessionId }) => sessionId,
      (call) => ringingRow(call, actions),
    );
  }

  show(state: PageState): void {
    this.#rows.show(state.incoming);
  }
}

function ringingRow(call: Ringing, actions: PageActions): Row<Ringing> {
  const picture = new KeyPicture();
  picture.show(call.agentId);
  const element = el(
    "div",
    { class: "ringing-call", role: "group", "aria-label": `${call.name} is calling` },
    picture.element as unknown as HTMLElement,
    el(
      "p",
      { class: "text" },
      el("strong", {}, `${call.name} is calling`),
      el(
        "span",
        { class: "about" },
        `Agent-ID ${shortFingerprint(call.agentId)}. Its signature on the call was checked.`,
      ),
    ),
    button("Accept", { class: "primary", "data-testid": "accept" }, () => actions.accept(call.sessionId)),
    button("Decline", { "data-testid": "decline" }, () => actions.decline(call.sessionId)),
  );
  return { element, update() {} };
}
