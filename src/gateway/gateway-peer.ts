/** One WebRTC peer at the desk: its peer connection, the agent that the gateway is online as for it, and the leg between them. */
import type { Agent } from "../../agent/agent.ts";
import type { Clock } from "../../codecs/clock.ts";
import { encodeHex } from "../../codecs/hex.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { type Fault, ok, type Result, refuse } from "../../codecs/result.ts";
import { sha256 } from "../../platform/node/sha256.ts";
import type { GatewayStatement } from "../../signaling/gateway.ts";
import { checkConfirmation, sha256Of } from "../../transports/webrtc/fingerprints.ts";
import { extensionsClash } from "../../transports/webrtc/header-extensions.ts";
import type { PeerEnd } from "../../transports/webrtc/peer.ts";
import type { MediaWorkers } from "../../transports/webrtc/workers.ts";
import type { JudgedAsker, OpenedPeer, PeerOpening } from "./desk.ts";
import { GatewayLeg, type LegMedia } from "./leg.ts";
import { PeerLink, sameCertificate } from "./peer-link.ts";
import { peerReceives, type SettledMedia, settledAlone, settledWith } from "./peer-plan.ts";

/** `opening`: nothing is settled; `waiting`: for its peer, its call, or both; `up`: in a call. */
export type PeerState = "opening" | "waiting" | "up" | "ended";

export interface GatewayPeerOptions {
  readonly id: string;
  readonly opening: PeerOpening;
  readonly media: LegMedia;
  readonly workers: MediaWorkers;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  /** Agent-ID that signs here. */
  readonly gatewayId: string;
  /** Comes online on behalf of the peer's subject. Throws as `Agent.connect`. */
  readonly connect: (statement: GatewayStatement, token: () => string) => Promise<Agent>;
  /** Told once. */
  readonly ended: (peer: GatewayPeer, reason: string) => void;
  readonly report: (error: unknown) => void;
}

/**
 * Where the peer's certificate is known from the beginning, by its offer or by its token, and there is a call to be made or taken, the call
 * comes first and settles the codecs. Else one codec a kind is settled, and the call is made, taken or waited for once the peer is there.
 */
export class GatewayPeer {
  readonly id: string;
  /** Agent-ID of whom it acts for. */
  readonly subject: string;
  readonly #options: GatewayPeerOptions;
  readonly #link: PeerLink;
  /** Of the peer's certificate, once it is known. */
  #fingerprint: string | undefined;
  #judged: JudgedAsker;
  #leg: GatewayLeg | undefined;
  #isSettled = false;
  #isBegun = false;
  #end: string | undefined;
  #cancelExpiry: () => void = () => {};
  #closed: Promise<void> | undefined;

