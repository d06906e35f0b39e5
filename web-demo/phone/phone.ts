/** The page's own agent: online under a name, calling and being called. */
import {
  Agent,
  type AgentIdentity,
  acceptThroughGateway,
  callThroughGateway,
  forgetIdentity,
  openIdentity,
  ParleyError,
} from "@parley-rt/parley/agent";
import { EmulatedNetwork } from "@parley-rt/parley/emulation";
import { Ringer } from "../audio/ringer.ts";
import { messageFrom } from "../model/data-message.ts";
import { dialEntries } from "../model/dial-pad.ts";
import type { LiveMedia } from "../model/live-media.ts";
import { nameFrom } from "../model/own-name.ts";
import {
  type CallPhase,
  type CallWay,
  FIRST_STATE,
  isBusy,
  isRingingAloud,
  type PageState,
  type SourceKind,
  wayOf,
} from "../model/page-state.ts";
import { Store } from "../model/store.ts";
import type { Screen } from "../video/screen.ts";
import type { PageActions } from "../view/actions.ts";
import { CallDesk } from "./call-desk.ts";
import { keepWay, keptWay } from "./call-way.ts";
import { addressOf, type ConnectInfo, fetchConnectInfo } from "./connect-info.ts";
import type { Desk } from "./desk.ts";
import { Elsewhere } from "./elsewhere.ts";
import { failureOf } from "./failure.ts";
import { GatewayDesk } from "./gateway-desk.ts";
import { forgetCall, type KeptCall, keptCall } from "./kept-call.ts";
import {
  forgetGuest,
  guestsToForget,
  isGuest,
  keepGuestForTab,
  keepName,
  keptName,
  seeGuest,
} from "./own-name.ts";
import { keepRingsAloud, ringsAloud } from "./ring-choice.ts";
import { RingingCalls } from "./ringing-calls.ts";
import { CallSound } from "./sound.ts";
import { TabSign } from "./tab-sign.ts";
import { TROUBLES, type TroubleKind } from "./troubles.ts";
import { wantedProfile } from "./wanted-profile.ts";

/** How often the list of agents, and this agent's calls, are asked for, ms. */
const LISTS_MS = 3_000;
/** Longest wait before the page tries to be online again, ms: people look on, and a call may wait. */
const LONGEST_WAIT_MS = 5_000;
/** How often it is noted that this tab still goes by a guest's name, ms. */
const SEEN_MS = 3_600_000;
/** Of the chances that a bad network takes. */
const SEED = 4_480;

