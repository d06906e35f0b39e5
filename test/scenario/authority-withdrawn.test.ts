/** What an end may do shrinks, or ends, in the middle of a call: by its issuer's word, by a revocation, by a deadline. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Call } from "../../agent/call.ts";
import type { CallEnd } from "../../agent/call-ending.ts";
import type { FramesRefused } from "../../agent/call-events.ts";
import type { AuthorityNarrowed } from "../../agent/call-terms.ts";
import type { AgentIdentity } from "../../agent/identity.ts";
import type { NewIdentity } from "../../agent/new-identity.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { certificatesOfPem } from "../../platform/node/pem.ts";
import { verifier } from "../../platform/node/sodium.ts";
import type { Carrier } from "../../sfu/carrier.ts";
import { readRecord } from "../../signaling/attribution.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { type AgentStatus, createIdentityDocument } from "../../signaling/identity-document.ts";
import { issueAgentCertificate } from "../../src/certificates/issue.ts";
import {
  createTestAuthority,
  loadTestAuthority,
  type TestAuthority,
} from "../../src/certificates/test-authority.ts";
import { certificateRules } from "../../src/server/certificate-authorities.ts";
import { MemoryNetwork } from "../../transports/memory.ts";
import { voice } from "../exchanges/ground.ts";
import { SILENT } from "../exchanges/ways.ts";
import { bodyOf } from "../exchanges/wire.ts";
import { strictVerifier } from "../keys.ts";
import { must, scopes } from "../signed-call.ts";
import { vp8Frame } from "../vp8-frame.ts";
import { Watched } from "./showing.ts";
import { connected, Recording, utterance } from "./talking.ts";
import { ORIGIN, World, type WorldOptions } from "./world.ts";

const SPEAKING = "communication:audio:capture, communication:audio:transmit";
const ONE_WAY = 40;
const link = {
  datagram: (_bytes: number, now: number) => now + ONE_WAY,
  reliable: (_bytes: number, now: number) => now + ONE_WAY,
};

/** The same agent with an identity document of this moment. */
function renewed(
  world: World,
  identity: AgentIdentity,
  scope: string,
  status: AgentStatus = "active",
): AgentIdentity {
  const genesis = must(readGenesis(identity.genesis, verifier));
  const now = world.clock.wall();
  const { bytes } = createIdentityDocument(
    {
      ...{
        name: genesis.name,
        description: "Renewed.",
        principal: "",
        status,
        methods: [],
        capabilities: [],
      },
      ...{ scope: scopes(scope), trustScore: 0, issuedAt: now, updatedAt: now },
    },
    genesis,
    world.issuer.signer,
    verifier,
  );
  return { ...identity, identityDocument: bytes };
}

/** A request of the agents' issuer, whose connection shows its certificate. */
async function issuerAsks(world: World, line: string, parameters: JsonObject = {}) {
  const carrier = world.showing({ peerKey: world.issuer.signer.publicKey });
  const connect = () => carrier.connect(ORIGIN, {}, () => SILENT);
  const way = { connect, origin: ORIGIN, wall: () => world.clock.wall() };
  const issuer = await world.during(voice(way, "issuer"));
  const asked = await world.during(issuer.say({ line, parameters, anonymous: true }));
  return bodyOf(await world.during(asked.one()));
}

/** Ada speaks to Bob, frames on the way both to the server and from it. */
async function talking(
  options: WorldOptions = {},
  fields: Partial<NewIdentity> = {},
  carrierOf?: (world: World, ada: AgentIdentity) => Carrier,
) {
  const world = new World({ toServer: link, toClient: link, ...options });
  const identity = world.identity({ name: "Ada", ...fields });
  const ada = await world.agent("Ada", { identity }, carrierOf?.(world, identity));
  const bob = await world.agent("Bob");
  const pair = await connected(world, ada, bob, { keepSending: true });
  const ends = [pair.call, pair.answered];
  const recording = new Recording(pair.answered);
  const told = new Told(ends);
  void pair.call.audio.write(utterance(30, 48_000)).catch(() => undefined);
  await world.clock.advance(1_000);
  expect(recording.count("speech")).toBeGreaterThan(30);
  return { world, identity, ada, bob, ...pair, ends, recording, told };
}

