/** An agent asks to be forgotten, and records grow old: what the server does, and what everybody is told then. */
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { verifyServerChain } from "../../signaling/record-chain.ts";
import { readTombstone } from "../../signaling/tombstone.ts";
import { openChannel } from "../../src/operator/channel.ts";
import { createMemoryLog } from "../../store/memory-log.ts";
import { strictVerifier } from "../keys.ts";
import { ORIGIN, World, type WorldOptions } from "./world.ts";

const DAY = 86_400_000;

/** Ada and Bob in a call, and the operator. */
async function talking(options: WorldOptions = {}) {
  const world = new World(options);
  const identity = world.identity({ name: "Ada" });
  const ada = await world.agent("Ada", { identity });
  const bobsIdentity = world.identity({ name: "Bob" });
  const bob = await world.agent("Bob", { identity: bobsIdentity });
  bob.onCall(async (incoming) => void (await incoming.accept()));
  const call = await world.during(ada.call(bob.id));
  const operator = await operating(world);
  return { world, ada, bob, call, operator, identity, bobsIdentity };
}

async function operating(world: World) {
  const platform = world.platform();
  const { serverIdentity: identity } = world;
  return await world.during(openChannel(platform, { identity, url: `${ORIGIN}/agtp` }));
}

const chainOf = (world: World) => {
  const key = { publicKey: world.serverIdentity.signer.publicKey };
  const places = verifyServerChain(world.log.chain(0, 10_000), key, strictVerifier);
  if (!places.ok) throw new Error(`${places.fault.message} ${places.fault.at}`);
  return places.value;
};

/** Every Agent-ID that the chain names. */
const namedIn = (world: World) =>
  JSON.stringify(chainOf(world).map(({ payload }) => payload)).match(/[0-9a-f]{64}/g) ?? [];

describe("an agent is erased", () => {
  it("its call ends first, with a final record; then nothing of it is kept and the chain holds", async () => {
    const { world, ada, bob, call, operator } = await talking();
    const ended = new Promise((resolve) => bob.calls[0]?.on("ended", resolve));
    const redact = { method: "REDACT", path: "/records", parameters: { agent_id: ada.id } };
    const { result, recorded } = await world.during(operator.ask(redact));
    expect(await world.during(ended)).toMatchObject({ reason: "identity-revoked" });
    const erased = chainOf(world).filter(({ kind }) => kind === "erased");
    expect(result).toMatchObject({ erasure: 1, of: "agent", records: erased.length });
    expect(recorded).toMatchObject({ ...result, by: "operator" });
    expect(namedIn(world)).not.toContain(ada.id);
    const last = world.log.session(call.id)?.records.at(-1) ?? "";
    expect(readTombstone(last)).toMatchObject({ value: { event: "session-terminated" } });
    expect(world.log.openSessions()).toEqual([]);
    expect(world.server.sizes().agents).toBe(1);
    expect(ada.isOnline).toBe(false);
    expect(world.reported).toEqual([]);
  });

  it("who asks is told that it was erased: records, evidence, lifecycle, and the agent itself", async () => {
    const { world, ada, bob, call, operator, identity } = await talking();
    await world.during(
      operator.ask({ method: "REDACT", path: "/records", parameters: { agent_id: ada.id } }),
    );
    const asked = (parameters: JsonObject) =>
      world.during(operator.ask({ method: "INSPECT", path: "/", parameters })).then(
        ({ result }) => result,
        (error) => error,
      );
    const [place] = chainOf(world).filter(({ kind }) => kind === "erased");
    const gone = await asked({ target: "audit", audit_id: String(place?.auditId) });
    expect(gone).toMatchObject({ code: "record-erased", details: { tombstone: place?.jws, status: 410 } });
    const evesIdentity = world.identity({ name: "Eve" });
    await world.agent("Eve", { identity: evesIdentity });
    const eve = await world.during(
      openChannel(world.platform(), { identity: evesIdentity, url: `${ORIGIN}/agtp` }),
    );
    const audit = { target: "audit", audit_id: String(place?.auditId) };
    const refused = await world
      .during(eve.ask({ method: "INSPECT", path: "/", parameters: audit }))
      .catch((error) => error);
    expect(refused).toMatchObject({ code: "record-erased" });
    expect(refused.details, "a stranger is not shown the tombstone").not.toHaveProperty("tombstone");
    expect(await asked({ target: "lifecycle", agent_id: ada.id })).toMatchObject({ code: "record-erased" });
    const path = `/sessions/${call.id}/evidence`;
    await expect(world.during(operator.ask({ method: "QUERY", path }))).rejects.toMatchObject({
      code: "record-erased",
    });
    await expect(world.agent("Ada", { identity })).rejects.toMatchObject({ code: "agent-erased" });
    expect(namedIn(world)).not.toContain(ada.id);
    expect(bob.isOnline).toBe(true);
  });

  it("the other end is told that what it asks about its call was erased", async () => {
    const { world, ada, bobsIdentity: identity, call, operator } = await talking();
    const redact = { method: "REDACT", path: "/records", parameters: { agent_id: ada.id } };
    await world.during(operator.ask(redact));
    const platform = world.platform();
    const asking = await world.during(openChannel(platform, { identity, url: `${ORIGIN}/agtp` }));
    const parameters = { target: "session", session_id: call.id };
    await expect(
      world.during(asking.ask({ method: "INSPECT", path: "/", parameters })),
    ).rejects.toMatchObject({ code: "record-erased", details: { status: 410 } });
  });

  it("where the disk has no room, the operator is told so, and the agent and its call are as before", async () => {
    const log = createMemoryLog();
    const { world, ada, bob, call, operator, identity } = await talking({ log });
    const path = `/agents/${ada.id}`;
    await world.during(operator.ask({ method: "DEPRECATE", path }));
    const erase = log.erase;
    log.erase = () => Promise.reject(new ParleyError({ code: "capacity", message: "The disk is full." }));
    const redact = { method: "REDACT", path: "/records", parameters: { agent_id: ada.id } };
    await expect(world.during(operator.ask(redact))).rejects.toMatchObject({ code: "capacity" });
    expect(ada.isOnline).toBe(true);
    expect(bob.calls.map(({ id }) => id)).toEqual([call.id]);
    expect([...log.openSessions()]).toHaveLength(1);
    await world.during(ada.close());
    const again = await world.agent("Ada", { identity });
    expect(again.isOnline).toBe(true);
    const shown = await world.during(operator.ask({ method: "DISCOVER", path }));
    expect(shown.result).toMatchObject({ status: { status: "deprecated" } });
    log.erase = erase.bind(log);
    await world.during(operator.ask(redact));
    expect(namedIn(world)).not.toContain(ada.id);
  });

  it("evidence that was read before is not told from memory", async () => {
    const { world, call, bob, operator } = await talking();
    await world.during(call.end());
    await world.clock.advance(10_000);
    const evidence = { method: "QUERY", path: `/sessions/${call.id}/evidence` };
    await world.during(operator.ask(evidence));
    const redact = { method: "REDACT", path: "/records", parameters: { agent_id: bob.id } };
    await world.during(operator.ask(redact));
    await expect(world.during(operator.ask(evidence))).rejects.toMatchObject({ code: "record-erased" });
  });

  it("nobody but the operator may, and not the server itself", async () => {
    const { world, ada, bob, operator } = await talking();
    const url = `${ORIGIN}/agtp`;
    const identity = world.identity({ name: "Eve" });
    const eve = await world.during(openChannel(world.platform(), { identity, url }));
    const genesis = new TextDecoder().decode(identity.genesis);
    const identity_document = new TextDecoder().decode(identity.identityDocument);
    const parameters = { agent_id: bob.id, genesis, identity_document };
    const redact = { method: "REDACT", path: "/records" };
    await expect(world.during(eve.ask({ ...redact, parameters }))).rejects.toMatchObject({
      code: "operator-required",
    });
    await expect(
      world.during(operator.ask({ ...redact, parameters: { agent_id: world.serverId } })),
    ).rejects.toMatchObject({ code: "agent-mismatch" });
    await expect(world.during(operator.ask(redact))).rejects.toMatchObject({ code: "field-invalid" });
    expect(ada.calls).toHaveLength(1);
  });
});

