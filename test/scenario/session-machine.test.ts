/**
 * Every row of the session machine, and every step it does not allow, as octets over the memory carrier to a whole server on
 * virtual time: what the one who asks is answered, what the other end is told, what is on record, and the state afterwards.
 */
import { describe, expect, it } from "vitest";
import { SESSION_STATES, type SessionState, TRANSITIONS } from "../../signaling/session-machine.ts";
import { bodyOf, headerOf, resultOf } from "../exchanges/wire.ts";
import { REACHABLE, type Reachable, Scene, type SceneOptions, TTL } from "./session-scene.ts";

/** How a row comes about, from one of the states it starts in. What it leads to is checked for all alike. */
type Story = (scene: Scene) => Promise<void>;

/** Ended by one of its ends: the other is told, and the record names who and why. */
const terminate: Story = async (scene) => {
  const ended = await scene.ask("alice", "TERMINATE", { reason: "had-enough" });
  expect([ended.status, ended.result.state, ended.result.reason]).toEqual([200, "terminated", "had-enough"]);
  await scene.pass(6_000);
  expect(scene.final()).toEqual({
    event: "session-terminated",
    reason: "had-enough",
    by: scene.voices.alice.id,
  });
};

/** Its lifetime is over, whatever it does until then. */
const outlive: Story = async (scene) => {
  await scene.pass((TTL + 6) * 1_000, "alice");
  expect(scene.final()).toEqual({ event: "session-expired", reason: "ttl-expired", by: "server" });
};

/** The server stops, and does not wait for it longer than it said. */
const shutDown: Story = async (scene) => {
  const drained = scene.world.server.drain(1_000);
  await scene.world.clock.advance(900);
  expect(scene.events()).not.toContain("session-terminated");
  await scene.world.during(drained);
  scene.isStopped = true;
  expect(scene.final()).toEqual({ event: "session-terminated", reason: "server-shutdown", by: "server" });
};

/** The issuer of one end takes its identity back, before its next request. */
const revoke: Story = async (scene) => {
  if ((await scene.state()) === "detached") await scene.comeBack("bob");
  await scene.bringDocument("bob", { status: "retired" });
  expect(await scene.told("alice", "session-ended")).toMatchObject({ reason: "identity-revoked" });
  await scene.pass(6_000);
  expect(scene.final()).toEqual({ event: "session-terminated", reason: "identity-revoked", by: "server" });
  expect(await scene.ask("bob", "QUERY")).toMatchObject({ status: 410, code: "agent-retired" });
};

