/** The two ends of a call: who, how loud, verified or not, by which key, under which scope. */
import type { LevelMeter } from "../model/level.ts";
import type { LiveMedia } from "../model/live-media.ts";
import type { CallState } from "../model/page-state.ts";
import { el, type Row, RowList, setAttribute, setText } from "./dom.ts";
import { KeyDetails, KeyPicture } from "./key-view.ts";

/** A verdict is about now: after this long without a frame it is no longer shown as such, ms. */
const RECENT_MS = 2_000;

export class EndsView {
  readonly element: HTMLElement;
  readonly #me = new EndView("me", "You");
  readonly #peer = new EndView("peer", "");
  #verified = 0;
  #verifiedAt = Number.NEGATIVE_INFINITY;

  constructor() {
    this.element = el("div", { class: "ends" }, this.#me.element, this.#peer.element);
  }

  show(call: CallState): void {
    this.#me.show({
      name: call.me?.name ?? "",
      agentId: call.me?.agentId,
      mediaKey: call.me?.mediaKey,
      scope: call.me?.scope ?? [],
    });
    this.#peer.show({
      name: call.peerName,
      agentId: call.peerId,
      mediaKey: call.peer?.mediaKey,
      scope: call.peer?.scope ?? [],
    });
  }

  paint(live: LiveMedia, call: CallState, now: number): void {
    const isUp = call.phase === "up" && call.away !== "me";
    this.#me.level(live.myLevel, now, isUp && !call.muted, call.speaking.me);
    this.#peer.level(live.peerLevel, now, isUp && call.away === undefined, call.speaking.peer);
    const { verified } = live.heard.totals;
    if (verified !== this.#verified) {
      this.#verified = verified;
      if (verified > 0) this.#verifiedAt = now;
    }
    const [mine, theirs] = verdicts(call, live, now - this.#verifiedAt < RECENT_MS);
    this.#me.verdict(mine);
    this.#peer.verdict(theirs);
  }
}

interface Verdict {
  readonly text: string;
  readonly tone: "good" | "plain" | "bad";
}

/** What can be said of the two ends now: this one, then the other. */
function verdicts(call: CallState, live: LiveMedia, isRecent: boolean): readonly [Verdict, Verdict] {
  if (call.way === "gateway") return [mineByGateway(call), theirsByGateway(call)];
  const { sent } = live.sent.totals;
  const { verified } = live.heard.totals;
  if (call.phase !== "up") {
    return [
      { text: `${sent} frames signed and sent`, tone: "plain" },
      { text: `${verified} frames verified`, tone: "plain" },
    ];
  }
  return [mine(call, sent), theirs(call, verified, isRecent)];
}

function mineByGateway(call: CallState): Verdict {
  if (call.away === "me") return { text: "No connection: nothing is sent", tone: "bad" };
  if (call.muted) return { text: "Muted: nothing is sent", tone: "plain" };
  return { text: "Signed by the gateway, not here", tone: "plain" };
}

function theirsByGateway({ away, gateway }: CallState): Verdict {
  if (away === "me") return { text: "No connection: nothing comes", tone: "plain" };
  const { verified = 0, refused = 0 } = gateway ?? {};
  if (refused > 0) return { text: `${refused} frames refused by the gateway`, tone: "bad" };
  if (verified === 0) return { text: "Nothing heard yet", tone: "plain" };
  return { text: `Verified by the gateway, not here: ${verified} frames`, tone: "plain" };
}

function mine(call: CallState, sent: number): Verdict {
  if (call.away === "me") return { text: "No connection: nothing is sent", tone: "bad" };
  if (call.away === "peer") return { text: "Nobody hears you now", tone: "plain" };
  if (call.muted) return { text: "Muted: nothing is sent", tone: "plain" };
  if (call.narrowed) return { text: "Outside your scope: the server refuses", tone: "bad" };
  if (sent === 0) return { text: "Nothing sent yet", tone: "plain" };
  const how = call.profile === "frame" ? "Signed" : "Tagged";
  return { text: `${how} here, frame by frame`, tone: "good" };
}

