/** On whose word it rests who says what, where it is not the word of the two ends alone. */
import { shortFingerprint } from "../model/fingerprint.ts";
import type { CallState } from "../model/page-state.ts";
import { el, setText } from "./dom.ts";
import { KeyDetails } from "./key-view.ts";

export class AttestationView {
  readonly element: HTMLElement;
  readonly #mine = el("p", { "data-testid": "attested-me" });
  readonly #theirs = el("p", { "data-testid": "attested-peer" });
  readonly #missing = el("p", { class: "hint" });
  readonly #keys = [
    new KeyDetails("Your gateway", "gateway-me"),
    new KeyDetails("This page's certificate", "gateway-fingerprint"),
    new KeyDetails("The other end's gateway", "gateway-peer"),
  ] as const;

  constructor() {
    this.element = el(
      "section",
      { class: "panel attestation", "aria-labelledby": "attestation-title", "data-testid": "attestation" },
      el("h2", { id: "attestation-title" }, "On whose word"),
      this.#mine,
      this.#theirs,
      el("div", { class: "facts" }, ...this.#keys.map(({ element }) => element)),
      this.#missing,
    );
  }

  show(call: CallState): void {
    const { gateway, peerGateway } = call;
    this.element.hidden = gateway === undefined && peerGateway === undefined;
    if (this.element.hidden) return;
    setText(this.#mine, mine(call));
    this.#mine.hidden = gateway === undefined;
    setText(this.#theirs, theirs(call));
    const [own, certificate, other] = this.#keys;
    own.show(gateway?.agentId);
    certificate.show(gateway?.fingerprint);
    other.show(peerGateway?.agentId);
    setText(
      this.#missing,
      gateway === undefined
        ? ""
        : "There are no frames to show, to alter or to refuse here: the browser has none. The evidence says all of this too.",
    );
    this.#missing.hidden = gateway === undefined;
  }
}

function mine({ gateway }: CallState): string {
  if (gateway === undefined) return "";
  const { agentId, verified, refused } = gateway;
  const counted = `${verified} ${verified === 1 ? "frame" : "frames"}, ${refused} refused`;
  return `Your voice is signed by the gateway ${shortFingerprint(agentId)} on your behalf, with your token. Your page signs no frame and verifies none: what you hear was verified by the gateway (${counted}).`;
}

function theirs({ peerGateway, peerName }: CallState): string {
  if (peerGateway === undefined) return `${peerName} signs its frames with a key of its own.`;
  const { agentId, issuer } = peerGateway;
  const by = issuer === undefined ? "" : `, as a token says that ${issuerText(issuer)} issued`;
  return `${peerName} speaks through WebRTC: the gateway ${shortFingerprint(agentId)} signs for it${by}. That is the gateway's word for what ${peerName} said.`;
}

/** An Agent-ID is shortened; the name of an issuer is not. */
function issuerText(issuer: string): string {
  return /^[0-9a-f]{64}$/.test(issuer) ? shortFingerprint(issuer) : issuer;
}
