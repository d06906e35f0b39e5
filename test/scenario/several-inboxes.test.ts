/** One agent online in several places: where calls ring, who gets them, and what the others are told. */
import { describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { ConnectOptions } from "../../agent/connect.ts";
import type { IncomingCall } from "../../agent/incoming-call.ts";
import type { ParleyError } from "../../codecs/parley-error.ts";
import { CLOSE_CODES } from "../../sfu/carrier.ts";
import { RETURN_GRACE } from "../../signaling/switchboard/ringing.ts";
import { refusal } from "./talking.ts";
import { World } from "./world.ts";

/** Ada, and Bob online at inboxes of these names: he decides on nothing until told to. */
async function scene(names: readonly string[], options: Partial<ConnectOptions> = {}) {
  const world = new World();
  const ada = await world.agent("Ada");
  const identity = world.identity({ name: "Bob" });
  const at = (inbox: string) => world.agent("Bob", { identity, inbox, ...options });
  const bobs: Agent[] = [];
  const rings = new Map<string, IncomingCall>();
  for (const name of names) {
    const bob = await at(name);
    bob.onCall((incoming) => void rings.set(name, incoming));
    bobs.push(bob);
  }
  const ringing = (name: string) => rings.get(name) as IncomingCall;
  let told = "nothing";
  const call = () => {
    void ada.call(identity.agentId).then(
      () => {
        told = "up";
      },
      (error: ParleyError) => {
        told = error.code;
      },
    );
    return world.clock.advance(100);
  };
  return { world, ada, bobs, at, identity, rings, ringing, call, id: identity.agentId, told: () => told };
}

const reasonOf = ({ cancelled }: IncomingCall) => cancelled.reason as ParleyError;

describe("a call to an agent with several inboxes", () => {
  it("rings at all; the first to answer has it, and the others are told where it went", async () => {
    const { world, ada, bobs, rings, ringing, call, told } = await scene(["phone", "desk", "main"]);
    await call();
    expect([...rings.keys()]).toEqual(["phone", "desk", "main"]);
    const taken = await world.during(ringing("desk").accept());
    await world.clock.advance(50);
    expect(told()).toBe("up");
    expect(bobs.map(({ calls }) => calls.length)).toEqual([0, 1, 0]);
    for (const name of ["phone", "main"]) {
      expect(reasonOf(ringing(name))).toMatchObject({
        code: "answered-elsewhere",
        details: { inbox: "desk", status: "accepted" },
      });
      expect(await refusal(world, ringing(name).accept())).toMatch(/^answered-elsewhere/);
    }
    expect(ringing("desk").cancelled.aborted).toBe(false);
    expect([taken.id, bobs[1]?.inbox]).toEqual([ada.calls[0]?.id, "desk"]);
    expect(world.reported).toEqual([]);
  });

  it("is declined by whoever declines first: the others are told that", async () => {
    const { world, ringing, call, told } = await scene(["phone", "desk"]);
    await call();
    await world.during(ringing("phone").decline("busy"));
    await world.clock.advance(50);
    expect(told()).toBe("callee-busy");
    expect(reasonOf(ringing("desk"))).toMatchObject({
      code: "answered-elsewhere",
      details: { inbox: "phone", status: "rejected" },
    });
    await world.during(ringing("desk").decline());
    expect(ringing("phone").cancelled.aborted).toBe(false);
  });

  it("goes to exactly one of two that answer at the same instant, and the other is refused", async () => {
    const { world, bobs, ringing, call, told } = await scene(["phone", "desk"]);
    await call();
    const both = ["phone", "desk"].map((name) =>
      ringing(name)
        .accept()
        .then(
          () => "up",
          (error: ParleyError) => error.code,
        ),
    );
    expect(await world.during(Promise.all(both))).toEqual(["up", "answered-elsewhere"]);
    expect(told()).toBe("up");
    expect(bobs.map(({ calls }) => calls.length)).toEqual([1, 0]);
  });

  it.each([
    ["phone", "up", "up"],
    ["desk", "declined", "answered-elsewhere"],
  ] as const)(
    "that one takes while another declines is as the first to be heard said: %s",
    async (first, caller, taker) => {
      const { world, ringing, call, told } = await scene(["phone", "desk"]);
      await call();
      const decide = {
        phone: () =>
          ringing("phone")
            .accept()
            .then(
              () => "up",
              (error: ParleyError) => error.code,
            ),
        desk: () => ringing("desk").decline(),
      };
      // Answering takes a signature more than declining: the first has a head start.
      const began = decide[first]();
      await world.clock.advance(first === "phone" ? 20 : 0);
      const outcomes = Promise.all([began, decide[first === "phone" ? "desk" : "phone"]()]);
      expect(new Set(await world.during(outcomes))).toEqual(new Set([taker, undefined]));
      expect(told()).toBe(caller);
    },
  );

  it("may be answered over connections of which each carries one request: the answer names its inbox", async () => {
    const { world, rings, call, told, identity } = await scene(["desk"]);
    const phone = await world.agent("Bob", { identity, inbox: "phone" }, world.separate);
    phone.onCall((incoming) => void rings.set("phone", incoming));
    await call();
    const taken = await world.during(rings.get("phone")?.accept() ?? Promise.reject());
    await world.clock.advance(50);
    expect(told()).toBe("up");
    const details = { inbox: "phone", status: "accepted" };
    expect(reasonOf(rings.get("desk") as IncomingCall)).toMatchObject({ details });
    expect(rings.get("phone")?.cancelled.aborted).toBe(false);
    await world.during(taken.end());
    expect(world.reported).toEqual([]);
  });

  it("is taken back, or rings out, at all of them, each with the reason", async () => {
    const { world, ada, ringing, call, told, id } = await scene(["phone", "desk"]);
    await call();
    await world.clock.advance(46_000);
    expect(told()).toBe("no-answer");
    expect(["phone", "desk"].map((name) => reasonOf(ringing(name)).code)).toEqual(["no-answer", "no-answer"]);
    const abort = new AbortController();
    const outcome = refusal(world, ada.call(id, { signal: abort.signal }));
    await world.clock.advance(100);
    abort.abort();
    expect(await outcome).toMatch(/^cancelled/);
    await world.clock.advance(50);
    expect(["phone", "desk"].map((name) => reasonOf(ringing(name)).code)).toEqual(["cancelled", "cancelled"]);
  });

  it("goes on ringing where one of them is left; when the last is closed, it is given up at once", async () => {
    const { world, bobs, ringing, call, told } = await scene(["phone", "desk"]);
    await call();
    await world.during(bobs[0]?.close() ?? Promise.resolve());
    await world.clock.advance(2 * RETURN_GRACE);
    expect([told(), ringing("desk").cancelled.aborted]).toEqual(["nothing", false]);
    await world.during(bobs[1]?.close() ?? Promise.resolve());
    await world.clock.advance(50);
    expect(told()).toBe("callee-unreachable");
  });

  it("rings at one that comes online meanwhile, too, as soon as somebody there decides on calls", async () => {
    const { world, at, call, told } = await scene(["phone"]);
    await call();
    const late = await at("desk");
    await world.clock.advance(500);
    const rings = new Promise<IncomingCall>((resolve) => late.onCall(resolve));
    await world.during((await world.during(rings)).accept());
    expect(told()).toBe("up");
  });

  it("rings again at one that came back knowing nothing", async () => {
    const { world, at, call, told } = await scene(["phone"]);
    await call();
    const reloaded = await at("phone");
    const rings = new Promise<IncomingCall>((resolve) => reloaded.onCall(resolve));
    await world.during((await world.during(rings)).accept());
    expect(told()).toBe("up");
  });

  it("is declined for all by one where nobody decides on calls", async () => {
    const { world, at, ringing, call, told } = await scene(["phone"]);
    await at("desk");
    await call();
    await world.clock.advance(1_000);
    expect(told()).toBe("declined");
    expect(reasonOf(ringing("phone"))).toMatchObject({
      code: "answered-elsewhere",
      details: { inbox: "desk" },
    });
  });
});

describe("an agent", () => {
  it("is online while any of its inboxes is, and answers to its name from each", async () => {
    const { world, ada, bobs, id } = await scene(["phone", "desk"]);
    const isOnline = async () => {
      const list = await world.during(ada.directory());
      return list.find(({ agentId }) => agentId === id)?.online;
    };
    await world.during(bobs[0]?.close() ?? Promise.resolve());
    await world.clock.advance(10);
    expect(await isOnline()).toBe(true);
    await world.during(bobs[1]?.close() ?? Promise.resolve());
    await world.clock.advance(10);
    expect(await isOnline()).toBe(false);
  });

  it("is replaced at its inbox alone by one that comes online there", async () => {
    const { world, bobs, at } = await scene(["phone", "desk"], { reconnect: true });
    const ends: (readonly [string, number])[] = [];
    for (const bob of bobs) bob.on("closed", ({ code }) => ends.push([bob.inbox, code]));
    const newer = await at("desk");
    await world.clock.advance(60_000);
    expect(ends).toEqual([["desk", CLOSE_CODES.replaced]]);
    expect([...bobs, newer].map(({ isOnline }) => isOnline)).toEqual([true, false, true]);
  });

  it("has no inbox whose name is none", async () => {
    const { world, at } = await scene([]);
    expect(await refusal(world, at("no name"))).toMatch(/^field-invalid/);
  });
});
