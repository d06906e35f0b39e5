/** Voices on ways that take less than they say, for a while: they become less by agreement, and all of it again. */
import { expect, it } from "vitest";
import type { OutgoingCallOptions } from "../../agent/call-options.ts";
import type { TermsChanged } from "../../agent/call-terms.ts";
import { PACKET_OVERHEAD } from "../../sfu/congestion/hop-packet.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { Link } from "../../src/emulation/link.ts";
import { SeededRandom } from "../../src/emulation/seeded-random.ts";
import type { LinkModel } from "../../transports/memory.ts";
import { strictVerifier } from "../keys.ts";
import { connected, Recording, utterance } from "./talking.ts";
import { World } from "./world.ts";

const ONE_WAY = 20;
/** Milliseconds that packets may wait in the queue in front of the way; beyond, they are dropped. */
const QUEUE_MS = 300;

/** A way whose live packets go one after the other, as many bits a second as it takes now. */
class Bottleneck implements LinkModel {
  bitsPerSecond = 2_000_000;
  #freeAt = 0;

  datagram(bytes: number, now: number): number | undefined {
    const start = Math.max(now, this.#freeAt);
    if (start - now > QUEUE_MS) return undefined;
    this.#freeAt = start + ((bytes + PACKET_OVERHEAD) * 8_000) / this.bitsPerSecond;
    return this.#freeAt + ONE_WAY;
  }

  reliable(_bytes: number, now: number): number {
    return now + ONE_WAY;
  }
}

async function scene(
  ways: { readonly toServer: LinkModel; readonly toClient: LinkModel },
  options: OutgoingCallOptions = {},
) {
  const world = new World({ ...ways, opusComplexity: 5 });
  const ada = await world.agent("Ada");
  const bob = await world.agent("Bob");
  const { profile } = options;
  const pair = await connected(world, ada, bob, options, profile === undefined ? {} : { profile });
  const changes: { readonly at: number; readonly who: string; readonly event: TermsChanged }[] = [];
  for (const [who, call] of [
    ["ada", pair.call],
    ["bob", pair.answered],
  ] as const)
    call.on("terms-changed", (event) => changes.push({ at: world.clock.now(), who, event }));
  return { world, ada, bob, ...pair, changes };
}

it.each(["to the server", "from the server to the listener"])(
  "a way %s that takes less than the voice makes it less at both ends within 1 s, and all of it again some seconds after",
  async (where) => {
    const [toServer, toClient] = [new Bottleneck(), new Bottleneck()];
    const narrow = where === "to the server" ? toServer : toClient;
    const { world, call, answered, changes } = await scene({ toServer, toClient });
    const recording = new Recording(answered);
    void call.audio.write(utterance(25, 48_000)).catch(() => undefined);
    await world.clock.advance(2_000);
    expect(changes).toEqual([]);
    narrow.bitsPerSecond = 76_000;
    const narrowed = world.clock.now();
    await world.clock.advance(4_000);
    const first = changes.filter(({ event }) => event.number === 2);
    expect(first.map(({ who }) => who).sort()).toEqual(["ada", "bob"]);
    for (const { at } of first) expect(at - narrowed).toBeLessThanOrEqual(1_000);
    narrow.bitsPerSecond = 2_000_000;
    await world.clock.advance(13_000);
    expect(call.terms.settings).toMatchObject([{ bitrate_bps: 32_000 }]);
    expect(answered.terms).toEqual(call.terms);
    await world.during(call.end());
    await world.during(answered.settled);
    const file = await world.during(answered.evidence());
    const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
    const { report } = verifyEvidence(file, anchors, strictVerifier);
    expect(report).toMatchObject({ verdict: "verified", faults: [] });
    const said = report.statements.map(({ by, text }) => `${by}: ${text}`).join("\n");
    expect(said).toMatch(/both: terms 2: the caller asked \(bandwidth\), the other end accepted/);
    expect(said).toMatch(/both: terms \d+: the caller asked \(recovered\).*at most 32000 bit\/s/);
    expect(recording.count("speech")).toBeGreaterThan(600);
    expect(world.reported).toEqual([]);
  },
);

it("a way that takes less than the least of a voice with a signature on each frame has it sent in profile chain, where both ends name that", async () => {
  const [toServer, toClient] = [new Bottleneck(), new Bottleneck()];
  const { world, call, answered } = await scene({ toServer, toClient }, { profile: ["frame", "chain"] });
  void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
  await world.clock.advance(2_000);
  expect(call.terms.profile).toBe("frame");
  toServer.bitsPerSecond = 60_000;
  await world.clock.advance(7_000);
  expect([call.terms.profile, answered.terms.profile]).toEqual(["chain", "chain"]);
  const before = answered.stats().heard?.lost ?? 0;
  await world.clock.advance(5_000);
  expect((answered.stats().heard?.lost ?? 0) - before).toBeLessThan(15);
  await world.during(call.end());
  await world.during(answered.settled);
  const anchors = { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] };
  const { report } = verifyEvidence(await world.during(call.evidence()), anchors, strictVerifier);
  expect(report.faults).toEqual([]);
  expect(world.reported).toEqual([]);
});

it("a voice that is repeated for losses is sent by what is agreed until more is, and the ends come to agree", async () => {
  const lossy = { delay: 30, jitter: 10, loss: 0.1, burst: 2 };
  const ways = {
    toServer: new Link(lossy, new SeededRandom(7)),
    toClient: new Link(lossy, new SeededRandom(8)),
  };
  const { world, call, answered } = await scene(ways, { audio: { redundancy: 2, frameMs: 10 } });
  void call.audio.write(utterance(20, 48_000)).catch(() => undefined);
  await world.clock.advance(20_000);
  expect(world.reported).toEqual([]);
  expect(call.terms.number).toBeGreaterThan(1);
  expect(answered.terms).toEqual(call.terms);
});