describe("a session is erased", () => {
  it("only once it is over, and its ends stay who they are", async () => {
    const { world, ada, call, operator } = await talking();
    const redact = { method: "REDACT", path: "/records", parameters: { session_id: call.id } };
    await expect(world.during(operator.ask(redact))).rejects.toMatchObject({
      code: "session-state-conflict",
    });
    await world.during(call.end());
    await world.clock.advance(10_000);
    const count = world.log.session(call.id)?.records.length;
    const { result } = await world.during(operator.ask(redact));
    expect(result.records).toBeGreaterThanOrEqual(Number(count));
    expect(world.log.session(call.id)?.records.every((jws) => readTombstone(jws).ok)).toBe(true);
    expect(ada.isOnline).toBe(true);
    chainOf(world);
  });
});

describe("records grow old", () => {
  it("at the start and daily, those that are too old are erased; who is registered stays so", async () => {
    const { world, ada, bob, call, operator } = await talking({ config: { retentionDays: 30 } });
    await world.during(call.end());
    await world.during(Promise.all([ada.close(), bob.close()]));
    operator.close();
    await world.clock.advance(10_000);
    const { auditId } = world.log.head() as { auditId: string };
    await world.clock.advance(29 * DAY);
    expect(readTombstone(world.log.record(auditId) ?? "").ok).toBe(false);
    await world.clock.advance(2 * DAY);
    expect(readTombstone(world.log.record(auditId) ?? "").ok).toBe(true);
    const said = chainOf(world).filter(
      (place) => place.kind === "record" && place.payload.event === "records-erased",
    );
    expect(said.map(({ payload }) => payload)).toMatchObject([{ extra: { by: "retention", of: "age" } }]);
    expect(world.server.sizes().agents).toBe(2);
    expect(world.log.pendingErasures()).toEqual([]);
    expect(world.reported).toEqual([]);
  });
});

describe("a server that was killed in the middle", () => {
  it("goes on with the erasure when it starts, and says so in its chain", async () => {
    const { world, ada, call } = await talking();
    await world.during(call.end());
    await world.clock.advance(10_000);
    await world.stopServer();
    // As far as it had come: begun, and three tombstones set.
    let set = 0;
    const begun = world.log.erase({ kind: "agent", agentId: ada.id }, () => {
      set += 1;
      throw new Error("killed");
    });
    await expect(begun).rejects.toThrow("killed");
    expect(set).toBe(1);
    world.startServer();
    await world.clock.advance(1_000);
    expect(world.log.pendingErasures()).toEqual([]);
    const said = chainOf(world).at(-1)?.payload;
    expect(said).toMatchObject({
      event: "records-erased",
      extra: { by: "operator", of: "agent", erasure: 1 },
    });
    expect(namedIn(world)).not.toContain(ada.id);
  });
});
