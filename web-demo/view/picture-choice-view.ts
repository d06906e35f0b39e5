/** How one's pictures are coded in the next call, since what is up was agreed. */
import { isBusy, type PageState } from "../model/page-state.ts";
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
      "section",
      { class: "panel", "aria-label": "Pictures", "data-testid": "picture-choice" },
      el(
        "fieldset",
        { class: "source" },
        el("legend", {}, "Pictures are coded in"),
        el("div", { class: "choices" }, ...choices),
        el("label", { class: "tick" }, this.#twice, "Also at half their size"),
      ),
    );
  }

  show(state: PageState): void {
    const { pictureCodec, renditions } = state;
    for (const [codec, radio] of this.#radios) radio.checked = codec === pictureCodec;
    this.#twice.checked = renditions === 2;
    this.element.hidden = isBusy(state);
  }
}
