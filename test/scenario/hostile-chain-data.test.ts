/** A relay that tampers with structured data of profile `chain`: nothing that it makes is read, and what it takes away is missed. */
import { beforeEach, expect, it } from "vitest";
import type { FramesContradicted } from "../../agent/call-events.ts";
import type { JsonValue } from "../../codecs/canonical-json.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { HostileRelay, isFrame } from "./hostile-relay.ts";
import { connected, type Pair } from "./talking.ts";
import { World } from "./world.ts";

/** Time enough for the checkpoints over what was said, and for what a listener gives them besides. */
const SETTLED_MS = 5_000;

let world: World;
/** Before Ada, who writes, and before Bob, who reads. */
let first: HostileRelay;
let last: HostileRelay;
let pair: Pair;
let read: JsonValue[];
let contradicted: (FramesContradicted & { readonly at: string })[];

beforeEach(async () => {
  world = new World();
  [first, last] = [new HostileRelay(world), new HostileRelay(world)];
  const ada = await world.agent("Ada", {}, first);
  const bob = await world.agent("Bob", {}, last);
  pair = await connected(world, ada, bob, { audio: false, data: true, profile: "chain" });
  [read, contradicted] = [[], []];
  void (async () => {
    for await (const { value } of pair.answered.data ?? []) read.push(value);
  })();
  pair.call.on("frames-contradicted", (event) => contradicted.push({ ...event, at: "Ada" }));
  pair.answered.on("frames-contradicted", (event) => contradicted.push({ ...event, at: "Bob" }));
});

/** What goes on in place of each data frame, in order. */
function tamper(
  relay: HostileRelay,
  way: "to-agent" | "to-server",
  change: (frame: Uint8Array, index: number) => readonly Uint8Array[],
): void {
  let index = 0;
  relay.item = (going, _flow, bytes) =>
    going === way && isFrame(bytes) ? change(bytes.slice(), index++) : true;
}

async function send(...values: readonly JsonValue[]): Promise<void> {
  for (const value of values) {
    await world.during(pair.call.data?.send(value) ?? Promise.resolve());
    await world.clock.advance(20);
  }
  await world.clock.advance(SETTLED_MS);
}

const heard = () => pair.answered.stats().data?.heard;

function withOtherWords(frame: Uint8Array): Uint8Array {
  const altered = frame.slice();
  altered[altered.length - 2] = (altered.at(-2) ?? 0) ^ 1;
  return altered;
}

async function judged(): Promise<{ readonly verdict: string; readonly said: string }> {
  await world.during(pair.call.end());
  await world.clock.advance(500);
  const file = await world.during(pair.answered.evidence());
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { report } = verifyEvidence(file, anchors, verifier);
  return { verdict: report.verdict, said: report.statements.map(({ text }) => text).join("\n") };
}

it("altered on its way to the reader, a message is refused, and the true one behind it is read", async () => {
  tamper(last, "to-agent", (frame, index) => (index === 1 ? [withOtherWords(frame), frame] : [frame]));
  await send("one", "two", "three");
  expect(read).toEqual(["one", "two", "three"]);
  expect(heard()).toMatchObject({ refused: { signature: 1 }, missing: 0, unattributed: 0, isStopped: false });
  expect((await judged()).verdict).toBe("verified");
});

it("altered on its way to the server, it passes there, is not read, and both ends and the evidence hear of it", async () => {
  tamper(first, "to-server", (frame, index) => [index === 1 ? withOtherWords(frame) : frame]);
  await send("one", "two", "three");
  expect(read).toEqual(["one", "three"]);
  expect(heard()).toMatchObject({ refused: { signature: 1 }, verified: 2, missing: 1, givenUp: false });
  const counts = (at: string) => contradicted.filter((event) => event.at === at).map(({ count }) => count);
  expect([counts("Ada"), counts("Bob")]).toEqual([[1], [1]]);
  expect((await judged()).said).toContain("1 frames that came were listed otherwise");
});

it("dropped, it is missed by the reader, and by who compares receipts with checkpoints", async () => {
  tamper(last, "to-agent", (frame, index) => (index === 1 ? [] : [frame]));
  await send("one", "two", "three");
  expect(read).toEqual(["one", "three"]);
  expect(heard()).toMatchObject({ refused: {}, verified: 2, missing: 1, unattributed: 0 });
  expect((await judged()).said).toContain("2 of 3 frames sent and received");
});

it("invented, in the place of one to come or of one that was, it is not read, and keeps no true one from being", async () => {
  const invented = (frame: Uint8Array, ahead: number) => {
    const view = new FrameView();
    if (parseFrame(frame, 0, view) !== undefined) throw new Error("no frame");
    const made = frame.slice();
    new DataView(made.buffer).setUint16(2, (view.sequence + ahead) % 65_536);
    made.fill(0x5a, view.tagOffset, view.tagOffset + view.tagLength);
    return made;
  };
  tamper(last, "to-agent", (frame, index) =>
    index === 0 ? [frame, invented(frame, 1), frame] : [invented(frame, 0), frame],
  );
  await send("one", "two");
  expect(read).toEqual(["one", "two"]);
  expect(heard()).toMatchObject({ refused: { signature: 2, replayed: 1 }, verified: 2, missing: 0 });
  expect((await judged()).verdict).toBe("verified");
});

it("whose checkpoints are withheld, messages are handed out for 2 s, and then no more, which both ends are told", async () => {
  const told: string[] = [];
  pair.call.on("unattributed", () => told.push("Ada"));
  pair.answered.on("unattributed", () => told.push("Bob"));
  last.item = (way, _flow, bytes) => way !== "to-agent" || isFrame(bytes);
  await send("one");
  await send("two", "three");
  // Who waits for the next message already gets it.
  expect(read).toEqual(["one", "two"]);
  expect(heard()).toMatchObject({ isStopped: true });
  expect(told.sort()).toEqual(["Ada", "Bob"]);
});
