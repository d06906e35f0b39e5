/** What a server keeps of a call: who, when, what was agreed and how much was heard, and neither what was said nor any secret. */
import { describe, expect, it } from "vitest";
import type { LogEntry, RecordLog } from "../../signaling/record-log.ts";
import { createMemoryLog } from "../../store/memory-log.ts";
import { WireTap } from "../net/wire-tap.ts";
import { ALICE, BOB } from "../signed-call.ts";
import { SpokenOctets } from "../spoken-octets.ts";
import { SignalingPeer } from "./signaling-peer.ts";
import { Stage } from "./signaling-stage.ts";
import { connected, Recording, say } from "./talking.ts";
import { World } from "./world.ts";

/** A log that shows everything that was appended to it. */
function shown(): { readonly log: RecordLog; readonly entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const kept = createMemoryLog();
  const log = new Proxy(kept, {
    get: (target, name) => {
      if (name === "append") {
        return async (more: readonly LogEntry[]) => {
          entries.push(...more);
          await target.append(more);
        };
      }
      const value: unknown = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { log, entries };
}

/** All octets of an entry. */
function octetsOf(entry: LogEntry): Uint8Array {
  switch (entry.kind) {
    case "record":
      return Buffer.from(entry.jws);
    case "artifact":
    case "session-state":
      return entry.bytes;
    case "agent":
      return Buffer.concat([entry.genesis, entry.identityDocument]);
    case "lifecycle":
      return Buffer.from(entry.status);
    case "revocation":
      return Buffer.from(entry.reason);
    case "erased":
    case "agent-evicted":
      return new Uint8Array();
  }
}

describe("what was said", () => {
  it("is on the wire and in the other end's ear, and nowhere in the log", async () => {
    const { log, entries } = shown();
    const world = new World({ log });
    const tap = new WireTap(world.network);
    const ada = await world.agent("Ada", {}, tap);
    const bob = await world.agent("Bob");
    const { call, answered } = await connected(world, ada, bob, { audio: { codecs: ["pcmu"] } });
    const heard = new Recording(answered);
    const spoken = new SpokenOctets(await say(world, call, 3));
    await world.clock.advance(500);
    await world.during(call.interrupt());
    await world.during(call.end());
    const evidence = await world.during(call.evidence());

    expect(heard.count("speech")).toBeGreaterThan(100);
    const sent = Buffer.concat(tap.datagrams.map(({ bytes }) => bytes));
    expect(spoken.countIn(sent)).toBeGreaterThan(10_000);
    expect(
      spoken.countIn(Buffer.from(sent.toString("base64url"))),
      "it would be found encoded",
    ).toBeGreaterThan(10_000);
    expect(entries.filter(({ kind }) => kind === "artifact").length).toBeGreaterThan(10);
    for (const entry of entries) expect(spoken.countIn(octetsOf(entry)), entry.kind).toBe(0);
    expect(spoken.countIn(evidence)).toBe(0);
  });
});

describe("credentials", () => {
  it("of a request stand in no record and in no line of the server's log", () => {
    const stage = new Stage();
    const alice = new SignalingPeer(stage, ALICE);
    const bob = new SignalingPeer(stage, BOB);
    bob.subscribe();
    const marker = "c2VjcmV0LW9mLWFsaWNl";
    const headers = [["Authorization", `Bearer ${marker}`]] as const;
    const proofs: string[] = [];
    const asked = (method: string, path: string, changes = {}) => {
      const rawProof = alice.proof(method, path, {}, changes);
      proofs.push(rawProof);
      return alice.ask(method, path, {}, { rawProof, headers, documents: false }).outcome;
    };
    alice.subscribe();
    expect(asked("SUBSCRIBE", `/agents/${alice.id}/inbox`)).toBe("ok 200");
    expect(asked("SUBSCRIBE", `/agents/${bob.id}/inbox`), "refused by whose it is").toBe("agent-mismatch");
    expect(asked("SUBSCRIBE", `/agents/${alice.id}/inbox`, { nonce: "A".repeat(22) })).toBe("proof-invalid");
    expect(asked("DISCOVER", "/nothing")).toBe("not-found");
    expect(asked("GET", "/sessions")).toBe("method-unknown");
    expect(asked("ESTABLISH", "/sessions")).toMatch(/^[a-z-]+$/);
    const text = [
      ...stage.log.flatMap((entry) => (entry.kind === "record" ? decoded(entry.jws) : [])),
      ...stage.logs.map((line) => JSON.stringify(line)),
    ].join("\n");
    expect(text).toContain("agent-mismatch");
    expect(text).not.toContain(marker);
    expect(text.toLowerCase()).not.toContain("bearer");
    for (const proof of proofs) {
      for (const part of proof.split(".").slice(1)) expect(text).not.toContain(part);
    }
  });
});

/** A record as sent, and what it says. */
function decoded(jws: string): string {
  return `${jws} ${Buffer.from(jws.split(".")[1] ?? "", "base64url").toString()}`;
}
