/** A session between two agents that speak octets over the memory carrier to a whole server on virtual time, in any state wanted. */
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { readRecord } from "../../signaling/attribution.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { type AgentStatus, createIdentityDocument } from "../../signaling/identity-document.ts";
import { parseScopes } from "../../signaling/scope.ts";
import { DEFAULT_LIMITS } from "../../signaling/switchboard/config.ts";
import { establishing, eventOf, placeCall, signedAnswer, signedOffer, voice } from "../exchanges/ground.ts";
import type { Conversation, Request, Voice } from "../exchanges/voice.ts";
import { SILENT } from "../exchanges/ways.ts";
import { bodyOf, resultOf } from "../exchanges/wire.ts";
import { must } from "../signed-call.ts";
import { ORIGIN, World } from "./world.ts";

export type Who = "alice" | "bob";
/** States that a session can be found in from outside, with the Session-ID. */
export const REACHABLE = [
  "active",
  "suspended",
  "detached",
  "terminated",
  "expired",
  "establishing",
  "rejected",
] as const;
export type Reachable = (typeof REACHABLE)[number];

/** Lifetime of every session here, seconds. */
export const TTL = 300;
const LOST = 1;

export interface SceneOptions {
  readonly model?: "bounded" | "persistent";
  /** How long a suspension lasts, seconds. */
  readonly suspension?: number;
  /** How long a session waits for an end that is away, seconds. */
  readonly detachedSeconds?: number;
  readonly stopEndsCalls?: true;
}

export class Scene {
  readonly world: World;
  readonly voices: Record<Who, Voice>;
  readonly inboxes: Record<Who, Conversation>;
  sessionId = "";
  /** Of the suspension, where there is one. */
  nonce = "";
  /** What Bob was told of the call. */
  offered: JsonObject = {};
  /** The server has stopped, and nobody can be asked. */
  isStopped = false;

  private constructor(world: World, voices: Record<Who, Voice>, inboxes: Record<Who, Conversation>) {
    this.world = world;
    this.voices = voices;
    this.inboxes = inboxes;
  }

  /** Alice and Bob online. */
  static async start({ detachedSeconds, stopEndsCalls }: SceneOptions = {}): Promise<Scene> {
    const limits = detachedSeconds === undefined ? {} : { limits: { ...DEFAULT_LIMITS, detachedSeconds } };
    const stop = stopEndsCalls === undefined ? {} : { stopEndsCalls };
    const world = new World({ config: { ...limits, ...stop } });
    const online = async (name: Who) => {
      const agent = await voice(wayOf(world), name, world.issuer);
      const inbox = await agent.say({ line: `AGTP/1.0 SUBSCRIBE /agents/${agent.id}/inbox`, proof: true });
      resultOf(await inbox.one());
      return [agent, inbox] as const;
    };
    const [[alice, a], [bob, b]] = await world.during(Promise.all([online("alice"), online("bob")]));
    return new Scene(world, { alice, bob }, { alice: a, bob: b });
  }

  /** The same, with a session in that state. */
  static async in(
    state: Reachable,
    { model = "persistent", suspension = 3_600, ...more }: SceneOptions = {},
  ): Promise<Scene> {
    const scene = await Scene.start(more);
    if (state === "establishing" || state === "rejected") {
      await scene.ring();
      if (state === "rejected") await scene.confirm({ status: "rejected" });
      return scene;
    }
    await scene.establish(model);
    if (state === "suspended") {
      const { result } = await scene.ask("alice", "SUSPEND", { ttl_seconds: suspension });
      scene.nonce = String(result.resumption_nonce);
    } else if (state === "detached") await scene.lose("bob");
    else if (state === "terminated") {
      await scene.ask("alice", "TERMINATE", { reason: "hangup" });
      await scene.pass(6_000);
    } else if (state === "expired") await scene.pass((TTL + 6) * 1_000, "bob");
    return scene;
  }

  async establish(model: "bounded" | "persistent"): Promise<void> {
    const { alice, bob } = this.voices;
    const session = { model, ttl: TTL };
    const call = await this.world.during(placeCall(alice, bob, this.inboxes.bob, session));
    this.sessionId = call.sessionId;
  }

