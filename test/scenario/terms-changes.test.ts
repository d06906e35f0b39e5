/** Terms that both ends change while they talk: asked by one, accepted by the other, in force at one moment. */
import { describe, expect, it } from "vitest";
import type { AskedChange } from "../../agent/call-changes.ts";
import type { TermsChanged } from "../../agent/call-terms.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { strictVerifier } from "../keys.ts";
import { connected, Recording, refusal, utterance } from "./talking.ts";
import { World } from "./world.ts";

const ONE_WAY = 40;
const link = {
  datagram: (_bytes: number, now: number) => now + ONE_WAY,
  reliable: (_bytes: number, now: number) => now + ONE_WAY,
};
const CAPTURE = "communication:audio:capture";

async function pair(
  ...[options, taking]: [Parameters<typeof connected>[3]?, Parameters<typeof connected>[4]?]
) {
  const world = new World({ toServer: link, toClient: link });
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob");
  return { world, ada, bob, ...(await connected(world, ada, bob, options, taking)) };
}

function evidenceOf(world: World, file: Uint8Array) {
  const issuerKeys = [world.issuer.signer.publicKey];
  const { report } = verifyEvidence(file, { issuerKeys, agentIds: [] }, strictVerifier);
  return { ...report, lines: report.statements.map(({ by, text }) => `${by}: ${text}`) };
}

