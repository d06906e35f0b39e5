/** The whole page: places the views, draws the state when it changed, and paints what moves. */
import type { LiveMedia } from "../model/live-media.ts";
import { type PageState, rootFacts } from "../model/page-state.ts";
import type { Screen } from "../video/screen.ts";
import type { PageActions } from "./actions.ts";
import { DialView } from "./dial-view.ts";
import { el, setText } from "./dom.ts";
import { ElsewhereView } from "./elsewhere-view.ts";
import { HeaderView, StandingView } from "./header-view.ts";
import { MessagesView } from "./messages-view.ts";
import { PictureChoiceView } from "./picture-choice-view.ts";
import { RecordsView } from "./records-view.ts";
import { RingingView } from "./ringing-view.ts";
import { SourceView } from "./source-view.ts";
import { newsOf, StageView, WelcomeView } from "./stage-view.ts";
import { StreamsView } from "./streams-view.ts";
import { TroubleView } from "./trouble-view.ts";

export class PageView {
  readonly #root: HTMLElement;
  readonly #header: HeaderView;
  readonly #ringing: RingingView;
  readonly #elsewhere: ElsewhereView;
  readonly #dial: DialView;
  readonly #standing: StandingView;
  readonly #source: SourceView;
  readonly #welcome: WelcomeView;
  readonly #stage: StageView;
  readonly #data: MessagesView;
  readonly #records = new RecordsView();
  readonly #trouble: TroubleView;
  readonly #streams: StreamsView;
  readonly #pictureChoice: PictureChoiceView;
  readonly #side: HTMLElement;
  readonly #sourceInCall = el("div", { class: "source-in-call" });
  readonly #version = el("span", {});
  /** Always there, so that screen readers hear of its changes. */
  readonly #news = el("p", { class: "visually-hidden", role: "status" });
  #state: PageState | undefined;

  constructor(root: HTMLElement, actions: PageActions) {
    this.#root = root;
    this.#header = new HeaderView(actions);
    this.#ringing = new RingingView(actions);
    this.#dial = new DialView(actions);
    this.#elsewhere = new ElsewhereView(actions);
    this.#standing = new StandingView(actions);
    this.#source = new SourceView(actions);
    this.#welcome = new WelcomeView(actions, this.#source.element);
    this.#stage = new StageView(actions);
    this.#data = new MessagesView(actions);
    this.#trouble = new TroubleView(actions);
    this.#streams = new StreamsView(actions);
    this.#pictureChoice = new PictureChoiceView(actions);
    this.#side = el(
      "aside",
      { class: "side", "aria-label": "Beside the voice" },
      this.#sourceInCall,
      this.#pictureChoice.element,
      this.#trouble.element,
      this.#streams.element,
      this.#data.element,
      this.#records.element,
    );
    root.replaceChildren(
      el("a", { class: "skip", href: "#main" }, "Skip to the call"),
      this.#header.element,
      this.#ringing.element,
      this.#elsewhere.element,
      this.#news,
      el(
        "div",
        { class: "columns" },
        el(
          "main",
          { id: "main", tabindex: "-1" },
          this.#standing.element,
          this.#welcome.element,
          this.#stage.element,
        ),
        el("div", { class: "rail" }, this.#side, this.#dial.element),
      ),
      el(
        "footer",
        { class: "foot" },
        el("span", {}, "Keys are made in this browser and stay there. "),
        this.#version,
      ),
    );
  }

  show(state: PageState): void {
    const held = document.activeElement;
    this.#state = state;
    for (const [name, value] of Object.entries(rootFacts(state))) this.#root.dataset[name] = value;
    this.#header.show(state);
    this.#ringing.show(state);
    this.#elsewhere.show(state);
    this.#dial.show(state);
    this.#standing.show(state);
    this.#source.show(state);
    this.#trouble.show(state);
    this.#pictureChoice.show(state);
    this.#welcome.show(state);
    this.#stage.show(state);
    this.#side.hidden = state.call?.since === undefined;
    this.#placeSource(state);
    if (state.call !== undefined) {
      this.#data.show(state.call, state.call.peerName);
      this.#records.show(state.call);
      this.#streams.show(state.call);
    }
    setText(this.#news, state.call === undefined ? "" : newsOf(state.call));
    document.title = titleOf(state);
    // What had the keyboard may be gone, as the button that was pressed: it goes on from the title of what came.
    if (held !== null && held !== document.body && !(held.isConnected && held.checkVisibility()))
      (state.call === undefined ? this.#welcome : this.#stage).focus();
    this.#version.textContent = state.version === undefined ? "" : `Parley ${state.version}`;
  }

  /** Paints meters, strips and charts. `now` is monotonic milliseconds. */
  paint(live: LiveMedia | undefined, screens: readonly Screen[], now: number): void {
    const call = this.#state?.call;
    if (live !== undefined && call !== undefined) this.#stage.paint(call, live, screens, now);
  }

  /** The one chooser of sources stands in the welcome, and beside the voice during a call. */
  #placeSource(state: PageState): void {
    const home =
      state.call === undefined ? this.#welcome.element.querySelector(".begin") : this.#sourceInCall;
    if (this.#source.element.parentElement !== home) home?.append(this.#source.element);
    this.#sourceInCall.hidden = state.call?.phase !== "up";
  }
}

/** What the browser's tab says. */
function titleOf({ incoming, call }: PageState): string {
  const ringing = incoming.find(({ gone }) => gone === undefined);
  if (ringing !== undefined) return `${ringing.name} is calling · Parley`;
  return call === undefined ? "Parley" : `${call.peerName} · Parley`;
}
