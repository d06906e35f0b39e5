import { beforeEach, describe, expect, it } from "vitest";
import { ParleyError } from "../codecs/parley-error.ts";
import { type PipeEnd, pipe } from "../test/message-pipe.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { RpcChannel } from "./rpc-channel.ts";

let clock: VirtualClock;
let way: PipeEnd;
let back: PipeEnd;
let ada: RpcChannel;
let bob: RpcChannel;
let reported: unknown[];

beforeEach(() => {
  clock = new VirtualClock();
  [way, back] = pipe(clock);
  reported = [];
  const report = (error: unknown) => reported.push(error);
  ada = new RpcChannel({
    clock,
    report,
    first: 1_000,
    open: async () => {
      bob.add(back);
      return way;
    },
  });
  bob = new RpcChannel({ clock, report, first: 5, open: async () => back });
});

/** What became of a call, once something did. */
function outcomeOf(call: Promise<unknown>): { value: unknown } {
  const outcome: { value: unknown } = { value: "waiting" };
  call.then(
    (value) => {
      outcome.value = value;
    },
    (error: unknown) => {
      outcome.value = error instanceof ParleyError ? error.code : error;
    },
  );
  return outcome;
}

describe("a request", () => {
  it("is answered by the handler of its method, which knows who asks", async () => {
    bob.handle("add", (params, { caller, deadline }) => {
      const [left, right] = params as [number, number];
      return { sum: left + right, caller, deadline: deadline - clock.now() };
    });
    const call = ada.ask("add", [1, 2], { deadlineMs: 400 });
    await clock.advance(0);
    expect(await call).toEqual({ sum: 3, caller: "ada", deadline: 400 });
    expect(ada.stats.asked).toMatchObject({ asked: 1, answered: 1, open: 0 });
    expect(bob.stats.handled).toMatchObject({ handled: 1, running: 0 });
  });

  it("goes both ways, many at once, each with its own answer", async () => {
    for (const [end, factor] of [
      [bob, 2],
      [ada, 3],
    ] as const) {
      end.handle("times", async (params) => {
        const { number } = params as { number: number };
        const due = Promise.withResolvers<void>();
        clock.at(clock.now() + 100 - number, () => due.resolve());
        await due.promise;
        return number * factor;
      });
    }
    const doubled = Array.from({ length: 40 }, (_, number) => ada.ask("times", { number }));
    await clock.advance(10);
    const tripled = Array.from({ length: 40 }, (_, number) => bob.ask("times", { number }));
    await clock.advance(200);
    expect(await Promise.all(doubled)).toEqual(Array.from({ length: 40 }, (_, number) => number * 2));
    expect(await Promise.all(tripled)).toEqual(Array.from({ length: 40 }, (_, number) => number * 3));
  });

  it("fails at its deadline, stops its handler, and an answer after it is dropped and counted", async () => {
    way.delay = 40;
    let aborted: unknown;
    const answer = Promise.withResolvers<string>();
    bob.handle("slow", (_, { signal }) => {
      signal.addEventListener("abort", () => {
        aborted = signal.reason;
      });
      return answer.promise;
    });
    const slow = outcomeOf(ada.ask("slow", null, { deadlineMs: 100 }));
    await clock.advance(99);
    expect(slow.value).toBe("waiting");
    await clock.advance(1);
    expect(slow.value).toBe("rpc-timeout");
    expect(aborted).toMatchObject({ code: "rpc-timeout" });
    answer.resolve("too late");
    await clock.advance(100);
    expect(bob.stats.handled).toMatchObject({ handled: 0, abandoned: 1, running: 0 });
    // One that was on its way at the deadline.
    await back.send({ answer: 1_000, result: "late" });
    await clock.advance(0);
    expect(ada.stats.asked).toMatchObject({ timedOut: 1, late: 1, strays: 0, open: 0 });
  });

  it("that took longer than its deadline to come is not handled", async () => {
    way.delay = 300;
    let handled = 0;
    bob.handle("count", () => {
      handled += 1;
    });
    const call = outcomeOf(ada.ask("count", null, { deadlineMs: 200 }));
    await clock.advance(1_000);
    expect([call.value, handled]).toEqual(["rpc-timeout", 0]);
    expect(bob.stats.handled.abandoned).toBe(1);
  });

  it("is taken back by its signal, at both ends", async () => {
    let reason: unknown;
    bob.handle("wait", (_, { signal }) => {
      signal.addEventListener("abort", () => {
        reason = signal.reason;
      });
      return new Promise(() => undefined);
    });
    const abort = new AbortController();
    const call = outcomeOf(ada.ask("wait", null, { signal: abort.signal }));
    await clock.advance(10);
    abort.abort();
    await clock.advance(10);
    expect(call.value).toBe("rpc-cancelled");
    expect(reason).toMatchObject({ code: "rpc-cancelled" });
    await expect(ada.ask("wait", null, { signal: abort.signal })).rejects.toMatchObject({
      code: "rpc-cancelled",
    });
  });

  it("of a method nobody handles is told so; a handler set in the first second is still in time", async () => {
    const early = outcomeOf(ada.ask("soon", null));
    const unknown = outcomeOf(ada.ask("none", null));
    await clock.advance(500);
    const remove = bob.handle("soon", () => "there");
    await clock.advance(499);
    expect([early.value, unknown.value]).toEqual(["there", "waiting"]);
    await clock.advance(1);
    expect(unknown.value).toBe("rpc-unknown-method");
    remove();
    const removed = outcomeOf(ada.ask("soon", null));
    await clock.advance(0);
    expect(removed.value).toBe("rpc-unknown-method");
  });

  it("whose handler throws fails, with what the handler wants to say and nothing else", async () => {
    const details = { missing: ["city"] };
    bob.handle("refuse", () => {
      throw new ParleyError({ code: "rpc-failed", message: "No such city.", details });
    });
    bob.handle("break", () => {
      throw new Error("a secret");
    });
    bob.handle("too-much", () => "x".repeat(20_000));
    await expect(ada.ask("refuse", null)).rejects.toMatchObject({
      ...{ code: "rpc-failed", message: "No such city.", details: { answer: details } },
    });
    await expect(ada.ask("break", null)).rejects.toMatchObject({
      code: "rpc-failed",
      message: "The handler failed.",
    });
    await expect(ada.ask("too-much", null)).rejects.toMatchObject({ code: "rpc-failed" });
    expect(reported).toMatchObject([{ message: "a secret" }, { code: "too-large" }]);
  });

  it("that no message can hold, or that names no method, is refused at once", async () => {
    for (const [method, params, options, code] of [
      ["a b", null, {}, "field-invalid"],
      ["", null, {}, "field-invalid"],
      ["m", null, { deadlineMs: 0 }, "field-invalid"],
      ["m", null, { deadlineMs: Number.NaN }, "field-invalid"],
      ["m", "x".repeat(20_000), {}, "too-large"],
      ["m", { f: () => 1 }, {}, "json-unrepresentable"],
    ] as const) {
      await expect(ada.ask(method, params, options)).rejects.toMatchObject({ code });
    }
    expect(ada.stats.asked.open).toBe(0);
  });

  it("fails when the call ends, and its handler is told", async () => {
    const reasons: unknown[] = [];
    bob.handle("wait", (_, { signal }) => {
      signal.addEventListener("abort", () => reasons.push(signal.reason));
      return new Promise(() => undefined);
    });
    const call = outcomeOf(ada.ask("wait", null));
    await clock.advance(10);
    ada.finish();
    bob.finish();
    await clock.advance(0);
    expect(call.value).toBe("closed");
    expect(reasons).toMatchObject([{ code: "closed" }]);
    await expect(ada.ask("wait", null)).rejects.toMatchObject({ code: "closed" });
    expect(clock.pending).toBe(0);
  });
});