describe("a change that one end asks for and the other accepts", () => {
  it("is in force at both ends, in the sound, in the record and in the evidence", async () => {
    const { world, ada, bob, call, answered } = await pair();
    const told: TermsChanged[] = [];
    call.on("terms-changed", (event) => told.push(event));
    answered.on("terms-changed", (event) => told.push(event));
    void call.audio.write(utterance(8, 48_000)).catch(() => undefined);
    await world.clock.advance(2_000);
    const fullBytes = call.stats().sent?.bytes ?? 0;
    const asked = world.clock.now();
    const terms = await world.during(call.propose({ streams: [{ bitrate: 12_000 }] }, "bandwidth"));
    expect(world.clock.now() - asked).toBeLessThan(1_000);
    await world.clock.advance(200);
    expect(terms).toMatchObject({ number: 2, settings: [{ leg: 0, stream: 1, bitrate_bps: 12_000 }] });
    expect([call.terms, answered.terms]).toEqual([terms, terms]);
    const settings = { profile: "frame", streams: terms.settings };
    const changed = { number: 2, leg: 0, by: ada.id, agreed: { ...settings, reason: "bandwidth" } };
    expect(told).toEqual([changed, changed]);
    const before = call.stats().sent?.bytes ?? 0;
    await world.clock.advance(2_000);
    expect((call.stats().sent?.bytes ?? 0) - before).toBeLessThan(0.85 * fullBytes);
    expect(answered.stats().heard?.refused).toEqual({});
    await world.during(call.propose({ streams: [{ bitrate: 32_000 }] }));
    await world.clock.advance(200);
    expect(answered.terms).toMatchObject({ number: 3, settings: [{ bitrate_bps: 32_000 }] });
    await world.during(call.end());
    await world.during(answered.settled);
    const report = evidenceOf(world, await world.during(answered.evidence()));
    expect(report.faults).toEqual([]);
    expect(report.verdict).toBe("verified");
    expect(report.lines).toContain(
      "both: terms 2: the caller asked (bandwidth), the other end accepted: caller, stream 1: at most 12000 bit/s",
    );
    expect([bob.calls.length, world.reported]).toEqual([0, []]);
  });

  it("asks whoever listens where the policy says so, and takes no for an answer", async () => {
    const { world, call, answered } = await pair({}, { changes: () => "ask" });
    expect(await refusal(world, call.propose({ streams: [{ bitrate: 16_000 }] }))).toBe("change-rejected");
    const asked: AskedChange[] = [];
    answered.on("change-asked", (event) => asked.push(event));
    const accepted = call.propose({ streams: [{ bitrate: 16_000 }] }, "thin line");
    await world.clock.advance(500);
    expect(asked).toMatchObject([{ reason: "thin line", leg: 1, wanted: { number: 2 } }]);
    await world.during(Promise.all([asked[0]?.accept(), accepted]));
    const rejected = refusal(world, call.propose({ streams: [{ bitrate: 20_000 }] }));
    await world.clock.advance(500);
    await world.during(asked[1]?.reject("no") as Promise<void>);
    expect(await rejected).toBe("change-rejected");
    const unanswered = call.propose({ streams: [{ bitrate: 24_000 }] });
    const from = world.clock.now();
    expect(await refusal(world, unanswered)).toBe("change-unanswered");
    expect(world.clock.now() - from).toBeLessThan(5_500);
    await expect(world.during(asked[2]?.accept() as Promise<void>)).rejects.toMatchObject({
      code: "target-not-found",
    });
    expect([call.terms.number, answered.terms.number]).toEqual([2, 2]);
    await world.during(call.end());
    await world.during(answered.settled);
    expect(evidenceOf(world, await world.during(call.evidence()))).toMatchObject({ faults: [] });
    expect(world.reported).toEqual([]);
  });

  it("is refused by default where it would have an end send more than it would anyway", async () => {
    const { world, call, answered } = await pair();
    const raise = { streams: [{ leg: 1, bitrate: 200_000 }] } as const;
    expect(await refusal(world, call.propose(raise))).toBe("change-rejected");
    await world.during(call.propose({ streams: [{ leg: 1, bitrate: 16_000 }] }));
    await world.clock.advance(200);
    expect(answered.terms.settings).toEqual([{ leg: 1, stream: 1, bitrate_bps: 16_000 }]);
    const hearing = new Recording(call);
    void answered.audio.write(utterance(3, 48_000)).catch(() => undefined);
    await world.clock.advance(2_500);
    expect(hearing.count("speech")).toBeGreaterThan(100);
    expect(await refusal(world, call.propose({ streams: [{ bitrate: 5_000 }] }))).toBe(
      "field-invalid at change.settings.streams[0].bitrate_bps",
    );
    expect(await refusal(world, call.propose({ streams: [{ stream: 9, bitrate: 8_000 }] }))).toBe(
      "field-invalid at change.settings.streams[0].stream",
    );
    expect(world.reported).toEqual([]);
  });

  it("takes no frame's own proof away by default, and gives it back whatever was wished", async () => {
    for (const asks of ["call", "answered"] as const) {
      const pairOf = await pair();
      expect(await refusal(pairOf.world, pairOf[asks].propose({ profile: "chain" }))).toBe("change-rejected");
      expect([pairOf.call.terms.profile, pairOf.answered.terms.profile]).toEqual(["frame", "frame"]);
    }
    const named = await pair({}, { profile: ["frame", "chain"] });
    await named.world.during(named.call.propose({ profile: "chain" }));
    expect(named.call.terms.profile).toBe("chain");
    const chain = await pair({ profile: "chain" }, { profile: "chain" });
    await chain.world.during(chain.call.propose({ profile: "frame" }));
    expect(chain.call.terms.profile).toBe("frame");
  });

  it.each([0, 10, 40, 70])(
    "comes about beside one that the other end asks for %i ms later, one after the other",
    async (later) => {
      const { world, call, answered } = await pair();
      const first = call.propose({ streams: [{ bitrate: 12_000 }] });
      await world.clock.advance(later);
      const second = answered.propose({ streams: [{ bitrate: 16_000 }] });
      await world.during(Promise.all([first, second]));
      await world.clock.advance(500);
      expect(call.terms).toMatchObject({
        number: 3,
        settings: [
          { leg: 0, bitrate_bps: 12_000 },
          { leg: 1, bitrate_bps: 16_000 },
        ],
      });
      expect(answered.terms).toEqual(call.terms);
      await world.during(call.end());
      await world.during(answered.settled);
      expect(evidenceOf(world, await world.during(call.evidence()))).toMatchObject({ faults: [] });
      expect(world.reported).toEqual([]);
    },
  );

  it.each([
    [0, 0],
    [0, 30],
    [1, 0],
    [1, 50],
    [1, 130],
  ] as const)("comes about beside a narrowing by leg %i, begun %i ms later", async (leg, later) => {
    const { world, call, answered } = await pair();
    const change = call.propose({ streams: [{ bitrate: 12_000 }] });
    await world.clock.advance(later);
    const narrowing = (leg === 0 ? call : answered).narrow([CAPTURE]);
    await world.during(Promise.all([change, narrowing]));
    await world.clock.advance(500);
    expect(call.terms).toMatchObject({ number: 3, settings: [{ bitrate_bps: 12_000 }] });
    expect(call.terms.legs[leg]?.scope).toEqual([CAPTURE]);
    expect(answered.terms).toEqual(call.terms);
    await world.during(call.end());
    await world.during(answered.settled);
    expect(evidenceOf(world, await world.during(call.evidence()))).toMatchObject({ faults: [] });
    expect(world.reported).toEqual([]);
  });
});
