import { afterAll, describe, expect, it, onTestFinished } from "vitest";
import { ParleyError } from "../../codecs/parley-error.ts";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import { systemClock } from "../../platform/node/clock.ts";
import { random } from "../../platform/node/sodium.ts";
import type { AccessGrant } from "../../signaling/authority.ts";
import { mediaWorkers } from "../../test/media-workers.ts";
import { takenOffer } from "../../test/sdp-offers.ts";
import { until } from "../../test/waiting.ts";
import { DataChannelPeer } from "../../test/webrtc/data-channel-peer.ts";
import { sha256Of } from "../../transports/webrtc/fingerprints.ts";
import { writeDescription } from "../../transports/webrtc/sdp-writing.ts";
import type { JudgedAsker, PeerOpening } from "./desk.ts";
import { Gateway, type GatewayEvent, type GatewayOptions } from "./gateway.ts";

const [ADA, BOB] = ["aa".repeat(32), "bb".repeat(32)];
const LONG = Date.now() + 600_000;
const workers = mediaWorkers();
afterAll(async () => {
  await workers.close();
  DataChannelPeer.cleanUp();
});

/** A token here is the agent's name, and until when it holds. */
const tokenOf = (agentId: string, expiresAt = LONG) => `${agentId}.${expiresAt}`;
const granted = (token: string): Result<AccessGrant> => {
  const [agentId = "", expiresAt] = token.split(".");
  const scope = { grants: [], limits: {} };
  return ok({ agentId, issuer: agentId, tokenId: "t", scope, expiresAt: Number(expiresAt) });
};
const askerOf = (token: string): JudgedAsker => {
  const grant = granted(token);
  if (!grant.ok) throw new Error(grant.fault.message);
  return { token, origins: [], grant: grant.value };
};
const openingBy = (asker: JudgedAsker): PeerOpening => ({
  ...{ way: "exchange", asker, audio: "sendonly", video: "none", data: true },
  abandoned: new AbortController().signal,
});

function desk(differs: Partial<GatewayOptions> = {}) {
  const told: GatewayEvent[] = [];
  const gateway = new Gateway({
    ...{ workers, clock: systemClock, random, gatewayId: "cc".repeat(32) },
    judge: async (token) => granted(token),
    ownerOf: () => undefined,
    connect: () => Promise.reject(new ParleyError({ code: "agent-unknown", message: "Nobody is online." })),
    unready: () => undefined,
    told: (event) => told.push(event),
    report: (error) => expect.unreachable(String(error)),
    ...differs,
  });
  onTestFinished(() => gateway.stop());
  return { gateway, told };
}

/** Opens a peer that waits for an answer. */
async function opened(gateway: Gateway, token: string): Promise<string> {
  const peer = await gateway.open(openingBy(askerOf(token)));
  if (!peer.ok) throw new Error(peer.fault.message);
  return peer.value.id;
}

