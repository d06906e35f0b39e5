/** A relay, or a participant, that plays foul with changes of the terms. */
import { describe, expect, it } from "vitest";
import { connectAgent } from "../../agent/connect.ts";
import type { JsonObject, JsonValue } from "../../codecs/canonical-json.ts";
import type { ParleyError } from "../../codecs/parley-error.ts";
import { type AttributionPayload, buildRecord, readRecord } from "../../signaling/attribution.ts";
import type { EvidenceLine } from "../../signaling/evidence/lines.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { readSigned } from "../../signaling/jws.ts";
import { makeTermsChange, TERMS_CHANGE } from "../../signaling/terms-change.ts";
import { contentLines, placesOf, resigned, swapped, without } from "../evidence-edit.ts";
import { strictVerifier } from "../keys.ts";
import { must } from "../signed-call.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, refusal, utterance } from "./talking.ts";
import { ORIGIN, World } from "./world.ts";

const lower = { streams: [{ bitrate: 14_000 }] };

function otherCharacter(text: unknown, at: number): string {
  const given = String(text);
  return `${given.slice(0, at)}${given[at] === "A" ? "B" : "A"}${given.slice(at + 1)}`;
}

/** A call whose callee hears of everything through a relay of ill will. */
async function betrayed(
  event: (told: JsonObject) => JsonObject,
  answer: (method: string, result: JsonObject) => JsonObject = (_, result) => result,
) {
  const world = new World();
  const relay = new HostileRelay(world);
  relay.answer = ({ method }, result) => (method === "SUBSCRIBE" ? event(result) : answer(method, result));
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob", {}, relay);
  const pair = await connected(world, ada, bob);
  const codes = () => world.reported.map((error) => (error as ParleyError).code);
  return { world, ...pair, codes };
}

describe("a relay that", () => {
  it("alters what is asked is reported, and nothing is signed", async () => {
    const { world, call, answered, codes } = await betrayed((told) =>
      told.event === "change-asked" ? { ...told, change: otherCharacter(told.change, 300) } : told,
    );
    expect(await refusal(world, call.propose(lower))).toBe("change-unanswered");
    expect(codes().length).toBe(1);
    expect([call.terms.number, answered.terms.number]).toEqual([1, 1]);
  });

  it("tells who asked that it was accepted, without a signature, is not believed", async () => {
    const forged = { change: "e30.e30.AA", acceptance: "e30.e30.AA" };
    const { world, answered, codes } = await betrayed(
      (told) => (told.event === "terms-changed" ? { ...told, change: forged } : told),
      (method, result) => (method === "ADJUST" ? { ...result, acceptance: "e30.e30.AA" } : result),
    );
    expect(await refusal(world, answered.propose(lower))).toMatch(/^(field-invalid|signature-invalid)/);
    expect([answered.terms.number, codes().length]).toEqual([1, 1]);
  });

  it("replays an old change makes no terms of it", async () => {
    let first: JsonObject | undefined;
    const { world, call, answered, codes } = await betrayed((told) => {
      if (told.event !== "terms-changed") return told;
      first ??= told;
      return { ...told, change: first.change as JsonObject };
    });
    await world.during(call.propose(lower));
    const terms = await world.during(call.propose({ streams: [{ bitrate: 20_000 }] }));
    await world.clock.advance(500);
    expect([answered.terms, codes()]).toEqual([terms, []]);
  });
});

describe("a participant in league with the relay", () => {
  it("that opens a stream together with other terms gets no signature for them", async () => {
    const world = new World();
    const relay = new HostileRelay(world);
    const identity = world.identity({ name: "Ada" });
    relay.answer = ({ method }, result) => {
      if (method !== "SUBSCRIBE" || result.event !== "change-asked") return result;
      const payload = must(readSigned(String(result.change), TERMS_CHANGE));
      const settings = { ...payload.settings, profile: "chain" } as const;
      return { ...result, change: makeTermsChange({ ...payload, settings }, identity.signer) };
    };
    const answers: JsonValue[] = [];
    relay.request = ({ method }, { status, acceptance }) => {
      if (method === "CONFIRM" && status !== undefined) answers.push([status, acceptance !== undefined]);
    };
    const ada = await world.agent("Ada", { identity });
    const bob = await world.agent("Bob", {}, relay);
    const taking = { data: true, changes: () => "reject" as const };
    const { call, answered } = await connected(world, ada, bob, { data: true }, taking);
    answers.length = 0;
    expect(await refusal(world, call.open({ modality: "data" }))).toMatch(/^change-rejected/);
    expect([answers, answered.terms.number]).toEqual([[["rejected", false]], 1]);
  });
});

