import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { AgentContext } from "../agent-context.ts";
import { textOf } from "../call-assembly.ts";
import type { Withdrawal } from "../withdrawal.ts";

/** Longer than ringing lasts (45 s), ms: the server ends the wait, not this end. */
const RINGING_TIMEOUT_MS = 60_000;

/** Between two tries to take an opening back, ms. */
const TAKE_BACK_MS = 300;

/** Which way a kind of media is to flow, as this end sees it. */
export type WantedDirection = "sendrecv" | "sendonly" | "recvonly" | "none";

/** What a peer connection is asked for. */
export interface WantedPeer {
  /** Whom to call, or which call that rings here to take. */
  readonly to: { readonly agentId: string } | { readonly sessionId: string };
  readonly audio: WantedDirection;
  readonly video: WantedDirection;
}

/** A peer connection that the server holds ready. */
export interface OfferedPeer {
  readonly peerId: string;
  readonly offer: string;
}

/** What is agreed on with the server about one peer connection, over whichever connection the agent has. */
export class GatewaySignaling {
  readonly #context: AgentContext;
  readonly #makeToken: () => Promise<string>;
  /** Each request shows by what right it is made. */
  #token: Promise<string>;

  /** `token` makes a fresh one: for the first request, and whenever it is renewed. */
  constructor(context: AgentContext, token: () => Promise<string>) {
    this.#context = context;
    this.#makeToken = token;
    this.#token = token();
    this.#token.catch(() => {
      // Told to whoever asks for something first.
    });
  }

  /** Resolves when the call is answered. Throws the refusal by its code; `cancelled` where `withdrawal` takes it back before. */
  async open({ to, audio, video }: WantedPeer, withdrawal: Withdrawal): Promise<OfferedPeer> {
    const control = this.#context.reachable();
    const name = control.freshId();
    const target = "agentId" in to ? { to: to.agentId } : { session_id: to.sessionId };
    let isAnswered = false;
    const takeBack = async (): Promise<void> => {
      // It may overtake what it takes back.
      while (!isAnswered) {
        const isTaken = await this.close(name).then(
          () => true,
          () => false,
        );
        if (isTaken) return;
        await this.#pause(TAKE_BACK_MS);
      }
    };
    const remove = withdrawal.on(() => void takeBack());
    try {
      const { result } = await control.request({
        method: "OPEN",
        path: "/webrtc",
        // With data there is the control channel, too.
        parameters: { ...target, open_id: name, audio, video, data: true },
        token: await this.#token,
        prove: true,
        timeout: RINGING_TIMEOUT_MS,
      });
      return { peerId: textOf(result, "peer_id"), offer: textOf(result, "sdp") };
    } finally {
      isAnswered = true;
      remove();
    }
  }

  async answer(peerId: string, sdp: string): Promise<void> {
    await this.#adjust(peerId, { sdp });
  }

  /** Another offer, with which ICE begins anew. */
  async restart(peerId: string): Promise<string> {
    return textOf(await this.#adjust(peerId, { restart: true }), "sdp");
  }

  /** What is asked from now on is asked with a fresh token. */
  async renew(): Promise<void> {
    this.#token = Promise.resolve(await this.#makeToken());
  }

  async close(peerId: string): Promise<void> {
    const request = { method: "CLOSE", path: `/webrtc/${peerId}`, token: await this.#token };
    await this.#context.reachable().request(request);
  }

  #pause(ms: number): Promise<void> {
    const { clock } = this.#context.platform;
    return new Promise((resolve) => clock.at(clock.now() + ms, resolve));
  }

  async #adjust(peerId: string, parameters: JsonObject) {
    const request = { method: "ADJUST", path: `/webrtc/${peerId}`, parameters, token: await this.#token };
    return (await this.#context.reachable().request(request)).result;
  }
}
