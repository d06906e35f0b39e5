/** A server that demands access tokens, its issuer's keys over HTTP, and the command that makes tokens, over every real carrier. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { Agent, createAccessToken, createIdentity, type Issuer } from "../../agent/node.ts";
import { createIssuerFile, type RunningServer, serve } from "../../src/index.ts";
import { connectCall } from "../calling.ts";
import { parleyAgain } from "../command-line.ts";
import { within } from "../waiting.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-tokens-"));
const issuerFile = join(folder, "backend.json");
const logged: string[] = [];
const made: string[] = [];
const agents: Agent[] = [];
let backend: Issuer;
let keys: Server;
let server: RunningServer;

beforeAll(async () => {
  backend = await createIssuerFile(issuerFile, "backend");
  const { stdout, code } = await parleyAgain("token", "--by", issuerFile, "--jwks");
  expect(code).toBe(0);
  keys = createServer((_, response) => response.end(stdout));
  await new Promise<void>((resolve) => keys.listen(0, "127.0.0.1", resolve));
  server = await serve({
    ...{ dataFolder: join(folder, "data"), port: 0, httpPort: "off", residents: true },
    ...{ registration: "token", tokens: "required" },
    tokenIssuers: [
      {
        issuer: "backend",
        jwks: `http://127.0.0.1:${(keys.address() as AddressInfo).port}/`,
        algorithms: ["EdDSA"],
      },
    ],
    events: { log: (...event) => logged.push(JSON.stringify(event)) },
  });
});
afterAll(async () => {
  await Promise.all(agents.map((agent) => agent.close()));
  await server.stop(0);
  keys.close();
  rmSync(folder, { recursive: true, force: true });
});

async function online(name: string, carrier: "webtransport" | "websocket" | "tls"): Promise<Agent> {
  const { identity } = createIdentity({ name }, backend);
  const agent = await Agent.connect(server.url, {
    ...{ identity, carrier, certificateHashes: [server.certificateHash] },
    token: () => {
      const audience = new URL(server.url).origin;
      made.push(
        createAccessToken({
          by: backend,
          agentId: identity.agentId,
          audience,
          scope: ["communication:audio:*"],
        }),
      );
      return made.at(-1) as string;
    },
  });
  agents.push(agent);
  return agent;
}

it.each(["webtransport", "websocket", "tls"] as const)(
  "agents that its issuer names register themselves and talk, by %s",
  async (carrier) => {
    const [ada, bob] = await Promise.all([online("Ada", carrier), online("Bob", carrier)]);
    const { call, answered } = await connectCall(ada, bob);
    expect(call.state).toBe("active");
    await within("the end", call.end());
    await answered.settled;
  },
);

it("the residents answer there", async () => {
  const ada = await online("Ada", "websocket");
  const echo = (await ada.directory()).find(({ name }) => name === "Echo");
  const call = await within("the call", ada.call(echo?.agentId ?? ""));
  await within("the end", call.end());
});

it("the command makes tokens, in the server's name as well", async () => {
  const { identity, file } = createIdentity({ name: "Carol" });
  expect(file.seed).toHaveLength(32);
  const by = join(folder, "data", "server-identity.json");
  const printed = await parleyAgain(
    "token",
    identity.agentId,
    "--by",
    by,
    "--audience",
    server.agentId,
    "--lifetime",
    "60",
    "--json",
  );
  const { token, issuer } = JSON.parse(printed.stdout);
  expect(issuer).toBe(server.agentId);
  const connect = (brought: string | undefined) =>
    Agent.connect(server.url, {
      ...{ identity, carrier: "websocket", certificateHashes: [server.certificateHash] },
      ...(brought === undefined ? {} : { token: brought }),
    });
  await expect(connect(undefined)).rejects.toMatchObject({ code: "agent-unknown" });
  agents.push(await connect(token));
  made.push(token);
});

it("tells what it could not make", async () => {
  expect(await parleyAgain("token", "--by", issuerFile)).toMatchObject({
    code: 2,
    stderr: expect.stringMatching(/Name the Agent-ID/),
  });
  expect((await parleyAgain("token", "--by", join(folder, "none"))).stderr).toMatch(/key-file-invalid/);
  const badly = () =>
    createAccessToken({ by: backend, agentId: "alice", audience: "x", scope: ["communication:audio:*"] });
  expect(badly).toThrow(expect.objectContaining({ code: "field-invalid" }));
});

it("none of them is in the data folder or in a line of the log", () => {
  const files = readdirSync(join(folder, "data"), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => readFileSync(join(entry.parentPath, entry.name)));
  const octets = Buffer.concat([...files, Buffer.from(logged.join("\n"))]);
  expect(octets.includes(agents[0]?.id ?? "nobody"), "it is the folder of those calls").toBe(true);
  expect(made.length).toBeGreaterThan(7);
  for (const token of made)
    for (const part of token.split(".").slice(1)) expect(octets.includes(part)).toBe(false);
});
