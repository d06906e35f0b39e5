/** How peers of a real server end, and that others go on: each end has its name in the call's records, and is told on the control channel. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Agent, Call } from "../../agent/node.ts";
import { pause, until, within } from "../waiting.ts";
import { DataChannelPeer } from "../webrtc/data-channel-peer.ts";
import type { ForeignPeer, ForeignPeerOptions } from "../webrtc/foreign-peer.ts";
import { type Known, PeerServer, type TakenPeer, type TokenWishes } from "../webrtc/peer-server.ts";
import { UdpWay } from "../webrtc/udp-way.ts";
import { WeriftPeer } from "../webrtc/werift-peer.ts";

const VOICE: ForeignPeerOptions = { audio: "sendonly", channels: ["parley-control", "parley-data"] };
const WORD = Uint8Array.of(0x78, 1, 2, 3);

let site: PeerServer;
let ada: Known;
beforeAll(async () => {
  site = await PeerServer.start({ webrtcWorkers: 2 });
  ada = await site.known("Ada");
});
afterAll(() => site[Symbol.asyncDispose]());

interface Talk {
  readonly peer: ForeignPeer;
  readonly taken: TakenPeer;
  readonly way: UdpWay;
  /** At the agent's end. */
  readonly call: Call;
  /** Packets heard there. */
  readonly heard: readonly Uint8Array[];
}

/** A peer that talks to an agent. */
async function talking(subject: Known, callee: Agent, wishes: TokenWishes = {}): Promise<Talk> {
  const answered = Promise.withResolvers<Call>();
  callee.onCall((incoming) => incoming.accept({ voices: "encoded" }).then(answered.resolve, answered.reject));
  const peer = new DataChannelPeer(VOICE);
  const token = site.tokenOf(subject, wishes);
  const response = await site.ask("whip", token, await peer.offer(), callee.id);
  const { answer, way } = await UdpWay.of(await response.text());
  await peer.accept(answer);
  await peer.connected();
  const location = response.headers.get("location") ?? "";
  const taken = { token, location, iceTag: response.headers.get("etag") ?? "" };
  const call = await within("the call", answered.promise);
  const heard: Uint8Array[] = [];
  void (async () => {
    for await (const { payload } of call.voice?.heard() ?? []) heard.push(payload);
  })();
  return { peer, taken, way, call, heard };
}

/** Says something, and waits until it is heard. */
async function isHeard({ peer, heard }: Pick<Talk, "peer" | "heard">): Promise<void> {
  const before = heard.length;
  await peer.speak(Array.from({ length: 10 }, () => WORD));
  await until("what was said", () => heard.length >= before + 10);
}

/** Why the call was over, as the agent was told, and as the record says. */
async function reasons({ call }: Talk): Promise<readonly unknown[]> {
  const { reason } = await within("the end", call.ended, 30_000);
  let recorded: string | undefined;
  await until("its record", async () => {
    recorded = (await call.records()).find((record) => record.reason !== undefined)?.reason;
    return recorded !== undefined;
  });
  return [reason, recorded];
}

/** What the peer was told last. */
async function lastWord(peer: ForeignPeer): Promise<unknown> {
  const words = () =>
    peer.messages
      .filter(({ stream }) => stream === 0)
      .map(({ message }) => JSON.parse(String(message)) as { type: string; state?: string; reason?: string })
      .filter(({ state }) => state === "ended");
  await until("the last word", () => words().length > 0);
  return words()[0]?.reason;
}

const code = async (response: Promise<Response>) => {
  const { status, body } = await response.then(async (one) => ({
    status: one.status,
    body: await one.json(),
  }));
  return `${status} ${body.code}`;
};