it("that went over one of two streams outlives the other, at both ends", async () => {
  const stopped: unknown[] = [];
  const answers: (() => void)[] = [];
  bob.handle("wait", (name, { signal }) => {
    signal.addEventListener("abort", () => stopped.push(name));
    return new Promise((resolve) => answers.push(() => resolve(name)));
  });
  const first = outcomeOf(ada.ask("wait", "over the first"));
  await clock.advance(10);
  // Both ends opened one at the same moment; the first is closed, and the next request goes over the other.
  const [second, secondBack] = pipe(clock);
  ada.add(second);
  bob.add(secondBack);
  way.end();
  back.end();
  await clock.advance(0);
  expect([first.value, stopped]).toEqual(["closed", ["over the first"]]);
  const next = outcomeOf(ada.ask("wait", "over the second"));
  await clock.advance(10);
  const [third, thirdBack] = pipe(clock);
  ada.add(third);
  bob.add(thirdBack);
  third.end();
  thirdBack.end();
  await clock.advance(0);
  expect([next.value, stopped]).toEqual(["waiting", ["over the first"]]);
  answers.at(-1)?.();
  await clock.advance(0);
  expect(next.value).toBe("over the second");
  expect(ada.stats.asked.open).toBe(0);
});

describe("a hostile end", () => {
  it("asks more than may be open: the rest is refused by name, and it waits for that", async () => {
    bob.handle("wait", () => new Promise(() => undefined));
    bob.add(back);
    const answers: unknown[] = [];
    void (async () => {
      for await (const { value } of way) answers.push(value);
    })();
    for (let call = 0; call < 80; call += 1)
      await way.send({ call, method: "wait", params: null, deadline_ms: 60_000 });
    await clock.advance(0);
    expect(bob.stats.handled).toMatchObject({ running: 64, failed: { "rpc-busy": 16 } });
    expect(answers).toHaveLength(16);
    // The same number again, while it is open.
    await way.send({ call: 1, method: "wait", params: null, deadline_ms: 60_000 });
    await clock.advance(0);
    expect(bob.stats.handled).toMatchObject({ running: 64, repeated: 1 });
  });

  it("may not have this end ask without bound", async () => {
    bob.handle("wait", () => new Promise(() => undefined));
    const calls = Array.from({ length: 64 }, () => outcomeOf(ada.ask("wait", null)));
    await expect(ada.ask("wait", null)).rejects.toMatchObject({ code: "rpc-busy" });
    await clock.advance(10_000);
    expect(new Set(calls.map(({ value }) => value))).toEqual(new Set(["rpc-timeout"]));
  });

  it("answers nobody, answers twice, or says what no message is: counted, and nothing else", async () => {
    bob.handle("once", () => 1);
    await ada.ask("once", null);
    for (const value of [
      { answer: 1_000, result: 2 },
      { answer: 7, result: 1 },
      { answer: 1_001, error: { code: "rpc-failed", message: "" } },
      { answer: 1, result: 1, error: { code: "rpc-failed", message: "" } },
      { answer: 1 },
      { answer: 1, error: { code: "other", message: "" } },
      { call: 1, method: "a b", params: 1, deadline_ms: 5 },
      { call: 1, method: "m", deadline_ms: 5 },
      { call: 1, method: "m", params: 1, deadline_ms: 700_000 },
      { cancel: "1" },
      "?",
    ])
      await back.send(value);
    await clock.advance(0);
    expect(ada.stats).toMatchObject({ asked: { late: 1, strays: 2 }, malformed: 8 });
  });
});
