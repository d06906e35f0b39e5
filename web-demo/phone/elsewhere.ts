/** What the server says of this agent's calls that are not in this tab. */
import type { Agent } from "@parley-rt/parley/agent";
import { shortFingerprint } from "../model/fingerprint.ts";
import type { PageState } from "../model/page-state.ts";
import type { Store } from "../model/store.ts";

export class Elsewhere {
  readonly #store: Store<PageState>;

  constructor(store: Store<PageState>) {
    this.#store = store;
  }

  /** Another tab took a call that rang here. */
  taken(sessionId: string, caller: { readonly agentId: string; readonly name: string }): void {
    const others = this.#store.state.elsewhere.filter((one) => one.sessionId !== sessionId);
    const call = { sessionId, peerId: caller.agentId, peerName: caller.name, isHeld: true };
    this.#store.set({ elsewhere: [...others, call] });
  }

  /** Asks for them; `names` are of the agents that the server knows, `own` is the session that this tab has over WebRTC. */
  async ask(
    agent: Agent,
    names: readonly { readonly agentId: string; readonly name: string }[],
    own: string | undefined,
  ): Promise<void> {
    const sessions = await agent.sessions();
    if (agent.id !== this.#store.state.agentId) return;
    const here = new Set([own, ...agent.calls.map(({ id }) => id)]);
    const elsewhere = sessions
      .filter(({ sessionId }) => !here.has(sessionId))
      .map(({ sessionId, peer, attached }) => ({
        sessionId,
        peerId: peer,
        peerName: names.find(({ agentId }) => agentId === peer)?.name ?? shortFingerprint(peer),
        isHeld: attached,
      }));
    this.#store.set({ elsewhere });
  }
}
