import type { JsonValue } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { PeerStats } from "../../sfu/peer-stats.ts";
import type { CallNotice, GatewayOrder } from "../../signaling/gateway-channel.ts";
import type { AgentContext } from "../agent-context.ts";
import type { CallEnd } from "../call-ending.ts";
import { readEvidence } from "../call-evidence.ts";
import { readRecords, type SessionRecord } from "../call-records.ts";
import { TypedEvents } from "../typed-events.ts";
import { type GatewayCallEvents, GatewayNews } from "./gateway-news.ts";
import { Mending } from "./mending.ts";
import type { MediaKind, PeerConnection, PeerState } from "./peer.ts";
import type { GatewaySignaling } from "./signaling.ts";

/** How long the gateway has for its last word, ms, before the peer connection is closed without. */
const LAST_WORD_MS = 2_000;

/** The other end of a call through a gateway, as the gateway says who it is. */
export interface GatewayPeer {
  readonly agentId: string;
  /** Agent-ID of the gateway that signs for it, where one does. */
  readonly gateway: string | undefined;
}

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
  readonly #mending: Mending;
  readonly #events: TypedEvents<GatewayCallEvents>;
  readonly #news: GatewayNews;
  readonly #over = Promise.withResolvers<CallEnd>();
  readonly #cancels: (() => void)[] = [];
  #end: CallEnd | undefined;
  #isMuted = false;
  #voice: MediaStreamTrack | null = null;
  #hangingUp: Promise<void> | undefined;

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
    this.#news = new GatewayNews(this.#events, {
      ended: (end) => this.#finish(end),
      report: context.report,
    });
    this.#mending = new Mending({
      clock: context.platform.clock,
      restart: () => this.#renegotiate(),
      told: {
        connection: (event) => this.#events.emit("connection", event),
        lost: (reason) => void this.#giveUp(reason),
        report: context.report,
      },
    });
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
    return this.#mending.isBroken ? "interrupted" : "active";
  }

  /** What the other end says and shows, decoded by the browser: for the `srcObject` of a player. */
  get incoming(): MediaStream {
    return this.#connection.incoming;
  }

  /** Who speaks, as the gateway hears it. */
  get speaking(): { readonly me: boolean; readonly peer: boolean } {
    return this.#news.speaking;
  }

  /** Frames of the other end that the gateway verified, and those that it did not let through. */
  get verified(): { readonly frames: number; readonly refused: number } {
    return this.#news.verified;
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
    this.#news.heard(text);
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
    if (state === "connected") this.#mending.connected();
    else if (state === "interrupted") this.#mending.interrupted();
    else if (state === "closed") this.#finish({ reason: "peer-closed", by: "server" });
  }

  /** @internal The machine is on another network. */
  networkChanged(): void {
    this.#mending.networkChanged();
  }

  /** @internal A fresh token comes: the gateway is shown it with a new beginning of ICE. */
  async renewed(token: Promise<void>): Promise<void> {
    await token;
    if (this.#end === undefined) await this.#mending.restart();
  }

  /** @internal Calls `stop` when the call is over. */
  whenOver(stop: () => void): void {
    this.#cancels.push(stop);
  }

  /** False where the gateway cannot hear it now. */
  #order(order: GatewayOrder): boolean {
    return this.#connection.sendControl(JSON.stringify(order));
  }

  async #renegotiate(): Promise<void> {
    const offer = await this.#signaling.restart(this.#peerId);
    await this.#signaling.answer(this.#peerId, await this.#connection.answer(offer));
  }

  /** Over, and no word of the gateway came: the call's own record is asked why, and `reason` stands where that cannot be had. */
  async #giveUp(reason: string): Promise<void> {
    const told = await this.records().catch(() => []);
    const [last] = told.slice(-1);
    this.#finish({ reason: last?.reason ?? reason, by: "server" });
  }

  async #hangUp(): Promise<void> {
    if (this.#end !== undefined) return;
    const isHeard = this.#order({ type: "hang-up" });
    if (isHeard) {
      const { clock } = this.#context.platform;
      const late = new Promise<void>((resolve) => clock.at(clock.now() + LAST_WORD_MS, resolve));
      await Promise.race([this.ended, late]);
    }
    this.#finish({ reason: "hung-up", by: "me" });
  }

  #finish(end: CallEnd): void {
    if (this.#end !== undefined) return;
    this.#end = end;
    this.#mending.stop();
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

/** Text that is no JSON is itself. */
function messageIn(text: string): JsonValue {
  try {
    return JSON.parse(text) as JsonValue;
  } catch {
    return text;
  }
}
