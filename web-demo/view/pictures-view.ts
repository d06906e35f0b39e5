/** The pictures of a call: those that come, each with the mark that its units were verified, and one's own. */
import type { CallState, ShownCapture, ShownPicture } from "../model/page-state.ts";
import type { Screen } from "../video/screen.ts";
import { el, type Row, RowList, setAttribute, setText } from "./dom.ts";

/** A mark is about now: after this long without a unit it is no longer shown as such, ms. */
const RECENT_MS = 2_000;

export class PicturesView {
  readonly element: HTMLElement;
  readonly #seen: RowList<Screen>;
  readonly #own: RowList<ShownCapture>;
  readonly #played: RowList<ShownPicture>;
  readonly #figures = new Map<Screen, SeenFigure>();
  #peer = "";
  #signer = "";

  constructor() {
    const seen = el("div", { class: "pictures-seen" });
    const own = el("div", { class: "pictures-own" });
    this.#seen = new RowList(
      seen,
      ({ id }) => String(id),
      (screen) => this.#figure(screen),
    );
    const played = el("div", { class: "pictures-seen" });
    this.#played = new RowList(
      played,
      ({ stream }) => stream.id,
      (picture) => playedFigure(picture, this.#peer),
    );
    this.#own = new RowList(own, ({ stream }) => stream.id, ownFigure);
    this.element = el(
      "section",
      { class: "pictures", "aria-label": "Pictures", "data-testid": "pictures" },
      seen,
      played,
      own,
    );
  }

  show(call: CallState): void {
    this.#peer = call.peerName;
    this.#signer = call.peerGateway === undefined ? call.peerName : `the gateway of ${call.peerName}`;
    this.#own.show(call.showing);
    this.#played.show(call.picture === undefined ? [] : [call.picture]);
  }

  /** Paints what is due. */
  paint(call: CallState, screens: readonly Screen[], now: number): void {
    for (const known of this.#figures.keys()) if (!screens.includes(known)) this.#figures.delete(known);
    this.#seen.show(screens);
    const isUp = call.phase === "up";
    const isEmpty = screens.length === 0 && call.showing.length === 0 && call.picture === undefined;
    this.element.hidden = !isUp || isEmpty;
    for (const screen of screens) this.#figures.get(screen)?.paint(screen, now);
  }

  #figure(screen: Screen): Row<Screen> {
    const figure = new SeenFigure(screen.id, this.#peer, this.#signer);
    this.#figures.set(screen, figure);
    return { element: figure.element, update() {} };
  }
}

class SeenFigure {
  readonly element: HTMLElement;
  readonly #signer: string;
  readonly #canvas = el("canvas", { class: "picture-canvas", role: "img" });
  readonly #mark = el("p", { class: "verdict picture-mark", "data-testid": "picture-mark" });
  readonly #caption = el("span", { class: "about", "data-testid": "picture-caption" });
  #saidAt = Number.NEGATIVE_INFINITY;
  #hasPicture = false;

  constructor(id: number, peer: string, signer: string) {
    this.#signer = signer;
    setAttribute(this.#canvas, "aria-label", `Picture of ${peer}`);
    this.element = el(
      "figure",
      { class: "picture-figure", "data-testid": "picture-seen", "data-stream": String(id) },
      el("div", { class: "picture-box" }, this.#canvas, this.#mark),
      el("figcaption", {}, el("span", { class: "name" }, peer), this.#caption),
    );
  }

  paint(screen: Screen, now: number): void {
    const picture = screen.due(now);
    if (picture !== undefined) {
      const { frame } = picture;
      const { displayWidth: width, displayHeight: height } = frame;
      if (this.#canvas.width !== width || this.#canvas.height !== height) {
        this.#canvas.width = width;
        this.#canvas.height = height;
      }
      this.#canvas.getContext("2d")?.drawImage(frame, 0, 0, width, height);
      frame.close();
      this.#hasPicture = true;
      this.element.dataset.shown = String(screen.shown);
    }
    if (now - this.#saidAt < 250) return;
    this.#saidAt = now;
    this.#say(screen, now);
  }

  #say(screen: Screen, now: number): void {
    const { units, at, isHeld, caption } = screen;
    const isRecent = now - at < RECENT_MS;
    const [text, tone] = isHeld
      ? ["On hold: nothing comes", "plain"]
      : !this.#hasPicture
        ? ["Waiting for the first picture", "plain"]
        : isRecent
          ? [`Verified: unit ${units}, signed by ${this.#signer}`, "good"]
          : ["Standing still: nothing to verify", "plain"];
    setText(this.#mark, text);
    setAttribute(this.#mark, "data-tone", tone);
    setText(this.#caption, caption);
  }
}

/** A picture that the browser decodes and plays by itself. */
function playedFigure({ stream }: ShownPicture, peer: string): Row<ShownPicture> {
  const player = el("video", { class: "picture-canvas", playsinline: true, tabindex: "-1" });
  player.muted = true;
  player.srcObject = stream;
  player.play().catch(() => {
    // It was taken away before it began.
  });
  setAttribute(player, "aria-label", `Picture of ${peer}`);
  const caption = el("span", { class: "about", "data-testid": "picture-caption" });
  const mark = el(
    "p",
    { class: "verdict picture-mark", "data-testid": "picture-mark", "data-tone": "plain" },
    "Verified by the gateway, not here",
  );
  const element = el(
    "figure",
    { class: "picture-figure", "data-testid": "picture-seen" },
    el("div", { class: "picture-box" }, player, mark),
    el("figcaption", {}, el("span", { class: "name" }, peer), caption),
  );
  const count = (): void => {
    element.dataset.shown = String(Number(element.dataset.shown ?? 0) + 1);
    player.requestVideoFrameCallback(count);
  };
  player.requestVideoFrameCallback(count);
  return {
    element,
    update(shown) {
      setText(caption, shown.caption);
    },
  };
}

function ownFigure({ stream, kind }: ShownCapture): Row<ShownCapture> {
  const player = el("video", { class: "picture-canvas", muted: true, playsinline: true, tabindex: "-1" });
  player.muted = true;
  player.srcObject = stream;
  player.play().catch(() => {
    // It was taken away before it began.
  });
  const title = kind === "camera" ? "Your camera" : "Your screen";
  setAttribute(player, "aria-label", `${title}, as it is sent`);
  const caption = el("span", { class: "about", "data-testid": `own-caption-${kind}` });
  return {
    element: el(
      "figure",
      { class: `picture-figure is-own is-${kind}`, "data-testid": `picture-own-${kind}` },
      el("div", { class: "picture-box" }, player),
      el("figcaption", {}, el("span", { class: "name" }, title), caption),
    ),
    update(shown) {
      setText(caption, shown.caption);
    },
  };
}
