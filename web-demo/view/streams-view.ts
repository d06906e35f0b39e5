/** The streams of the call, and what can be done with each. */
import type { CallState } from "../model/page-state.ts";
import { type StreamLine, streamState, streamTitle } from "../model/stream-line.ts";
import type { PageActions } from "./actions.ts";
import { button, el, type Row, RowList, setAttribute, setText } from "./dom.ts";

interface Entry {
  readonly line: StreamLine;
  readonly peer: string;
}

export class StreamsView {
  readonly element: HTMLElement;
  readonly #rows: RowList<Entry>;

  constructor(actions: PageActions) {
    const list = el("ul", { class: "streams", "data-testid": "streams" });
    this.#rows = new RowList(
      list,
      ({ line }) => String(line.id),
      ({ line }) => streamRow(line, actions),
    );
    this.element = el(
      "section",
      { class: "panel streams-panel", "aria-labelledby": "streams-title" },
      el("h2", { id: "streams-title" }, "Streams"),
      list,
    );
  }

  show(call: CallState): void {
    this.element.hidden = call.phase !== "up" || call.streams.length === 0;
    this.#rows.show(call.streams.map((line) => ({ line, peer: call.peerName })));
  }
}

function streamRow({ id, direction }: StreamLine, actions: PageActions): Row<Entry> {
  const title = el("span", { class: "name" });
  const state = el("span", { class: "about" });
  const mute = button("Mute", { class: "small" }, () => actions.muteStream(id));
  const hold = button("Hold", { class: "small" }, () => actions.holdStream(id));
  const close = button("Close", { class: "small" }, () => actions.closeStream(id));
  hold.hidden = direction === "sendonly";
  mute.hidden = direction === "recvonly";
  return {
    element: el(
      "li",
      { "data-stream": String(id) },
      el("p", { class: "text" }, title, state),
      el("div", { class: "row" }, mute, hold, close),
    ),
    update({ line, peer }) {
      const name = streamTitle(line);
      setText(title, name);
      setText(state, streamState(line, peer));
      for (const [one, word, isOn] of [
        [mute, "Mute", line.muted],
        [hold, "Hold", line.held],
      ] as const) {
        setAttribute(one, "aria-pressed", String(isOn));
        setAttribute(one, "aria-label", `${word} ${name}`);
      }
      setAttribute(close, "aria-label", `Close ${name}`);
      close.hidden = !line.canClose;
    },
  };
}
