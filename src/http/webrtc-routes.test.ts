import { describe, expect, it, onTestFinished } from "vitest";
import { ok, refuse } from "../../codecs/result.ts";
import { systemClock } from "../../platform/node/clock.ts";
import { MemoryRates } from "../../signaling/shared-state.ts";
import { OWN_TRANSPORT, offerText } from "../../test/sdp-offers.ts";
import { readFragment } from "../../transports/webrtc/sdp-fragment.ts";
import { readOffer } from "../../transports/webrtc/sdp-reading.ts";
import { answeredSections } from "../../transports/webrtc/sdp-writing.ts";
import type { Asker, OpenedPeer, PeerDesk, PeerNamed, PeerOpening } from "../gateway/desk.ts";
import { offDesk } from "../gateway/off-desk.ts";
import { originsOf } from "../server/origins.ts";
import { AddressBook, DEFAULT_ADDRESS_LIMITS } from "./address-limits.ts";
import { openSite, type SiteOptions } from "./site.ts";

const TOKEN = "eyJhbGciOiJFZERTQSJ9.e30.c2ln";
const AGENT = "ab".repeat(32);

/** A desk of one place: the peer `p1`, whose ICE session is `t1` until it is restarted. */
class OnePlace implements PeerDesk {
  readonly openings: PeerOpening[] = [];
  /** What it was asked to judge, and what its one token grants. */
  readonly shown: Asker[] = [];
  readonly granted = {
    ...{ agentId: AGENT, issuer: AGENT, tokenId: "t", expiresAt: Date.now() + 600_000 },
    scope: { grants: [], limits: {} },
  };
  readonly done: string[] = [];
  opened: Awaited<ReturnType<PeerDesk["open"]>> | undefined;
  iceTag = "t1";
  isThere = true;