function theirs(call: CallState, verified: number, isRecent: boolean): Verdict {
  if (call.away === "me") return { text: "No connection: nothing comes", tone: "plain" };
  if (call.away === "peer") return { text: "Away: its connection was lost", tone: "bad" };
  if (verified === 0) return { text: "Nothing heard yet", tone: "plain" };
  if (!isRecent) return { text: "Silent: nothing to verify", tone: "plain" };
  const whose = call.peerGateway === undefined ? "this key" : "its gateway's key";
  const how = call.profile === "frame" ? `signed by ${whose}` : `tagged by ${whose} for yours`;
  return { text: `Verified: ${how}`, tone: "good" };
}

class EndView {
  readonly element: HTMLElement;
  readonly #who: string;
  readonly #picture = new KeyPicture();
  readonly #name = el("h2", {});
  readonly #bar = el("span", { class: "meter-fill" });
  readonly #meter: HTMLElement;
  readonly #speaking = el("span", { class: "speaking" });
  readonly #verdict = el("p", { class: "verdict" });
  readonly #mediaKey: KeyDetails;
  readonly #agentId: KeyDetails;
  readonly #scopes: RowList<string>;
  readonly #scope: HTMLElement;
  #percent = -1;

  constructor(id: "me" | "peer", who: string) {
    this.#who = who;
    this.#meter = el(
      "div",
      { class: "meter", role: "meter", "aria-valuemin": "0", "aria-valuemax": "100" },
      this.#bar,
    );
    this.#mediaKey = new KeyDetails("Key of these frames", `${id}-key`);
    this.#agentId = new KeyDetails("Agent-ID", `${id}-id`);
    this.#verdict.dataset.testid = `${id}-verdict`;
    this.#speaking.dataset.testid = `${id}-speaking`;
    const scopes = el("ul", { class: "scopes", "data-testid": `${id}-scope` });
    this.#scopes = new RowList(scopes, String, scopeRow);
    this.#scope = el("div", {}, el("span", { class: "label" }, "Scope communication:"), scopes);
    this.element = el(
      "article",
      { class: `panel end ${id}`, "data-testid": id },
      el(
        "div",
        { class: "end-head" },
        this.#picture.element as unknown as HTMLElement,
        el("div", { class: "text" }, this.#name, this.#speaking),
      ),
      this.#meter,
      this.#verdict,
      el("div", { class: "facts" }, this.#mediaKey.element, this.#agentId.element, this.#scope),
    );
  }

  show(end: {
    readonly name: string;
    readonly agentId: string | undefined;
    readonly mediaKey: string | undefined;
    readonly scope: readonly string[];
  }): void {
    const name = this.#who === "" ? end.name : end.name === "" ? this.#who : `${this.#who}, ${end.name}`;
    setText(this.#name, name);
    setAttribute(this.#meter, "aria-label", `Level of ${name}`);
    if (end.agentId !== undefined) this.#picture.show(end.agentId);
    this.#mediaKey.show(end.mediaKey);
    this.#agentId.show(end.agentId);
    this.#scopes.show(end.scope);
    // What only the gateway signed is in the evidence.
    this.#scope.hidden = end.mediaKey === undefined;
  }

  level(meter: LevelMeter, now: number, isLive: boolean, speaks: boolean): void {
    const percent = isLive ? Math.round(meter.fill(now) * 100) : 0;
    if (percent !== this.#percent) {
      this.#percent = percent;
      this.#bar.style.setProperty("--fill", String(percent / 100));
      setAttribute(this.#meter, "aria-valuenow", String(percent));
    }
    const isSpeaking = isLive && speaks;
    setText(this.#speaking, isSpeaking ? "speaking" : "silent");
    this.element.classList.toggle("is-speaking", isSpeaking);
  }

  verdict({ text, tone }: Verdict): void {
    setText(this.#verdict, text);
    setAttribute(this.#verdict, "data-tone", tone);
  }
}

function scopeRow(scope: string): Row<string> {
  return { element: el("li", {}, el("code", {}, scope.replace(/^communication:/, ""))), update() {} };
}
