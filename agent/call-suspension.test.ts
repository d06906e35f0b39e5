import { describe, expect, it } from "vitest";
import type { JsonObject } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { CallSuspension, type CallSuspensionOptions, type Suspended } from "./call-suspension.ts";

const OWN = "a".repeat(64);
const PEER = "b".repeat(64);
const NONCE = "opens-it-once";

/** One end of a call whose server answers its requests with these, one after the other. */
function scene(...answers: (JsonObject | ParleyError)[]) {
  const asked: JsonObject[] = [];
  const told: Suspended[] = [];
  const held: boolean[] = [];
  const options = {
    session: { sessionId: "sess-1" },
    agentId: OWN,
    control: {
      freshId: () => "suspension-1",
      request: async ({ parameters }: { readonly parameters: JsonObject }) => {
        asked.push(parameters);
        const answer = answers.shift();
        if (answer === undefined) throw new Error("Nothing more was to be asked.");
        if (answer instanceof ParleyError) throw answer;
        return { result: answer };
      },
    },
    clock: new VirtualClock(),
    media: { hold: () => held.push(true), release: () => held.push(false) },
    isOver: () => false,
    suspended: (event: Suspended) => told.push(event),
    resumed: () => undefined,
  };
  return { suspension: new CallSuspension(options as unknown as CallSuspensionOptions), asked, told, held };
}

const facts = (by: string, nonce?: string): JsonObject => ({
  ...{ suspension_id: "suspension-1", by, resume_by: "2026-01-01T01:00:00Z" },
  ...(nonce === undefined ? {} : { resumption_nonce: nonce }),
});
const refused = (code: "proof-required" | "session-state-conflict") =>
  new ParleyError({ code, message: "Not now." });

describe("a suspension whose answer never came", () => {
  it("is asked for once more by who asked for it, where how the call stands tells that it was taken", async () => {
    const { suspension, asked, told } = scene(facts(OWN, NONCE));
    suspension.caughtUp(facts(OWN), undefined, PEER);
    expect(suspension.present?.nonce).toBeUndefined();
    await Promise.resolve();
    await Promise.resolve();
    expect(asked).toEqual([{ suspension_id: "suspension-1" }]);
    expect(suspension.present?.nonce).toBe(NONCE);
    expect(told.map(({ nonce }) => nonce)).toEqual([undefined, NONCE]);
  });

  it("is no business of the other end", () => {
    const { suspension, asked } = scene();
    suspension.caughtUp(facts(PEER), undefined, PEER);
    expect(asked).toEqual([]);
    expect(suspension.present?.by).toBe(PEER);
  });

  it("is asked for once more where it was refused after it had been taken", async () => {
    const { suspension, asked } = scene(refused("proof-required"), facts(OWN, NONCE));
    const suspending = suspension.suspend({ reason: "scheduled_pause" });
    suspension.caughtUp(facts(OWN), undefined, PEER);
    expect((await suspending).nonce).toBe(NONCE);
    expect(asked.map(({ reason }) => reason)).toEqual(["scheduled_pause", undefined]);
  });

  it("that was never taken lets media go again", async () => {
    const { suspension, held } = scene(refused("session-state-conflict"));
    await expect(suspension.suspend({})).rejects.toMatchObject({ code: "session-state-conflict" });
    expect(suspension.present).toBeUndefined();
    expect(held).toEqual([true, false]);
  });
});