/** What both ends were told. */
class Told {
  readonly narrowed: AuthorityNarrowed[] = [];
  readonly ended: CallEnd[] = [];
  readonly refused: FramesRefused[] = [];

  constructor(ends: readonly Call[]) {
    for (const end of ends) {
      end.on("authority-narrowed", (event) => this.narrowed.push(event));
      end.on("ended", (event) => this.ended.push(event));
      end.on("frames-refused", (event) => this.refused.push(event));
    }
  }

  get reasons(): string[] {
    return [...new Set(this.refused.map(({ reason }) => reason))];
  }
}

/** What the final record says, with the counters of a stream that Ada sent, the last one by default. */
async function last(world: World, call: Call, of?: number) {
  await world.clock.advance(8_000);
  const records = await world.during(call.records());
  const { extra } = must(readRecord(records.at(-1)?.jws ?? ""));
  const counters = extra?.counters as readonly JsonObject[];
  const { refused, dropped } =
    counters.findLast(({ leg, stream }) => leg === 0 && stream === (of ?? stream)) ?? {};
  return { reason: extra?.reason, by: extra?.by, refused, dropped };
}

describe("scope narrowed by an issuer", () => {
  it("has the next frame outside it refused; sender and listener are told, the record names the last frame let through", async () => {
    const { world, identity, call, answered, recording, told } = await talking();
    const at = world.clock.wall();
    await world.agent("Ada", { identity: renewed(world, identity, "documents:query"), inbox: "desk" });
    await world.clock.advance(200);
    expect(told.narrowed).toEqual(
      Array(2).fill({ leg: 0, scope: [], expiresAt: call.terms.expires_at * 1_000 }),
    );
    const heard = recording.count("speech");
    await world.clock.advance(1_000);
    expect(recording.count("speech"), "nothing more is heard").toBe(heard);
    expect(told.reasons).toEqual(["scope"]);
    expect(told.refused.length).toBeGreaterThan(1);
    expect(call.terms, "which both signed").toEqual(answered.terms);
    const records = await world.during(call.records());
    const record = records.find(({ event }) => event === "authority-narrowed");
    const { extra } = must(readRecord(record?.jws ?? ""));
    const [stream] = (extra?.streams ?? []) as readonly JsonObject[];
    const firstRefused = Math.min(...told.refused.flatMap(({ first }) => first ?? []));
    expect(stream).toMatchObject({ leg: 0, last_sequence: firstRefused - 1 });
    expect(world.clock.wall() - at).toBeLessThan(30_000);
    await world.during(call.end());
    const { faults } = verifyEvidence(
      await world.during(answered.evidence()),
      { issuerKeys: [world.issuer.signer.publicKey], agentIds: [] },
      strictVerifier,
    ).report;
    expect([faults, world.reported]).toEqual([[], []]);
  });

  it("has an end that goes by it send no more, and the other one heard on", async () => {
    const world = new World();
    const identity = world.identity({ name: "Ada" });
    const ada = await world.agent("Ada", { identity });
    const bob = await world.agent("Bob");
    const { call, answered } = await connected(world, ada, bob);
    const recording = new Recording(call);
    void call.audio.write(utterance(10, 48_000)).catch(() => undefined);
    void answered.audio.write(utterance(10, 48_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    await world.agent("Ada", { identity: renewed(world, identity, "documents:query"), inbox: "desk" });
    await world.clock.advance(100);
    const [sent, heard] = [call.stats().sent?.sent, recording.count("speech")];
    await world.clock.advance(1_000);
    expect(call.stats().sent?.sent).toBe(sent);
    expect(recording.count("speech") - heard).toBeGreaterThan(40);
    expect(world.reported).toEqual([]);
  });
});

describe("an agent stopped by its issuer", () => {
  it.each([
    ["DEACTIVATE", "agent-deactivated"],
    ["REVOKE", "identity-revoked"],
  ] as const)(
    "%s ends its call at once; frames on their way are refused, both ends are told, and the record says why",
    async (method, reason) => {
      const { world, answered, identity, told, recording } = await talking();
      const done = await issuerAsks(world, `AGTP/1.0 ${method} /agents/${identity.agentId}`);
      expect(done).toMatchObject({ status: 200 });
      const heard = recording.count("speech");
      await world.clock.advance(200);
      expect(told.ended).toEqual(Array(2).fill({ reason, by: "server" }));
      expect(recording.count("speech") - heard, "but what was under way").toBeLessThanOrEqual(6);
      expect(await last(world, answered)).toMatchObject({
        reason,
        by: "server",
        refused: { "session-state": expect.any(Number) },
      });
    },
  );
});

describe("an Agent Certificate in the middle of a call", () => {
  let folder = "";
  let authority: TestAuthority;
  let options: WorldOptions;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "parley-authority-withdrawn-"));
    const now = new World().clock.wall();
    const file = await createTestAuthority(folder, "Test authority", now);
    authority = await loadTestAuthority(folder);
    const certificates = await certificateRules([file]);
    // Ada is of tier 2 and talks by her certificate alone.
    options = {
      ...(certificates === undefined ? {} : { certificates }),
      config: { trustFloor: "verified", genesisIssuers: "any" },
    };
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  /** Ada, of tier 2, shows a certificate on all her connections; Bob is of tier 1. */
  async function certified(made: { readonly ago?: number } = {}) {
    let [serial, notAfter] = ["", 0];
    const scene = await talking(options, { trustTier: 2 }, (world, identity) => {
      const now = world.clock.wall() - (made.ago ?? 0);
      const issued = issueAgentCertificate(authority, identity, { days: 1, isCritical: true, now });
      ({ serial, notAfter } = issued);
      return world.showing({ peerCertificates: certificatesOfPem(issued.pem) });
    });
    return { ...scene, serial, notAfter };
  }

  it("revoked: the session ends, nothing more is heard, both ends are told, and the record says why", async () => {
    const { world, answered, identity, told, recording, serial } = await certified();
    const content = {
      ...{ event_type: "certificate_revoked", agent_id: identity.agentId, certificate_serial: serial },
      revocation_reason: "key-compromise",
    };
    const parameters = { recipient: "infrastructure:broadcast", content, urgency: "critical" };
    expect(await issuerAsks(world, "AGTP/1.0 NOTIFY /", parameters)).toMatchObject({ status: 200 });
    await world.clock.advance(200);
    expect(told.ended).toEqual(Array(2).fill({ reason: "certificate-revoked", by: "server" }));
    const heard = recording.count("speech");
    await world.clock.advance(200);
    expect(recording.count("speech")).toBe(heard);
    expect(await last(world, answered)).toMatchObject({ reason: "certificate-revoked", by: "server" });
  });

  it("run out: the session ends at that moment, with nobody asking anything", async () => {
    const { world, answered, told, notAfter } = await certified({ ago: 86_400_000 - 5_000 });
    await world.clock.advance(Math.floor(notAfter / 1_000) * 1_000 - world.clock.wall());
    expect(told.ended).toEqual([]);
    await world.clock.advance(ONE_WAY + 10);
    expect(told.ended).toEqual(Array(2).fill({ reason: "certificate-expired", by: "server" }));
    expect(await last(world, answered)).toMatchObject({ reason: "certificate-expired" });
  });
});

