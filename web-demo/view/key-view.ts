/** A key on the screen: a picture to recognise it by, a short form, and all of it on demand. */
import { fullFingerprint, picture, shortFingerprint } from "../model/fingerprint.ts";
import { el, setText } from "./dom.ts";

const SVG = "http://www.w3.org/2000/svg";

/** A small picture drawn from the hex digits of an Agent-ID. Decoration: it has no name of its own. */
export class KeyPicture {
  readonly element = document.createElementNS(SVG, "svg");
  #hex: string | undefined;

  constructor() {
    this.element.setAttribute("viewBox", "0 0 5 5");
    this.element.setAttribute("class", "picture");
    this.element.setAttribute("aria-hidden", "true");
  }

  show(hex: string): void {
    if (hex === this.#hex) return;
    this.#hex = hex;
    const cells = picture(hex).flatMap((filled, index) => {
      if (!filled) return [];
      const cell = document.createElementNS(SVG, "rect");
      const place = { x: index % 5, y: Math.floor(index / 5), width: 1, height: 1 };
      for (const [name, value] of Object.entries(place)) cell.setAttribute(name, String(value));
      return [cell];
    });
    this.element.replaceChildren(...cells);
  }
}

/** `label`, the first digits of a key, and the whole key when opened. */
export class KeyDetails {
  readonly element: HTMLDetailsElement;
  readonly #short = el("code");
  readonly #full = el("code", { class: "full" });

  constructor(label: string, testId: string) {
    this.element = el(
      "details",
      { class: "key", "data-testid": testId },
      el("summary", {}, el("span", { class: "label" }, label), " ", this.#short),
      this.#full,
    );
  }

  show(hex: string | undefined): void {
    this.element.hidden = hex === undefined;
    if (hex === undefined) return;
    setText(this.#short, shortFingerprint(hex));
    setText(this.#full, fullFingerprint(hex));
  }
}
