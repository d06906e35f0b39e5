import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterAll, afterEach, describe, expect, it } from "vitest";
import { MemoryRates, MemoryState, type SharedState } from "../signaling/shared-state.ts";
import { openSharedState } from "./shared-state.ts";

const T0 = 1_767_225_600_000;
const AGENT = "a".repeat(64);
const folders: string[] = [];
const opened: { close(): Promise<void> }[] = [];
const processes: ChildProcess[] = [];

function folder(): string {
  const made = mkdtempSync(join(tmpdir(), "parley-shared-"));
  folders.push(made);
  return made;
}

async function openIn(place: string, onFailure?: (error: unknown) => void) {
  const state = await openSharedState(place, onFailure);
  opened.push(state);
  return state;
}

afterEach(async () => {
  for (const state of opened.splice(0)) await state.close();
  for (const child of processes.splice(0)) child.kill("SIGKILL");
});
afterAll(() => {
  for (const place of folders) rmSync(place, { recursive: true, force: true });
});

const KINDS: readonly (readonly [name: string, open: () => Promise<SharedState> | SharedState])[] = [
  ["in memory", () => new MemoryState()],
  ["on disk", () => openIn(folder())],
];

describe.each(KINDS)("shared state %s", (_, openState) => {
  it("takes a proof once, as long as it would hold, of each agent", async () => {
    const { proofs } = await openState();
    const use = (agentId: string, jti: string, at: number) => {
      const taken = proofs.take(agentId, jti, at + 90_000, at);
      return taken.ok ? "new" : taken.fault.code;
    };
    expect([use(AGENT, "one", T0), use(AGENT, "one", T0 + 1), use(AGENT, "two", T0 + 2)]).toEqual([
      "new",
      "proof-replayed",
      "new",
    ]);
    expect(use("b".repeat(64), "one", T0 + 3), "another agent's").toBe("new");
    expect(use(AGENT, "one", T0 + 90_000), "to the end").toBe("proof-replayed");
    use(AGENT, "three", T0 + 90_001);
    expect(use(AGENT, "one", T0 + 90_002), "and is forgotten then").toBe("new");
  });

  it("gives a name its burst, then its rate, and says how long to wait", async () => {
    const { rates } = await openState();
    const rate = { perSecond: 10, burst: 3 };
    const take = (at: number) => {
      const taken = rates.take([{ name: "agent a", rate }], at);
      return taken.ok ? "yes" : taken.fault.details?.retry_after_ms;
    };
    expect([0, 0, 0, 0, 40, 100, 100].map((at) => take(T0 + at))).toEqual([
      ...["yes", "yes", "yes"],
      ...[100, 60, "yes", 100],
    ]);
    expect([1, 2, 3, 4].map(() => take(T0 + 60_000)).slice(2), "never more than the burst").toEqual([
      "yes",
      100,
    ]);
    expect(
      [1, 2, 3, 4].map(() => take(T0)),
      "a clock that was set back locks nobody out, and gives no more than the burst",
    ).toEqual(["yes", "yes", "yes", 100]);
  });

  it("takes of all names or of none", async () => {
    const { rates } = await openState();
    const spent = { name: "agent a", rate: { perSecond: 1, burst: 1 } };
    const owner = { name: "owner o", rate: { perSecond: 1, burst: 2 } };
    expect([1, 2, 3].map(() => rates.take([spent, owner], T0).ok)).toEqual([true, false, false]);
    expect(
      [1, 2].map(() => rates.take([owner], T0).ok),
      "its other agents have theirs",
    ).toEqual([true, false]);
  });

  it("forgets names whose rate is whole again", async () => {
    const { rates } = await openState();
    const rate = { perSecond: 10, burst: 2 };
    for (let index = 0; index < 50; index += 1) rates.take([{ name: `agent ${index}`, rate }], T0);
    expect(rates.size).toBe(50);
    for (let index = 0; index < 60; index += 1)
      rates.take([{ name: "agent 7", rate }], T0 + 1_000 + index * 100);
    expect(rates.size).toBe(1);
  });
});

it("forgets, of more names than it may keep, who asked longest ago", () => {
  const rates = new MemoryRates(3);
  const take = (name: string) => rates.take([{ name, rate: { perSecond: 0.01, burst: 1 } }], T0).ok;
  expect(["a", "b", "c", "d"].map(take)).toEqual([true, true, true, true]);
  expect([take("d"), take("c"), take("a")]).toEqual([false, false, true]);
});