describe("a change that is off", () => {
  /** Ada asks for chain, which is refused to Bob as off; the relays keep what both signed. */
  async function refused() {
    const world = new World();
    const relays = [new HostileRelay(world), new HostileRelay(world)] as const;
    const signed: Record<string, JsonValue> = {};
    relays[0].request = ({ method }, { change }) => {
      if (method === "ADJUST" && change !== undefined) signed.change = change;
    };
    relays[1].request = ({ method }, { acceptance }) => {
      if (method === "CONFIRM" && acceptance !== undefined) signed.acceptance = acceptance;
    };
    const ada = await world.agent("Ada", {}, relays[0]);
    const bob = await world.agent("Bob", {}, relays[1]);
    const { call, answered } = await connected(world, ada, bob, {}, { changes: () => "ask" });
    let late: Promise<string> | undefined;
    answered.on("change-asked", (asked) => {
      world.clock.at(world.clock.now() + 6_000, () => {
        late = refusal(world, asked.accept());
      });
    });
    expect(await refusal(world, call.propose({ profile: "chain" }))).toBe("change-unanswered");
    await world.clock.advance(2_000);
    expect(await late).toBe("target-not-found");
    expect(Object.keys(signed)).toEqual(["change", "acceptance"]);
    /** The relays tell both ends that it came into force, in place of the next thing that they hear. */
    const pretend = async () => {
      for (const relay of relays) {
        let isTold = false;
        relay.answer = ({ method }, result) => {
          if (method !== "SUBSCRIBE" || typeof result.event !== "string" || isTold) return result;
          isTold = true;
          return { ...result, event: "terms-changed", session_id: call.id, change: signed };
        };
      }
      await world.clock.advance(60_000);
    };
    const codes = () => world.reported.map((error) => (error as ParleyError).code);
    return { world, call, answered, pretend, codes };
  }

  it.each([0, 1_800_000])("stays off whatever a relay says %i ms later", async (later) => {
    const { world, call, answered, pretend, codes } = await refused();
    await world.clock.advance(later);
    await pretend();
    expect([call.terms.number, answered.terms.number]).toEqual([1, 1]);
    expect(codes()).toEqual(["change-unanswered", "change-unanswered"]);
  });

  it("is not accepted any more by an end that is asked too late", async () => {
    const world = new World();
    const relay = new HostileRelay(world);
    let asked = false;
    relay.request = ({ method }) => {
      asked ||= method === "CONFIRM";
    };
    const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob", {}, relay)];
    const { call, answered } = await connected(world, ada, bob, {}, { changes: () => "ask" });
    asked = false;
    let late: Promise<string> | undefined;
    answered.on("change-asked", (question) => {
      world.clock.at(world.clock.now() + 41_000, () => {
        late = refusal(world, question.accept());
      });
    });
    await refusal(world, call.propose(lower));
    await world.clock.advance(45_000);
    expect([await late, asked]).toEqual(["target-not-found at change.iat", false]);
  });
});

describe("a speaker that sends more than it agreed to", () => {
  it("is cut to that rate, and the other call on the server is not touched", async () => {
    const world = new World();
    const platform = world.platform();
    const heedless = await world.during(
      connectAgent(
        {
          ...platform,
          createAudioCodec: async (format, options) => {
            const codec = await platform.createAudioCodec(format, { ...options, bitrate: 256_000 });
            return Object.assign(codec, { tune: () => {} });
          },
        },
        ORIGIN,
        { identity: world.identity({ name: "Ada" }), report: (error) => world.reported.push(error) },
      ),
    );
    const [bob, cleo, dan] = [await world.agent("Bob"), await world.agent("Cleo"), await world.agent("Dan")];
    const { call, answered } = await connected(world, heedless, bob, { adaptation: false });
    const other = await connected(world, cleo, dan);
    const reasons = new Set<string>();
    call.on("frames-refused", ({ reason }) => reasons.add(reason));
    await world.during(call.propose({ streams: [{ bitrate: 16_000 }] }));
    void call.audio.write(utterance(12, 48_000)).catch(() => undefined);
    void other.call.audio.write(utterance(12, 48_000)).catch(() => undefined);
    await world.clock.advance(4_000);
    const before = { bytes: answered.stats().heard?.verified ?? 0, at: world.clock.now() };
    await world.clock.advance(6_000);
    const frames = (answered.stats().heard?.verified ?? 0) - before.bytes;
    expect([...reasons]).toEqual(["rate"]);
    // Of 300 frames many times larger than agreed, those that 16 kbit/s and what is around a frame leave room for.
    expect(frames).toBeLessThan(200);
    expect(frames).toBeGreaterThan(50);
    expect(other.answered.stats().heard?.refused).toEqual({});
    expect(other.answered.stats().heard?.lost).toBe(0);
  });
});

