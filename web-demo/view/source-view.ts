/** Where the voice comes from: microphone, a file, or a tone. */
import type { PageState, SourceKind } from "../model/page-state.ts";
import type { PageActions } from "./actions.ts";
import { el, setText } from "./dom.ts";

const SOURCES: readonly (readonly [SourceKind, string])[] = [
  ["microphone", "Microphone"],
  ["file", "A file"],
  ["tone", "A tone"],
];

export class SourceView {
  readonly element: HTMLElement;
  readonly #radios = new Map<SourceKind, HTMLInputElement>();
  readonly #file = el("input", {
    type: "file",
    accept: "audio/*",
    class: "visually-hidden",
    tabindex: "-1",
    "aria-label": "Sound file to speak",
    "data-testid": "source-file",
  });
  readonly #notice = el("p", { class: "hint", role: "status", "data-testid": "source-notice" });

  constructor(actions: PageActions) {
    const choices = SOURCES.map(([kind, label]) => {
      const radio = el("input", { type: "radio", name: "source", value: kind, id: `source-${kind}` });
      this.#radios.set(kind, radio);
      radio.addEventListener("change", () => {
        if (kind !== "file") actions.chooseSource(kind);
      });
      // A click on the chosen one, too: that is how another file is picked.
      if (kind === "file") radio.addEventListener("click", () => this.#file.click());
      return el("label", { class: "choice", for: `source-${kind}` }, radio, el("span", {}, label));
    });
    this.#file.addEventListener("change", () => {
      const file = this.#file.files?.[0];
      if (file !== undefined) actions.chooseSource("file", file);
      this.#file.value = "";
    });
    this.element = el(
      "fieldset",
      { class: "source" },
      el("legend", {}, "You speak with"),
      el("div", { class: "choices" }, ...choices),
      this.#file,
      this.#notice,
    );
  }

  show(state: PageState): void {
    for (const [kind, radio] of this.#radios) radio.checked = kind === state.source;
    const playing =
      state.source === "file" && state.fileName !== undefined ? `Playing ${state.fileName}.` : "";
    setText(this.#notice, state.sourceNotice ?? playing);
    this.#notice.hidden = this.#notice.textContent === "";
  }
}
