/** Incoming calls that ring. */

import { shortFingerprint } from "../model/fingerprint.ts";
import type { PageState, Ringing } from "../model/page-state.ts";
import type { PageActions } from "./actions.ts";
import { button, el, type Row, RowList, setText } from "./dom.ts";
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
  const title = el("strong", {});
  const about = el("span", { class: "about", "data-testid": "ringing-about" });
  const accept = button("Accept", { class: "primary", "data-testid": "accept" }, () =>
    actions.accept(call.sessionId),
  );
  const decline = button("Decline", { "data-testid": "decline" }, () => actions.decline(call.sessionId));
  setText(about, aboutCaller(call));
  const element = el(
    "div",
    { class: "ringing-call", role: "group", "aria-label": `${call.name} is calling` },
    picture.element as unknown as HTMLElement,
    el("p", { class: "text" }, title, about),
    accept,
    decline,
  );
  return {
    element,
    update({ name, gone }) {
      setText(title, gone ?? `${name} is calling`);
      element.classList.toggle("is-over", gone !== undefined);
      for (const one of [about, accept, decline]) one.hidden = gone !== undefined;
    },
  };
}

function aboutCaller({ agentId, gateway }: Ringing): string {
  const who = `Agent-ID ${shortFingerprint(agentId)}.`;
  if (gateway === undefined) return `${who} Its signature on the call was checked.`;
  return `${who} It calls by WebRTC: the gateway ${shortFingerprint(gateway.agentId)} signed for it, and that signature was checked.`;
}
