/** The middle of the page: what this is while idle, the call while there is one, and how it ended. */
import type { LiveMedia } from "../model/live-media.ts";
import {
  type CallState,
  type CallWay,
  isBusy,
  type Notice,
  type PageState,
  wayOf,
} from "../model/page-state.ts";
import { RECORDING_IS_FULL } from "../model/wav.ts";
import { clockText } from "../model/words.ts";
import type { Screen } from "../video/screen.ts";
import type { PageActions } from "./actions.ts";
import { AttestationView } from "./attestation-view.ts";
import { CallWayView } from "./call-way-view.ts";
import { ChartsView } from "./charts-view.ts";
import { ControlsView } from "./controls-view.ts";
import { button, el, type Row, RowList, setText } from "./dom.ts";
import { EndsView } from "./ends-view.ts";
import { PictureWayView } from "./picture-way-view.ts";
import { PicturesView } from "./pictures-view.ts";
import { PictureStripsView, StripsView } from "./strips-view.ts";
import { WayView } from "./way-view.ts";

/** Notices shown at a time. */
const NOTICES = 3;
/** Between two times that ticks and figures are painted, ms, also where pictures come more often. */
const FIGURES_MS = 45;

export class StageView {
  readonly element: HTMLElement;
  readonly #title = el("h1", { tabindex: "-1", "data-testid": "call-title" });
  readonly #facts = el("p", { class: "call-facts", "data-testid": "call-facts" });
  readonly #ends = new EndsView();
  readonly #waiting = el("p", { class: "lead" });
  readonly #attestation = new AttestationView();
  readonly #pictures = new PicturesView();
  readonly #strips = new StripsView();
  readonly #pictureStrips = new PictureStripsView();
  readonly #charts = new ChartsView();
  readonly #way = new WayView();
  #pictureWay = new PictureWayView();
  readonly #controls: ControlsView;
  readonly #notices = el("ul", { class: "notices", "data-testid": "notices" });
  readonly #noticeRows = new RowList<Notice>(this.#notices, ({ id }) => String(id), noticeRow);
  readonly #outcome: OutcomeView;
  #paintedAt = Number.NEGATIVE_INFINITY;

