/** What the agent library writes: the requests of a whole call, read off the wire. */
import { beforeAll, describe, expect, it } from "vitest";
import type { AgtpRequest } from "../../codecs/message.ts";
import { RequestTap } from "../net/request-tap.ts";
import { connected, say } from "./talking.ts";
import { World } from "./world.ts";

/** Every header that a request may have; `docs/wire-signaling.md` shows them. */
const HEADERS = new Set([
  ...["Agent-ID", "Request-ID", "Session-ID", "Content-Type", "Content-Length", "Session-Intent"],
  ...["Communication-Modalities", "Audio-Codecs", "Data-Formats", "Authority-Scope", "Idempotency-Key"],
]);

/** What the walk below sends, each at least once. */
const SENT = [
  ...["DISCOVER /", "DISCOVER /genesis", "QUERY /clock", "DISCOVER /agents", "SUBSCRIBE /agents/{}/inbox"],
  ...["NOTIFY /agents/{}/inbox", "ESTABLISH /sessions", "CONFIRM /sessions/{}", "NOTIFY /sessions/{}"],
  ...["ADJUST /sessions/{}", "ADJUST /sessions/{}/streams/{}", "TERMINATE /sessions/{}"],
  ...["OPEN /sessions/{}/streams", "CLOSE /sessions/{}/streams/{}", "QUERY /sessions/{}/records"],
  ...["QUERY /sessions/{}/evidence", "TERMINATE /offers/{}"],
];

/** Number of a call's first voice. */
const VOICE = 1;
/** That of its first data. */
const DATA = 2;

describe("every request of an agent", () => {
  let requests: readonly AgtpRequest[] = [];
  let ada = "";
  let bob = "";
  let sessionId = "";

  beforeAll(async () => {
    const world = new World();
    const tap = new RequestTap(world.network);
    const caller = await world.agent("Ada", {}, tap);
    const callee = await world.agent("Bob", {}, tap);
    await world.during(caller.directory());

    callee.onCall((incoming) => void incoming.decline("busy"));
    await world.during(caller.call(callee.id).catch(() => undefined));
    callee.onCall(() => undefined);
    const controller = new AbortController();
    const takenBack = caller.call(callee.id, {
      signal: controller.signal,
      onRinging: () => controller.abort(),
    });
    await world.during(takenBack.catch(() => undefined));

    const { call, answered } = await connected(world, caller, callee, { data: true }, { data: true });
    await say(world, call, 0.5);
    void say(world, answered, 2);
    await world.clock.advance(500);
    await world.during(call.interrupt());
    const terms = await world.during(call.propose({ streams: [{ bitrate: 32_000 }] }));
    expect(terms.settings).toEqual([{ leg: 0, stream: VOICE, bitrate_bps: 32_000 }]);
    await world.during(call.propose({ streams: [{ bitrate: 24_000 }, { stream: DATA, bitrate: 64_000 }] }));
    const opened = await world.during(call.open({ modality: "data" }));
    await world.during(opened.close());
    await world.during(answered.narrow(["communication:audio:transmit"]));
    await world.during(call.records());
    await world.during(call.end());
    await world.during(answered.settled);
    await world.during(call.evidence());
    await world.during(answered.evidence());
    expect(world.reported).toEqual([]);
    requests = tap.requests;
    [ada, bob, sessionId] = [caller.id, callee.id, call.id];
  });

  it("is among those of a call with all that belongs to one", () => {
    const shapes = requests.map(({ method, path }) =>
      `${method} ${path}`.replace(/(agents|sessions|offers|streams)\/[^/]+/g, "$1/{}"),
    );
    expect(new Set(shapes)).toEqual(new Set(SENT));
  });

  it("asks for a change of one stream at that stream's path, and for any other at the session's", () => {
    const asked = requests.flatMap(({ method, path, body }) => {
      const { parameters } = JSON.parse(new TextDecoder().decode(body) || "{}");
      return method === "ADJUST" && parameters.change !== undefined ? [path] : [];
    });
    expect(asked).toEqual([`/sessions/${sessionId}/streams/${VOICE}`, `/sessions/${sessionId}`]);
  });

  it("names the agent that asks", () => {
    for (const { headers } of requests) expect([ada, bob]).toContain(headers.get("Agent-ID"));
    expect(new Set(requests.map(({ headers }) => headers.get("Agent-ID")))).toEqual(new Set([ada, bob]));
  });

  it("has an identifier that no other has", () => {
    const ids = requests.map(({ headers }) => headers.get("Request-ID"));
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it("names its session, where it is about one", () => {
    const inSession = requests.filter(({ path }) => path.startsWith("/sessions/"));
    for (const { headers, path } of inSession) expect(headers.get("Session-ID")).toBe(path.split("/")[2]);
    expect(inSession.filter(({ headers }) => headers.get("Session-ID") === sessionId).length).toBeGreaterThan(
      6,
    );
    for (const { headers, path } of requests) {
      if (!path.startsWith("/sessions/")) expect(headers.has("Session-ID")).toBe(false);
    }
  });

  it("that establishes a call names the caller and the intent to communicate", () => {
    const calls = requests.filter(({ method }) => method === "ESTABLISH");
    expect(calls).toHaveLength(3);
    for (const { headers } of calls) {
      expect(headers.get("Agent-ID")).toBe(ada);
      expect(headers.get("Session-Intent")).toBe("communication");
    }
  });

  it("has no header beyond those documented, and none that repeats the start line", () => {
    for (const { headers } of requests) {
      for (const [name] of headers) expect(HEADERS).toContain(name);
    }
  });

  it("has none of the retired headers", () => {
    for (const { headers } of requests) {
      for (const name of ["AGTP-Version", "AGTP-Method", "AGTP-Status", "Principal-ID", "Server-Agent-ID"])
        expect(headers.has(name), name).toBe(false);
    }
  });

  it("has a Content-Type where it has a body, and nowhere else", () => {
    for (const { headers, body } of requests) {
      expect(headers.get("Content-Type")).toBe(body.length === 0 ? undefined : "application/vnd.agtp+json");
    }
    expect(requests.some(({ body }) => body.length === 0)).toBe(true);
  });
});