const STORIES: Readonly<Record<string, Partial<Record<SessionState, Story>>>> = {
  T4: {
    active: async (scene) => {
      // Asked something now and then, it outlasts the idle limit.
      await scene.pass(150_000, "alice");
    },
  },
  T5: {
    active: async (scene) => {
      const { status, result } = await scene.ask("alice", "SUSPEND", { reason: "awaiting_input" });
      expect([status, result.status]).toEqual([200, "suspended"]);
      expect(String(result.resumption_nonce)).toMatch(/^[A-Za-z0-9_-]{22}$/);
      expect(await scene.told("bob", "session-suspended")).toMatchObject({ session_id: scene.sessionId });
      expect(scene.events()).toContain("session-suspended");
    },
  },
  T6: {
    suspended: async (scene) => {
      const resumption = { resumption_nonce: scene.nonce };
      const resumed = await scene.ask("alice", "RESUME", resumption, { proof: true });
      expect([resumed.status, resumed.result.status]).toEqual([200, "resumed"]);
      expect(await scene.told("bob", "session-resumed")).toMatchObject({ session_id: scene.sessionId });
      expect(scene.events()).toContain("session-resumed");
      const again = await scene.ask("bob", "RESUME", resumption, { proof: true });
      expect([again.status, again.code]).toEqual([409, "nonce-invalid"]);
    },
  },
  T7: {
    suspended: async (scene) => {
      await scene.pass((SHORT + 6) * 1_000);
      expect(scene.final()).toEqual({ event: "session-expired", reason: "resume-expired", by: "server" });
      const late = await scene.ask("alice", "RESUME", { resumption_nonce: scene.nonce }, { proof: true });
      expect([late.status, late.code]).toEqual([408, "resume-expired"]);
    },
  },
  T8: {
    active: async (scene) => {
      await scene.lose("bob");
      expect(await scene.told("alice", "peer-detached")).toMatchObject({ session_id: scene.sessionId });
      expect(scene.events()).toContain("session-detached");
    },
  },
  T9: {
    detached: async (scene) => {
      await scene.comeBack("bob");
      const opened = await scene.open("bob");
      expect([opened.status, opened.result.state]).toEqual([200, "active"]);
      expect(scene.events()).toContain("session-rebound");
      expect(await scene.told("alice", "peer-attached")).toMatchObject({ session_id: scene.sessionId });
    },
  },
  T10: {
    active: async (scene) => {
      await scene.lose("bob");
      await scene.pass(16_000, "alice");
      expect(scene.final()).toEqual({
        event: "session-terminated",
        reason: "transport-closed",
        by: "server",
      });
      expect(await scene.told("alice", "session-ended")).toMatchObject({ reason: "transport-closed" });
    },
  },
  T11: { active: terminate, suspended: terminate, detached: terminate },
  T12: { active: revoke, suspended: revoke, detached: revoke },
  T13: {
    active: async (scene) => {
      // Neither end may send what was agreed any more.
      await scene.bringDocument("alice", { scope: ["documents:query"] });
      expect(await scene.state()).toBe("active");
      await scene.bringDocument("bob", { scope: ["documents:query"] });
      await scene.pass(6_000);
      expect(scene.final()).toEqual({ event: "session-terminated", reason: "scope-violation", by: "server" });
    },
  },
  T14: { active: outlive, suspended: outlive, detached: outlive },
  T15: {
    active: async (scene) => {
      await scene.pass(70_000);
      expect(scene.final()).toEqual({ event: "session-terminated", reason: "inactivity", by: "server" });
    },
    detached: async (scene) => {
      await scene.pass(SHORT * 1_000 - 5_000);
      expect(await scene.state()).toBe("detached");
      await scene.pass(11_000);
      expect(scene.final()).toEqual({ event: "session-terminated", reason: "detach-expired", by: "server" });
    },
  },
  T16: {
    active: async (scene) => {
      await scene.bringDocument("bob", { status: "suspended" });
      expect(await scene.told("alice", "session-ended")).toMatchObject({ reason: "agent-deactivated" });
      await scene.pass(6_000);
      expect(scene.final()).toEqual({
        event: "session-terminated",
        reason: "agent-deactivated",
        by: "server",
      });
      expect(await scene.ask("bob", "QUERY")).toMatchObject({ status: 503, code: "agent-suspended" });
    },
  },
  T17: { active: shutDown, suspended: shutDown, detached: shutDown },
};

describe("a session", () => {
  it("T1, T2: is nobody's while it rings, then both ends' at once", async () => {
    const scene = await Scene.start();
    const establish = await scene.ring();
    expect([await scene.state("alice"), await scene.state("bob")]).toEqual([NOT_FOUND, NOT_FOUND]);
    expect(scene.events()).toEqual([]);
    const answer = await scene.answer();
    const confirmed = await scene.confirm({ status: "accepted", answer });
    const established = resultOf(await scene.world.during(establish.one()));
    expect([confirmed.result.session_id, established.session_id]).toEqual([scene.sessionId, scene.sessionId]);
    expect([await scene.state("alice"), await scene.state("bob")]).toEqual(["active", "active"]);
    expect(scene.events().slice(0, 2)).toEqual(["session-established", "session-established"]);
  });

  it("T3: leaves nothing behind where it is refused", async () => {
    const scene = await Scene.start();
    const establish = await scene.ring();
    await scene.confirm({ status: "rejected" });
    const refused = await scene.world.during(establish.one());
    expect([refused.status, bodyOf(refused).error]).toMatchObject([403, { code: "declined" }]);
    expect(headerOf(refused.headers, "Session-ID")).toBeUndefined();
    expect([await scene.state("alice"), scene.events()]).toEqual([NOT_FOUND, []]);
  });

  const rows = TRANSITIONS.flatMap(({ id, from, trigger, to }) =>
    from.filter((state) => !BEFORE.has(state)).map((state) => [id, trigger, state, to] as const),
  );

  it.each(rows)("%s: %s leads from %s to %s", async (id, _trigger, from, to) => {
    const story = STORIES[id]?.[from];
    if (story === undefined) throw new Error("nobody tells how that comes about");
    const scene = await Scene.in(from as Reachable, SCENES[id]);
    expect(await scene.state()).toBe(from);
    await story(scene);
    if (!scene.isStopped) expect(await scene.state()).toBe(to);
    expect(scene.world.reported).toEqual([]);
  });

  it("T8, T9: of persistent model outlives the server's stop: its next start finds it, and its ends come back there", async () => {
    const scene = await Scene.in("active");
    await scene.world.during(scene.world.server.drain(1_000));
    expect(scene.events().filter((event) => event === "session-detached")).toHaveLength(2);
    expect(await scene.told("alice", "peer-detached")).toMatchObject({ reason: "server-shutdown" });
    await scene.world.stopServer();
    scene.world.startServer();
    await scene.comeBack("alice");
    expect(await scene.state("alice")).toBe("detached");
    await scene.comeBack("bob");
    for (const who of ["alice", "bob"] as const) expect((await scene.open(who)).status).toBe(200);
    expect([await scene.state("alice"), await scene.state("bob")]).toEqual(["active", "active"]);
    expect(scene.events()).toContain("session-restored");
    expect(scene.world.reported).toEqual([]);
  });

  it("has a story for each row and for nothing else", () => {
    const told = Object.entries(STORIES).flatMap(([id, stories]) =>
      Object.keys(stories).map((state) => `${id} ${state}`),
    );
    expect(told.sort()).toEqual(rows.map(([id, , state]) => `${id} ${state}`).sort());
  });
});