  constructor(actions: PageActions) {
    this.#controls = new ControlsView(actions);
    this.#outcome = new OutcomeView(actions);
    this.element = el(
      "section",
      { class: "stage", "aria-label": "Call" },
      el("div", { class: "stage-head" }, el("div", {}, this.#title, this.#facts), this.#controls.element),
      this.#outcome.element,
      this.#waiting,
      this.#notices,
      this.#attestation.element,
      this.#pictures.element,
      this.#ends.element,
      this.#strips.element,
      this.#pictureStrips.element,
      this.#charts.element,
      this.#way.element,
      this.#pictureWay.element,
    );
  }

  /** Where the keyboard goes when what had it is gone. */
  focus(): void {
    this.#title.focus({ preventScroll: true });
  }

  show(state: PageState): void {
    const { call } = state;
    this.element.hidden = call === undefined;
    if (call === undefined) return;
    setText(this.#title, titleOf(call));
    this.#ends.show(call);
    this.#pictures.show(call);
    this.#controls.show(call);
    this.#outcome.show(state, call);
    const had = call.since !== undefined;
    const isSigned = call.way === "signed";
    this.#ends.element.hidden = !had;
    setText(this.#waiting, WAITING[call.way]);
    this.#waiting.hidden = had || call.phase === "failed";
    this.#attestation.show(call);
    this.#strips.element.hidden = !had || !isSigned;
    this.#charts.element.hidden = !had;
    this.#way.element.hidden = !had;
    this.#noticeRows.show(call.phase === "up" ? call.notices.slice(-NOTICES) : []);
    this.#factsAt(call);
  }

  paint(call: CallState, live: LiveMedia, screens: readonly Screen[], now: number): void {
    this.#pictures.paint(call, screens, now);
    if (now - this.#paintedAt < FIGURES_MS) return;
    this.#paintedAt = now;
    this.#ends.paint(live, call, now);
    if (call.way === "signed") {
      this.#strips.paint(live);
      this.#pictureStrips.paint(live);
      this.#pictureWay.paint(live, now);
    }
    this.#charts.paint(live, now);
    this.#way.paint(call, live);
    this.#factsAt(call);
  }

  #factsAt(call: CallState): void {
    const clock = call.since === undefined ? "" : clockText((call.until ?? Date.now()) - call.since);
    const facts = [
      phaseText(call),
      clock,
      call.codec,
      ...(call.since === undefined ? [] : agreedFacts(call)),
    ];
    setText(this.#facts, facts.filter(Boolean).join(" · "));
  }
}

const WAITING: Readonly<Record<CallWay, string>> = {
  signed:
    "Both ends sign what they agree on. No frame is sent before this page has checked the other end's signature.",
  gateway:
    "The server's gateway signs the call for you, by a token that this page has just made. Nothing is sent before the other end has answered.",
};

function agreedFacts({ way, profile, terms }: CallState): readonly string[] {
  return way === "gateway" ? ["by WebRTC"] : [`profile ${profile}`, `terms ${terms}`];
}

/** What the page is, shown while there is no call. */
export class WelcomeView {
  readonly element: HTMLElement;
  readonly #title = el(
    "h1",
    { id: "welcome-title", tabindex: "-1" },
    "Talk to an agent, and see who is speaking",
  );
  readonly #call: HTMLButtonElement;
  readonly #way: CallWayView;
  readonly #lead = el("p", { class: "lead" });
  readonly #points = {
    signed: point(
      "Try to cheat",
      "Flip a bit, or give up your authority and speak on. You see the frame refused, and why.",
    ),
    gateway: point(
      "Know by whose word",
      "The gateway states what you say and what you hear. Called automatically, this page signs and checks it all itself.",
    ),
    proof: point(
      "Keep the proof",
      "After the call one file shows who sent which frames, under what authority. Anybody can check it offline.",
    ),
    limits: point(
      "Know the limits",
      "The server can still listen, delay or drop: voice is encrypted to it, not through it. A signature proves who sent a frame, not what was meant.",
    ),
  };
  #first: { readonly agentId: string; readonly name: string } | undefined;

  constructor(actions: PageActions, source: HTMLElement) {
    this.#call = button("Call", { class: "primary big", "data-testid": "call-first" }, () => {
      if (this.#first !== undefined) actions.call(this.#first.agentId, this.#first.name);
    });
    this.#way = new CallWayView(actions);
    this.element = el(
      "section",
      { class: "welcome", "aria-labelledby": "welcome-title" },
      this.#title,
      this.#lead,
      el("div", { class: "row begin" }, this.#call, source, this.#way.element),
      el("ul", { class: "points" }, ...Object.values(this.#points)),
    );
  }

  /** Where the keyboard goes when what had it is gone. */
  focus(): void {
    this.#title.focus({ preventScroll: true });
  }

  show(state: PageState): void {
    this.element.hidden = state.call !== undefined || state.line.kind === "closed";
    this.#way.show(state);
    const way = wayOf(state);
    setText(this.#lead, LEAD[way]);
    for (const one of ["signed", "gateway"] as const) this.#points[one].hidden = one !== way;
    this.#first = state.dial.find(({ online }) => online);
    this.#call.disabled = this.#first === undefined || state.line.kind !== "online" || isBusy(state);
    setText(this.#call, `Call ${this.#first?.name ?? "an agent"}`);
  }
}

const LEAD: Readonly<Record<CallWay, string>> = {
  signed:
    "Every 20 milliseconds of voice is signed by the one who sends it. The server checks each of these frames, and this page checks it again before you hear it.",
  gateway:
    "Every 20 milliseconds of voice is signed. By WebRTC this page cannot do that itself: the server's gateway signs for you, and checks for you what you hear.",
};

function point(title: string, text: string): HTMLElement {
  return el("li", {}, el("h2", {}, title), el("p", {}, text));
}

class OutcomeView {
  readonly element: HTMLElement;
  readonly #sentence = el("p", { class: "outcome-text", "data-testid": "outcome" });
  readonly #code = el("code", { "data-testid": "outcome-code" });
  readonly #evidence: HTMLButtonElement;
  readonly #sound: HTMLButtonElement;
  readonly #again: HTMLButtonElement;
  readonly #limit = el("p", { class: "hint", "data-testid": "recording-limit" }, RECORDING_IS_FULL);
  readonly #problem = el("p", { class: "problem", role: "status", "data-testid": "evidence-problem" });
  readonly #check = el("p", { class: "hint", "data-testid": "check-command" });
  #peer: { readonly agentId: string; readonly name: string } | undefined;

  constructor(actions: PageActions) {
    this.#evidence = button("Download the evidence", { "data-testid": "evidence" }, () =>
      actions.saveEvidence(),
    );
    this.#sound = button("Save what I heard", { "data-testid": "save-sound" }, () => actions.saveSound());
    this.#again = button("Call again", { class: "primary", "data-testid": "call-again" }, () => {
      if (this.#peer !== undefined) actions.call(this.#peer.agentId, this.#peer.name);
    });
    const back = button("Done", { class: "quiet", "data-testid": "leave-call" }, () => actions.leaveCall());
    this.element = el(
      "div",
      { class: "panel outcome" },
      this.#sentence,
      el("p", { class: "hint" }, "Reason code ", this.#code),
      el("div", { class: "row" }, this.#again, this.#evidence, this.#sound, back),
      this.#limit,
      this.#problem,
      this.#check,
    );
  }

  show(state: PageState, call: CallState): void {
    const isOver = call.phase === "ended" || call.phase === "failed";
    this.element.hidden = !isOver;
    if (!isOver) return;
    this.#peer = { agentId: call.peerId, name: call.peerName };
    setText(this.#sentence, call.outcome?.sentence ?? "");
    setText(this.#code, call.outcome?.code ?? "");
    const isOnline = state.line.kind === "online";
    this.#again.disabled = !isOnline;
    // A call that goes on has no evidence yet, and needs no other one in its place.
    const isElsewhere = hasMoved(call);
    this.#again.hidden = isElsewhere;
    this.#evidence.hidden = call.sessionId === undefined || isElsewhere;
    this.#evidence.disabled = call.evidence === "fetching" || !isOnline;
    setText(
      this.#evidence,
      call.evidence === "fetching" ? "Gathering the evidence" : "Download the evidence",
    );
    const waits = state.line.kind === "offline" && call.sessionId !== undefined;
    const later = "The evidence can be had as soon as this page is online again.";
    setText(this.#problem, waits ? later : (call.evidenceProblem ?? ""));
    this.#sound.hidden = call.recordedSeconds === 0;
    this.#limit.hidden = !call.recordingFull;
    this.#check.hidden = call.sessionId === undefined || isElsewhere;
    this.#check.replaceChildren(
      "Check it offline, on any machine, with ",
      el("code", {}, `parley verify ${evidenceName(call)}`),
      ". Without trust anchors of your own the verdict is “consistent, not anchored”.",
    );
  }
}

/** The call is over here, and goes on in another tab. */
function hasMoved({ outcome }: CallState): boolean {
  return outcome?.code === "moved";
}

/** Name of the file that holds a call's evidence. */
export function evidenceName(call: CallState): string {
  return `parley-${(call.sessionId ?? "call").replace(/^sess-/, "").slice(0, 8)}.evidence`;
}

/** The newest word on a call, for those who listen to the page. */
export function newsOf(call: CallState): string {
  if (call.outcome !== undefined) return call.outcome.sentence;
  return call.notices.at(-1)?.text ?? `${titleOf(call)}. ${phaseText(call)}.`;
}

function titleOf(call: CallState): string {
  if (call.phase === "calling" || call.phase === "ringing") return `Calling ${call.peerName}`;
  if (call.phase === "returning") return `Going on with the call with ${call.peerName}`;
  if (hasMoved(call)) return `Call with ${call.peerName} went to another tab`;
  if (call.phase === "ended") return `Call with ${call.peerName} is over`;
  if (call.phase === "failed") return `No call with ${call.peerName}`;
  return `Talking with ${call.peerName}`;
}

function phaseText(call: CallState): string {
  if (call.phase === "calling")
    return call.way === "gateway" ? "The gateway is calling" : "Asking the server";
  if (call.phase === "ringing") return "It rings";
  if (call.phase === "returning") return "Asking the server";
  if (call.phase === "up" && call.away === "me") return "No connection, trying again";
  if (call.phase === "up" && call.away === "peer") return `Waiting for ${call.peerName}`;
  if (call.phase === "up") return "In a call";
  if (call.phase === "ending") return "Signing the last statements";
  return "";
}

function noticeRow(notice: Notice): Row<Notice> {
  return { element: el("li", { "data-tone": notice.tone }, notice.text), update() {} };
}