describe("a call with a peer ends with its name", () => {
  it("where its worker is killed; those on the other one go on, and a new one is served", async () => {
    const carl = await site.known("Carl");
    const callees = await Promise.all(["B1", "B2", "B3", "B4", "B5"].map((name) => site.online(name)));
    const subjects = await Promise.all(["S1", "S2", "S3", "S4", "S5"].map((name) => site.known(name)));
    const talks: Talk[] = [];
    for (const [index, callee] of callees.entries())
      talks.push(await talking(subjects[index] as Known, callee));
    const opened = site.logged.filter(({ event }) => event === "webrtc-peer-opened").slice(-5);
    const pids = opened.map(({ fields }) => fields.workerPid as number);
    expect(new Set(pids).size).toBe(2);
    const [victim] = pids;
    process.kill(victim as number, "SIGKILL");
    for (const [index, talk] of talks.entries()) {
      if (pids[index] === victim)
        expect(await reasons(talk)).toEqual(["media-worker-lost", "media-worker-lost"]);
      else await isHeard(talk);
    }
    const again = await talking(carl, await site.online("Dora"));
    await isHeard(again);
    for (const { peer, taken } of [...talks, again]) {
      await site.about(taken, "DELETE");
      await peer.close();
    }
  });

  it("where the peer vanishes without a word: ice-failed", async () => {
    const talk = await talking(ada, await site.online("Bob"));
    talk.way.isSilent = true;
    expect(await reasons(talk)).toEqual(["ice-failed", "ice-failed"]);
    talk.way[Symbol.dispose]();
    await talk.peer.close();
  });

  it("where the peer leaves: peer-closed", async () => {
    const talk = await talking(ada, await site.online("Bob"));
    await talk.peer.close();
    expect(await reasons(talk)).toEqual(["peer-closed", "peer-closed"]);
  });

  it("where its token runs out in the call: token-expired", async () => {
    const talk = await talking(ada, await site.online("Bob"), { lifetime: 4 });
    await isHeard(talk);
    expect(await lastWord(talk.peer)).toBe("token-expired");
    expect(await reasons(talk)).toEqual(["token-expired", "token-expired"]);
    await talk.peer.close();
  });

  it("where its token runs out, unless a fresh one was shown in time", async () => {
    const bob = await site.online("Bob");
    const answered = Promise.withResolvers<Call>();
    bob.onCall((incoming) => incoming.accept({ voices: "encoded" }).then(answered.resolve, answered.reject));
    const exchanges = await site.exchanges(ada);
    await using peer = new DataChannelPeer(VOICE);
    const first = site.tokenOf(ada, { lifetime: 5 });
    const id = await exchanges.open(first, peer, { to: bob.id, audio: "sendonly" });
    const call = await within("the call", answered.promise);
    const began = performance.now();
    await exchanges.adjust(site.tokenOf(ada, { lifetime: 10 }), id, { restart: true });
    expect((await within("the end", call.ended)).reason).toBe("token-expired");
    expect(performance.now() - began).toBeGreaterThan(7_000);
  });

  it("where the server stops: server-shutdown; a peer that waits is told as well", async () => {
    await using other = await PeerServer.start();
    const [eve, mia] = [await other.known("Eve"), await other.known("Mia")];
    const bob = await other.online("Bob");
    const answered = Promise.withResolvers<Call>();
    bob.onCall((incoming) => incoming.accept().then(answered.resolve, answered.reject));
    await using waiting = new DataChannelPeer(VOICE);
    await other.open("whip", other.tokenOf(eve), waiting);
    await using peer = new DataChannelPeer(VOICE);
    await other.open("whip", other.tokenOf(mia), peer, bob.id);
    const call = await within("the call", answered.promise);
    const began = performance.now();
    const stopped = other.server.stop(0);
    expect((await within("the end", call.ended)).reason).toBe("server-shutdown");
    expect(await Promise.all([lastWord(peer), lastWord(waiting)])).toEqual([
      "server-shutdown",
      "server-shutdown",
    ]);
    await stopped;
    expect(performance.now() - began).toBeLessThan(5_000);
    expect(other.ends).toEqual(["server-shutdown", "server-shutdown"]);
  });

  it("where who asked waits no longer: what rang is taken back", async () => {
    const bob = await site.online("Bob");
    const rings = Promise.withResolvers<AbortSignal>();
    bob.onCall(({ cancelled }) => rings.resolve(cancelled));
    await using peer = new DataChannelPeer(VOICE);
    const offer = await peer.offer();
    const given = new AbortController();
    const url = new URL(`/webrtc/whip?to=${bob.id}`, site.server.httpUrl);
    const headers = { authorization: `Bearer ${site.tokenOf(ada)}`, "content-type": "application/sdp" };
    const asked = fetch(url, { method: "POST", headers, body: offer, signal: given.signal });
    const refused = expect(asked).rejects.toThrow();
    const cancelled = await within("ringing", rings.promise);
    given.abort();
    await refused;
    await until("the end of ringing", () => cancelled.aborted);
  });

  it("where the certificate is another than the offer named: dtls-failed", async () => {
    const bob = await site.online("Bob");
    const answered = Promise.withResolvers<Call>();
    bob.onCall((incoming) => incoming.accept().then(answered.resolve, answered.reject));
    await using peer = new DataChannelPeer({ ...VOICE, wrongFingerprint: true });
    const response = await site.ask("whip", site.tokenOf(ada), await peer.offer(), bob.id);
    await peer.accept(await response.text());
    const call = await within("the call", answered.promise);
    expect((await within("the end", call.ended)).reason).toBe("dtls-failed");
  });

  it("where the peer never comes: ice-failed", async () => {
    const bob = await site.online("Bob");
    const answered = Promise.withResolvers<Call>();
    bob.onCall((incoming) => incoming.accept().then(answered.resolve, answered.reject));
    await using peer = new DataChannelPeer(VOICE);
    expect((await site.ask("whip", site.tokenOf(ada), await peer.offer(), bob.id)).status).toBe(201);
    const call = await within("the call", answered.promise);
    expect((await within("the end", call.ended, 30_000)).reason).toBe("ice-failed");
  });
});

