/** How a call is made, refused, taken back and ended: what each agent sees of it. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import type { Call } from "../../agent/call.ts";
import type { CallEnd } from "../../agent/call-ending.ts";
import type { OutgoingCallOptions } from "../../agent/call-options.ts";
import type { IncomingCall } from "../../agent/incoming-call.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import { compareUtterance } from "../../src/listening/compare.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, Recording, refusal, say } from "./talking.ts";
import { World } from "./world.ts";

let world: World;
let ada: Agent;
let bob: Agent;

beforeEach(async () => {
  world = new World();
  ada = await world.agent("Ada");
  bob = await world.agent("Bob");
});

/** What the caller is told. */
function call(options: OutgoingCallOptions = {}): Promise<string> {
  return refusal(world, ada.call(bob.id, options));
}

/** Rings at Bob and leaves it ringing. */
async function ringing(
  options: OutgoingCallOptions = {},
): Promise<{ incoming: IncomingCall; outcome: Promise<string> }> {
  const rings = new Promise<IncomingCall>((resolve) => bob.onCall(resolve));
  const outcome = ada.call(bob.id, options).then(
    () => "accepted",
    (error: ParleyError) => error.code,
  );
  return { incoming: await world.during(rings), outcome };
}

describe("a call that is taken", () => {
  it("rings, is answered, carries both voices and ends for both", async () => {
    const order: string[] = [];
    bob.onCall(async (incoming) => {
      order.push(`rings from ${incoming.caller.name}`);
      await incoming.accept();
    });
    const mine = await world.during(ada.call(bob.id, { onRinging: () => order.push("ringing") }));
    order.push("answered");
    expect(order.sort()).toEqual(["answered", "ringing", "rings from Ada"]);
    const theirs = bob.calls[0] as Call;
    expect(mine.peer).toEqual({ agentId: bob.id, name: "Bob", anchored: true });
    expect(theirs.peer).toEqual({ agentId: ada.id, name: "Ada", anchored: true });
    expect(theirs.id).toBe(mine.id);
    expect(theirs.sessionDigest).toEqual(mine.sessionDigest);

    const recordings = [new Recording(theirs), new Recording(mine)] as const;
    const said = [await say(world, mine, 1.5), await say(world, theirs, 1)] as const;
    await world.clock.advance(200);
    for (const side of [0, 1] as const) {
      const { correlation, longestGap } = compareUtterance(said[side], recordings[side].pcm(), 48_000);
      expect(correlation).toBeGreaterThan(0.9);
      expect(longestGap).toBe(0);
      expect(
        recordings[side].frames.filter(({ kind }) => kind === "speech").every(({ verified }) => verified),
      ).toBe(true);
    }

    const ends: CallEnd[] = [];
    mine.on("ended", (end) => ends.push(end));
    await world.during(mine.end("goodbye"));
    expect(await world.during(Promise.all([mine.ended, theirs.ended]))).toEqual([
      { reason: "goodbye", by: "me" },
      { reason: "goodbye", by: "peer" },
    ]);
    expect(ends).toEqual([{ reason: "goodbye", by: "me" }]);
    expect([ada.calls, bob.calls]).toEqual([[], []]);
    expect(world.reported).toEqual([]);
  });

  it("may be G.711, at its own rate", async () => {
    const { call: mine, answered } = await connected(world, ada, bob, { audio: { codecs: ["pcmu"] } });
    expect(mine.audio.sends).toMatchObject({ name: "pcmu", clockRate: 8000, frameSamples: 160 });
    const recording = new Recording(answered);
    const said = await say(world, mine, 1);
    await world.clock.advance(200);
    expect(compareUtterance(said, recording.pcm(), 8000).correlation).toBeGreaterThan(0.99);
  });

  it("may go one way: who only listens cannot speak", async () => {
    const { call: mine, answered } = await connected(world, ada, bob, { audio: { direction: "recvonly" } });
    expect([mine.audio.sends, answered.audio.hears]).toEqual([undefined, undefined]);
    expect(() => mine.audio.write(new Int16Array(960))).toThrow(
      expect.objectContaining({ code: "field-invalid" }),
    );
    await say(world, answered, 0.2);
    await world.clock.advance(100);
    expect(mine.stats().heard?.verified).toBe(11);
  });

  it("may be persistent: both ends signed that", async () => {
    const { call: mine, answered } = await connected(world, ada, bob, { model: "persistent" });
    for (const { session } of [mine, answered])
      expect(session.offer.payload.session).toEqual({ model: "persistent", ttl: 3_600 });
    expect(world.server.overview().sessions).toEqual({ active: 1 });
  });

  it("sends nothing while it is muted, and does not say it later", async () => {
    const { call: mine, answered } = await connected(world, ada, bob);
    await say(world, mine, 0.2);
    mine.audio.muted = true;
    await say(world, mine, 0.5);
    mine.audio.muted = false;
    await say(world, mine, 0.2);
    await world.clock.advance(200);
    expect(mine.stats().sent?.sent).toBe(22);
    expect(answered.stats().heard).toMatchObject({ verified: 22, refused: {} });
  });
});

