import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { saveIdentity } from "../../platform/node/identity-file.ts";
import { readRecord } from "../../signaling/attribution.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { parleyAgain } from "../../test/command-line.ts";
import { CallScene } from "../../test/scenario/signaling-call.ts";
import { testAgent } from "../../test/signed-call.ts";
import { SERVER_IDENTITY_FILE } from "../server/own-papers.ts";
import { RUNNING_FILE, writeRunningFile } from "../server/running-file.ts";
import { type ServeOptions, serve } from "../server/serve.ts";
import { type Operator, openOperator } from "./operator.ts";

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "parley-operator-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

async function started(dataFolder: string, options: ServeOptions = {}) {
  const server = await serve({
    dataFolder,
    port: 0,
    httpPort: 0,
    residents: false,
    trustFloor: "org-asserted",
    logLevel: "silent",
    ...options,
  });
  onTestFinished(() => server.stop(0));
  return server;
}

const { identity: ada, file: adaFile } = createIdentity({ name: "Ada" });
const documents = {
  genesis: new TextDecoder().decode(ada.genesis),
  identity_document: new TextDecoder().decode(ada.identityDocument),
};

describe("the operator of a data folder", () => {
  it.each([
    ["AGTP over TLS", {}],
    ["WebSocket where there is no TLS", { tcpPort: "off", webTransport: false }],
    ["WebTransport where there is nothing else", { tcpPort: "off", httpPort: "off" }],
  ] as const)("asks the server that runs by %s, and the folder where none does", async (_, settings) => {
    const folder = newFolder();
    const server = await started(folder, settings);
    const asked = await openOperator(folder);
    expect(asked.running).toMatchObject({ pid: process.pid, agent_id: server.agentId });
    await asked.ask({ method: "ACTIVATE", path: `/agents/${ada.agentId}`, parameters: documents });
    await asked.end();
    await server.stop(0);
    const alone = await openOperator(folder);
    expect(alone.running).toBeUndefined();
    const { result } = await alone.ask({ method: "DISCOVER", path: "/agents" });
    expect(result.agents).toMatchObject([{ agent_id: ada.agentId }]);
    await alone.end();
  });

  it("lets an agent into a closed server, and stops it there at once", async () => {
    const folder = newFolder();
    const server = await started(folder);
    const operator = await openOperator(folder);
    onTestFinished(() => operator.end());
    const connect = () =>
      Agent.connect(server.url, { identity: ada, certificateHashes: [server.certificateHash] });
    await expect(connect()).rejects.toMatchObject({ code: "agent-unknown" });
    const path = `/agents/${ada.agentId}`;
    await operator.ask({ method: "ACTIVATE", path, parameters: documents });
    const agent = await connect();
    onTestFinished(() => agent.close());
    const over = new Promise((resolve) => agent.on("closed", resolve));
    await operator.ask({ method: "DEACTIVATE", path });
    await over;
    await expect(connect()).rejects.toMatchObject({ code: "agent-suspended" });
  });

  it("finds the server by a file of its owner's alone, which goes with the server", async () => {
    const folder = newFolder();
    const server = await started(folder);
    const path = join(folder, RUNNING_FILE);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    await server.stop(0);
    expect(existsSync(path)).toBe(false);
  });

  it("is the folder's owner alone: a server warns where others may look into it", async () => {
    const folder = newFolder();
    const said: string[] = [];
    const events = { log: (_: string, event: string) => void said.push(event) };
    const closed = await started(folder, { events });
    await closed.stop(0);
    expect(said).not.toContain("data-folder-open");
    chmodSync(folder, 0o755);
    await started(folder, { events });
    expect(said).toContain("data-folder-open");
  });

  it("waits for the server that has the folder where a killed one left its file", async () => {
    const folder = newFolder();
    await started(folder);
    const path = join(folder, RUNNING_FILE);
    const facts = JSON.parse(readFileSync(path, "utf8"));
    const { pid: gone } = spawnSync(process.execPath, ["--version"]);
    writeRunningFile(folder, { ...facts, pid: gone, agtp_url: "agtp://127.0.0.1:1" });
    const asked = openOperator(folder);
    await new Promise((resolve) => setTimeout(resolve, 150));
    writeRunningFile(folder, facts);
    const operator = await asked;
    expect(operator.running).toMatchObject({ pid: process.pid });
    await operator.end();
  });

  it("starts again whatever became of the residents: a suspended one is left out, an erased one stays away", async () => {
    const folder = newFolder();
    const first = await started(folder, { residents: true });
    const operator = await openOperator(folder);
    const residents = async (each: Operator) => {
      const { agents } = (await each.ask({ method: "DISCOVER", path: "/agents" })).result;
      return (agents as JsonObject[]).map(({ name, status = "active", online }) => [name, status, online]);
    };
    const { agents } = (await operator.ask({ method: "DISCOVER", path: "/agents" })).result;
    const idOf = (called: string) =>
      String((agents as JsonObject[]).find(({ name }) => name === called)?.agent_id);
    await operator.ask({ method: "DEACTIVATE", path: `/agents/${idOf("Reader")}` });
    await operator.ask({ method: "REDACT", path: "/records", parameters: { agent_id: idOf("Echo") } });
    await operator.end();
    await first.stop(0);
    await started(folder, { residents: true });
    const again = await openOperator(folder);
    expect(await residents(again)).toEqual([["Reader", "suspended", false]]);
    await again.end();
  });

  it("does not mind the file that a killed server left", async () => {
    const folder = newFolder();
    const server = await started(folder);
    await server.stop(0);
    const gone = {
      pid: 1,
      agent_id: server.agentId,
      certificate_hash: "0".repeat(64),
      url: "https://127.0.0.1:1",
    };
    writeRunningFile(folder, gone);
    const operator = await openOperator(folder);
    expect(operator.running).toBeUndefined();
    await operator.end();
  });

  it("was never there in a folder that no server has lived in", async () => {
    await expect(openOperator(newFolder())).rejects.toMatchObject({ code: "usage" });
  });
});

