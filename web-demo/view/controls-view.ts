/** The buttons of a call. */
import type { CallState } from "../model/page-state.ts";
import type { PageActions } from "./actions.ts";
import { button, el, setText } from "./dom.ts";

export class ControlsView {
  readonly element: HTMLElement;
  readonly #mute: HTMLButtonElement;
  readonly #camera: HTMLButtonElement;
  readonly #screen: HTMLButtonElement;
  readonly #interrupt: HTMLButtonElement;
  readonly #narrow: HTMLButtonElement;
  readonly #tamper: HTMLButtonElement;
  readonly #hangUp: HTMLButtonElement;

  constructor(actions: PageActions) {
    const make = (id: string, label: string, title: string, press: () => void, look = "") =>
      button(label, { "data-testid": id, title, class: look }, press);
    this.#mute = make("mute", "Mute", "Nothing is sent while muted.", () => actions.mute());
    this.#camera = make("camera", "Camera", "Shows your camera in this call, or no longer.", () =>
      actions.camera(),
    );
    this.#screen = make("screen", "Screen", "Shows your screen in this call, or no longer.", () =>
      actions.screen(),
    );
    this.#interrupt = make(
      "interrupt",
      "Interrupt",
      "Stops the other end, and drops what it said and you have not heard.",
      () => actions.interrupt(),
    );
    this.#narrow = make(
      "narrow",
      "Narrow my scope",
      "Gives up your authority to transmit, and goes on sending: the server refuses every frame from then on.",
      () => actions.narrow(),
    );
    this.#tamper = make("tamper", "Tamper", "Flips one bit in your next packet, after it was signed.", () =>
      actions.tamper(),
    );
    this.#hangUp = make("hang-up", "Hang up", "Ends the call.", () => actions.hangUp(), "danger");
    this.element = el(
      "div",
      { class: "controls", role: "group", "aria-label": "This call" },
      this.#mute,
      this.#camera,
      this.#screen,
      this.#interrupt,
      this.#tamper,
      this.#narrow,
      this.#hangUp,
    );
  }

  show(call: CallState): void {
    const isUp = call.phase === "up";
    const isOver = call.phase === "ended" || call.phase === "failed";
    // What is taken up again was up: there is nothing to take back.
    this.element.hidden = isOver || call.phase === "returning";
    for (const one of [this.#mute, this.#camera, this.#screen, this.#interrupt]) one.hidden = !isUp;
    // Over WebRTC this page has neither frames to alter nor a signature to give anything up with.
    for (const one of [this.#narrow, this.#tamper]) one.hidden = !isUp || call.way === "gateway";
    for (const [one, kind] of [
      [this.#camera, "camera"],
      [this.#screen, "screen"],
    ] as const) {
      one.setAttribute("aria-pressed", String(call.showing.some((shown) => shown.kind === kind)));
      one.disabled = call.opening !== undefined || call.away !== undefined;
    }
    this.#mute.setAttribute("aria-pressed", String(call.muted));
    setText(this.#mute, call.muted ? "Muted" : "Mute");
    this.#narrow.disabled = call.narrowed;
    setText(this.#narrow, call.narrowed ? "Scope narrowed" : "Narrow my scope");
    this.#hangUp.disabled = call.phase === "ending";
    setText(this.#hangUp, isUp || call.phase === "ending" ? "Hang up" : "Cancel");
  }
}
