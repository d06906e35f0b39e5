import { describe, expect, it } from "vitest";
import { SlowLog } from "./slow-log.ts";
import { World } from "./world.ts";

describe("what is answered is on record", () => {
  it("no answer leaves before its record is durable", async () => {
    const log = new SlowLog();
    const world = new World({ log });
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    bob.onCall(async (incoming) => void (await incoming.accept()));
    log.held = true;
    let answered = false;
    const calling = ada.call(bob.id).finally(() => {
      answered = true;
    });
    await world.clock.advance(2_000);
    expect(answered).toBe(false);
    log.release();
    const call = await world.during(calling);
    expect(world.log.session(call.id)?.records.length).toBeGreaterThan(0);
    expect(world.reported).toEqual([]);
  });

  it("media flows on while the log is slow; only answers wait", async () => {
    const log = new SlowLog();
    const world = new World({ log });
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    bob.onCall(async (incoming) => void (await incoming.accept()));
    const call = await world.during(ada.call(bob.id));
    log.held = true;
    void call.audio.write(new Int16Array(48_000).fill(500));
    await world.clock.advance(1_500);
    expect(bob.calls[0]?.stats().heard?.verified).toBe(50);
    log.release();
  });

  it("the records of a call are told once they are durable, all that were signed when they were asked for", async () => {
    const log = new SlowLog();
    const world = new World({ log });
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    bob.onCall(async (incoming) => void (await incoming.accept()));
    const call = await world.during(ada.call(bob.id));
    const before = await world.during(call.records());
    log.held = true;
    const interrupting = call.interrupt();
    await world.clock.advance(100);
    let told = false;
    const reading = call.records().finally(() => {
      told = true;
    });
    await world.clock.advance(2_000);
    expect(told).toBe(false);
    log.release();
    await world.during(interrupting);
    const after = await world.during(reading);
    expect(after.slice(0, before.length)).toEqual(before);
    expect(after.map(({ event }) => event)).toContain("media-interrupted");
    expect(world.reported).toEqual([]);
  });

  it("records that cannot be read are refused by name, and the call goes on", async () => {
    const log = new SlowLog();
    const world = new World({ log });
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    bob.onCall(async (incoming) => void (await incoming.accept()));
    const call = await world.during(ada.call(bob.id));
    const { sessionRecords } = log;
    log.sessionRecords = () => {
      throw new Error("the disk is gone");
    };
    const refused = await world.during(call.records().catch((error: { code: string }) => error.code));
    expect(refused).toBe("server-error");
    log.sessionRecords = sessionRecords;
    expect((await world.during(call.records())).length).toBeGreaterThan(0);
    await world.during(call.end());
    expect(world.reported).toEqual([]);
  });

  it("a log that cannot be written stops the server instead of answering", async () => {
    const log = new SlowLog();
    const world = new World({ log });
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    const failure = new Error("the disk is full");
    log.fail(failure);
    const calling = ada.call(bob.id).then(
      () => "answered",
      (error: { code: string }) => error.code,
    );
    await world.clock.advance(1_000);
    expect(world.reported).toContain(failure);
    await world.clock.advance(120_000);
    expect(await calling).not.toBe("answered");
  });
});