describe("shared state on disk that is full", () => {
  const CAPS = { proofs: 64, names: 64 };

  async function full() {
    const state = await openSharedState(folder(), () => {}, CAPS);
    opened.push(state);
    return state;
  }

  it("refuses further proofs and forgets none, until those that it has expire", async () => {
    const { proofs } = await full();
    const use = (jti: number, at: number) => proofs.take(AGENT, String(jti), at + 90_000, at);
    const taken = Array.from({ length: 100 }, (_, jti) => use(jti, T0));
    const count = taken.findIndex(({ ok }) => !ok);
    expect(count).toBeGreaterThan(48);
    expect(count).toBeLessThanOrEqual(CAPS.proofs);
    expect(taken.at(-1)).toMatchObject({ fault: { code: "capacity", details: { retry_after_ms: 90_000 } } });
    expect(use(0, T0 + 1)).toMatchObject({ fault: { code: "proof-replayed" } });
    // What has expired goes with what comes.
    expect(
      Array.from({ length: 300 }, (_, at) => use(1_000 + at, T0 + 90_001 + at * 10_000).ok).filter(
        (ok) => !ok,
      ).length,
    ).toBeLessThan(16);
  });

  it("forgets names, so that who asked long ago has a full burst again", async () => {
    const { rates } = await full();
    const rate = { perSecond: 0.001, burst: 1 };
    for (let index = 0; index < 500; index += 1) {
      expect(rates.take([{ name: `agent ${index}`, rate }], T0).ok).toBe(true);
      expect(rates.size).toBeLessThanOrEqual(CAPS.names);
    }
  });
});

it("keeps what it noted when it is opened again, and drops what is of an earlier boot", async () => {
  const place = folder();
  const first = await openIn(place);
  expect(first.proofs.take(AGENT, "one", T0 + 60_000, T0).ok).toBe(true);
  await first.close();
  const old = join(place, "boot-00000000-0000-0000-0000-000000000000");
  mkdirSync(old);
  writeFileSync(join(place, "kept.txt"), "an operator's");
  const second = await openIn(place);
  expect(second.proofs.take(AGENT, "one", T0 + 60_000, T0 + 1)).toMatchObject({
    fault: { code: "proof-replayed" },
  });
  expect(existsSync(old)).toBe(false);
  expect(readdirSync(place)).toContain("kept.txt");
});

describe("processes of one host", () => {
  const program = fileURLToPath(new URL("../test/processes/shared-state-user.ts", import.meta.url));

  async function start(place: string) {
    const child = spawn(process.execPath, [program, place], { stdio: ["pipe", "pipe", "inherit"] });
    processes.push(child);
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async () => (await lines.next()).value as string;
    expect(await next()).toBe("ready");
    const ask = (request: object) => {
      child.stdin.write(`${JSON.stringify(request)}\n`);
      return next();
    };
    const over = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    return { ask, kill: () => void child.kill("SIGKILL"), over };
  }

  it("refuse each other's proofs and spend one rate, also after kill -9", async () => {
    const place = folder();
    const [one, other] = await Promise.all([start(place), start(place)]);
    expect(await one.ask({ proof: "first" })).toBe("new");
    expect(await other.ask({ proof: "first" })).toBe("proof-replayed");
    for (let turn = 0; turn < 5; turn += 1) {
      expect([await one.ask({ rate: "agent a" }), await other.ask({ rate: "agent a" })]).toEqual([
        "new",
        "new",
      ]);
    }
    expect(await one.ask({ rate: "agent a" })).toBe("rate-limited");
    // Killed with a request under way.
    void other.ask({ proof: "last" });
    expect(await one.ask({ proof: "second" })).toBe("new");
    one.kill();
    other.kill();
    await Promise.all([one.over, other.over]);
    const later = await start(place);
    expect(await later.ask({ proof: "first" })).toBe("proof-replayed");
    expect(await later.ask({ proof: "second" })).toBe("proof-replayed");
    expect(await later.ask({ rate: "agent a" })).toBe("rate-limited");
    expect(await later.ask({ proof: "third" })).toBe("new");
  });
});

describe("a folder that cannot be used", () => {
  it("is said to be broken where it holds something else", async () => {
    const place = folder();
    await (await openSharedState(place)).close();
    const [boot = ""] = readdirSync(place);
    rmSync(join(place, boot), { recursive: true });
    mkdirSync(join(place, boot));
    writeFileSync(join(place, boot, "data.mdb"), "no environment of this kind".repeat(400));
    await expect(openSharedState(place)).rejects.toMatchObject({ code: "data-folder-broken" });
  });

  it("is said to be unwritable where it is a file", async () => {
    const place = join(folder(), "file");
    writeFileSync(place, "");
    await expect(openSharedState(place)).rejects.toMatchObject({ code: "data-folder-unwritable" });
  });

  it("refuses all it is asked once it fails, and tells why", async () => {
    const failures: unknown[] = [];
    const state = await openIn(folder(), (error) => failures.push(error));
    await state.close();
    const refused = { fault: { code: "shared-state-unavailable", details: { retry_after_ms: 1_000 } } };
    expect(state.proofs.take(AGENT, "one", T0 + 1, T0)).toMatchObject(refused);
    expect(state.rates.take([{ name: "agent a", rate: { perSecond: 1, burst: 1 } }], T0)).toMatchObject(
      refused,
    );
    expect(failures).toHaveLength(2);
  });
});
