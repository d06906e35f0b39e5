/** Proofs used where they were not meant, inboxes asked for by others, and words put into an end's mouth. */
import { beforeEach, describe, expect, it } from "vitest";
import type { Agent } from "../../agent/agent.ts";
import { ControlChannel, type ControlRequest } from "../../agent/control.ts";
import type { AgentIdentity } from "../../agent/identity.ts";
import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { AgtpRequest } from "../../codecs/message.ts";
import { createSigner, verifier } from "../../platform/node/sodium.ts";
import type { Connection } from "../../sfu/carrier.ts";
import { readResponseBody, refusalFault } from "../../signaling/body.ts";
import { openExchange } from "../../transports/exchange.ts";
import { must } from "../signed-call.ts";
import { signedBy } from "./forging.ts";
import { HostileRelay } from "./hostile-relay.ts";
import { connected, refusal } from "./talking.ts";
import { ORIGIN, World } from "./world.ts";

/** The other server's own origin. */
const ELSEWHERE = "https://127.0.0.1:4481";

let world: World;
let relay: HostileRelay;
/** What Ada sent the server, proofs included. */
let captured: { readonly request: AgtpRequest; readonly parameters: JsonObject }[];

beforeEach(() => {
  world = new World();
  relay = new HostileRelay(world);
  captured = [];
  relay.request = (request, parameters) => {
    if (parameters.proof !== undefined) captured.push({ request, parameters });
  };
});

async function openConnection(to = world): Promise<Connection> {
  return await to.network.connect(ORIGIN, {}, () => ({
    datagram: () => {},
    stream: () => {},
    exchange: () => {},
    closed: () => {},
  }));
}

/** The code of the first answer to these very bytes. */
async function replay(to: World, connection: Connection, request: AgtpRequest): Promise<string> {
  const ask = async () => {
    for await (const answer of openExchange(await connection.openExchange(), request)) {
      return refusalFault(must(readResponseBody(answer)))?.code ?? "accepted";
    }
    return "nothing";
  };
  return await to.during(ask());
}

/** A connection of its own for `identity`, which asks what it likes. */
async function speakerFor(identity: AgentIdentity): Promise<ControlChannel> {
  const control = new ControlChannel({
    connection: await openConnection(),
    identity,
    clock: world.clock,
    wall: () => world.clock.wall(),
    random: world.random(),
    verifier,
  });
  const { result } = await world.during(control.request({ method: "DISCOVER", path: "/" }));
  control.useNonce(String((result.connection as JsonObject).nonce));
  return control;
}

/** What the first answer says: the refusal, or `accepted`. */
function ask(control: ControlChannel, request: ControlRequest): Promise<string> {
  return refusal(world, control.series(request).next());
}

function documents({ genesis, identityDocument }: AgentIdentity): JsonObject {
  const decoder = new TextDecoder();
  return { genesis: decoder.decode(genesis), identity_document: decoder.decode(identityDocument) };
}

describe("a possession proof", () => {
  it("passed on to another server with that server's own nonce is refused there: it names whom it was made for", async () => {
    const other = new World({ origins: [ELSEWHERE], seed: 2 });
    const connection = await openConnection(other);
    const there = new ControlChannel({
      connection,
      identity: other.identity({ name: "Relay" }),
      clock: other.clock,
      wall: () => other.clock.wall(),
      random: other.random(),
      verifier,
    });
    const greeting = await other.during(there.request({ method: "DISCOVER", path: "/" }));
    const { nonce } = greeting.result.connection as JsonObject;
    relay.answer = ({ path }, result) =>
      path === "/"
        ? { ...result, connection: { ...(result.connection as JsonObject), nonce: String(nonce) } }
        : result;
    // This server refuses her, since the nonce is not its own; her proof has left her hands all the same.
    expect(await refusal(world, world.agent("Ada", {}, relay))).toMatch(/^proof-/);
    const subscribe = captured[0]?.request as AgtpRequest;
    expect(subscribe.method).toBe("SUBSCRIBE");
    expect(await replay(other, connection, subscribe)).toBe("proof-invalid");
  });

  it("is refused on another connection, and a second time on its own", async () => {
    await world.agent("Ada", {}, relay);
    const subscribe = captured[0]?.request as AgtpRequest;
    expect(await replay(world, await openConnection(), subscribe)).toBe("proof-invalid");
    expect(await replay(world, await relay.connection(), subscribe)).toBe("proof-replayed");
  });

  it("is refused for another method, path or body than it was made for", async () => {
    const ada = await world.agent("Ada", {}, relay);
    const { request, parameters } = captured[0] as (typeof captured)[number];
    const changed: Partial<AgtpRequest>[] = [
      { path: `/agents/${"0".repeat(64)}/inbox` },
      { body: canonicalBytes({ method: "SUBSCRIBE", parameters: { ...parameters, after: 7 } }) },
      {
        method: "ESTABLISH",
        path: "/sessions",
        body: canonicalBytes({ method: "ESTABLISH", parameters }),
      },
    ];
    for (const change of changed) {
      const answer = await replay(world, await relay.connection(), { ...request, ...change });
      expect(answer).toBe("proof-invalid");
    }
    expect(ada.calls).toEqual([]);
  });

  it("signed by another key for the same agent is refused", async () => {
    await world.agent("Ada", {}, relay);
    const { request, parameters } = captured[0] as (typeof captured)[number];
    const proof = signedBy(String(parameters.proof), createSigner(new Uint8Array(32).fill(0xee)));
    const body = canonicalBytes({ method: "SUBSCRIBE", parameters: { ...parameters, proof } });
    expect(await replay(world, await relay.connection(), { ...request, body })).toBe("proof-invalid");
  });
});