  /** Alice calls; Bob hears of it and says nothing yet. */
  async ring(): Promise<Conversation> {
    const { alice, bob } = this.voices;
    const offerId = alice.freshId();
    const asked = establishing(bob.id, signedOffer(alice, bob.id, { offer_id: offerId }), offerId);
    const establish = await this.world.during(alice.say(asked));
    await this.world.during(establish.one());
    this.offered = await this.told("bob", "offer");
    this.sessionId = String(this.offered.session_id);
    return establish;
  }

  answer(): string {
    return signedAnswer(this.voices.bob, this.offered);
  }

  async confirm(parameters: JsonObject) {
    return await this.ask("bob", "CONFIRM", { target_id: this.sessionId, ...parameters }, { proof: true });
  }

  /** Asks something about the session, and reads the first answer. */
  async ask(who: Who, method: string, parameters: JsonObject = {}, more: Partial<Request> = {}, tail = "") {
    const line = `AGTP/1.0 ${method} /sessions/${this.sessionId}${tail}`;
    const conversation = await this.world.during(this.voices[who].say({ line, parameters, ...more }));
    const answer = await this.world.during(conversation.one());
    const { result = {}, error } = bodyOf(answer) as {
      readonly result?: JsonObject;
      readonly error?: { readonly code: string; readonly details?: JsonObject };
    };
    return { status: answer.status, code: error?.code, details: error?.details ?? {}, result };
  }

  /** Where the session stands, as one of its ends is told. */
  async state(who: Who = "alice"): Promise<unknown> {
    const { result, details, code } = await this.ask(who, "QUERY");
    return result.state ?? details.state ?? code;
  }

  /** That agent brings an identity document in which its issuer says something else of it from now on. */
  async bringDocument(
    who: Who,
    { status = "active", scope = ["communication:audio:*"] }: { status?: AgentStatus; scope?: string[] },
  ): Promise<void> {
    const { identity } = this.voices[who];
    const { issuer, clock } = this.world;
    const genesis = must(readGenesis(identity.genesis, verifier));
    const now = clock.wall();
    const fields = { name: who, description: "", principal: who, methods: [], capabilities: [] };
    const document = createIdentityDocument(
      { ...fields, status, scope: must(parseScopes(scope)), trustScore: 0, issuedAt: now, updatedAt: now },
      genesis,
      issuer.signer,
      verifier,
    );
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const parameters = { t0: 0, genesis: text(identity.genesis), identity_document: text(document.bytes) };
    const said = this.voices[who].say({ line: "AGTP/1.0 QUERY /clock", parameters, proof: true });
    await this.world.during((await this.world.during(said)).one());
  }

  /** That end's connection breaks. */
  async lose(who: Who): Promise<void> {
    this.voices[who].connection.close(LOST, "gone");
    await this.world.clock.advance(50);
  }

  /** That end comes back on a new connection. */
  async comeBack(who: Who): Promise<void> {
    this.voices[who] = await this.world.during(
      this.voices[who].onAnother(await this.world.during(connect(this.world))),
    );
  }

  async open(who: Who, attachSeq = 1) {
    return await this.ask(who, "OPEN", { attach_seq: attachSeq }, { proof: true }, "/media");
  }

  /** Time passes; `busy` asks something every half minute meanwhile, so that the session is not idle. */
  async pass(ms: number, busy?: Who): Promise<void> {
    for (let left = ms; left > 0; left -= 30_000) {
      await this.world.clock.advance(Math.min(left, 30_000));
      if (busy !== undefined) await this.ask(busy, "QUERY");
    }
  }

  /** What happened to the session as its records say, refusals left out. */
  events(): readonly string[] {
    const records = this.world.log.session(this.sessionId)?.records ?? [];
    const payloads = records.map((jws) => must(readRecord(jws)));
    return payloads.flatMap(({ event, status }) => (event === undefined || status >= 300 ? [] : [event]));
  }

  /** The session's last record: it must be a final one. */
  final() {
    const last = this.world.log.session(this.sessionId)?.records.at(-1);
    const { event, extra } = must(readRecord(String(last)));
    return { event, reason: extra?.reason, by: extra?.by };
  }

  async told(who: Who, event: string): Promise<JsonObject> {
    return await this.world.during(eventOf(this.inboxes[who], event));
  }
}

function connect(world: World) {
  return world.network.connect(ORIGIN, {}, () => SILENT);
}

function wayOf(world: World) {
  return { connect: () => connect(world), origin: ORIGIN, wall: () => world.clock.wall() };
}
