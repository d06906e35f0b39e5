/** A relay, or a participant, that plays foul with narrowings and interrupts. */
import { describe, expect, it } from "vitest";
import { decodeBase64url, encodeBase64url } from "../../codecs/base64url.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeInterrupt, INTERRUPT_BYTES, type Interrupt } from "../../codecs/interrupt.ts";
import { unixMsToNtp } from "../../codecs/ntp.ts";
import type { ParleyError } from "../../codecs/parley-error.ts";
import type { Signer } from "../../codecs/signer.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { contentLines, placesOf, resigned, sealed, swapped, without } from "../evidence-edit.ts";
import { strictVerifier } from "../keys.ts";
import { ALICE, BOB, CALL_TIME, must } from "../signed-call.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { CallScene } from "./signaling-call.ts";
import { connected, utterance } from "./talking.ts";
import { World } from "./world.ts";

/** A call whose caller hears of everything through a relay of ill will; `item` rewrites interrupts handed on at once. */
async function betrayed(
  rewrite: (event: JsonObject) => JsonObject,
  item: (interrupt: Uint8Array) => Uint8Array = (interrupt) => interrupt,
) {
  const world = new World();
  const relay = new HostileRelay(world);
  relay.item = (_way, _flow, bytes) => [bytes.length === INTERRUPT_BYTES ? item(bytes) : bytes];
  relay.answer = ({ method }, result) => (method === "SUBSCRIBE" ? rewrite(result) : result);
  const ada = await world.agent("Ada", {}, relay);
  const bob = await world.agent("Bob");
  const pair = await connected(world, ada, bob);
  const interrupted: number[] = [];
  pair.call.on("interrupted", ({ epoch }) => interrupted.push(epoch));
  const codes = () => world.reported.map((error) => (error as ParleyError).code);
  return { world, ...pair, interrupted, codes };
}

function otherCharacter(text: unknown, at: number): string {
  const given = String(text);
  return `${given.slice(0, at)}${given[at] === "A" ? "B" : "A"}${given.slice(at + 1)}`;
}

describe("a relay that", () => {
  it("alters an interrupt is reported, and the speaker is not stopped", async () => {
    const { world, call, answered, interrupted, codes } = await betrayed(
      (event) =>
        event.event === "interrupted" ? { ...event, interrupt: otherCharacter(event.interrupt, 100) } : event,
      (interrupt) => interrupt.with(100, (interrupt[100] as number) ^ 1),
    );
    void call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    await world.clock.advance(500);
    await world.during(answered.interrupt());
    await world.clock.advance(200);
    const sent = call.stats().sent?.sent ?? 0;
    await world.clock.advance(200);
    expect([interrupted, codes()]).toEqual([[], ["signature-invalid", "signature-invalid"]]);
    expect(call.stats().sent?.sent).toBeGreaterThan(sent);
  });

  it("replays an old interrupt in place of a new one stops nobody again", async () => {
    let first: Uint8Array | undefined;
    const replayed = (interrupt: Uint8Array) => {
      first ??= interrupt.slice();
      return first;
    };
    const { world, answered, interrupted, codes } = await betrayed(
      (event) =>
        event.event === "interrupted"
          ? { ...event, interrupt: encodeBase64url(replayed(must(decodeBase64url(String(event.interrupt))))) }
          : event,
      replayed,
    );
    for (let times = 0; times < 3; times += 1) {
      await world.during(answered.interrupt());
      await world.clock.advance(200);
    }
    expect([interrupted, codes()]).toEqual([[1], []]);
  });

  it("makes one up, for this end, from this end or from nowhere, is reported", async () => {
    const sent: Uint8Array[] = [];
    const { world, answered, interrupted, codes } = await betrayed(
      (event) => event,
      (interrupt) => {
        sent.push(interrupt);
        return new Uint8Array(INTERRUPT_BYTES).fill(sent.length);
      },
    );
    await world.during(answered.interrupt());
    await world.clock.advance(200);
    expect([sent.length, interrupted, codes()]).toEqual([1, [1], ["field-invalid"]]);
  });

  it("alters or withholds a narrowing leaves the terms as they were, and says so where it shows", async () => {
    const { world, call, answered, codes } = await betrayed((event) =>
      event.event === "terms-changed" ? { ...event, narrowing: otherCharacter(event.narrowing, 200) } : event,
    );
    await world.during(answered.narrow([]));
    await world.clock.advance(200);
    expect([call.terms.number, answered.terms.number]).toEqual([1, 2]);
    expect(codes()).toHaveLength(1);
  });
});