  unavailable() {
    return undefined;
  }
  async judge(asker: Asker) {
    this.shown.push(asker);
    if (asker.token !== TOKEN) return refuse("token-invalid", "The token does not hold.");
    return ok({ ...asker, grant: this.granted });
  }
  async open(opening: PeerOpening) {
    this.openings.push(opening);
    if (this.opened !== undefined) return this.opened;
    if (opening.way === "exchange") throw new Error("not by HTTP");
    const sections = answeredSections(opening.offer, [], { sctpPort: 5000, maxMessageSize: 65_536 });
    return ok({ id: "p1", iceTag: this.iceTag, ...this.#described("answer", sections) });
  }
  async trickle(peer: PeerNamed, _fragment: unknown, tag: string | undefined) {
    if (tag !== this.iceTag) return refuse("ice-outdated", "These credentials were taken back.");
    return this.#did(peer, "trickled");
  }
  async restart(peer: PeerNamed) {
    this.iceTag = "t2";
    const did = this.#did(peer, "restarted");
    const section = { kind: "data", mid: "0", sctpPort: 5000, maxMessageSize: 0 } as const;
    return did.ok ? ok({ iceTag: this.iceTag, ...this.#described("answer", [section]) }) : did;
  }
  async answer(peer: PeerNamed, sdp: string) {
    const read = readOffer(sdp);
    return read.ok ? this.#did(peer, "answered") : read;
  }
  async close(peer: PeerNamed) {
    const did = this.#did(peer, "closed");
    this.isThere = false;
    return did;
  }

  #described(kind: OpenedPeer["kind"], sections: OpenedPeer["description"]["sections"]) {
    return { kind, description: { ...OWN_TRANSPORT, setup: "passive", sections } } as const;
  }
  #did({ id }: PeerNamed, what: string) {
    if (!this.isThere || id !== "p1") return refuse("not-found", "There is no such peer.");
    this.done.push(what);
    return ok(undefined);
  }
}

async function scene(desk: PeerDesk, options: Partial<SiteOptions> = {}): Promise<string> {
  const addresses = new AddressBook({
    limits: DEFAULT_ADDRESS_LIMITS,
    clock: systemClock,
    rates: new MemoryRates(),
  });
  const site = await openSite({
    ...{ host: "127.0.0.1", port: 0, setting: "httpPort", maxSockets: 1, addresses, desk: () => desk },
    origins: (address) => originsOf(address, "http"),
    pageOrigins: () => [],
    unready: () => undefined,
    accept: () => {},
    ...options,
  });
  onTestFinished(() => site.close());
  return `http://${site.address}`;
}

const shown = (type: string, more: Record<string, string> = {}) => ({
  headers: { authorization: `Bearer ${TOKEN}`, "content-type": type, ...more },
});
const SDP = shown("application/sdp");
const FRAGMENT = "a=ice-ufrag:EsAw\r\na=ice-pwd:P2uYro0UCOQ4zxjKXaWCBui1\r\n";
const sdpfrag = (match?: string) =>
  shown("application/trickle-ice-sdpfrag", match === undefined ? {} : { "if-match": match });

async function problem(response: Response) {
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  expect(response.headers.get("access-control-allow-origin")).toBe("*");
  const body = await response.json();
  expect(body).toMatchObject({ type: "about:blank", status: response.status, detail: expect.any(String) });
  return { status: response.status, code: body.code, at: body.at, details: body.details };
}

describe("WHIP and WHEP", () => {
  it("answer an offer with 201, and tell where the peer is and which ICE session it has", async () => {
    const desk = new OnePlace();
    const origin = await scene(desk);
    const response = await fetch(`${origin}/webrtc/whip?to=${AGENT}`, {
      ...{ method: "POST", body: offerText("libdatachannel") },
      headers: { ...SDP.headers, origin: "https://pages.example" },
    });
    expect(response.status).toBe(201);
    const header = (name: string) => response.headers.get(name);
    expect(header("content-type")).toBe("application/sdp");
    expect(header("location")).toBe(`${origin}/webrtc/peers/p1`);
    expect(header("etag")).toBe('"t1"');
    expect(header("accept-patch")).toBe("application/trickle-ice-sdpfrag");
    expect(header("access-control-allow-origin")).toBe("*");
    expect(header("access-control-expose-headers")).toContain("location");
    expect(readOffer(await response.text())).toMatchObject({
      value: { ice: OWN_TRANSPORT.ice, sections: [{ kind: "none" }, { kind: "none" }, { kind: "data" }] },
    });
    expect(desk.openings).toMatchObject([
      { way: "whip", to: AGENT, asker: { token: TOKEN, origins: [origin, expect.any(String)] } },
    ]);
    await fetch(`${origin}/webrtc/whep`, { method: "POST", body: offerText("libdatachannel"), ...SDP });
    expect(desk.openings[1]).toMatchObject({ way: "whep" });
    expect(desk.openings[1]).not.toHaveProperty("to");
  });

  it("take who asks from the token alone, and hand on nothing that their request's headers say", async () => {
    const desk = new OnePlace();
    const origin = await scene(desk);
    const claims = {
      ...{ "agent-id": AGENT, "owner-id": "mallory", "authority-scope": "communication:*" },
      ...{ "session-id": "s1", "on-behalf-of": AGENT, "allow-rcns": "true" },
    };
    const url = `${origin}/webrtc/whip?to=${AGENT}`;
    const { headers } = SDP;
    const sent = { method: "POST", body: offerText("libdatachannel"), headers: { ...headers, ...claims } };
    expect((await fetch(url, sent)).status).toBe(201);
    const [opening] = desk.openings;
    expect(Object.keys(opening ?? {}).sort()).toEqual(["abandoned", "asker", "offer", "to", "way"]);
    const shown = { token: TOKEN, origins: [origin, expect.any(String)] };
    expect(desk.shown).toEqual([shown]);
    expect(opening?.asker).toEqual({ ...shown, grant: desk.granted });
    const { authorization: _, ...unnamed } = sent.headers;
    const refused = await fetch(url, { ...sent, headers: unnamed });
    expect(await problem(refused)).toMatchObject({ status: 401, code: "token-required" });
    expect(desk.openings).toHaveLength(1);
  });

  it("counter an offer that cannot be answered with 406 and an offer, which PATCH answers", async () => {
    const desk = new OnePlace();
    const section = { kind: "data", mid: "0", sctpPort: 5000, maxMessageSize: 0 } as const;
    const description = { ...OWN_TRANSPORT, setup: "actpass", sections: [section] } as const;
    desk.opened = ok({ id: "p1", kind: "offer", description, iceTag: "t1" });
    const origin = await scene(desk);
    const response = await fetch(`${origin}/webrtc/whep`, {
      method: "POST",
      body: offerText("chromium-whep"),
      ...SDP,
    });
    expect(response.status).toBe(406);
    expect(response.headers.get("content-type")).toBe("application/sdp");
    const location = response.headers.get("location") as string;
    expect(readOffer(await response.text())).toMatchObject({ value: { setup: "actpass" } });
    const answered = await fetch(location, { method: "PATCH", body: offerText("libdatachannel"), ...SDP });
    expect(answered.status).toBe(204);
    expect(desk.done).toEqual(["answered"]);
    const garbage = await fetch(location, { method: "PATCH", body: "v=0", ...SDP });
    expect(await problem(garbage)).toMatchObject({ status: 400, code: "sdp-malformed" });
  });

  it("take candidates of the present ICE session, and restart it", async () => {
    const desk = new OnePlace();
    const peer = `${await scene(desk)}/webrtc/peers/p1`;
    const patch = (match?: string) => fetch(peer, { method: "PATCH", body: FRAGMENT, ...sdpfrag(match) });
    expect((await patch('"t1"')).status).toBe(204);
    expect(await problem(await patch())).toMatchObject({ status: 428, code: "if-match-required" });
    expect(await problem(await patch('"t0"'))).toMatchObject({ status: 412, code: "ice-outdated" });
    expect(await problem(await patch("W/t1"))).toMatchObject({ status: 412, code: "ice-outdated" });
    const restarted = await patch("*");
    expect(restarted.status).toBe(200);
    expect(restarted.headers.get("content-type")).toBe("application/trickle-ice-sdpfrag");
    expect(restarted.headers.get("etag")).toBe('"t2"');
    expect(readFragment(await restarted.text())).toMatchObject({ value: { ice: OWN_TRANSPORT.ice } });
    expect((await patch('"t2"')).status).toBe(204);
    expect(desk.done).toEqual(["trickled", "restarted", "trickled"]);
  });

  it("end a peer by DELETE as often as it is asked, and know it no more", async () => {
    const desk = new OnePlace();
    const peer = `${await scene(desk)}/webrtc/peers/p1`;
    const remove = () => fetch(peer, { method: "DELETE", headers: { authorization: `Bearer ${TOKEN}` } });
    expect([(await remove()).status, (await remove()).status]).toEqual([200, 200]);
    expect(desk.done).toEqual(["closed"]);
    const patched = await fetch(peer, { method: "PATCH", body: FRAGMENT, ...sdpfrag('"t1"') });
    expect(await problem(patched)).toMatchObject({ status: 404, code: "not-found" });
  });

  it.each([
    ["no token", {}, 401, "token-required", "Bearer"],
    ["another scheme", { authorization: "Basic dTpw" }, 401, "token-required", "Bearer"],
    [
      "a token that does not hold",
      { authorization: "Bearer other" },
      401,
      "token-invalid",
      'Bearer error="invalid_token"',
    ],
  ])("ask who shows %s for one", async (_what, headers, status, code, challenge) => {
    const origin = await scene(new OnePlace());
    const response = await fetch(`${origin}/webrtc/peers/p1`, { method: "DELETE", headers });
    expect(response.headers.get("www-authenticate")).toBe(challenge);
    expect(await problem(response)).toMatchObject({ status, code });
    const opened = await fetch(`${origin}/webrtc/whip`, {
      method: "POST",
      body: "hello",
      headers: { "content-type": "application/sdp" },
    });
    expect(await problem(opened)).toMatchObject({ status: 401, code: "token-required" });
  });

  it.each([
    ["SDP that is none", "POST", "whip", "hello", "application/sdp", "sdp-malformed"],
    ["a callee that is none", "POST", "whep?to=echo", "hello", "application/sdp", "field-invalid"],
    [
      "a body of another type",
      "POST",
      "whip",
      "v",
      "application/trickle-ice-sdpfrag",
      "media-type-unsupported",
    ],
    [
      "a body of a type that nobody reads",
      "POST",
      "whip",
      "{}",
      "application/json",
      "media-type-unsupported",
    ],
    ["a body too long", "POST", "whep", "v=0\r\n".repeat(13_200), "application/sdp", "body-too-large"],
    ["a fragment that is none", "PATCH", "peers/p1", "v", "application/trickle-ice-sdpfrag", "sdp-malformed"],
    ["no If-Match", "PATCH", "peers/p1", FRAGMENT, "application/trickle-ice-sdpfrag", "if-match-required"],
    ["an answer that is none", "PATCH", "peers/p1", "v=0", "application/sdp", "sdp-malformed"],
  ])("judge the token before anything else: %s", async (_what, method, path, body, type, code) => {
    const origin = await scene(new OnePlace());
    const ask = async (token: string) => {
      const match = code === "if-match-required" ? {} : { "if-match": '"t1"' };
      const headers = { authorization: `Bearer ${token}`, "content-type": type, ...match };
      return await problem(await fetch(`${origin}/webrtc/${path}`, { method, body, headers }));
    };
    expect(await ask("other")).toMatchObject({ status: 401, code: "token-invalid" });
    expect(await ask(TOKEN)).toMatchObject({ code });
  });

  it.each([
    ["garbage", "hello", "application/sdp", 400, "sdp-malformed"],
    ["nothing", "", "application/sdp", 400, "sdp-malformed"],
    ["H.264 alone", offerText("obs"), "application/sdp; charset=utf-8", 406, "codec-unsupported"],
    ["JSON", "{}", "application/json", 415, "media-type-unsupported"],
    ["a fragment", FRAGMENT, "application/trickle-ice-sdpfrag", 415, "media-type-unsupported"],
    ["66,000 bytes", "v=0\r\n".repeat(13_200), "application/sdp", 413, "body-too-large"],
  ])("refuse %s by name", async (_what, body, type, status, code) => {
    const origin = await scene(new OnePlace());
    const response = await fetch(`${origin}/webrtc/whip`, { method: "POST", body, ...shown(type) });
    expect(await problem(response)).toMatchObject({ status, code });
  });

  it("hand on why a call was not answered, and when to come again", async () => {
    const desk = new OnePlace();
    const origin = await scene(desk);
    const ask = async () =>
      await fetch(`${origin}/webrtc/whip`, { method: "POST", body: offerText("libdatachannel"), ...SDP });
    for (const [code, status] of [
      ...([
        ["callee-busy", 503],
        ["declined", 403],
        ["no-answer", 504],
        ["agent-not-found", 404],
      ] as const),
      ...([
        ["scope-violation", 403],
        ["codec-unsupported", 406],
        ["fingerprint-mismatch", 403],
        ["server-error", 500],
      ] as const),
    ] as const) {
      desk.opened = refuse(code, "So it is.", "here", { fact: 1 });
      expect(await problem(await ask())).toEqual({ status, code, at: "here", details: { fact: 1 } });
    }
    desk.opened = refuse("rate-limited", "Too often.", undefined, { retry_after_ms: 1_500 });
    const limited = await ask();
    expect(limited.headers.get("retry-after")).toBe("2");
    expect(await problem(limited)).toMatchObject({ status: 429 });
    const odd = await fetch(`${origin}/webrtc/whip?to=echo`, {
      method: "POST",
      body: offerText("libdatachannel"),
      ...SDP,
    });
    expect(await problem(odd)).toMatchObject({ status: 422, code: "field-invalid", at: "query.to" });
  });

  it("give up what is being set up when nobody waits for it any more", async () => {
    const desk = new OnePlace();
    const origin = await scene(desk);
    const asked = Promise.withResolvers<PeerOpening>();
    desk.open = (opening) => {
      asked.resolve(opening);
      return new Promise(() => {});
    };
    const leaving = new AbortController();
    const request = fetch(`${origin}/webrtc/whip`, {
      method: "POST",
      body: offerText("libdatachannel"),
      ...SDP,
      signal: leaving.signal,
    });
    const { abandoned } = await asked.promise;
    expect(abandoned.aborted).toBe(false);
    const given = new Promise((resolve) => abandoned.addEventListener("abort", resolve));
    leaving.abort();
    await expect(request).rejects.toThrow();
    await given;
  });

  it("say what they take, to pages of any origin", async () => {
    const origin = await scene(new OnePlace());
    const whip = await fetch(`${origin}/webrtc/whip`, { method: "OPTIONS" });
    expect(whip.status).toBe(204);
    expect(whip.headers.get("accept-post")).toBe("application/sdp");
    expect(whip.headers.get("access-control-allow-methods")).toBe("POST, OPTIONS");
    expect(whip.headers.get("access-control-allow-headers")).toContain("authorization");
    const peer = await fetch(`${origin}/webrtc/peers/p1`, { method: "OPTIONS" });
    expect(peer.headers.get("accept-patch")).toBe("application/trickle-ice-sdpfrag, application/sdp");
    for (const method of ["GET", "HEAD", "PUT"]) {
      const refused = await fetch(`${origin}/webrtc/whep`, { method });
      expect([refused.status, refused.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
    }
    const posted = await fetch(`${origin}/webrtc/peers/p1`, { method: "POST", body: "v=0", ...SDP });
    expect(await problem(posted)).toMatchObject({ status: 405, code: "method-not-allowed" });
  });

  it("answer 503 and how to turn the carrier on where there is none, and while the server stops", async () => {
    const off = await scene(offDesk());
    const ask = (origin: string) =>
      fetch(`${origin}/webrtc/whip`, { method: "POST", body: offerText("libdatachannel"), ...SDP });
    const response = await ask(off);
    expect((await response.clone().json()).detail).toContain("npm run webrtc:setup");
    expect(await problem(response)).toMatchObject({ status: 503, code: "webrtc-unavailable" });
    const stopping = await scene(new OnePlace(), { unready: () => "The server stops." });
    expect(await problem(await ask(stopping))).toMatchObject({ status: 503, code: "draining" });
  });

  it("are not for an address that asks too often", async () => {
    const limits = { ...DEFAULT_ADDRESS_LIMITS, upgradeRate: { perSecond: 0.001, burst: 2 } };
    const rates = new MemoryRates();
    const addresses = new AddressBook({ limits, clock: systemClock, rates, exempt: () => false });
    const origin = await scene(new OnePlace(), { addresses });
    const statuses: number[] = [];
    for (let time = 0; time < 3; time++)
      statuses.push((await fetch(`${origin}/webrtc/peers/p9`, { method: "DELETE", ...SDP })).status);
    expect(statuses).toEqual([200, 200, 429]);
  });
});
