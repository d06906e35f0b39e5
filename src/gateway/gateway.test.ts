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
import type { Asker, PeerOpening } from "./desk.ts";
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
const askerOf = (token: string, agentId?: string): Asker => ({
  ...{ token, origins: [] },
  ...(agentId === undefined ? {} : { agentId }),
});
const openingBy = (asker: Asker): PeerOpening => ({
  ...{ way: "exchange", asker, audio: "sendonly", video: "none", data: true },
  abandoned: new AbortController().signal,
});

function desk(differs: Partial<GatewayOptions> = {}) {
  const told: GatewayEvent[] = [];
  const gateway = new Gateway({
    ...{ workers, clock: systemClock, random, gatewayId: "cc".repeat(32) },
    judge: async (token) => granted(token),
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
    const named = { id, asker: askerOf(tokenOf(ADA), BOB) };
    expect(await gateway.close(named)).toMatchObject({ ok: false, fault: { code: "token-invalid" } });
    expect(gateway.counts.waiting).toBe(1);
    expect(await gateway.close({ id, asker: askerOf(tokenOf(ADA), ADA) })).toEqual(ok(undefined));
    expect(gateway.counts.waiting).toBe(0);
  });

  it("is not opened by the token of another agent than who asks", async () => {
    const { gateway } = desk();
    const asked = await gateway.open(openingBy(askerOf(tokenOf(ADA), BOB)));
    expect(asked).toMatchObject({ fault: { code: "token-invalid", details: { claim: "sub" } } });
  });

  it("has the certificate that its token is bound to, and none where it is bound to something else", async () => {
    const offer = takenOffer("libdatachannel");
    const own = sha256Of(offer.fingerprints);
    const asks = async (fingerprint: string | undefined, opening: Partial<PeerOpening>) => {
      const judge = async (token: string) => {
        const grant = granted(token);
        return grant.ok ? ok({ ...grant.value, confirmation: { fingerprint } }) : grant;
      };
      const { gateway } = desk({ judge });
      const usual = openingBy(askerOf(tokenOf(ADA)));
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
    const judged = Promise.withResolvers<Result<AccessGrant>>();
    const { gateway, told } = desk({ judge: () => judged.promise });
    const opening = gateway.open(openingBy(askerOf(tokenOf(ADA))));
    await gateway.stop();
    judged.resolve(granted(tokenOf(ADA)));
    expect(await opening).toMatchObject({ ok: false, fault: { code: "draining" } });
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

it("a token that does not hold opens nothing and reaches nothing", async () => {
  const bad = refuse("token-expired", "The token has run out.");
  let isOver = false;
  const { gateway } = desk({ judge: async (token) => (isOver ? bad : granted(token)) });
  const id = await opened(gateway, tokenOf(ADA));
  isOver = true;
  expect(await gateway.open(openingBy(askerOf(tokenOf(ADA))))).toEqual(bad);
  expect(await gateway.close({ id, asker: askerOf(tokenOf(ADA)) })).toEqual(bad);
});
