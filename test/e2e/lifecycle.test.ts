/** An agent's issuer stops it over TLS, with nothing but openssl and a certificate of its own key. */
import { execFile } from "node:child_process";
import { createPrivateKey } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it, onTestFinished } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { createSigner } from "../../platform/node/sodium.ts";
import { serve } from "../../src/server/serve.ts";
import { until } from "../waiting.ts";

const execute = promisify(execFile);

it("is refused without its certificate, and done with it: the agent is told and stays away", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-lifecycle-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const [key, certificate] = [join(folder, "issuer.key"), join(folder, "issuer.pem")];
  const make = "openssl req -x509 -newkey ed25519 -nodes -subj /CN=issuer -days 1";
  await execute("bash", ["-c", `${make} -keyout ${key} -out ${certificate}`]);
  const { d = "" } = createPrivateKey(readFileSync(key)).export({ format: "jwk" });
  const issuer = { name: "issuer.test", signer: createSigner(new Uint8Array(Buffer.from(d, "base64url"))) };

  const server = await serve({
    dataFolder: join(folder, "data"),
    port: 0,
    httpPort: 0,
    registration: "open",
    logLevel: "silent",
    residents: false,
    clientCertificates: "asked",
  });
  onTestFinished(() => server.stop(0));
  const agent = await Agent.connect(server.url, {
    identity: createIdentity({ name: "Ada" }, issuer).identity,
    certificateHashes: [server.certificateHash],
  });
  onTestFinished(() => agent.close());

  const { port } = new URL(server.agtpUrl?.replace("agtp:", "https:") as string);
  const ask = async (method: string, shown: string) => {
    const request = `(printf 'AGTP/1.0 ${method} /agents/${agent.id}\\r\\n\\r\\n'; sleep 1)`;
    const dial = `openssl s_client -quiet -no_ign_eof -connect 127.0.0.1:${port} ${shown}`;
    return (await execute("bash", ["-c", `${request} | ${dial}`])).stdout;
  };
  expect(await ask("DEACTIVATE", "")).toContain("AGTP/1.0 401 Unauthorized\r\n");
  const shown = `-cert ${certificate} -key ${key}`;
  expect(await ask("DEACTIVATE", shown)).toMatch(/^AGTP\/1\.0 200 OK\r\n.*"status":"suspended"/s);
  await until("the agent has lost its inbox", async () => {
    const refused = await agent.directory().catch((error: { code?: string }) => error.code);
    return refused === "agent-suspended" || refused === "closed" || refused === "offline";
  });
  expect(await ask("REINSTATE", shown)).toContain('"status":"active"');
}, 30_000);
