/** Two agents that live through kills of their server, and all that they may be doing at one. */
import { expect } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import { createIdentity } from "../../agent/node.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { CLOSE_CODES } from "../../sfu/carrier.ts";
import type { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { type KilledServer, QUICK_CARRIERS } from "../killed-server.ts";
import { AnswerTap } from "../net/answer-tap.ts";
import { pause, until, within } from "../waiting.ts";
import { LastingCall } from "./lasting-call.ts";

/** A call with this lifetime is let ring. */
const RINGS_TTL = 77;
const RECONNECT = { firstDelay: 100, maxDelay: 500 };
const TONE = Int16Array.from({ length: 9_600 }, (_, at) => 8_000 * Math.sin(at / 20));

type CarrierName = keyof typeof QUICK_CARRIERS;

/** What there is to do when the server is killed. */
export const ACTS = [
  "talk",
  "establish",
  "ring",
  "suspend",
  "narrow",
  "detach",
  "speak",
  "hang up",
  "both hang up",
] as const;
export type Act = (typeof ACTS)[number];

interface OnlineAgent {
  readonly agent: Agent;
  readonly tap: AnswerTap;
}

export class CallLives {
  /** Sessions that an end was told are up. */
  readonly established = new Set<string>();
  /** Sessions whose end the server acknowledged to the caller. */
  readonly ended = new Set<string>();
  /** Those that go on over kills. */
  readonly lasting: LastingCall[] = [];
  readonly over: LastingCall[] = [];
  readonly faults: unknown[] = [];
  readonly #caller: OnlineAgent;
  readonly #callee: OnlineAgent;
  readonly #random: SeededRandom;
  readonly #answered = new Map<string, Call>();
  #acting: Promise<unknown> = Promise.resolve();

  private constructor(caller: OnlineAgent, callee: OnlineAgent, random: SeededRandom) {
    this.#caller = caller;
    this.#callee = callee;
    this.#random = random;
    callee.agent.onCall(async (incoming) => {
      const { ttl } = incoming.offer.payload.session;
      if (ttl === RINGS_TTL) {
        await new Promise((resolve) => incoming.cancelled.addEventListener("abort", resolve));
        return;
      }
      try {
        const call = await incoming.accept();
        this.#answered.set(call.id, call);
        this.established.add(call.id);
      } catch (error) {
        expectRefusal(error);
      }
    });
  }

  static async start(
    server: KilledServer,
    carriers: readonly [CarrierName, CarrierName],
    random: SeededRandom,
  ): Promise<CallLives> {
    const faults: unknown[] = [];
    const [caller, callee] = await Promise.all(
      carriers.map(async (carrier) => {
        const tap = new AnswerTap(QUICK_CARRIERS[carrier]());
        const { identity } = createIdentity({ name: `Agent over ${carrier}` }, server.issuer);
        const report = (error: unknown) => faults.push(error);
        return { agent: await server.online({ identity, reconnect: RECONNECT, carrier: tap, report }), tap };
      }),
    );
    return new CallLives(caller as OnlineAgent, callee as OnlineAgent, random);
  }

  get agents(): readonly OnlineAgent[] {
    return [this.#caller, this.#callee];
  }

  /** Both are online, and a lasting call is up. */
  async prepare(): Promise<void> {
    await this.#online();
    // Over TLS an agent may ask again before it is called again: its inbox comes up after.
    await until("a lasting call", async () => {
      if (this.lasting.length === 0) await this.#establish().catch(expectRefusal);
      return this.lasting.length > 0;
    });
  }

  /** Begins what is under way when the server is killed. */
  begin(acts: readonly Act[], stopped: AbortSignal): void {
    this.#acting = Promise.all(
      acts.map(async (act) => {
        const delay = this.#random.integer(700);
        await pause(delay);
        if (!stopped.aborted) await this.#act(act, stopped);
      }),
    );
  }

  /** The server serves again: what was under way is decided, and what lasts goes on. */
  async goOn(): Promise<void> {
    await within("what was under way decided", this.#acting, 40_000);
    await this.#online();
    await this.#endForgotten();
    await Promise.all(this.lasting.map((call) => call.goOn()));
    for (const call of this.lasting.filter(({ isEnding }) => isEnding)) this.over.push(call);
    this.lasting.splice(0, this.lasting.length, ...this.lasting.filter(({ isEnding }) => !isEnding));
  }

  async end(): Promise<void> {
    for (const call of this.lasting) {
      await within("the last hanging up", call.hangUp("goodbye", 0));
      this.ended.add(call.id);
    }
    await this.goOn();
    for (const { agent } of this.agents) expect(await agent.sessions()).toEqual([]);
    for (const { agent } of this.agents) expect(agent.calls).toEqual([]);
  }

  /** Both, at the server that runs now: an agent may not have noticed yet that the one before it is gone. */
  async #online(): Promise<void> {
    for (const { agent } of this.agents) {
      await until("the agent online", () =>
        agent.sessions().then(
          () => true,
          (error: unknown) => {
            expectRefusal(error);
            return false;
          },
        ),
      );
    }
  }

  async #act(act: Act, stopped: AbortSignal): Promise<void> {
    const call = this.lasting[0];
    const leg = this.#random.integer(2) as 0 | 1;
    if (act === "talk") return await this.#talk(stopped);
    if (act === "ring") return await this.#ring();
    if (act === "detach") return this.agents[leg]?.tap.drop(CLOSE_CODES.livenessTimeout);
    try {
      if (act === "establish") await this.#establish();
      else if (act === "speak") await call?.speak(leg);
      else if (act === "narrow") await call?.narrow(leg);
      else if (act === "suspend") await call?.ends[leg].suspend();
      else await this.#hangUp(call, act === "both hang up" ? [0, 1] : [leg]);
    } catch (error) {
      expectRefusal(error);
    }
  }

  async #hangUp(call: LastingCall | undefined, legs: readonly (0 | 1)[]): Promise<void> {
    await call?.hangUp("goodbye", ...legs);
  }

  async #establish(): Promise<void> {
    const call = await this.#caller.agent.call(this.#callee.agent.id, { model: "persistent", data: true });
    this.established.add(call.id);
    const limit = 5_000;
    // Where the server was killed right after it had told the caller, the callee may never learn.
    await until("the other end", () => this.#answered.has(call.id), limit).catch(() => undefined);
    const theirs = this.#answered.get(call.id);
    if (theirs !== undefined) this.lasting.push(new LastingCall(call, theirs));
    else await call.end("alone");
  }

  /** Short calls, one after the other, until the server is gone. */
  async #talk(stopped: AbortSignal): Promise<void> {
    try {
      while (!stopped.aborted) {
        const call = await this.#caller.agent.call(this.#callee.agent.id);
        this.established.add(call.id);
        await call.audio.write(TONE.subarray(0, this.#random.integer(TONE.length)));
        await call.end();
        if ((await within(`the end of ${call.id}`, call.ended)).by === "me") this.ended.add(call.id);
      }
    } catch (error) {
      expectRefusal(error);
    }
  }

  async #ring(): Promise<void> {
    await expect(
      this.#caller.agent.call(this.#callee.agent.id, { ttl: RINGS_TTL }),
      "a call that nobody took",
    ).rejects.toBeInstanceOf(ParleyError);
  }

  /** Sessions that came up in the moment of a kill, and whose caller was told that nobody answered: any process may end them. */
  async #endForgotten(): Promise<void> {
    for (const { agent } of this.agents) {
      for (const { sessionId, state } of await agent.sessions()) {
        const lasts = this.lasting.some(({ id }) => id === sessionId);
        if (lasts || state === "terminated") continue;
        const call = await agent.takeUp(sessionId);
        await call.end("forgotten");
      }
    }
  }
}

/** What a kill does to requests is told by code. */
function expectRefusal(error: unknown): void {
  if (error instanceof ParleyError) return;
  throw error;
}
