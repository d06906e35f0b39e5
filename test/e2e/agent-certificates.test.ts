/** Agents that prove themselves by nothing but their certificates, and what revoking one does to their call. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { Agent, type AgentIdentity, createIdentity, type NodeConnectOptions } from "../../agent/node.ts";
import { loadIdentity, saveIdentity } from "../../platform/node/identity-file.ts";
import { connectCall } from "../calling.ts";
import { parleyAgain } from "../command-line.ts";
import { realServer } from "../exchanges/ways.ts";
import { bodyOf } from "../exchanges/wire.ts";
import { ForeignSocket } from "../foreign/foreign-socket.ts";
import { OpensslAuthority } from "../foreign/openssl-authority.ts";
import { within } from "../waiting.ts";

const SCOPE = ["communication:audio:capture", "communication:audio:transmit"];

let folder = "";
let authority: OpensslAuthority;
let server: Awaited<ReturnType<typeof realServer>>;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "parley-agent-certificates-"));
  authority = new OpensslAuthority(folder);
  const own = await parleyAgain("cert", "authority", join(folder, "own"));
  expect(own.code, own.stderr).toBe(0);
  server = await realServer({
    clientCertificates: "asked",
    certificateAuthorities: [authority.certificateFile, own.stdout.trim()],
  });
});
afterAll(async () => {
  await server.stop();
  rmSync(folder, { recursive: true });
});

/** An agent that cannot prove itself: asked to sign a proof, it throws. */
function withoutProofs(identity: AgentIdentity): AgentIdentity {
  const { signer } = identity;
  return {
    ...identity,
    signer: {
      publicKey: signer.publicKey,
      sign(message) {
        const header = Buffer.from(
          Buffer.from(message).toString().split(".")[0] ?? "",
          "base64url",
        ).toString();
        if (header.includes("agtp-proof+jwt")) throw new Error("a proof was asked for");
        return signer.sign(message);
      },
    },
  };
}

async function connect(
  identity: AgentIdentity,
  certificate: NodeConnectOptions["certificate"],
): Promise<Agent> {
  const { url, certificateHashes } = server;
  const options = certificate === undefined ? { carrier: "tls" as const } : { certificate };
  const agent = await Agent.connect(url, { identity, certificateHashes, ...options });
  onTestFinished(() => agent.close());
  return agent;
}

/** Asks as a program of somebody else's, over a connection that shows a certificate. */
async function ask(request: string, tls: object, body?: object) {
  const socket = await ForeignSocket.open(server.port, { fingerprint: server.certificateHash, ...tls });
  const json = body === undefined ? "" : JSON.stringify(body);
  const length =
    body === undefined ? "" : `Content-Type: application/json\r\nContent-Length: ${json.length}\r\n`;
  await socket.write(`${request}\r\n${length}\r\n${json}`);
  const { status, result, error } = bodyOf(await socket.answer());
  socket.leave();
  return { status, ...(result as object | undefined), error };
}

function revoke(agentId: string, serial: string, tls: object) {
  const content = { event_type: "certificate_revoked", agent_id: agentId, certificate_serial: serial };
  return ask("AGTP/1.0 NOTIFY /", tls, {
    recipient: "infrastructure:broadcast",
    content: { ...content, revocation_reason: "key-compromise" },
    urgency: "critical",
  });
}

function filesOf({
  certificateFile,
  keyFile,
}: {
  readonly certificateFile: string;
  readonly keyFile: string;
}) {
  return { cert: readFileSync(certificateFile), key: readFileSync(keyFile) };
}

describe("agents with certificates", () => {
  it("talk without a proof, and a revocation in the middle of their call ends it within a second", async () => {
    const ada = createIdentity({ name: "Ada", owner: "acme.test" }).identity;
    const shown = authority.issue({ agentId: ada.agentId, ownerId: "acme.test", scope: SCOPE, names: "new" });
    const file = join(folder, "bob.key");
    await saveIdentity(file, createIdentity({ name: "Bob" }).file);
    const made = await parleyAgain(
      "cert",
      "agent",
      "--authority",
      join(folder, "own"),
      "--identity",
      file,
      "--json",
    );
    expect(made.code, made.stderr).toBe(0);
    const { certificate } = JSON.parse(made.stdout) as { readonly certificate: string };
    const bob = await loadIdentity(file);
    const [caller, callee] = await Promise.all([
      connect(withoutProofs(ada), shown),
      connect(withoutProofs(bob), { certificateFile: certificate, keyFile: certificate }),
    ]);
    const { call, answered } = await connectCall(caller, callee);
    let isOver = false;
    const ended = Promise.all([call.ended, answered.ended]).finally(() => {
      isOver = true;
    });

    const stranger = new OpensslAuthority(mkdtempSync(join(folder, "stranger-")));
    const wanted = { agentId: ada.agentId, ownerId: "acme.test", scope: SCOPE };
    for (const tls of [{}, stranger.tls, filesOf(stranger.issue(wanted)), filesOf(shown)])
      expect(await revoke(ada.agentId, shown.serial, tls)).toMatchObject({
        error: { code: "revocation-forbidden" },
      });

    expect(isOver).toBe(false);
    const before = performance.now();
    const told = await revoke(ada.agentId, shown.serial, authority.tls);
    expect(told).toMatchObject({
      status: "delivered",
      certificate_serial: shown.serial.toLowerCase().replace(/^0+/, ""),
    });
    const over = { reason: "certificate-revoked", by: "server" };
    expect(await within("the end", ended)).toEqual([over, over]);
    expect(performance.now() - before).toBeLessThan(1_000);
    await expect(connect(withoutProofs(ada), shown)).rejects.toMatchObject({
      code: "agent-certificate-refused",
      details: { flaw: "revoked" },
    });
    // Another certificate of the same agent is another matter.
    await connect(withoutProofs(ada), authority.issue(wanted));
  });

  it("are refused by name, and by an answer", async () => {
    const ada = createIdentity({ name: "Ada", owner: "acme.test" }).identity;
    const stranger = new OpensslAuthority(mkdtempSync(join(folder, "stranger-")));
    const wanted = { agentId: ada.agentId, ownerId: "acme.test", scope: SCOPE, zone: "zone:lab" };
    await expect(connect(ada, stranger.issue(wanted))).rejects.toMatchObject({
      code: "agent-certificate-refused",
      details: { flaw: "signature-invalid" },
    });
    const tls = filesOf(authority.issue(wanted));
    await connect(ada, undefined);
    const query = (...headers: string[]) =>
      ask(["AGTP/1.0 QUERY /", `Agent-ID: ${ada.agentId}`, ...headers].join("\r\n"), tls);
    expect(await query()).toMatchObject({ status: 200 });
    expect(await query("Owner-ID: acme.test", "AGTP-Zone-ID: zone:lab")).toMatchObject({ status: 200 });
    expect(await query("Owner-ID: other.test")).toMatchObject({
      status: 401,
      error: { code: "agent-mismatch" },
    });
    expect(await query("AGTP-Zone-ID: zone:prod")).toMatchObject({
      status: 457,
      error: { code: "zone-violation" },
    });
    expect(await query("Authority-Scope: communication:data:transmit")).toMatchObject({
      status: 455,
      error: { code: "scope-violation" },
    });
    const other = `Agent-ID: ${createIdentity({ name: "Eve" }).identity.agentId}`;
    expect(await ask(`AGTP/1.0 QUERY /\r\n${other}`, tls)).toMatchObject({
      status: 401,
      error: { code: "agent-mismatch" },
    });
  });
});
