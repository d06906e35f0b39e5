import type { JsonValue } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { PeerStats } from "../../sfu/peer-stats.ts";
import {
  type CallNotice,
  type GatewayNotice,
  type GatewayOrder,
  readGatewayNotice,
} from "../../signaling/gateway-channel.ts";
import type { AgentContext } from "../agent-context.ts";
import type { CallEnd } from "../call-ending.ts";
import { readEvidence } from "../call-evidence.ts";
import { readRecords, type SessionRecord } from "../call-records.ts";
import { TypedEvents } from "../typed-events.ts";
import type { MediaKind, PeerConnection, PeerState } from "./peer.ts";
import type { GatewaySignaling } from "./signaling.ts";

/** How long a call that is interrupted gets to mend itself before it is mended, and between two tries, ms. */
const RESTART_AFTER_MS = 500;
const RESTART_EVERY_MS = 2_000;
/** How long nothing may come through before this end gives the call up, ms: the server has by then. */
const GIVE_UP_MS = 20_000;
/** How long the gateway has for its last word, ms, before the peer connection is closed without. */
const LAST_WORD_MS = 2_000;

/** The other end of a call through a gateway, as the gateway says who it is. */
export interface GatewayPeer {
  readonly agentId: string;
  /** Agent-ID of the gateway that signs for it, where one does. */
  readonly gateway: string | undefined;
}

export type GatewayCallEvents = {
  /** Nothing comes through any more, or it does again; the call goes on meanwhile. */
  connection: { readonly connected: boolean };
  /** A track of the other end is there, in `incoming`. */
  track: { readonly track: MediaStreamTrack };
  speaking: { readonly who: "me" | "peer"; readonly speaking: boolean };
  "end-of-turn": { readonly who: "me" | "peer" };
  /** The other end stopped what this one was saying. */
  interrupted: Record<never, never>;
  muted: { readonly who: "me" | "peer"; readonly muted: boolean };
  /** Frames that the gateway signed for this end, and that were refused. */
  refused: { readonly reason: string; readonly count: number };
  /** What the gateway verified for this end, once a second. */
  verified: { readonly frames: number; readonly refused: number };
  message: { readonly value: JsonValue | Uint8Array<ArrayBuffer> };
};

/**
 * A call over WebRTC: the server's gateway takes part in it on this agent's behalf, signs what this end says, and verifies what it hears.
 * This end signs no frame and verifies none.
 */
export class GatewayCall {
  /** Session-ID. */
  readonly id: string;
  readonly peer: GatewayPeer;
  /** Agent-ID of the gateway that signs for this end. */
  readonly gateway: string;
  /** SHA-256 of the certificate of this end's peer connection, 64 hex digits: what the evidence names. */
  readonly fingerprint: string;
  /** Resolves when the call is over. Never rejects. */
  readonly ended: Promise<CallEnd>;
  readonly #context: AgentContext;
  readonly #signaling: GatewaySignaling;
  readonly #peerId: string;
  readonly #connection: PeerConnection;
  readonly #events: TypedEvents<GatewayCallEvents>;
  readonly #over = Promise.withResolvers<CallEnd>();
  readonly #cancels: (() => void)[] = [];
  #end: CallEnd | undefined;
  #isMuted = false;
  #voice: MediaStreamTrack | null = null;
  #speaking = { me: false, peer: false };
  #verified = { frames: 0, refused: 0 };
  /** When the peer connection was interrupted, monotonic milliseconds. */
  #brokenAt: number | undefined;
  #hangingUp: Promise<void> | undefined;
  #restarting: Promise<void> | undefined;

  /** @internal */
  constructor(options: {
    readonly context: AgentContext;
    readonly signaling: GatewaySignaling;
    readonly peerId: string;
    readonly connection: PeerConnection;
    readonly fingerprint: string;
    readonly up: UpNotice;
    readonly voice: MediaStreamTrack | null;
  }) {
    const { context, up } = options;
    this.id = up.session_id;
    this.peer = { agentId: up.peer.agent_id, gateway: up.peer.gateway };
    this.gateway = up.gateway.agent_id;
    this.fingerprint = options.fingerprint;
    this.ended = this.#over.promise;
    this.#context = context;
    this.#signaling = options.signaling;
    this.#peerId = options.peerId;
    this.#connection = options.connection;
    this.#voice = options.voice;
    this.#events = new TypedEvents(context.report);
  }

  /** Adds a listener; the returned function removes it. */
  on<Name extends keyof GatewayCallEvents>(
    name: Name,
    listener: (event: GatewayCallEvents[Name]) => void,
  ): () => void {
    return this.#events.on(name, listener);
  }

