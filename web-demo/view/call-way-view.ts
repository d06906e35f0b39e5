/** How calls are made: signed by this page, or over WebRTC through the server's gateway. */
import type { CallWay, PageState } from "../model/page-state.ts";
import type { PageActions } from "./actions.ts";
import { el, setText } from "./dom.ts";

const WAYS: readonly (readonly [CallWay, string])[] = [
  ["signed", "Automatically"],
  ["gateway", "By WebRTC"],
];

const ABOUT: Readonly<Record<CallWay, string>> = {
  signed: "By WebTransport, or WebSocket where that does not work. This page signs each frame itself.",
  gateway: "Through the server's gateway, which signs for you. This page signs no frame and verifies none.",
};

export class CallWayView {
  readonly element: HTMLElement;
  readonly #radios = new Map<CallWay, HTMLInputElement>();
  readonly #about = el("p", { class: "hint", id: "way-about", "data-testid": "way-about" });

  #off: string | undefined;

  constructor(actions: PageActions) {
    const choices = WAYS.map(([way, label]) => {
      const radio = el("input", { type: "radio", name: "way", value: way, id: `way-${way}` });
      this.#radios.set(way, radio);
      radio.addEventListener("change", () => actions.chooseWay(way));
      return el("label", { class: "choice", for: `way-${way}` }, radio, el("span", {}, label));
    });
    this.element = el(
      "fieldset",
      { class: "source", "aria-describedby": "way-about" },
      el("legend", {}, "Your calls go"),
      el("div", { class: "choices" }, ...choices),
      this.#about,
    );
  }

  show({ way, gatewayOff }: PageState): void {
    const shown = gatewayOff === undefined ? way : "signed";
    for (const [kind, radio] of this.#radios) {
      radio.checked = kind === shown;
      radio.disabled = kind === "gateway" && gatewayOff !== undefined;
    }
    if (gatewayOff === undefined) setText(this.#about, ABOUT[way]);
    else if (gatewayOff !== this.#off)
      this.#about.replaceChildren("WebRTC is off: ", ...withCode(gatewayOff));
    this.#off = gatewayOff;
  }
}

/** What stands between backticks is to be typed. */
function withCode(sentence: string): (string | HTMLElement)[] {
  return sentence.split("`").map((part, index) => (index % 2 === 0 ? part : el("code", {}, part)));
}