describe("a peer at the desk", () => {
  it("is out of reach for tokens of other agents, by whatever road they come", async () => {
    const { gateway } = desk();
    const id = await opened(gateway, tokenOf(ADA));
    const other = { id, asker: askerOf(tokenOf(BOB)) };
    const fault = { ok: false, fault: { code: "not-found" } };
    expect(await gateway.close(other)).toMatchObject(fault);
    expect(await gateway.restart(other, undefined)).toMatchObject(fault);
    expect(await gateway.answer(other, "v=0")).toMatchObject(fault);
    const shown = { token: tokenOf(ADA), origins: [] };
    const byBob = await gateway.judge({ ...shown, agentId: BOB });
    expect(byBob).toMatchObject({ fault: { code: "token-invalid", details: { claim: "sub" } } });
    expect(gateway.counts.waiting).toBe(1);
    const byAda = await gateway.judge({ ...shown, agentId: ADA });
    if (!byAda.ok) throw new Error(byAda.fault.message);
    expect(await gateway.close({ id, asker: byAda.value })).toEqual(ok(undefined));
    expect(gateway.counts.waiting).toBe(0);
  });

  it("has the certificate that its token is bound to, and none where it is bound to something else", async () => {
    const offer = takenOffer("libdatachannel");
    const own = sha256Of(offer.fingerprints);
    const asks = async (fingerprint: string | undefined, opening: Partial<PeerOpening>) => {
      const { gateway } = desk();
      const { grant, ...shown } = askerOf(tokenOf(ADA));
      const usual = openingBy({ ...shown, grant: { ...grant, confirmation: { fingerprint } } });
      const peer = await gateway.open({ ...usual, ...opening } as PeerOpening);
      if (!peer.ok) return peer.fault.code;
      await using foreign = new DataChannelPeer({ audio: "sendonly" });
      const sdp = await foreign.answer(writeDescription(peer.value.description));
      const answer = await gateway.answer({ id: peer.value.id, asker: usual.asker }, sdp);
      return answer.ok ? "answered" : answer.fault.code;
    };
    const whip = { way: "whip", offer } as const;
    expect(await asks("ee".repeat(32), whip)).toBe("fingerprint-mismatch");
    expect(await asks(undefined, whip)).toBe("fingerprint-mismatch");
    expect(await asks(own, whip), "comes online").toBe("agent-unknown");
    expect(await asks(undefined, {})).toBe("fingerprint-mismatch");
  });

  it("is one of six of its subject at most", async () => {
    const { gateway } = desk();
    const ids = await Promise.all(Array.from({ length: 6 }, () => opened(gateway, tokenOf(ADA))));
    const refused = { fault: { code: "capacity", details: { retry_after_ms: 5_000 } } };
    expect(await gateway.open(openingBy(askerOf(tokenOf(ADA))))).toMatchObject(refused);
    await opened(gateway, tokenOf(BOB));
    await gateway.close({ id: ids[0] ?? "", asker: askerOf(tokenOf(ADA)) });
    await opened(gateway, tokenOf(ADA));
  });

  it("is one of so many of its owner at most, whichever agent it is for, and of so many in all", async () => {
    const caps = { all: 5, ofOwner: 3, ofSubject: 2 };
    const [own, others] = [
      ["a1", "a2", "a3"],
      ["b1", "b2"],
    ].map((names) => names.map((name) => name.repeat(32))) as [string[], string[]];
    const ownerOf = (agentId: string) => (own.includes(agentId) ? "one key Ann" : undefined);
    const { gateway } = desk({ caps, ownerOf });
    const asks = async (agentId = "") => await gateway.open(openingBy(askerOf(tokenOf(agentId))));
    const refused = (limit: string) => ({
      fault: { code: "capacity", details: { limit, retry_after_ms: 5_000 } },
    });
    expect((await asks(own[0])).ok && (await asks(own[0])).ok).toBe(true);
    expect(await asks(own[0])).toMatchObject(refused("peersPerAgent"));
    const third = await opened(gateway, tokenOf(own[1] ?? ""));
    expect(await asks(own[2])).toMatchObject(refused("peersPerOwner"));
    expect((await asks(others[0])).ok && (await asks(others[1])).ok, "of nobody in particular").toBe(true);
    expect(await asks(ADA)).toMatchObject(refused("peers"));
    await gateway.close({ id: third, asker: askerOf(tokenOf(own[1] ?? "")) });
    expect((await asks(own[2])).ok).toBe(true);
  });

  it("is there to be called, but where it calls itself", async () => {
    const asked: unknown[] = [];
    const { gateway } = desk({
      connect: ({ takesCalls }) => {
        asked.push(takesCalls);
        return Promise.reject(new ParleyError({ code: "agent-unknown", message: "Nobody is online." }));
      },
    });
    const whip = { way: "whip", offer: takenOffer("libdatachannel") } as const;
    const usual = { ...openingBy(askerOf(tokenOf(ADA))), ...whip };
    await gateway.open(usual);
    await gateway.open({ ...usual, to: BOB });
    expect(asked).toEqual([true, false]);
  });

  it("is over when its token is, whatever other tokens are shown before there is a call", async () => {
    const { gateway, told } = desk();
    const id = await opened(gateway, tokenOf(ADA, Date.now() + 400));
    await gateway.trickle(
      { id, asker: askerOf(tokenOf(ADA)) },
      { ice: { usernameFragment: "", password: "" }, candidates: [], isComplete: true },
      undefined,
    );
    await until("its end", () => told.some(({ type }) => type === "ended"));
    expect(told.at(-1)).toMatchObject({ type: "ended", reason: "token-expired", subject: ADA });
  });

  it("is not opened once the server stops, though it was asked for before", async () => {
    const { gateway, told } = desk();
    const asker = await gateway.judge({ token: tokenOf(ADA), origins: [] });
    if (!asker.ok) throw new Error(asker.fault.message);
    await gateway.stop();
    const opening = await gateway.open(openingBy(asker.value));
    expect(opening).toMatchObject({ ok: false, fault: { code: "draining" } });
    expect(told).toEqual([]);
  });

  it("is refused by that name where the server stops while it comes online", async () => {
    const online = Promise.withResolvers<never>();
    const { gateway } = desk({ connect: () => online.promise });
    const usual = openingBy(askerOf(tokenOf(ADA)));
    const opening = gateway.open({ ...usual, way: "whip", offer: takenOffer("libdatachannel") });
    await until("a peer", () => gateway.counts.opening === 1);
    await gateway.stop();
    online.reject(new ParleyError({ code: "connection-lost", message: "The connection ended." }));
    expect(await opening).toMatchObject({ ok: false, fault: { code: "draining" } });
  });

  it("is told to nobody by its whole name", async () => {
    const { gateway, told } = desk();
    const id = await opened(gateway, tokenOf(ADA));
    await gateway.close({ id, asker: askerOf(tokenOf(ADA)) });
    expect(told.map(({ type }) => type)).toEqual(["opened", "ended"]);
    const words = JSON.stringify(told);
    expect(words).toContain(id.slice(0, 8));
    for (const secret of [id.slice(0, 9), tokenOf(ADA)]) expect(words).not.toContain(secret);
  });
});

it("a token that does not hold is no asker's", async () => {
  const bad = refuse("token-expired", "The token has run out.");
  const { gateway } = desk({ judge: async () => bad });
  expect(await gateway.judge({ token: tokenOf(ADA), origins: [] })).toEqual(bad);
});