describe("the server refuses an interrupt", () => {
  function outcome(
    changes: Partial<Interrupt>,
    signer: Signer = BOB.media,
    content: JsonObject = {},
  ): string {
    const scene = new CallScene();
    const interrupt: Interrupt = {
      sessionDigest: scene.core.digest,
      leg: 1,
      speakerLeg: 0,
      stream: 0,
      keyGeneration: 0,
      epoch: 1,
      time: unixMsToNtp(CALL_TIME),
      ...changes,
    };
    const { stream, epoch } = interrupt;
    const signed = encodeBase64url(encodeInterrupt(interrupt, signer));
    const told = { event: "interrupt", stream, epoch, interrupt: signed, ...content };
    return scene.bob.ask("NOTIFY", `/sessions/${scene.sessionId}`, { content: told }).outcome;
  }

  it("takes the right one", () => expect(outcome({})).toBe("ok 200"));
  it("for an epoch that jumps", () => expect(outcome({ epoch: 2 })).toBe("epoch-outdated"));
  it("for another stream", () => expect(outcome({ stream: 7 })).toBe("field-invalid"));
  it("for another session", () =>
    expect(outcome({ sessionDigest: new Uint8Array(32) })).toBe("field-invalid"));
  it("in the other leg's name", () => expect(outcome({ leg: 0 }, ALICE.media)).toBe("field-invalid"));
  it("with the other leg's key", () => expect(outcome({}, ALICE.media)).toBe("signature-invalid"));
  it("with the identity key", () => expect(outcome({}, BOB.identity)).toBe("signature-invalid"));
  it("that is told otherwise than signed", () =>
    expect(outcome({}, BOB.media, { epoch: 3 })).toBe("field-invalid"));
});

describe("evidence", () => {
  it("names a narrowing or interrupt that was taken out, moved or changed, even by the server", async () => {
    const world = new World();
    const ada = await world.agent("Ada");
    const bob = await world.agent("Bob");
    const { call, answered } = await connected(world, ada, bob);
    void call.audio.write(utterance(5, 48_000)).catch(() => undefined);
    for (let times = 0; times < 2; times += 1) {
      await world.clock.advance(300);
      await world.during(answered.interrupt());
    }
    await world.during(call.narrow(["communication:audio:capture"]));
    await world.during(call.narrow([]));
    await world.during(call.end());
    await world.during(answered.settled);
    const file = await world.during(call.evidence());
    const lines = contentLines(file);
    const { signer } = world.serverIdentity as unknown as { readonly signer: Signer };
    const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
    const judged = (bytes: Uint8Array) => verifyEvidence(bytes, anchors, strictVerifier).report;
    expect(judged(sealed(lines, signer))).toMatchObject({ verdict: "verified", faults: [] });
    const changes = placesOf(lines, "narrowing", "interrupt");
    expect(changes).toHaveLength(4);
    const last = lines.filter(({ kind }) => kind === "record").length - 1;
    for (const at of changes) {
      const { faults } = judged(resigned(without(lines, at), signer, last));
      expect(faults.map(({ message }) => message).join("\n")).toContain(
        `The ${lines[at]?.kind} that this record`,
      );
    }
    for (const kind of ["narrowing", "interrupt"] as const) {
      const [a, b] = placesOf(lines, kind) as [number, number];
      const { faults } = judged(resigned(swapped(lines, a, b), signer, last));
      expect(faults.map(({ message }) => message).join("\n")).toContain(`It stands after a`);
    }
  });
});
