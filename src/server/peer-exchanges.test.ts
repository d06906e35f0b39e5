import { expect, it } from "vitest";
import { Headers } from "../../codecs/headers.ts";
import { type AgtpRequest, type AgtpResponse, serializeRequest } from "../../codecs/message.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { refuse } from "../../codecs/result.ts";
import type { DuplexStream } from "../../sfu/carrier.ts";
import type { SwitchboardInput } from "../../signaling/switchboard/io.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { HELD_BACK_MS, MAX_EXCHANGES, PeerExchanges } from "./peer-exchanges.ts";
import { RequestTurns } from "./request-turns.ts";

const REQUEST: AgtpRequest = {
  dialect: "base",
  method: "DISCOVER",
  path: "/",
  query: new Map(),
  headers: new Headers([]),
  body: new Uint8Array(0),
};
const RESPONSE: AgtpResponse = {
  dialect: "base",
  status: 200,
  reason: "OK",
  headers: new Headers([]),
  body: new Uint8Array(0),
};

function stream(
  write: () => Promise<void> = async () => {},
  request = REQUEST,
): DuplexStream & { broken: boolean } {
  const chunks = [serializeRequest(request)];
  const made = {
    broken: false,
    receive: { read: async () => chunks.shift(), stop: () => {} },
    send: {
      write,
      finish: async () => {},
      reset: () => {
        made.broken = true;
      },
    },
  };
  return made;
}

function exchanges() {
  const inputs: SwitchboardInput[] = [];
  let id = 0;
  const clock = new VirtualClock();
  const peer = new PeerExchanges({
    connection: 1,
    clock,
    nextId: () => id++,
    turns: new RequestTurns(clock),
    judgeToken: async ({ path }) => (path === "/" ? undefined : refuse("token-expired", "It is over.")),
    input: (input) => inputs.push(input),
  });
  return { clock, inputs, peer };
}

const broken = async () => {
  throw new ParleyError({ code: "connection-lost", message: "The stream is broken." });
};

it("an exchange that breaks in the middle of its series gives its place up, and is told once", async () => {
  const { clock, inputs, peer } = exchanges();
  for (let at = 0; at < MAX_EXCHANGES + 10; at++) {
    await peer.read(stream(broken));
    peer.respond(at, RESPONSE, false, Promise.resolve());
    peer.respond(at, RESPONSE, false, Promise.resolve());
    await clock.settle();
  }
  expect(peer.size).toBe(0);
  expect(inputs.filter(({ kind }) => kind === "abandoned")).toHaveLength(MAX_EXCHANGES + 10);
});

it("so does one whose record cannot be made durable", async () => {
  const { clock, peer } = exchanges();
  await peer.read(stream());
  peer.respond(0, RESPONSE, true, Promise.reject(new Error("disk full")));
  await clock.settle();
  expect(peer.size).toBe(0);
});

it("tells when an answer that is not the last was taken", async () => {
  const { clock, inputs, peer } = exchanges();
  await peer.read(stream());
  peer.respond(0, RESPONSE, false, Promise.resolve());
  await clock.settle();
  peer.respond(0, RESPONSE, true, Promise.resolve());
  await clock.settle();
  expect(inputs.map(({ kind }) => kind)).toEqual(["request", "taken"]);
  expect(peer.size).toBe(0);
});

it("holds an answer back that tells of too many requests, and its place with it", async () => {
  const { clock, peer } = exchanges();
  const said: number[] = [];
  const write = async () => void said.push(clock.now());
  for (const status of [429, 200]) {
    await peer.read(stream(write));
    peer.respond(status === 429 ? 0 : 1, { ...RESPONSE, status }, true, Promise.resolve());
  }
  await clock.advance(HELD_BACK_MS - 1);
  expect([said, peer.size]).toEqual([[0], 1]);
  await clock.advance(1);
  expect([said, peer.size]).toEqual([[0, HELD_BACK_MS], 0]);
});

it("breaks off what is beyond the cap, and what comes after the end", async () => {
  const { peer } = exchanges();
  for (let at = 0; at < MAX_EXCHANGES; at++) await peer.read(stream());
  const further = stream();
  await peer.read(further);
  expect(further.broken).toBe(true);
  peer.end();
  const late = stream();
  await peer.read(late);
  expect(late.broken).toBe(true);
});

it("hands a request with a token in before that is judged, and again after, while the connection is up", async () => {
  const { inputs, peer } = exchanges();
  const request = { ...REQUEST, path: "/sessions", headers: new Headers([["Authorization", "Bearer x"]]) };
  await peer.read(stream(undefined, request));
  expect(inputs).toMatchObject([{ kind: "request", token: "unjudged" }]);
  const asked = { kind: "token-wanted", connection: 1, exchange: 0 } as const;
  await peer.judge({ ...asked, request });
  expect(inputs[1]).toMatchObject({ kind: "request", exchange: 0, isCounted: true, token: { ok: false } });
  await peer.judge({ ...asked, request: REQUEST });
  expect(inputs[2]).not.toHaveProperty("token");
  const late = peer.judge({ ...asked, request });
  peer.end();
  await late;
  expect(inputs).toHaveLength(3);
});
