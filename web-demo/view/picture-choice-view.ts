/** How one's next picture is coded: what is up was agreed. */
import type { PageState } from "../model/page-state.ts";
import { codecName, VIDEO_CODECS, type VideoCodecName } from "../model/video-codec.ts";
import type { PageActions } from "./actions.ts";
import { el } from "./dom.ts";

export class PictureChoiceView {
  readonly element: HTMLElement;
  readonly #radios = new Map<VideoCodecName, HTMLInputElement>();
  readonly #twice = el("input", { type: "checkbox", "data-testid": "two-renditions" });

  constructor(actions: PageActions) {
    const choices = VIDEO_CODECS.map((codec) => {
      const radio = el("input", { type: "radio", name: "picture-codec", value: codec, id: `codec-${codec}` });
      this.#radios.set(codec, radio);
      radio.addEventListener("change", () => actions.choosePicture({ pictureCodec: codec }));
      return el("label", { class: "choice", for: `codec-${codec}` }, radio, el("span", {}, codecName(codec)));
    });
    this.#twice.addEventListener("change", () =>
      actions.choosePicture({ renditions: this.#twice.checked ? 2 : 1 }),
    );
    this.element = el(
      "fieldset",
      { class: "source", "data-testid": "picture-choice" },
      el("legend", {}, "Your next picture is coded in"),
      el("div", { class: "choices" }, ...choices),
      el("label", { class: "tick" }, this.#twice, "Also at half its size"),
    );
  }

  show({ pictureCodec, renditions, call }: PageState): void {
    for (const [codec, radio] of this.#radios) radio.checked = codec === pictureCodec;
    this.#twice.checked = renditions === 2;
    // Over WebRTC the browser and the gateway settle it.
    this.element.hidden = call?.phase !== "up" || call.way === "gateway";
  }
}