describe("evidence", () => {
  /** Of a call with two changes, by both ends, as the server made it. */
  async function file() {
    const world = new World();
    const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
    const { call, answered } = await connected(world, ada, bob);
    await world.during(call.propose(lower, "one"));
    await world.during(call.propose({ streams: [{ bitrate: 20_000 }] }, "two"));
    await world.during(answered.propose(lower, "three"));
    await world.during(call.end());
    await world.during(answered.settled);
    const lines = contentLines(await world.during(call.evidence()));
    const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
    /** Made good again by the server, as far as its own key goes. */
    const judge = (altered: readonly EvidenceLine[]) =>
      verifyEvidence(resigned(altered, world.serverIdentity.signer, 0), anchors, strictVerifier).report;
    const faults = (altered: readonly EvidenceLine[]) =>
      judge(altered)
        .faults.filter(({ message }) => !message.includes("countersigned"))
        .map(({ message, at }) => `${message} [${at}]`);
    return { world, lines, faults };
  }

  const recordAt = (lines: readonly EvidenceLine[], at: number) => {
    const line = lines[at];
    return line?.kind === "record" ? must(readRecord(line.jws)) : undefined;
  };

  it("without a change or an acceptance, with one twice, moved or altered, names what is wrong", async () => {
    const { lines, faults } = await file();
    expect(faults(lines)).toEqual([]);
    const [first, second] = placesOf(lines, "terms-change") as [number, number];
    const accepted = placesOf(lines, "terms-acceptance");
    const [one, two] = accepted as [number, number];
    expect(faults(without(lines, second)).join("\n")).toMatch(/accepts no change that is in the file/);
    expect(faults(without(lines, second)).join("\n")).toMatch(/does not follow the terms in force/);
    expect(faults(without(lines, one)).join("\n")).toMatch(/Nobody accepts this change/);
    expect(faults(swapped(lines, first, second)).join("\n")).toMatch(/stands after a terms-change/);
    const change = lines[first] as Extract<EvidenceLine, { kind: "terms-change" }>;
    const forged = { ...change, jws: otherCharacter(change.jws, change.jws.length - 40) };
    expect(faults(lines.with(first, forged)).join("\n")).toMatch(/Nobody accepts|accepts no change/);
    const acceptance = lines[two] as Extract<EvidenceLine, { kind: "terms-acceptance" }>;
    const unsigned = { ...acceptance, jws: otherCharacter(acceptance.jws, acceptance.jws.length - 40) };
    expect(faults(lines.with(two, unsigned)).join("\n")).toMatch(/The signature does not hold/);
    const asked = { ...change, of: change.of === "caller" ? "callee" : "caller" } as const;
    expect(faults(lines.with(first, asked)).length).toBeGreaterThan(0);
    const misplaced = { ...acceptance, of: "caller" } as const;
    expect(faults(lines.with(two, misplaced)).join("\n")).toMatch(/stands among those of who asked/);
  });

  it("of a change that came into force when it was off names the record", async () => {
    const { world, lines, faults } = await file();
    const at = placesOf(lines, "record").find(
      (place) => recordAt(lines, place)?.extra?.terms_change !== undefined,
    ) as number;
    const record = recordAt(lines, at) as AttributionPayload;
    const issued = (seconds: number) => {
      const issued_at = new Date(Date.parse(record.issued_at) + seconds * 1000).toISOString();
      const { jws } = buildRecord({ ...record, issued_at }, world.serverIdentity.signer);
      return faults(lines.with(at, { kind: "record", jws }));
    };
    expect(issued(38)).toEqual([]);
    expect(issued(42)).toEqual([
      expect.stringMatching(/a change came into force that was off by then\. \[line \d+, record \d+\]/),
    ]);
  });
});
