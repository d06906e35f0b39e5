/** The page's own agent: online under a name, calling and being called. */
import {
  Agent,
  type AgentIdentity,
  forgetIdentity,
  type IncomingCall,
  openIdentity,
  ParleyError,
} from "@parley-rt/parley/agent";
import { Ringer } from "../audio/ringer.ts";
import { messageFrom } from "../model/data-message.ts";
import { dialEntries } from "../model/dial-pad.ts";
import type { LiveMedia } from "../model/live-media.ts";
import { nameFrom } from "../model/own-name.ts";
import { FIRST_STATE, isBusy, isRingingAloud, type PageState, type SourceKind } from "../model/page-state.ts";
import { Store } from "../model/store.ts";
import { failureSentence } from "../model/words.ts";
import type { PageActions } from "../view/actions.ts";
import { CallDesk } from "./call-desk.ts";
import { addressOf, type ConnectInfo, fetchConnectInfo } from "./connect-info.ts";
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
import { CallSound } from "./sound.ts";
import { TabLock } from "./tab-lock.ts";

/** How often the list of agents is asked for, ms. */
const DIRECTORY_MS = 3_000;
/** How often it is noted that this tab still goes by a guest's name, ms. */
const SEEN_MS = 3_600_000;
/** The code a connection is closed with when its agent came online elsewhere. */
const REPLACED = 5;

export class Phone implements PageActions {
  readonly store = new Store<PageState>(FIRST_STATE);
  readonly #sound = new CallSound(this.store, (error) => this.#report(error));
  readonly #ringing = new Map<string, { readonly call: IncomingCall; readonly decided: () => void }>();
  #agent: Agent | undefined;
  #lock: TabLock | undefined;
  #desk: CallDesk | undefined;
  #residents: ConnectInfo["residents"] = [];
  #hasWebTransport = true;
  /** Rises with every agent that this page begins to be: what an earlier one still brings is dropped. */
  #era = 0;

  /** What moves in the call that is up, or was last. */
  get live(): LiveMedia | undefined {
    return this.#desk?.live;
  }

