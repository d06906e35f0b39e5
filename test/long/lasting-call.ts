/** A persistent call between two living agents, who count aloud to each other for as long as it lasts. */
import { expect } from "vitest";
import type { Call } from "../../agent/call.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { pause, until, within } from "../waiting.ts";

const TONE = Int16Array.from({ length: 24_000 }, (_, at) => 8_000 * Math.sin(at / 20));
/** For how long both ends may need to come back once their server serves, ms. */
const RETURN_MS = 15_000;

export class LastingCall {
  readonly ends: readonly [Call, Call];
  readonly #said = [0, 0];
  readonly #heard: [number[], number[]] = [[], []];
  #narrowing: 0 | 1 | undefined;
  #isEnding = false;
  /** What the last resumption was refused with. */
  #refusal = "none";

  constructor(call: Call, theirs: Call) {
    this.ends = [call, theirs];
    for (const leg of [0, 1] as const) {
      void this.#count(leg);
      void this.#listen(leg);
    }
  }

  get id(): string {
    return this.ends[0].id;
  }

  /** Whether an end hung up, or began to. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  /** Half a second of a tone, which whoever hears it need not hear whole. */
  async speak(leg: 0 | 1): Promise<void> {
    await this.ends[leg].audio.write(TONE);
  }

  /** The end keeps the right to send data alone. Where it is not told that it has given the rest up, it asks again. */
  async narrow(leg: 0 | 1): Promise<void> {
    this.#narrowing ??= leg;
    if (this.#narrowing !== leg || !this.#maySpeak(leg)) return;
    const own = this.#scopeOf(leg);
    await this.ends[leg].narrow(own.filter((token) => !token.includes(":audio:")));
  }

  async hangUp(reason: string, ...legs: readonly (0 | 1)[]): Promise<void> {
    this.#isEnding = true;
    await Promise.all(legs.map((leg) => this.ends[leg].end(reason)));
  }

  /** Its server serves again: both ends go on, each hears the other; or both know why it is over. */
  async goOn(): Promise<void> {
    if (this.#isEnding) {
      await within(`the end of ${this.id} told`, Promise.all(this.ends.map((end) => end.ended)), RETURN_MS);
      return;
    }
    const isUp = () => this.ends.every(({ state }) => state === "active");
    await until(
      `both ends of ${this.id} up again: ${this.describe()}`,
      async () => {
        expect(
          this.ends.map(({ state }) => state),
          this.id,
        ).not.toContain("ended");
        const holder = this.ends.find((end) => end.suspended?.nonce !== undefined);
        if (holder !== undefined && holder.state !== "ended") await holder.resume().catch(this.#noteRefusal);
        return isUp();
      },
      RETURN_MS,
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; now ${this.describe()}`);
    });
    if (this.#narrowing !== undefined) await this.narrow(this.#narrowing);
    const before = this.#heard.map(({ length }) => length);
    await until(`messages in ${this.id}`, () =>
      this.#heard.every((heard, leg) => heard.length > (before[leg] ?? 0) + 2),
    );
  }

  /** Speech of an end that still may is heard at the other and verifies. */
  async expectHeard(): Promise<void> {
    for (const leg of [0, 1] as const) {
      const speaker = this.ends[leg];
      const listener = this.ends[leg === 0 ? 1 : 0];
      if (!this.#maySpeak(leg)) continue;
      const before = listener.stats().heard?.verified ?? 0;
      // Where the machine is busy with something else much of it comes too late.
      await until(`speech of leg ${leg} of ${this.id} heard`, async () => {
        await speaker.audio.write(TONE);
        return (listener.stats().heard?.verified ?? 0) > before + 10;
      });
    }
  }

  /** It is over: whatever was heard of the counting is what was said, each number once and in order. */
  expectCounted(): void {
    for (const leg of [0, 1] as const) {
      const heard = this.#heard[leg];
      expect(heard, this.id).toEqual(Array.from({ length: heard.length }, (_, at) => at));
      expect(heard.length).toBeLessThanOrEqual((this.#said[leg === 0 ? 1 : 0] ?? 0) + 1);
    }
  }

  describe(): string {
    const ends = this.ends.map(({ leg, state, suspended }) => {
      const nonce = suspended?.nonce === undefined ? "" : " with the nonce";
      return `leg ${leg} ${state}${nonce}`;
    });
    return [...ends, `last refusal ${this.#refusal}`].join(", ");
  }

  /** The other end, or the request before it, was quicker. */
  readonly #noteRefusal = (error: unknown): void => {
    if (!(error instanceof ParleyError)) throw error;
    this.#refusal = error.code;
  };

  #scopeOf(leg: 0 | 1): readonly string[] {
    return this.ends[leg].terms.legs.find((each) => each.leg === leg)?.scope ?? [];
  }

  #maySpeak(leg: 0 | 1): boolean {
    return this.#scopeOf(leg).some((token) => token.includes(":audio:"));
  }

  async #count(leg: 0 | 1): Promise<void> {
    try {
      for (let number = 0; this.ends[leg].state !== "ended"; number += 1) {
        await this.ends[leg].data?.send(number);
        this.#said[leg] = number + 1;
        await pause(30);
      }
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== "closed") throw error;
    }
  }

  async #listen(leg: 0 | 1): Promise<void> {
    for await (const { value } of this.ends[leg].data ?? []) this.#heard[leg].push(Number(value));
  }
}