describe("frames that wait in a queue when their authority goes", () => {
  it("do not leave: messages to a listener that takes none are dropped as `scope`", async () => {
    let isOpen = true;
    const stuck = { ...link, reliable: (_: number, now: number) => now + (isOpen ? ONE_WAY : 2_000) };
    const world = new World({ toServer: link, toClient: link });
    const network = new MemoryNetwork({ clock: world.clock, toServer: link, toClient: stuck });
    network.listen("127.0.0.1:4480", (connection) => world.server.accept(connection, [ORIGIN]));
    const identity = world.identity({ name: "Ada" });
    const ada = await world.agent("Ada", { identity });
    const bob = await world.agent("Bob", {}, network);
    const { call, answered } = await connected(
      world,
      ada,
      bob,
      { data: true, keepSending: true },
      { data: true },
    );
    const heard: unknown[] = [];
    void (async () => {
      for await (const message of answered.data ?? []) heard.push(message);
    })();
    await world.during(call.data?.send("first") as Promise<unknown>);
    await world.clock.advance(200);
    expect(heard).toHaveLength(1);
    isOpen = false;
    for (let sent = 0; sent < 40; sent += 1) void call.data?.send("x".repeat(16_000)).catch(() => undefined);
    await world.clock.advance(1_000);
    await world.agent("Ada", { identity: renewed(world, identity, SPEAKING), inbox: "desk" });
    isOpen = true;
    await world.clock.advance(5_000);
    expect(heard.length, "but what was on the wire").toBeLessThan(20);
    await world.during(call.end());
    expect(await last(world, answered)).toMatchObject({ dropped: { scope: expect.any(Number) } });
  });
});