describe("a folder that no server has", () => {
  /** The folder of a killed server: a persistent call of two agents, one of whom a server of the default settings would not let talk. */
  async function left(before: (scene: CallScene) => void = () => {}) {
    const scene = new CallScene({
      offer: { session: { model: "persistent", ttl: 3_600 } },
      alice: testAgent("alice", 1, { document: { trustTier: 3 } }),
    });
    before(scene);
    const folder = newFolder();
    const { genesis, document } = scene.stage.server;
    await saveIdentity(join(folder, SERVER_IDENTITY_FILE), {
      seed: new Uint8Array(32).fill(3),
      genesis: genesis.bytes,
      identityDocument: document.bytes,
    });
    const log = await openLmdbLog(folder);
    await log.append(scene.stage.log);
    const found = { open: [...log.openSessions()], session: log.session(scene.sessionId) };
    await log.close();
    /** Does something as the operator in the folder, and gives what is there afterwards. */
    const done = async (work: (operator: Operator) => Promise<unknown>) => {
      const operator = await openOperator(folder);
      try {
        await work(operator);
      } finally {
        await operator.end();
      }
      const log = await openLmdbLog(folder);
      try {
        return { open: [...log.openSessions()], session: log.session(scene.sessionId) };
      } finally {
        await log.close();
      }
    };
    return { scene, before: found, done };
  }

  it("has its open sessions left as they are: nothing about them is judged or written", async () => {
    const { scene, before, done } = await left();
    expect(before.open).toHaveLength(1);
    const after = await done(async (operator) => {
      await operator.ask({ method: "DISCOVER", path: "/agents" });
      await operator.ask({ method: "ACTIVATE", path: `/agents/${ada.agentId}`, parameters: documents });
      const erased = operator.ask({
        method: "REDACT",
        path: "/records",
        parameters: { session_id: scene.sessionId },
      });
      await expect(erased).rejects.toMatchObject({ code: "session-state-conflict" });
    });
    expect(after).toEqual(before);
  });

  it("has one that was ending end for the reason that it had", async () => {
    const { scene, before, done } = await left(({ alice, sessionId }) => {
      alice.ask("TERMINATE", `/sessions/${sessionId}`, { reason: "enough" });
    });
    expect(before.open).toHaveLength(1);
    const path = `/agents/${scene.bob.id}`;
    const { open, session } = await done((operator) => operator.ask({ method: "DEACTIVATE", path }));
    expect(open).toEqual([]);
    expect(readRecord(session?.records.at(-1) ?? "")).toMatchObject({
      value: { event: "session-terminated", extra: { reason: "enough", by: scene.alice.id } },
    });
  });

  it("has those of an agent ended that is stopped, with a final record, and erased with it", async () => {
    const { scene, done } = await left();
    const path = `/agents/${scene.bob.id}`;
    const stopped = await done((operator) => operator.ask({ method: "DEACTIVATE", path }));
    expect(stopped.open).toEqual([]);
    const last = readRecord(stopped.session?.records.at(-1) ?? "");
    expect(last).toMatchObject({
      ok: true,
      value: { event: "session-terminated", extra: { reason: "agent-deactivated", by: "server" } },
    });

    const another = await left();
    const parameters = { agent_id: another.scene.bob.id };
    const erased = await another.done((operator) =>
      operator.ask({ method: "REDACT", path: "/records", parameters }),
    );
    expect(erased.open).toEqual([]);
    expect(erased.session?.artifacts).toEqual([]);
    expect(JSON.stringify(erased.session?.records.map(readRecord))).not.toContain(another.scene.bob.id);
  });
});

describe("parley agent", () => {
  it("adds and lists on a server that runs", async () => {
    const folder = newFolder();
    const data = join(folder, "data");
    await started(data);
    await saveIdentity(join(folder, "ada.key"), adaFile);
    const added = await parleyAgain("agent", "add", join(folder, "ada.key"), "--data", data);
    expect(added).toMatchObject({ code: 0, stdout: `${ada.agentId}\n` });
    expect(added.stderr).toMatch(/^asked the server of process \d+, https:/);
    const listed = await parleyAgain("agent", "list", "--data", data);
    expect(listed.stdout).toBe(`${ada.agentId}  active, tier 2            Ada (ada)\n`);
  });

  it("inspects no folder that no server has lived in, and leaves nothing there", async () => {
    const folder = newFolder();
    expect(await parleyAgain("inspect", "chain", "--data", folder)).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("No server has lived in"),
    });
    expect(readdirSync(folder)).toEqual([]);
  });

  it("says by exit code what was wrong", async () => {
    const folder = newFolder();
    const data = join(folder, "data");
    await (await started(data)).stop(0);
    writeFileSync(join(folder, "no.key"), "{}");
    const none = parleyAgain("agent", "show", "0".repeat(64), "--data", data);
    const noFile = parleyAgain("agent", "add", join(folder, "no.key"), "--data", data);
    expect(await none).toMatchObject({ code: 11, stderr: expect.stringContaining("agent-not-found") });
    expect(await noFile).toMatchObject({ code: 2, stderr: expect.stringContaining("lacks `genesis`") });
  });
});