describe("an inbox", () => {
  let bob: Agent;
  let eve: AgentIdentity;

  beforeEach(async () => {
    bob = await world.agent("Bob");
    eve = world.identity({ name: "Eve" });
  });

  it.each(["before", "after"])("is not given to another agent that asks %s it has its own", async (when) => {
    const control = await speakerFor(eve);
    if (when === "after") {
      const own = { path: `/agents/${eve.agentId}/inbox`, parameters: { ...documents(eve), after: 0 } };
      expect(await ask(control, { method: "SUBSCRIBE", ...own, prove: true })).toBe("accepted");
    }
    const theft = { path: `/agents/${bob.id}/inbox`, parameters: { ...documents(eve), after: 0 } };
    expect(await ask(control, { method: "SUBSCRIBE", ...theft, prove: true })).toMatch(
      /^(agent-mismatch|session-identity-mismatch)/,
    );
    expect(await ask(control, { method: "SUBSCRIBE", ...theft })).toMatch(/^(proof-required|agent-)/);
    const ada = await world.agent("Ada");
    const { answered } = await connected(world, ada, bob);
    expect(answered.peer.agentId).toBe(ada.id);
  });

  it("is not given to somebody who says that it is that agent", async () => {
    const control = await speakerFor({ ...eve, agentId: bob.id });
    const theft = { path: `/agents/${bob.id}/inbox`, parameters: { after: 0 } };
    expect(await ask(control, { method: "SUBSCRIBE", ...theft, prove: true })).toMatch(/^proof-invalid/);
    const pretended = { ...theft, parameters: { ...documents(eve), after: 0 } };
    expect(await ask(control, { method: "SUBSCRIBE", ...pretended, prove: true })).toMatch(
      /^(proof-invalid|genesis-invalid|agent-mismatch)/,
    );
  });
});

describe("a call of others", () => {
  it("cannot be ended, closed, read or answered by an agent that takes no part in it", async () => {
    const [ada, bob] = [await world.agent("Ada"), await world.agent("Bob")];
    const { call, answered } = await connected(world, ada, bob);
    const eve = world.identity({ name: "Eve" });
    const control = await speakerFor(eve);
    const own = { path: `/agents/${eve.agentId}/inbox`, parameters: { ...documents(eve), after: 0 } };
    expect(await ask(control, { method: "SUBSCRIBE", ...own, prove: true })).toBe("accepted");
    const path = `/sessions/${call.id}`;
    const requests: ControlRequest[] = [
      { method: "TERMINATE", path, parameters: { reason: "done" } },
      { method: "QUERY", path },
      { method: "QUERY", path: `${path}/evidence` },
      {
        method: "NOTIFY",
        path,
        parameters: { content: { event: "closing-statement", closing: call.session.answer.jws } },
      },
      {
        method: "CONFIRM",
        path,
        parameters: { target_id: call.id, status: "rejected", reason: "busy" },
        prove: true,
      },
    ];
    for (const request of requests) {
      expect(await ask(control, request), request.method).toMatch(/^session-identity-mismatch/);
    }
    await world.clock.advance(100);
    expect([ada.calls, bob.calls].map((calls) => calls.length)).toEqual([1, 1]);
    expect(answered.id).toBe(call.id);
  });

  it("is not closed by a statement that its end did not sign: signature-invalid", async () => {
    const ada = await world.agent("Ada");
    const bob = world.identity({ name: "Bob" });
    const answering = await world.agent("Bob", { identity: bob }, relay);
    const closings: string[] = [];
    relay.request = (_request, parameters) => {
      if (typeof parameters.closing === "string") closings.push(parameters.closing);
    };
    const first = await connected(world, ada, answering);
    await world.during(first.answered.end("done"));
    expect(closings).toHaveLength(1);
    const { call } = await connected(world, ada, answering);
    const close = async (closing: string) => {
      const body = canonicalBytes({ method: "TERMINATE", parameters: { reason: "done", closing } });
      const { request } = captured[0] as (typeof captured)[number];
      const path = `/sessions/${call.id}`;
      return await replay(world, await relay.connection(), { ...request, method: "TERMINATE", path, body });
    };
    const { signer } = world.serverIdentity;
    const digest = encodeHex(call.sessionDigest);
    const forged = signedBy(closings[0] as string, signer, (payload) => ({
      ...payload,
      session_id: call.id,
      session_digest: digest,
    }));
    expect(await close(forged)).toBe("signature-invalid");
    expect(await close(closings[0] as string)).toBe("field-invalid");
    await world.clock.advance(100);
    expect(ada.calls).toEqual([call]);
  });
});