/** What may be asked of a session, by the trigger it would pull. */
const REQUESTS = {
  control: (scene: Scene) => scene.ask("alice", "ADJUST", { narrowing: "none" }),
  suspend: (scene: Scene) => scene.ask("alice", "SUSPEND"),
  resume: (scene: Scene) =>
    scene.ask("alice", "RESUME", { resumption_nonce: scene.nonce || "A".repeat(22) }, { proof: true }),
  reattach: (scene: Scene) => scene.open("alice"),
  terminate: (scene: Scene) => scene.ask("alice", "TERMINATE", { reason: "too-late" }),
} as const;
type Asked = keyof typeof REQUESTS;

/** What is refused, and with what: `spec` 2.6, written out. */
const REFUSED: Readonly<Record<Reachable, Partial<Record<Asked, string>>>> = {
  active: { resume: "409 session-state-conflict" },
  suspended: {
    control: "409 session-state-conflict",
    suspend: "409 session-state-conflict",
  },
  detached: {
    control: "409 session-state-conflict",
    suspend: "409 session-state-conflict",
    resume: "409 session-state-conflict",
  },
  terminated: {
    control: "409 session-terminated",
    suspend: "409 session-terminated",
    resume: "409 session-terminated",
    reattach: "409 session-terminated",
    terminate: "409 session-terminated",
  },
  expired: {
    control: "409 session-terminated",
    suspend: "409 session-terminated",
    resume: "408 resume-expired",
    reattach: "409 session-terminated",
    terminate: "409 session-terminated",
  },
  establishing: {
    control: "404 session-not-found",
    suspend: "404 session-not-found",
    resume: "404 session-not-found",
    reattach: "404 session-not-found",
    terminate: "404 session-not-found",
  },
  rejected: {
    control: "404 session-not-found",
    suspend: "404 session-not-found",
    resume: "404 session-not-found",
    reattach: "404 session-not-found",
    terminate: "404 session-not-found",
  },
};

describe("what a state does not allow", () => {
  const refused = REACHABLE.flatMap((state) =>
    Object.entries(REFUSED[state]).map(([asked, outcome]) => [state, asked as Asked, outcome] as const),
  );

  it.each(refused)("%s, %s: %s, and nothing has changed", async (state, asked, outcome) => {
    const scene = await Scene.in(state);
    const before = [await scene.state(), scene.events()];
    const { status, code, details } = await REQUESTS[asked](scene);
    expect(`${status} ${code}`).toBe(outcome);
    if (code === "session-state-conflict") expect(details.state).toBe(state);
    expect([await scene.state(), scene.events()]).toEqual(before);
  });

  it("is everything that no row has, as far as it can be asked for", () => {
    const rows = TRANSITIONS.flatMap(({ from, trigger }) => from.map((state) => `${state} ${trigger}`));
    // An end may change its connection for media while the session is up, or paused.
    const legal = [...rows, "active reattach", "suspended reattach"];
    const every = REACHABLE.flatMap((state) => Object.keys(REQUESTS).map((asked) => `${state} ${asked}`));
    const told = refused.map(([state, asked]) => `${state} ${asked}`);
    expect(told.sort()).toEqual(every.filter((step) => !legal.includes(step)).sort());
  });
});

it("knows every state that a session can be in", () => {
  expect([...REACHABLE, "none"].sort()).toEqual([...SESSION_STATES].sort());
});

const NOT_FOUND = "session-not-found";
/** Seconds. */
const SHORT = 60;
const SCENES: Readonly<Record<string, SceneOptions>> = {
  T7: { suspension: SHORT },
  T10: { model: "bounded" },
  T15: { detachedSeconds: SHORT },
  T17: { stopEndsCalls: true },
};
/** States before a session has ends that could ask for it. */
const BEFORE: ReadonlySet<SessionState> = new Set(["none", "establishing"]);