describe("a call that is not taken", () => {
  it.each([
    ["declined", "declined"],
    ["busy", "callee-busy"],
  ] as const)("because the callee says %s: %s", async (reason, code) => {
    bob.onCall((incoming) => incoming.decline(reason));
    expect(await call()).toBe(code);
  });

  it("because nobody decides, or whoever decides fails: declined", async () => {
    expect(await call()).toBe("declined");
    bob.onCall(() => {
      throw new Error("no idea");
    });
    expect(await call()).toBe("declined");
    expect(world.reported.splice(0)).toEqual([new Error("no idea")]);
  });

  it("because nobody answers for 45 s: no-answer, and the callee cannot answer any more", async () => {
    const begun = world.clock.now();
    const { incoming, outcome } = await ringing();
    expect(await world.during(outcome)).toBe("no-answer");
    expect(Math.round((world.clock.now() - begun) / 1000)).toBe(45);
    await world.clock.advance(50);
    expect(incoming.cancelled.aborted).toBe(true);
    expect(await refusal(world, incoming.accept())).toMatch(/^offer-dead/);
  });

  it("because the caller takes it back: cancelled, and the callee sees it", async () => {
    const abort = new AbortController();
    const { incoming, outcome } = await ringing({ signal: abort.signal });
    abort.abort();
    expect(await world.during(outcome)).toBe("cancelled");
    await world.clock.advance(50);
    expect(incoming.cancelled.aborted).toBe(true);
    await world.during(incoming.decline());
  });

  it.each(["answers at once", "lets it ring"])(
    "because it is taken back at any moment, by a callee that %s: it is never left up or ringing",
    async (habit) => {
      const link = { delay: 20, jitter: 15 };
      for (let moment = 0; moment <= 160; moment += 8) {
        const slow = new World({
          toServer: new Link(link, new SeededRandom(moment + 1)),
          toClient: new Link(link, new SeededRandom(moment + 2)),
        });
        const [eager, callee] = [await slow.agent("Eager"), await slow.agent("Callee")];
        callee.onCall(async (incoming) => {
          if (habit === "answers at once") await incoming.accept().catch(() => undefined);
        });
        const abort = new AbortController();
        let told = "nothing";
        const outcome = eager.call(callee.id, { signal: abort.signal }).then(
          () => {
            told = "accepted";
          },
          (error: ParleyError) => {
            told = error.code;
          },
        );
        await slow.clock.advance(moment);
        const expected = told === "accepted" ? "accepted" : "cancelled";
        abort.abort();
        await slow.during(outcome, 1_000);
        await slow.clock.advance(1_000);
        const up = expected === "accepted" ? 1 : 0;
        const state = [told, eager.calls.length, callee.calls.length];
        expect(state, `after ${moment} ms`).toEqual([expected, up, up]);
      }
    },
  );

  it("because it is taken back before the server has even heard of it: it does not go on ringing", async () => {
    const relay = new HostileRelay(world);
    const carol = await world.agent("Carol", {}, relay);
    const abort = new AbortController();
    relay.requestTakes = ({ method }) => {
      if (method !== "ESTABLISH") return 0;
      abort.abort();
      return 50;
    };
    const rings = new Promise<IncomingCall>((resolve) => bob.onCall(resolve));
    const told = refusal(world, carol.call(bob.id, { signal: abort.signal }));
    expect(await told).toMatch(/^cancelled/);
    await world.clock.advance(50);
    expect((await rings).cancelled.aborted).toBe(true);
    expect(world.clock.now()).toBeLessThan(1_000);
  });

  it("because it was taken back before it began: it never rings", async () => {
    let rang = false;
    bob.onCall(() => {
      rang = true;
    });
    await expect(ada.call(bob.id, { signal: AbortSignal.abort() })).rejects.toMatchObject({
      code: "cancelled",
    });
    await world.clock.advance(100);
    expect(rang).toBe(false);
  });

  it("because the callee is unknown, was never one, or has gone: by name", async () => {
    expect(await refusal(world, ada.call("0".repeat(64)))).toMatch(/^agent-not-found/);
    await bob.close();
    await world.clock.advance(100);
    expect(await call()).toMatch(/^callee-unreachable/);
  });

  it("because the callee goes while it rings: callee-unreachable", async () => {
    const { outcome } = await ringing();
    await bob.close();
    expect(await world.during(outcome)).toBe("callee-unreachable");
  });

  it("for want of a common codec: the caller is told what would do", async () => {
    const outcomes: unknown[] = [];
    bob.onCall(async (incoming) => {
      await incoming.accept({ audio: { codecs: ["pcma"] } }).catch((error: unknown) => outcomes.push(error));
    });
    const refused = await world.during(
      ada.call(bob.id, { audio: { codecs: ["opus"] } }).catch((error: unknown) => error as ParleyError),
    );
    expect(refused).toBeInstanceOf(ParleyError);
    expect(refused).toMatchObject({ code: "proposal-rejected" });
    const { counter_proposal: proposal } = (refused as ParleyError).details;
    expect(JSON.stringify(proposal)).toContain("pcma");
    expect(outcomes).toEqual([expect.objectContaining({ code: "proposal-rejected" })]);
    expect(await call({ audio: { codecs: ["speex"] } })).toMatch(/^field-invalid/);
  });

  it("for want of authority: scope-violation, and it never rings", async () => {
    let rang = false;
    bob.onCall(() => {
      rang = true;
    });
    expect(await call({ scope: [] })).toMatch(/^scope-violation/);
    expect(await call({ scope: ["communication:audio:capture"] })).toMatch(/^scope-violation/);
    expect(await call({ scope: ["communication:video:*"] })).toMatch(/^scope-/);
    expect(rang).toBe(false);
  });

  it("because the caller does not trust who vouches for the callee: the callee is not left in a call alone", async () => {
    const stranger = new Uint8Array(32).fill(0x58);
    const carol = await world.agent("Carol", { anchors: [stranger] });
    let taken: Call | undefined;
    bob.onCall(async (incoming) => {
      taken = await incoming.accept();
    });
    expect(await refusal(world, carol.call(bob.id))).toMatch(/^peer-untrusted/);
    await world.clock.advance(50);
    expect(await world.during((taken as Call).ended)).toEqual({ reason: "peer-untrusted", by: "peer" });
  });

  it("because the callee does not trust who vouches for the caller: it does not ring", async () => {
    const carol = await world.agent("Carol", { anchors: [new Uint8Array(32).fill(0x58)] });
    expect(await refusal(world, ada.call(carol.id))).toMatch(/^declined/);
    expect(world.reported.splice(0)).toEqual([expect.objectContaining({ code: "peer-untrusted" })]);
  });
});

describe("two that call each other at once", () => {
  it("end up in one call, seen by each as the one it placed", async () => {
    const rang: string[] = [];
    for (const agent of [ada, bob]) {
      agent.onCall(async (incoming) => {
        rang.push(incoming.caller.name);
        await incoming.accept();
      });
    }
    const [mine, theirs] = await world.during(Promise.all([ada.call(bob.id), bob.call(ada.id)]));
    expect(mine.id).toBe(theirs.id);
    expect([mine.leg, theirs.leg].sort()).toEqual([0, 1]);
    expect([ada.calls, bob.calls]).toEqual([[mine], [theirs]]);
    expect(rang).toEqual([]);
    await say(world, mine, 0.2);
    await world.clock.advance(100);
    expect(theirs.stats().heard?.verified).toBe(11);
    expect(world.reported).toEqual([]);
  });
});