  get state(): "active" | "interrupted" | "ended" {
    if (this.#end !== undefined) return "ended";
    return this.#brokenAt === undefined ? "active" : "interrupted";
  }

  /** What the other end says and shows, decoded by the browser: for the `srcObject` of a player. */
  get incoming(): MediaStream {
    return this.#connection.incoming;
  }

  /** Who speaks, as the gateway hears it. */
  get speaking(): { readonly me: boolean; readonly peer: boolean } {
    return this.#speaking;
  }

  /** Frames of the other end that the gateway verified, and those that it did not let through. */
  get verified(): { readonly frames: number; readonly refused: number } {
    return this.#verified;
  }

  get muted(): boolean {
    return this.#isMuted;
  }

  /** While muted nothing of the voice leaves this page. */
  set muted(muted: boolean) {
    if (muted === this.#isMuted) return;
    this.#isMuted = muted;
    this.#connection.send("audio", muted ? null : this.#voice).catch(this.#context.report);
    this.#order({ type: "mute", muted });
  }

  /** Sends a track, in place of the one of its kind before; `null`: nothing more. The track stays its owner's. */
  async send(kind: MediaKind, track: MediaStreamTrack | null): Promise<void> {
    if (kind === "audio") this.#voice = track;
    await this.#connection.send(kind, kind === "audio" && this.#isMuted ? null : track);
  }

  /** Whether anybody takes what is sent of a kind. */
  sends(kind: MediaKind): boolean {
    return this.#connection.sends(kind);
  }

  /**
   * Sends a message: bytes as they are, anything else as JSON. Throws `closed`, `buffer-full`, and `field-invalid` for what has no JSON form
   * or is too large.
   */
  sendMessage(value: unknown): void {
    if (value instanceof Uint8Array) {
      this.#connection.sendData(new Uint8Array(value));
      return;
    }
    const text: string | undefined = JSON.stringify(value);
    if (text === undefined)
      throw new ParleyError({ code: "field-invalid", message: "It has no JSON form.", at: "message" });
    this.#connection.sendData(text);
  }

  /** Ends what the other end is saying: the gateway signs the interrupt, and lets nothing through that was said before. */
  interrupt(): void {
    this.#order({ type: "interrupt" });
  }

  /** Says that this end has finished its turn. */
  endTurn(): void {
    this.#order({ type: "end-of-turn" });
  }

  /** What the browser measured: round trip, loss, jitter, rates since the look before, pictures. */
  async stats(): Promise<PeerStats> {
    return await this.#connection.stats();
  }

  /** As `Call.records`. */
  async records(after?: number): Promise<SessionRecord[]> {
    const { reachable, server, platform } = this.#context;
    const asked = { control: reachable(), serverKey: server.key, verifier: platform.verifier };
    return await readRecords(asked, this.id, after);
  }

  /** The call's evidence file: this end's agent is a party to the call, though a gateway signed for it. As `Call.evidence`. */
  async evidence(): Promise<Uint8Array> {
    const { reachable, platform } = this.#context;
    const isOver = () => this.#end !== undefined;
    return await readEvidence(this.id, { clock: platform.clock, control: reachable, isOver });
  }

  /** Hangs up. Resolves when the call is over. Idempotent. */
  hangUp(): Promise<void> {
    this.#hangingUp ??= this.#hangUp();
    return this.#hangingUp;
  }

  /** @internal What the gateway says. */
  heardControl(text: string): void {
    const notice = readGatewayNotice(text);
    if (!notice.ok) this.#context.report(new ParleyError(notice.fault));
    else if (notice.value !== undefined) this.#told(notice.value);
  }

  /** @internal */
  heardData(message: string | Uint8Array<ArrayBuffer>): void {
    this.#events.emit("message", { value: typeof message === "string" ? messageIn(message) : message });
  }

  /** @internal */
  heardTrack(track: MediaStreamTrack): void {
    this.#events.emit("track", { track });
  }

  /** @internal The control channel is open again, or for the first time. */
  controlReady(): void {
    if (this.#isMuted) this.#order({ type: "mute", muted: true });
  }

  /** @internal The peer connection stands so now. */
  connectionChanged(state: PeerState): void {
    if (this.#end !== undefined) return;
    if (state === "connected") {
      if (this.#brokenAt === undefined) return;
      this.#brokenAt = undefined;
      this.#events.emit("connection", { connected: true });
    } else if (state === "interrupted" && this.#brokenAt === undefined) {
      this.#brokenAt = this.#context.platform.clock.now();
      this.#events.emit("connection", { connected: false });
      this.#mend().catch(this.#context.report);
    } else if (state === "closed") this.#finish({ reason: "peer-closed", by: "server" });
  }

  /** @internal The machine is on another network: what goes over the one before is lost before anybody notices. */
  networkChanged(): void {
    if (this.#end === undefined && this.#brokenAt === undefined)
      this.#restart().catch(() => {
        // What does not come through is noticed, and tried again.
      });
  }

  /** @internal A fresh token comes: the gateway is shown it with a new beginning of ICE. */
  async renewed(token: Promise<void>): Promise<void> {
    await token;
    if (this.#end === undefined) await this.#restart();
  }

  /** @internal Calls `stop` when the call is over. */
  whenOver(stop: () => void): void {
    this.#cancels.push(stop);
  }

  #told(notice: GatewayNotice): void {
    switch (notice.type) {
      case "call":
        if (notice.state === "ended")
          this.#finish({ reason: notice.reason ?? "done", by: notice.by ?? "server" });
        break;
      case "speaking":
        this.#speaking = { ...this.#speaking, [notice.who]: notice.speaking };
        this.#events.emit("speaking", { who: notice.who, speaking: notice.speaking });
        break;
      case "end-of-turn":
        this.#events.emit("end-of-turn", { who: notice.who });
        break;
      case "interrupted":
        this.#events.emit("interrupted", {});
        break;
      case "muted":
        this.#events.emit("muted", { who: notice.who, muted: notice.muted });
        break;
      case "refused":
        this.#events.emit("refused", { reason: notice.reason, count: notice.count });
        break;
      case "verified":
        this.#verified = { frames: notice.frames, refused: notice.refused };
        this.#events.emit("verified", this.#verified);
        break;
    }
  }

  /** False where the gateway cannot hear it now. */
  #order(order: GatewayOrder): boolean {
    return this.#connection.sendControl(JSON.stringify(order));
  }

  /** Begins ICE anew, again and again, until something comes through or too much time has gone. */
  async #mend(): Promise<void> {
    const { clock } = this.#context.platform;
    const brokenAt = this.#brokenAt ?? clock.now();
    await this.#pause(RESTART_AFTER_MS);
    while (this.state === "interrupted" && this.#brokenAt === brokenAt) {
      if (clock.now() - brokenAt > GIVE_UP_MS) {
        await this.#giveUp("ice-failed");
        return;
      }
      try {
        await this.#restart();
      } catch (error) {
        // The server has no such peer connection any more: its records say why.
        if (error instanceof ParleyError && GONE.has(error.code)) {
          await this.#giveUp("peer-closed");
          return;
        }
      }
      await this.#pause(RESTART_EVERY_MS);
    }
  }

  /** Begins ICE anew, once at a time. */
  #restart(): Promise<void> {
    this.#restarting ??= this.#renegotiate().finally(() => {
      this.#restarting = undefined;
    });
    return this.#restarting;
  }

  async #renegotiate(): Promise<void> {
    const offer = await this.#signaling.restart(this.#peerId);
    await this.#signaling.answer(this.#peerId, await this.#connection.answer(offer));
  }

  /** Over, and no word of the gateway came: the call's own record is asked, and `reason` stands where that cannot be had. */
  async #giveUp(reason: string): Promise<void> {
    const told = await this.records().catch(() => []);
    const [last] = told.slice(-1);
    this.#finish({ reason: last?.reason ?? reason, by: "server" });
  }

  async #hangUp(): Promise<void> {
    if (this.#end !== undefined) return;
    const isHeard = this.#order({ type: "hang-up" });
    if (isHeard) await Promise.race([this.ended, this.#pause(LAST_WORD_MS)]);
    this.#finish({ reason: "hung-up", by: "me" });
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#context.platform;
    return new Promise((resolve) => clock.at(clock.now() + ms, resolve));
  }

  #finish(end: CallEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    for (const cancel of this.#cancels) cancel();
    this.#connection.close();
    this.#signaling.close(this.#peerId).catch(() => {
      // It is gone already, or the server notices by itself.
    });
    this.#over.resolve(end);
  }
}

/** The notice with which a call is up: who is in it is known by then. */
export type UpNotice = CallNotice & Required<Pick<CallNotice, "session_id" | "peer" | "gateway">>;

/** What is asked about a peer connection that is gone is refused with. */
const GONE: ReadonlySet<string> = new Set(["not-found", "session-terminated", "session-not-found"]);

/** Text that is no JSON is itself. */
function messageIn(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
