/** How the voice gets through, in rows of figures. */

import {
  gatewayHeardRows,
  gatewaySeenRows,
  gatewaySentRows,
  gatewayShownRows,
} from "../model/gateway-facts.ts";
import type { LiveMedia } from "../model/live-media.ts";
import type { CallState } from "../model/page-state.ts";
import { heardRows, sentRows } from "../model/way-facts.ts";
import { el } from "./dom.ts";
import { FactList } from "./fact-list.ts";

export class WayView {
  readonly element: HTMLElement;
  readonly #heard = new FactList("Heard");
  readonly #sent = new FactList("Sent");
  /** Over WebRTC; the pictures that this page codes itself have a section of their own. */
  readonly #seen = new FactList("Seen");
  readonly #shown = new FactList("Shown");
  #painted: unknown;

  constructor() {
    this.element = el(
      "section",
      { class: "panel way", "aria-labelledby": "way-title" },
      el("h2", { id: "way-title" }, "How it gets through"),
      el(
        "div",
        { class: "way-lists" },
        ...[this.#heard, this.#sent, this.#seen, this.#shown].map(({ element }) => element),
      ),
    );
  }

  paint(call: CallState, { way, peerConnection }: LiveMedia): void {
    const painted = call.way === "gateway" ? peerConnection : way;
    if (painted === this.#painted) return;
    this.#painted = painted;
    this.#seen.show(gatewaySeenRows(peerConnection));
    this.#shown.show(gatewayShownRows(peerConnection));
    if (call.way === "gateway") {
      this.#heard.show(gatewayHeardRows(peerConnection));
      this.#sent.show(gatewaySentRows(peerConnection));
      return;
    }
    this.#heard.show(heardRows(way));
    this.#sent.show(sentRows(way, call.peerName));
  }
}