export class Phone implements PageActions {
  readonly store = new Store<PageState>(FIRST_STATE);
  readonly #sound = new CallSound(this.store, (error) => this.#report(error));
  readonly #ringing = new RingingCalls(this.store, {
    isAnotherFree: async () => (await this.#free?.isShownElsewhere()) === true,
    takenElsewhere: ({ call, caller }) => this.#elsewhere.taken(call.sessionId, caller),
  });
  readonly #elsewhere = new Elsewhere(this.store);
  /** Between this page and every carrier; clear unless people choose trouble. */
  readonly #network = new EmulatedNetwork(SEED);
  #agent: Agent | undefined;
  /** This tab goes by its name, and could take a call: for the other tabs to see. */
  #present: TabSign | undefined;
  #free: TabSign | undefined;
  #desk: Desk | undefined;
  #residents: ConnectInfo["residents"] = [];
  #hasWebTransport = true;
  /** Rises with every agent that this page begins to be: what an earlier one still brings is dropped. */
  #era = 0;

  /** What moves in the call that is up, or was last. */
  get live(): LiveMedia | undefined {
    return this.#desk?.live;
  }

  /** The pictures of the other end. */
  get screens(): readonly Screen[] {
    return this.#desk?.screens ?? [];
  }

  /** Comes online under the kept name. */
  start(): void {
    setInterval(() => this.#askForLists(), LISTS_MS);
    document.addEventListener("visibilitychange", () => this.#askForLists());
    setInterval(() => seeGuest(this.store.state.name), SEEN_MS);
    const ringer = new Ringer();
    this.store.subscribe((state) => ringer.ring(isRingingAloud(state)));
    this.store.subscribe((state) => {
      void this.#free?.show(state.line.kind === "online" && !isBusy(state));
    });
    this.store.set({ ringsAloud: ringsAloud(), way: keptWay(location.search) });
    this.#become(keptName())
      .then(() => this.#forgetGuests(guestsToForget()))
      .catch((error: unknown) => this.#giveUp(error));
  }

  call(agentId: string, name: string): void {
    const agent = this.#agent;
    if (agent === undefined || isBusy(this.store.state)) return;
    if (wayOf(this.store.state) === "gateway") {
      const desk = this.#newGatewayDesk({ agentId, name });
      callThroughGateway(agent, agentId, desk.options())
        .then((call) => desk.up(call))
        .catch((error: unknown) => desk.failed(error));
      return;
    }
    const desk = this.#newDesk({ agentId, name });
    agent
      .call(agentId, {
        ...desk.options(),
        ...wantedProfile(location.search),
        gateways: "accept",
        model: "persistent",
        signal: desk.placing,
        onRinging: () => desk.ringing(),
      })
      .then((call) => desk.up(call))
      .catch((error: unknown) => desk.failed(error));
  }

  accept(sessionId: string): void {
    const incoming = this.#ringing.get(sessionId);
    const agent = this.#agent;
    if (incoming === undefined || agent === undefined || isBusy(this.store.state)) return;
    const { caller, takesGateway } = incoming;
    if (takesGateway && wayOf(this.store.state) === "gateway") {
      const desk = this.#newGatewayDesk(caller);
      acceptThroughGateway(agent, incoming.call, desk.options())
        .then((call) => desk.up(call))
        .catch((error: unknown) => desk.failed(error))
        .finally(() => this.#ringing.stop(sessionId));
      return;
    }
    const desk = this.#newDesk(caller);
    incoming.call
      .accept({ ...desk.options(incoming.call.offer.payload.scope), video: { renditions: 1 } })
      .then((call) => desk.up(call))
      .catch((error: unknown) => desk.failed(error))
      .finally(() => this.#ringing.stop(sessionId));
  }

  decline(sessionId: string): void {
    this.#ringing
      .get(sessionId)
      ?.call.decline()
      .catch((error: unknown) => this.#report(error));
    this.#ringing.stop(sessionId);
  }

  takeOver(sessionId: string): void {
    const found = this.store.state.elsewhere.find((one) => one.sessionId === sessionId);
    if (found === undefined || isBusy(this.store.state)) return;
    this.#takeUp({ sessionId, peer: { agentId: found.peerId, name: found.peerName } });
  }

  hangUp(): void {
    this.#desk?.hangUp();
  }

  mute(): void {
    this.#desk?.mute();
  }

  interrupt(): void {
    this.#desk?.interrupt().catch((error: unknown) => this.#report(error));
  }

  camera(): void {
    this.#desk?.show("camera").catch((error: unknown) => this.#report(error));
  }

  screen(): void {
    this.#desk?.show("screen").catch((error: unknown) => this.#report(error));
  }

  choosePicture(choice: Parameters<PageActions["choosePicture"]>[0]): void {
    this.store.set(choice);
  }

  muteStream(id: number): void {
    this.#signed?.muteStream(id);
  }

  holdStream(id: number): void {
    this.#signed?.holdStream(id);
  }

  closeStream(id: number): void {
    this.#signed?.closeStream(id).catch((error: unknown) => this.#report(error));
  }

  narrow(): void {
    this.#signed?.narrow().catch((error: unknown) => this.#report(error));
  }

  tamper(): void {
    this.#signed?.tamper();
  }

  send(typed: string): void {
    const message = messageFrom(typed);
    if (message !== undefined) this.#desk?.send(message).catch((error: unknown) => this.#report(error));
  }

  saveEvidence(): void {
    this.#desk?.saveEvidence().catch((error: unknown) => this.#report(error));
  }

  saveSound(): void {
    this.#desk?.saveSound();
  }

  leaveCall(): void {
    this.#desk?.leave();
    this.#desk = undefined;
    this.store.set({ call: undefined });
  }

  rename(typed: string): void {
    const name = nameFrom(typed);
    if (name === undefined || name === this.store.state.name || isBusy(this.store.state)) return;
    keepName(name);
    this.#become(name).catch((error: unknown) => this.#giveUp(error));
  }

  beSomebodyElse(): void {
    if (isBusy(this.store.state)) return;
    this.#become(keepGuestForTab()).catch((error: unknown) => this.#giveUp(error));
  }

  reconnect(): void {
    this.#become(this.store.state.name).catch((error: unknown) => this.#giveUp(error));
  }

  ringAloud(isAloud: boolean): void {
    keepRingsAloud(isAloud);
    this.store.set({ ringsAloud: isAloud });
  }

  chooseWay(way: CallWay): void {
    keepWay(way);
    this.store.set({ way });
  }

  trouble(kind: TroubleKind): void {
    this.#network.change(TROUBLES[kind].conditions);
    this.store.set({ trouble: kind });
    this.#signed?.networkChanged(kind);
  }

  chooseSource(kind: SourceKind, file?: File): void {
    this.#sound.choose(kind, file);
  }

  /** Stops being who it was, and comes online as the agent kept under `name`. */
  async #become(name: string): Promise<void> {
    this.#era += 1;
    const era = this.#era;
    const { name: former } = this.store.state;
    await this.#goOffline();
    seeGuest(name);
    if (former !== name && isGuest(former)) await this.#forgetGuests([former]);
    const nobodyYet = { agentId: undefined, dial: [], elsewhere: [] } as const;
    this.store.set({ line: { kind: "connecting" }, name, ...nobodyYet });
    const identity = await openIdentity(name);
    if (era !== this.#era) return;
    this.store.set({ agentId: identity.agentId });
    this.#present = new TabSign(`as ${name}`);
    void this.#present.show(true);
    this.#free = new TabSign(`free as ${name}`);
    await this.#connect(identity, era);
  }

  async #connect(identity: AgentIdentity, era: number): Promise<void> {
    const agent = await Agent.connect(() => this.#address(), {
      identity,
      inbox: `tab-${crypto.randomUUID()}`,
      reconnect: { maxDelay: LONGEST_WAIT_MS },
      // The server's own page: its WebSocket is where the page came from.
      webSocketUrl: new URL("agtp", document.baseURI.replace(/^http/, "ws")).href,
      network: (carrier, clock) => this.#network.over(carrier, clock),
      report: (error) => this.#report(error),
    });
    if (era !== this.#era) {
      await agent.close();
      return;
    }
    this.#agent = agent;
    agent.onCall((incoming) => this.#ringing.offered(incoming));
    agent.on("offline", ({ retryAt }) => {
      this.store.set({
        line: { kind: "offline", why: "The connection to the server was lost.", retryAt },
        dial: [],
      });
    });
    agent.on("online", () => {
      this.#online(agent);
      this.#desk?.backOnline();
    });
    agent.on("carrier-changed", () => this.#online(agent));
    agent.on("server-shutdown", ({ deadline }) => this.#desk?.serverStops(deadline));
    agent.on("closed", ({ reason }) => {
      if (era !== this.#era) return;
      this.store.set({
        line: { kind: "closed", why: "The server closed the connection.", code: reason },
        dial: [],
      });
    });
    this.#online(agent);
    await this.#goOn(agent);
  }

  /** A page that was reloaded goes on with its call, unless another tab has it by now. */
  async #goOn(agent: Agent): Promise<void> {
    const kept = keptCall(agent.id);
    if (kept === undefined || isBusy(this.store.state)) return;
    if (await new TabSign(`call ${kept.sessionId}`).isShownElsewhere()) forgetCall();
    else if (agent === this.#agent) this.#takeUp(kept);
  }

  #takeUp(wanted: Pick<KeptCall, "sessionId" | "peer"> & Partial<KeptCall>): void {
    const agent = this.#agent;
    if (agent === undefined) return;
    const desk = this.#newDesk(wanted.peer, "returning");
    agent
      .takeUp(wanted.sessionId, { ...desk.options(), signal: desk.placing })
      .then((call) => desk.takenUp(call, wanted))
      .catch((error: unknown) => {
        forgetCall();
        desk.failed(error);
      });
  }

  async #address() {
    const info = await fetchConnectInfo();
    this.#residents = info.residents;
    this.#hasWebTransport = info.webtransport !== null;
    this.store.set({
      version: info.version,
      gatewayOff: info.webrtc.available ? undefined : info.webrtc.why,
    });
    return addressOf(info);
  }

  #online(agent: Agent): void {
    const { kind, reason } = agent.carrier;
    const why = this.#hasWebTransport ? (reason ?? "") : "This server offers no WebTransport";
    this.store.set({ line: { kind: "online", carrier: kind, why: `${why.replace(/\.$/, "")}.` } });
    this.#askForLists();
  }

  #askForLists(): void {
    const agent = this.#agent;
    if (agent?.isOnline !== true) return;
    agent
      .directory()
      .then(async (directory) => {
        if (agent !== this.#agent) return;
        this.store.set({ dial: dialEntries(agent.id, this.#residents, directory) });
        const names = [
          ...this.#residents.map(({ agent_id: agentId, name }) => ({ agentId, name })),
          ...directory,
        ];
        await this.#elsewhere.ask(agent, names, this.#desk?.sessionId);
      })
      // Asked for again in a moment; a connection that is gone is told by the line.
      .catch((error: unknown) => {
        if (!(error instanceof ParleyError)) this.#report(error);
      });
  }

  #newDesk(
    peer: { readonly agentId: string; readonly name: string },
    phase: Extract<CallPhase, "calling" | "returning"> = "calling",
  ): CallDesk {
    this.#desk?.leave();
    const desk = new CallDesk({
      store: this.store,
      sound: this.#sound,
      peer,
      phase,
      roundTrip: () => this.#agent?.roundTrip,
      over: () => {
        this.#askForLists();
        if (this.store.state.trouble !== "none") this.trouble("none");
      },
      report: (error) => this.#report(error),
    });
    this.#desk = desk;
    return desk;
  }

  #newGatewayDesk(peer: { readonly agentId: string; readonly name: string }): GatewayDesk {
    this.#desk?.leave();
    const desk = new GatewayDesk({
      store: this.store,
      sound: this.#sound,
      peer,
      over: () => this.#askForLists(),
      report: (error) => this.#report(error),
    });
    this.#desk = desk;
    return desk;
  }

  /** The call whose frames this page signs itself. */
  get #signed(): CallDesk | undefined {
    return this.#desk instanceof CallDesk ? this.#desk : undefined;
  }

  /** Nobody goes by these names any more: their keys are of no use. */
  async #forgetGuests(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const isInUse = name === this.store.state.name && this.#present !== undefined;
      if (isInUse || (await new TabSign(`as ${name}`).isShownElsewhere())) continue;
      try {
        await forgetIdentity(name);
        forgetGuest(name);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  async #goOffline(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    this.#ringing.stopAll();
    await agent?.close();
    await this.#putSignsAway();
  }

  async #putSignsAway(): Promise<void> {
    const shown = [this.#present, this.#free];
    this.#present = undefined;
    this.#free = undefined;
    await Promise.all(shown.map((sign) => sign?.show(false)));
  }

  #giveUp(error: unknown): void {
    const { sentence: why, code } = failureOf(error);
    void this.#putSignsAway();
    this.store.set({ line: { kind: "closed", why, code } });
  }

  #report(error: unknown): void {
    console.warn(error);
  }
}
