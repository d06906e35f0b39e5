/** The agent's calls in other tabs, and those that no tab has now, each with the way to go on with it here. */
import { type CallElsewhere, isBusy, type PageState } from "../model/page-state.ts";
import type { PageActions } from "./actions.ts";
import { button, el, type Row, RowList, setText } from "./dom.ts";
import { KeyPicture } from "./key-view.ts";

interface Entry {
  readonly call: CallElsewhere;
  readonly isOnline: boolean;
}

export class ElsewhereView {
  /** Always there, so that screen readers hear of its changes. */
  readonly element: HTMLElement;
  readonly #rows: RowList<Entry>;

  constructor(actions: PageActions) {
    const list = el("ul", {});
    this.#rows = new RowList(
      list,
      ({ call }) => call.sessionId,
      ({ call }) => elsewhereRow(call, actions),
    );
    this.element = el(
      "section",
      {
        class: "elsewhere",
        "aria-label": "Your calls elsewhere",
        "aria-live": "polite",
        "data-testid": "elsewhere",
      },
      list,
    );
  }

  show(state: PageState): void {
    const shown = isBusy(state) ? [] : state.elsewhere;
    this.#rows.show(shown.map((call) => ({ call, isOnline: state.line.kind === "online" })));
  }
}

function elsewhereRow({ sessionId, peerId }: CallElsewhere, actions: PageActions): Row<Entry> {
  const picture = new KeyPicture();
  picture.show(peerId);
  const title = el("strong", {});
  const about = el("span", { class: "about" });
  const take = button("Take over here", { class: "primary", "data-testid": "take-over" }, () =>
    actions.takeOver(sessionId),
  );
  return {
    element: el(
      "li",
      {},
      picture.element as unknown as HTMLElement,
      el("p", { class: "text" }, title, about),
      take,
    ),
    update({ call, isOnline }) {
      setText(
        title,
        call.isHeld
          ? `You are talking with ${call.peerName} in another tab`
          : `Your call with ${call.peerName} is waiting`,
      );
      setText(
        about,
        call.isHeld
          ? "You can go on with it in this one."
          : "No tab has it now. It ends if none comes back to it.",
      );
      take.disabled = !isOnline;
    },
  };
}