describe("a cap on bits a second", () => {
  it("is kept by an end that knows it; one that goes on above a lower one has frames refused as `limit`, and both are told", async () => {
    const capped = (bits: number) => `${SPEAKING}, communication:limit:bitrate-bps:${bits}`;
    const scope = capped(16_000).split(", ");
    const { world, identity, call, answered, told, recording } = await talking({}, { scope });
    await world.clock.advance(3_000);
    expect([told.refused, answered.stats().heard?.refused]).toEqual([[], {}]);
    await world.agent("Ada", { identity: renewed(world, identity, capped(6_000)), inbox: "desk" });
    const heard = recording.count("speech");
    await world.clock.advance(6_000);
    expect(told.reasons).toEqual(["limit"]);
    expect(recording.count("speech"), "what fits is heard").toBeGreaterThan(heard + 60);
    await world.during(call.end());
    expect(await last(world, answered)).toMatchObject({ refused: { limit: expect.any(Number) } });
  });
});

describe("a cap on pictures that an issuer lowers in mid-call", () => {
  const SCOPE = "communication:bilateral";
  const VIDEO = { codecs: ["vp8"], maxHeight: 360, maxFrameRate: 30 } as const;

  /** Ada shows Bob pictures of any height, any number a second; `show` gives how many of them he saw. */
  async function showing() {
    const world = new World();
    const identity = world.identity({ name: "Ada", scope: [SCOPE] });
    const ada = await world.agent("Ada", { identity });
    const bob = await world.agent("Bob");
    const options = { video: VIDEO, adaptation: false } as const;
    const { call, answered } = await connected(world, ada, bob, options, options);
    const ends = [call, answered];
    const told = new Told(ends);
    const refusedAt: number[] = [];
    for (const end of ends) end.on("frames-refused", () => refusedAt.push(end.leg));
    const watched = new Watched(world, answered);
    const show = async (height: number, every: number, count: number) => {
      const before = watched.units.length;
      for (let shown = 0; shown < count; shown += 1) {
        await world.clock.advance(every);
        void call.video?.send({ data: vp8Frame(true, 400, height) });
      }
      await world.clock.advance(500);
      return watched.units.length - before;
    };
    const cap = async (limit: string) => {
      const scope = `${SCOPE}, communication:limit:${limit}`;
      await world.agent("Ada", { identity: renewed(world, identity, scope), inbox: "desk" });
      await world.clock.advance(200);
      expect(told.narrowed).toHaveLength(2);
    };
    return { world, call, answered, told, refusedAt, show, cap };
  }

  it("in height has higher ones refused as `picture`; both ends are told, and it is on record", async () => {
    const { world, call, answered, told, refusedAt, show, cap } = await showing();
    expect([await show(360, 40, 25), told.refused]).toEqual([25, []]);
    await cap("height:180");
    expect(await show(181, 40, 25)).toBe(0);
    expect([told.reasons, new Set(refusedAt)]).toEqual([["picture"], new Set([0, 1])]);
    expect(await show(180, 40, 25)).toBe(25);
    await world.during(call.end());
    expect(await last(world, answered, call.video?.id)).toMatchObject({ refused: { picture: 25 } });
  });

  it("in number has more of them refused as `rate`; both ends are told, and it is on record", async () => {
    const { world, call, answered, told, refusedAt, show, cap } = await showing();
    expect([await show(360, 40, 100), told.refused]).toEqual([100, []]);
    await cap("frame-rate:8");
    // A quarter more pass, and two seconds of them at once.
    expect(await show(360, 40, 250)).toBeLessThanOrEqual((10 + 2) * 8 * 1.25);
    expect([told.reasons, new Set(refusedAt)]).toEqual([["rate"], new Set([0, 1])]);
    expect(await show(360, 125, 40)).toBe(40);
    await world.during(call.end());
    const { refused } = await last(world, answered, call.video?.id);
    expect(refused).toEqual({ rate: expect.any(Number) });
  });
});