  constructor(options: GatewayPeerOptions) {
    const { clock, id, opening, random, report, workers } = options;
    const { grant } = opening.asker;
    this.id = id;
    this.subject = grant.agentId;
    this.#options = options;
    this.#judged = opening.asker;
    this.#fingerprint =
      opening.way === "exchange" ? grant.confirmation?.fingerprint : sha256Of(opening.offer.fingerprints);
    this.#link = new PeerLink({
      ...{ clock, random, report, workers },
      handlers: {
        connected: () => this.#connected(),
        packet: (kind, packet) => this.#leg?.packet(kind, packet),
        senderReport: (kind, told) => this.#leg?.senderReport(kind, told),
        keyFrameWanted: () => this.#leg?.keyFrameWanted(),
        message: (stream, message) => this.#leg?.message(stream, message),
        bitrate: (bitsPerSecond) => this.#leg?.bitrate(bitsPerSecond),
        closed: (reason) => this.end(reason),
      },
    });
    this.#expire();
  }

  get state(): PeerState {
    if (this.#end !== undefined) return "ended";
    if (!this.#isSettled) return "opening";
    return this.#leg?.call === undefined ? "waiting" : "up";
  }

  get sessionId(): string | undefined {
    return this.#leg?.call?.id;
  }

  /** Process that holds its peer connection, once there is one. */
  get workerPid(): number | undefined {
    return this.#link.workerPid;
  }

  /** Resolves once it is over and closed. */
  get closed(): Promise<void> {
    return this.#closed ?? Promise.resolve();
  }

  /** Opens it; on a fault it is over. */
  async open(): Promise<Result<OpenedPeer>> {
    const { id, opening } = this.#options;
    const { abandoned } = opening;
    const giveUp = () => this.end("cancelled");
    abandoned.addEventListener("abort", giveUp);
    try {
      if (abandoned.aborted) return refuse("cancelled", "Nobody waits for it any more.");
      const described = await this.#open(opening);
      this.#isSettled = true;
      if (this.#end !== undefined) return refuse("session-terminated", `It is over: ${this.#end}.`);
      return ok({ id, iceTag: this.#link.iceTag, ...described });
    } catch (error) {
      const fault = this.#faultOf(error);
      this.end(fault.code);
      return { ok: false, fault };
    } finally {
      abandoned.removeEventListener("abort", giveUp);
    }
  }

  /** A request about it came by this token: if it lasts longer than the one before, a call that is up may last as long. */
  show(judged: JudgedAsker): void {
    if (this.state !== "up" || judged.grant.expiresAt <= this.#judged.grant.expiresAt) return;
    const bound = judged.grant.confirmation;
    if (bound !== undefined && bound.fingerprint !== this.#fingerprint) return;
    this.#judged = judged;
    this.#expire();
  }

  /** Faults: `ice-outdated`. Candidates themselves are not needed: this end answers checks wherever they come from. */
  trickle(iceTag: string | undefined): Result<void> {
    if (iceTag === undefined || iceTag === this.#link.iceTag) return ok(undefined);
    return refuse("ice-outdated", "ICE began anew meanwhile: these candidates are of the time before.");
  }

  async restart(isOffer: boolean): Promise<Result<Omit<OpenedPeer, "id">>> {
    if (!this.#isSettled || this.#end !== undefined) return refuse("session-state-conflict", "It is not up.");
    try {
      const description = await this.#link.restart(isOffer);
      return ok({ kind: isOffer ? "offer" : "answer", description, iceTag: this.#link.iceTag });
    } catch (error) {
      return { ok: false, fault: this.#faultOf(error) };
    }
  }

  /** Faults: those of `PeerDesk.answer`, and those of coming online. */
  async answer(sdp: string): Promise<Result<void>> {
    const answer = this.#link.read(sdp);
    if (!answer.ok) return answer;
    const { fingerprints } = answer.value;
    const bound = checkConfirmation(this.#judged.grant.confirmation, fingerprints);
    const same = bound.ok ? sameCertificate(this.#fingerprint, answer.value) : bound;
    if (!same.ok) return same;
    this.#fingerprint = sha256Of(fingerprints);
    try {
      await this.#link.answered(answer.value);
      return ok(undefined);
    } catch (error) {
      const fault = this.#faultOf(error);
      this.end(fault.code);
      return { ok: false, fault };
    }
  }

  /** Over, and its call with it. Idempotent. */
  end(reason: string): void {
    if (this.#leg !== undefined) this.#leg.end(reason);
    else this.#over(reason);
  }

  async #open(opening: PeerOpening): Promise<Pick<OpenedPeer, "kind" | "description">> {
    const { media } = this.#options;
    const hasCall =
      opening.to !== undefined || (opening.way === "exchange" && opening.sessionId !== undefined);
    // Not there, stopped, over its limits: told before anything else is done.
    const leg = this.#fingerprint === undefined ? undefined : await this.#online(this.#fingerprint);
    const settled =
      leg !== undefined && hasCall
        ? settledWith(media, await this.#begin(leg), { reserves: opening.way === "exchange" })
        : settledAlone(media);
    const described = await this.#describe(opening, settled);
    leg?.join(this.#link.streams);
    return described;
  }

  async #describe(
    opening: PeerOpening,
    settled: SettledMedia,
  ): Promise<Pick<OpenedPeer, "kind" | "description">> {
    if (opening.way === "exchange") return { kind: "offer", description: await this.#link.offer(settled) };
    const { offer } = opening;
    const kinds = [
      ...(peerReceives(settled.audio) ? (["audio"] as const) : []),
      ...(peerReceives(settled.video?.direction) ? (["video"] as const) : []),
    ];
    if (extensionsClash(offer.mappedExtensions, kinds))
      return { kind: "offer", description: await this.#link.offer(settled) };
    return { kind: "answer", description: await this.#link.answer(offer, settled) };
  }

  /** The gateway's leg for this peer. Throws as `Agent.connect`. */
  async #online(fingerprint: string): Promise<GatewayLeg> {
    const { clock, connect, gatewayId, media, random, report } = this.#options;
    const { grant, token } = this.#judged;
    const { agentId: subject, issuer, tokenId: jti } = grant;
    const digest = encodeHex(sha256(new TextEncoder().encode(token)));
    const evidence = { jti, token: digest, fingerprint };
    // What it says of the token has to hold until the call is up.
    const newest = () => (this.#leg?.call === undefined ? token : this.#judged.token);
    const agent = await connect({ subject, issuer, evidence }, newest);
    if (this.#end !== undefined) {
      await agent.close();
      throw new ParleyError({ code: "cancelled", message: `The peer is gone: ${this.#end}.` });
    }
    const leg = new GatewayLeg({
      ...{ agent, media, gatewayId, clock, random, report },
      peer: this.#link,
      ended: (reason) => this.#over(reason),
    });
    this.#leg = leg;
    agent.on("closed", ({ reason }) => leg.end(REASON.test(reason) ? reason : "session-detached"));
    return leg;
  }

  /** Makes, takes or waits for the call. */
  #begin(leg: GatewayLeg) {
    this.#isBegun = true;
    const { opening } = this.#options;
    if (opening.to !== undefined) return leg.dial(opening.to);
    if (opening.way === "exchange" && opening.sessionId !== undefined) return leg.take(opening.sessionId);
    return leg.wait();
  }

  #connected(): void {
    if (this.#isBegun) return;
    this.#isBegun = true;
    this.#beginLate().catch((error: unknown) => {
      // Its leg has told the peer why.
      if (!(error instanceof ParleyError)) this.#options.report(error);
    });
  }

  async #beginLate(): Promise<void> {
    try {
      const leg = this.#leg ?? (await this.#online(this.#fingerprint as string));
      leg.join(this.#link.streams);
      await this.#begin(leg);
    } catch (error) {
      this.end(faultOf(error).code);
      throw error;
    }
  }

  /** What is none of Parley's is the operator's to read, and nobody else's. */
  #faultOf(error: unknown): Fault {
    if (!(error instanceof ParleyError)) this.#options.report(error);
    return faultOf(error);
  }

  #over(reason: string): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    this.#cancelExpiry();
    this.#closed = this.#link.close(reason as PeerEnd).catch(this.#options.report);
    this.#options.ended(this, reason);
  }

  #expire(): void {
    const { clock } = this.#options;
    this.#cancelExpiry();
    const left = this.#judged.grant.expiresAt - clock.wall();
    this.#cancelExpiry = clock.at(clock.now() + left, () => this.end("token-expired"));
  }
}

/** What an error that is none of Parley's comes to, too. */
function faultOf(error: unknown): Fault {
  if (!(error instanceof ParleyError))
    return { code: "server-error", message: "The peer connection failed here." };
  const { at, code, details, message } = error;
  const plain = at === undefined ? message : message.replace(` (${at})`, "");
  return { code, message: plain, ...(at === undefined ? {} : { at }), details };
}

const REASON = /^[a-z][a-z-]{0,63}$/;
