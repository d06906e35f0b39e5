import { expect, it } from "vitest";
import { ok, type Result, refuse } from "../../codecs/result.ts";
import type { SwitchboardInput } from "../../signaling/switchboard/io.ts";
import type { PeerWish } from "../../signaling/switchboard/peer-requests.ts";
import { OWN_TRANSPORT } from "../../test/sdp-offers.ts";
import { readOffer } from "../../transports/webrtc/sdp-reading.ts";
import type { Asker, PeerDesk, PeerOpening } from "./desk.ts";
import { DeskExchanges } from "./desk-exchanges.ts";
import { offDesk } from "./off-desk.ts";

const AGENT = "ab".repeat(32);
const ASKER = { token: "e30.e30.AA", origins: ["https://127.0.0.1:4480"], agentId: AGENT };
const GRANT = {
  ...{ agentId: AGENT, issuer: AGENT, tokenId: "t", expiresAt: 2_000_000_000_000 },
  scope: { grants: [], limits: {} },
};
const OPEN: PeerWish = { kind: "open", audio: "sendrecv", video: "none" };
const section = { kind: "data", mid: "0", sctpPort: 5000, maxMessageSize: 0 } as const;
const description = { ...OWN_TRANSPORT, setup: "actpass", sections: [section] } as const;

/** A desk that says what it is told to say, and what it was asked. */
function told(says: Partial<PeerDesk>) {
  const asked: unknown[] = [];
  const did =
    (what: string) =>
    async (peer: unknown, more?: unknown): Promise<Result<void>> => {
      asked.push([what, peer, more]);
      return ok(undefined);
    };
  const desk: PeerDesk = {
    unavailable: () => undefined,
    judge: async (asker: Asker) => ok({ ...asker, grant: GRANT }),
    open: async (opening) => {
      asked.push(opening);
      return ok({ id: "p1", kind: "offer", description, iceTag: "t1" });
    },
    restart: async () => ok({ kind: "offer", description, iceTag: "t2" }),
    ...{ trickle: did("trickle"), answer: did("answer"), close: did("close") },
    ...says,
  };
  return { desk, asked };
}

/** What the switchboard hears of a wish. */
async function ask(desk: PeerDesk, wish: PeerWish, token: string | undefined = ASKER.token) {
  const inputs: SwitchboardInput[] = [];
  const exchanges = new DeskExchanges({ desk: () => desk, input: (input) => inputs.push(input) });
  const wanted = { kind: "peer-wanted", exchange: 7, agentId: AGENT, origins: ASKER.origins, wish } as const;
  await exchanges.ask({ ...wanted, token: token === "" ? undefined : token });
  expect(inputs).toHaveLength(1);
  return inputs[0] as Extract<SwitchboardInput, { kind: "peer" }>;
}

it("has a peer opened, and hands its offer on", async () => {
  const { desk, asked } = told({});
  const { exchange, outcome } = await ask(desk, { ...OPEN, to: AGENT });
  expect(exchange).toBe(7);
  expect(outcome).toMatchObject({ ok: true, value: { peer_id: "p1" } });
  const sdp = outcome.ok ? String(outcome.value.sdp) : "";
  expect(readOffer(sdp)).toMatchObject({ ok: true, value: { setup: "actpass", ice: OWN_TRANSPORT.ice } });
  expect(asked).toMatchObject([
    { way: "exchange", asker: ASKER, to: AGENT, audio: "sendrecv", video: "none", data: false },
  ]);
});

it("hands on answers, candidates and ends, and has ICE begun anew", async () => {
  const { desk, asked } = told({});
  const peer = { id: "p1", asker: { ...ASKER, grant: GRANT } };
  const fragment = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n";
  for (const wish of [
    { kind: "answer", peerId: "p1", sdp: "v=0" },
    { kind: "trickle", peerId: "p1", fragment },
    { kind: "close", peerId: "p1" },
  ] as const)
    expect((await ask(desk, wish)).outcome).toEqual(ok({ peer_id: "p1" }));
  expect(asked).toMatchObject([
    ["answer", peer, "v=0"],
    ["trickle", peer, { ice: { usernameFragment: "EsAw" } }],
    ["close", peer, undefined],
  ]);
  const restarted = await ask(desk, { kind: "restart", peerId: "p1" });
  expect(restarted.outcome).toMatchObject({ value: { peer_id: "p1", sdp: expect.stringContaining("v=0") } });
  const garbage = await ask(desk, { kind: "trickle", peerId: "p1", fragment: "hello" });
  expect(garbage.outcome).toMatchObject({ fault: { code: "sdp-malformed" } });
});

it("says by name that there is no carrier, no token, or what the desk says", async () => {
  expect((await ask(offDesk(), OPEN)).outcome).toMatchObject({ fault: { code: "webrtc-unavailable" } });
  expect((await ask(told({}).desk, OPEN, "")).outcome).toMatchObject({ fault: { code: "token-required" } });
  const expired = told({ judge: async () => refuse("token-expired", "It ran out.") }).desk;
  const garbage: PeerWish = { kind: "trickle", peerId: "p1", fragment: "hello" };
  for (const wish of [OPEN, garbage])
    expect((await ask(expired, wish)).outcome).toMatchObject({ fault: { code: "token-expired" } });
  const { desk } = told({ open: async () => refuse("callee-busy", "Busy.") });
  expect((await ask(desk, OPEN)).outcome).toMatchObject({ fault: { code: "callee-busy" } });
});

it("answers though the desk fails, and tells", async () => {
  const inputs: SwitchboardInput[] = [];
  const { desk } = told({ open: () => Promise.reject(new Error("a fault of ours")) });
  const exchanges = new DeskExchanges({ desk: () => desk, input: (input) => inputs.push(input) });
  const wanted = { kind: "peer-wanted", exchange: 1, ...ASKER, wish: OPEN } as const;
  await expect(exchanges.ask(wanted)).rejects.toThrow("a fault of ours");
  expect(inputs).toMatchObject([{ kind: "peer", exchange: 1, outcome: { fault: { code: "server-error" } } }]);
});

it("tells the desk when nobody waits any more", async () => {
  const opening = Promise.withResolvers<PeerOpening>();
  const { desk } = told({
    open: ({ abandoned, ...more }) => {
      opening.resolve({ abandoned, ...more } as PeerOpening);
      return new Promise((resolve) =>
        abandoned.addEventListener("abort", () => resolve(refuse("cancelled", "Nobody waits."))),
      );
    },
  });
  const inputs: SwitchboardInput[] = [];
  const exchanges = new DeskExchanges({ desk: () => desk, input: (input) => inputs.push(input) });
  const asked = exchanges.ask({ kind: "peer-wanted", exchange: 3, ...ASKER, wish: OPEN });
  await opening.promise;
  exchanges.drop(9);
  expect(inputs).toEqual([]);
  exchanges.drop(3);
  await asked;
  expect(inputs).toMatchObject([{ exchange: 3, outcome: { fault: { code: "cancelled" } } }]);
});