  /** Comes online under the kept name. */
  start(): void {
    setInterval(() => this.#listAgents(), DIRECTORY_MS);
    setInterval(() => seeGuest(this.store.state.name), SEEN_MS);
    const ringer = new Ringer();
    this.store.subscribe((state) => ringer.ring(isRingingAloud(state)));
    this.store.set({ ringsAloud: ringsAloud() });
    addEventListener("pagehide", () => void this.#agent?.close());
    this.#become(keptName(), false)
      .then(() => this.#forgetGuests(guestsToForget()))
      .catch((error: unknown) => this.#giveUp(error));
  }

  call(agentId: string, name: string): void {
    const agent = this.#agent;
    if (agent === undefined || isBusy(this.store.state)) return;
    const desk = this.#newDesk({ agentId, name });
    agent
      .call(agentId, { ...desk.options(), signal: desk.placing, onRinging: () => desk.ringing() })
      .then((call) => desk.up(call))
      .catch((error: unknown) => desk.failed(error));
  }

  accept(sessionId: string): void {
    const ringing = this.#ringing.get(sessionId);
    if (ringing === undefined || isBusy(this.store.state)) return;
    const desk = this.#newDesk(ringing.call.caller);
    ringing.call
      .accept(desk.options())
      .then((call) => desk.up(call))
      .catch((error: unknown) => desk.failed(error))
      .finally(() => this.#stopRinging(sessionId));
  }

  decline(sessionId: string): void {
    const ringing = this.#ringing.get(sessionId);
    ringing?.call.decline().catch((error: unknown) => this.#report(error));
    this.#stopRinging(sessionId);
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

  narrow(): void {
    this.#desk?.narrow().catch((error: unknown) => this.#report(error));
  }

  tamper(): void {
    this.#desk?.tamper();
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
    this.#become(name, false).catch((error: unknown) => this.#giveUp(error));
  }

  takeOver(): void {
    this.#become(this.store.state.name, true).catch((error: unknown) => this.#giveUp(error));
  }

  beSomebodyElse(): void {
    this.#become(keepGuestForTab(), false).catch((error: unknown) => this.#giveUp(error));
  }

  reconnect(): void {
    this.#become(this.store.state.name, false).catch((error: unknown) => this.#giveUp(error));
  }

  ringAloud(isAloud: boolean): void {
    keepRingsAloud(isAloud);
    this.store.set({ ringsAloud: isAloud });
  }

  chooseSource(kind: SourceKind, file?: File): void {
    this.#sound.choose(kind, file);
  }

  /** Stops being who it was, and comes online as the agent kept under `name`. */
  async #become(name: string, steal: boolean): Promise<void> {
    this.#era += 1;
    const era = this.#era;
    const { name: former } = this.store.state;
    // Another tab may be online as the same guest where this one is not.
    const wasOwn = this.#lock !== undefined;
    await this.#goOffline();
    seeGuest(name);
    if (wasOwn && former !== name && isGuest(former)) await this.#forgetGuests([former]);
    this.store.set({ line: { kind: "connecting" }, name, agentId: undefined, dial: [] });
    const identity = await openIdentity(name);
    if (era !== this.#era) return;
    this.store.set({ agentId: identity.agentId });
    const lock = await TabLock.take(identity.agentId, { steal, lost: () => this.#takenOver(era) });
    if (era !== this.#era) {
      lock?.release();
      return;
    }
    if (lock === undefined) {
      this.store.set({ line: { kind: "elsewhere" } });
      return;
    }
    this.#lock = lock;
    await this.#connect(identity, era);
  }

  async #connect(identity: AgentIdentity, era: number): Promise<void> {
    const agent = await Agent.connect(() => this.#address(), {
      identity,
      reconnect: true,
      // The server's own page: its WebSocket is where the page came from.
      webSocketUrl: new URL("agtp", document.baseURI.replace(/^http/, "ws")).href,
      report: (error) => this.#report(error),
    });
    if (era !== this.#era) {
      await agent.close();
      return;
    }
    this.#agent = agent;
    agent.onCall((incoming) => this.#offered(incoming));
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
    agent.on("server-shutdown", ({ deadline }) => this.#desk?.serverStops(deadline));
    agent.on("closed", ({ code, reason }) => {
      if (era !== this.#era) return;
      const why =
        code === REPLACED
          ? "This agent came online somewhere else, and an agent is in one place at a time."
          : "The server closed the connection.";
      this.store.set({ line: { kind: "closed", why, code: reason }, dial: [] });
    });
    this.#online(agent);
  }

  async #address() {
    const info = await fetchConnectInfo();
    this.#residents = info.residents;
    this.#hasWebTransport = info.webtransport !== null;
    this.store.set({ version: info.version });
    return addressOf(info);
  }

  #online(agent: Agent): void {
    const { kind, reason } = agent.carrier;
    const why = this.#hasWebTransport ? (reason ?? "") : "This server offers no WebTransport";
    this.store.set({ line: { kind: "online", carrier: kind, why: `${why.replace(/\.$/, "")}.` } });
    this.#listAgents();
  }

  #listAgents(): void {
    const agent = this.#agent;
    if (agent?.isOnline !== true) return;
    agent
      .directory()
      .then((directory) => {
        if (agent === this.#agent)
          this.store.set({ dial: dialEntries(agent.id, this.#residents, directory) });
      })
      // Asked for again in a moment; a connection that is gone is told elsewhere.
      .catch((error: unknown) => {
        if (!(error instanceof ParleyError)) this.#report(error);
      });
  }

  /** Rings until it is decided, or taken back. */
  async #offered(call: IncomingCall): Promise<void> {
    if (isBusy(this.store.state)) {
      await call.decline("busy");
      return;
    }
    const { promise: isDecided, resolve: decided } = Promise.withResolvers<void>();
    this.#ringing.set(call.sessionId, { call, decided });
    this.#showRinging();
    call.cancelled.addEventListener("abort", () => this.#stopRinging(call.sessionId));
    await isDecided;
  }

  #stopRinging(sessionId: string): void {
    this.#ringing.get(sessionId)?.decided();
    this.#ringing.delete(sessionId);
    this.#showRinging();
  }

  #showRinging(): void {
    const incoming = [...this.#ringing.values()].map(({ call }) => ({
      sessionId: call.sessionId,
      name: call.caller.name,
      agentId: call.caller.agentId,
    }));
    this.store.set({ incoming });
  }

  #newDesk(peer: { readonly agentId: string; readonly name: string }): CallDesk {
    this.#desk?.leave();
    this.#desk = new CallDesk({
      store: this.store,
      sound: this.#sound,
      peer,
      roundTrip: () => this.#agent?.roundTrip,
      report: (error) => this.#report(error),
    });
    return this.#desk;
  }

  /** Nobody goes by these names any more: their keys are of no use. */
  async #forgetGuests(names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (name === this.store.state.name && this.#lock !== undefined) continue;
      try {
        await forgetIdentity(name);
        forgetGuest(name);
      } catch (error) {
        this.#report(error);
      }
    }
  }

  #takenOver(era: number): void {
    if (era !== this.#era) return;
    this.#era += 1;
    this.#lock = undefined;
    this.#goOffline()
      .catch((error: unknown) => this.#report(error))
      .finally(() => this.store.set({ line: { kind: "elsewhere" }, dial: [] }));
  }

  async #goOffline(): Promise<void> {
    const agent = this.#agent;
    this.#agent = undefined;
    for (const sessionId of [...this.#ringing.keys()]) this.#stopRinging(sessionId);
    await agent?.close();
    this.#lock?.release();
    this.#lock = undefined;
  }

  #giveUp(error: unknown): void {
    const code = error instanceof ParleyError ? error.code : "unknown";
    const message = error instanceof Error ? error.message : String(error);
    this.#lock?.release();
    this.#lock = undefined;
    this.store.set({ line: { kind: "closed", why: failureSentence(code, message), code } });
  }

  #report(error: unknown): void {
    console.warn(error);
  }
}
