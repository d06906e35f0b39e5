import { expect, it } from "vitest";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { encoded } from "../test/token-maker.ts";
import { AccessTokens, type TokenSource } from "./access-tokens.ts";

function scene(source: (clock: VirtualClock) => TokenSource) {
  const clock = new VirtualClock();
  const tokens = new AccessTokens(source(clock), clock);
  return { clock, tokens };
}

/** Not signed by anybody: the agent does not judge its tokens. */
function tokenFrom(clock: VirtualClock, lifetime: number, more = {}): string {
  const iat = clock.wall() / 1_000;
  return `${encoded({ alg: "EdDSA" })}.${encoded({ iat, exp: iat + lifetime, ...more })}.AA`;
}

/** A source that gives a new token each time, and says how often it was asked. */
function counting(lifetime: number) {
  const asked = { times: 0 };
  const made = scene((clock) => () => tokenFrom(clock, lifetime, { jti: String(++asked.times) }));
  return { ...made, asked };
}

it("is asked for once by all that need one at the same time, and again after three quarters of its life", async () => {
  const { clock, tokens, asked } = counting(100);
  const [first, second] = await Promise.all([tokens.forRequest("ESTABLISH"), tokens.forRequest("OPEN")]);
  expect(first).toBe(second);
  await clock.advance(74_999);
  expect(await tokens.present()).toBe(first);
  await clock.advance(1);
  expect(await tokens.present()).not.toBe(first);
  expect(asked.times).toBe(2);
});

it("goes with what begins calls and goes on with them, and with nothing else", async () => {
  const { tokens, asked } = counting(100);
  for (const method of ["TERMINATE", "NOTIFY", "QUERY", "DISCOVER"]) {
    expect(await tokens.forRequest(method)).toBeUndefined();
  }
  expect(asked.times).toBe(0);
});

it("given as a text is all there is", async () => {
  const { clock, tokens } = scene((time) => tokenFrom(time, 10));
  const token = await tokens.present();
  await clock.advance(60_000);
  expect(await tokens.present()).toBe(token);
  expect(tokens.expired(token)).toBe(false);
});

it("that does not tell how long it lasts is kept until the server says that it ran out", async () => {
  const given = ["opaque", "e30.e30.AA", "e30.bm8.AA"];
  for (const text of given) {
    let times = 0;
    const { clock, tokens } = scene(() => () => {
      times += 1;
      return text;
    });
    await tokens.present();
    await clock.advance(86_400_000);
    await tokens.present();
    expect(times).toBe(1);
    expect(tokens.expired(text)).toBe(true);
    await tokens.present();
    expect(times).toBe(2);
  }
});

it.each([[undefined], [""], ["two words"], ["line\nbreak"], [{ token: "x" }]])(
  "that is none (%o) is not sent",
  async (nothing) => {
    const { tokens } = scene(() => () => nothing as string);
    await expect(tokens.present()).rejects.toMatchObject({ code: "token-invalid" });
  },
);

it("that a source gives again and again is shown no more than once a second", async () => {
  const { clock, tokens } = scene((time) => {
    const old = tokenFrom(time, 10);
    return () => old;
  });
  let shown = 0;
  const stop = tokens.keepFresh(
    () => true,
    async () => {
      shown += 1;
    },
    () => {},
  );
  await tokens.present();
  await clock.advance(20_000);
  expect(shown).toBeGreaterThan(5);
  expect(shown).toBeLessThan(15);
  stop();
  const before = shown;
  await clock.advance(60_000);
  expect(shown).toBe(before);
  expect(clock.pending).toBe(0);
});

it("is tried for again while calls need one, and what went wrong is told", async () => {
  let isDown = false;
  const { clock, tokens } = scene((time) => () => {
    if (isDown) throw new Error("down");
    return tokenFrom(time, 100);
  });
  const failures: unknown[] = [];
  const shown: string[] = [];
  await tokens.present();
  const stop = tokens.keepFresh(
    () => true,
    async (token) => void shown.push(token),
    (error) => failures.push(error),
  );
  isDown = true;
  await clock.advance(84_000);
  expect([failures.length, shown.length]).toEqual([2, 0]);
  isDown = false;
  await clock.advance(2_000);
  expect(shown).toHaveLength(1);
  stop();
});