describe("ICE begins anew", () => {
  it("after the peer came to another address: what it says is heard again, in the same call", async () => {
    const bob = await site.online("Bob");
    const answered = Promise.withResolvers<Call>();
    bob.onCall((incoming) => incoming.accept({ voices: "encoded" }).then(answered.resolve, answered.reject));
    const exchanges = await site.exchanges(ada);
    await using peer = new WeriftPeer(VOICE);
    const token = site.tokenOf(ada);
    const { id, offer } = await exchanges.offered(token, { to: bob.id, audio: "sendonly" });
    const { answer: led, way } = await UdpWay.of(offer);
    using _ = way;
    await exchanges.adjust(token, id, { sdp: await peer.answer(led) });
    await peer.connected();
    const call = await within("the call", answered.promise);
    const heard: Uint8Array[] = [];
    void (async () => {
      for await (const { payload } of call.voice?.heard() ?? []) heard.push(payload);
    })();
    const talk = { peer, heard };
    await isHeard(talk);
    way.isSilent = true;
    await pause(1_000);
    way.move("127.0.0.2");
    way.isSilent = false;
    const again = await exchanges.adjust(token, id, { restart: true });
    const before = /^a=ice-ufrag:(.*)$/m.exec(offer)?.[1];
    expect(/^a=ice-ufrag:(.*)$/m.exec(String(again.sdp))?.[1]).not.toBe(before);
    await exchanges.adjust(token, id, { sdp: await peer.restart(way.leads(String(again.sdp))) });
    const known = heard.length;
    await until("a word", async () => {
      await peer.speak([WORD]);
      return heard.length > known;
    });
    await isHeard(talk);
    await exchanges.close(token, id);
    expect((await within("the end", call.ended)).reason).toBe("peer-closed");
  });

  it("by PATCH: candidates of the time before are refused", async () => {
    const talk = await talking(ada, await site.online("Bob"));
    const fragment =
      "a=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuvwx\r\nm=audio 9 UDP/TLS/RTP/SAVPF 0\r\na=mid:0\r\n";
    const type = { "content-type": "application/trickle-ice-sdpfrag" };
    const trickle = async (tag: string) =>
      (await site.about(talk.taken, "PATCH", { ...type, "if-match": tag }, fragment)).status;
    expect(await trickle(talk.taken.iceTag)).toBe(204);
    const restarted = await site.about(talk.taken, "PATCH", { ...type, "if-match": "*" }, fragment);
    const tag = restarted.headers.get("etag") ?? "";
    expect([restarted.status, tag === talk.taken.iceTag]).toEqual([200, false]);
    expect(await restarted.text()).toMatch(/^a=ice-ufrag:/m);
    expect([await trickle(talk.taken.iceTag), await trickle(tag)]).toEqual([412, 204]);
    const others = { ...talk.taken, token: site.tokenOf(await site.known("Mallory")) };
    expect(await code(site.about(others, "PATCH", { ...type, "if-match": tag }, fragment))).toBe(
      "404 not-found",
    );
    await site.about(talk.taken, "DELETE");
    await talk.peer.close();
  });
});

describe("a peer is refused with its name", () => {
  it("for its token: expired, of another server, bound to another certificate, of an agent that is not known", async () => {
    await using peer = new DataChannelPeer(VOICE);
    const offer = await peer.offer();
    const short = site.tokenOf(ada, { lifetime: 1 });
    await pause(1_100);
    expect(await code(site.ask("whip", short, offer))).toBe("401 token-expired");
    const elsewhere = site.tokenOf(ada, { audience: "https://elsewhere.example" });
    expect(await code(site.ask("whip", elsewhere, offer))).toBe("401 token-invalid");
    const bound = site.tokenOf(ada, { fingerprint: "ab".repeat(32) });
    expect(await code(site.ask("whip", bound, offer))).toBe("403 fingerprint-mismatch");
  });

  it("for its offer: garbage, and codecs that nobody takes", async () => {
    const token = site.tokenOf(ada);
    expect(await code(site.ask("whip", token, "v=0\r\nnonsense"))).toBe("400 sdp-malformed");
    await using peer = new DataChannelPeer(VOICE);
    const offer = (await peer.offer()).replaceAll(/opus\/48000\/2/gi, "G722/8000");
    expect(await code(site.ask("whip", token, offer))).toBe("406 codec-unsupported");
  });

  it("for whom it calls: nobody, and one that declines", async () => {
    await using peer = new DataChannelPeer(VOICE);
    const offer = await peer.offer();
    const nobody = "0".repeat(64);
    expect(await code(site.ask("whip", site.tokenOf(ada), offer, nobody))).toMatch(
      /callee-unreachable|agent-not-found/,
    );
    const bob = await site.online("Bob");
    bob.onCall((incoming) => incoming.decline());
    expect(await code(site.ask("whip", site.tokenOf(ada), offer, bob.id))).toBe("403 declined");
  });

  it("where too many act for one agent", async () => {
    const eve = await site.known("Eve");
    const token = site.tokenOf(eve);
    await using peer = new DataChannelPeer(VOICE);
    const offer = await peer.offer();
    const asked = await Promise.all(Array.from({ length: 8 }, () => site.ask("whip", token, offer)));
    const refused = asked.filter(({ status }) => status === 503);
    expect(refused).toHaveLength(2);
    expect(refused[0]?.headers.get("retry-after")).toBe("5");
    for (const response of asked)
      await site.about(
        { token, location: response.headers.get("location") ?? site.server.httpUrl ?? "", iceTag: "" },
        "DELETE",
      );
  });
});
