/** An issuer that governs its agents over TLS by the certificate it shows, while they talk. */
import { afterAll, beforeAll, expect, it, onTestFinished } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { connectCall } from "../calling.ts";
import { realServer } from "../exchanges/ways.ts";
import { bodyOf } from "../exchanges/wire.ts";
import { ForeignSocket } from "../foreign/foreign-socket.ts";
import { certifiedIssuer } from "../foreign/issuer.ts";
import { within } from "../waiting.ts";

let server: Awaited<ReturnType<typeof realServer>>;
beforeAll(async () => {
  server = await realServer({ clientCertificates: "asked" });
});
afterAll(() => server.stop());

it("an agent is suspended, reinstated and retired by its issuer alone, and its calls end", async () => {
  const [own, other] = await Promise.all([certifiedIssuer("own.test"), certifiedIssuer("other.test")]);
  const { url, certificateHashes } = server;
  const connect = async (
    name: string,
    carrier: "tls" | "webtransport",
    issuer = own.issuer,
  ): Promise<Agent> => {
    const { identity } = createIdentity({ name }, issuer);
    const agent = await Agent.connect(url, { identity, certificateHashes, carrier });
    onTestFinished(() => agent.close());
    return agent;
  };
  const [ada, bob] = await Promise.all([connect("Ada", "tls", other.issuer), connect("Bob", "webtransport")]);
  const { call, answered } = await connectCall(ada, bob);
  const ask = async (method: string, tls: object): Promise<object> => {
    const socket = await ForeignSocket.open(server.port, { fingerprint: server.certificateHash, ...tls });
    await socket.write(`${method} /agents/${bob.id} HTTP/AGTP/1.0\r\n\r\n`);
    const { status, result, error } = bodyOf(await socket.answer());
    socket.leave();
    return { status, ...(result as object | undefined), ...(error as object | undefined) };
  };
  expect(await ask("DEACTIVATE", {})).toMatchObject({ status: 401, code: "genesis-issuer-cert-required" });
  expect(await ask("DEACTIVATE", other.tls)).toMatchObject({ status: 403, code: "issuer-mismatch" });
  expect(await ask("DEACTIVATE", own.tls)).toMatchObject({ status: "suspended", previous_status: "active" });
  const over = { reason: "agent-deactivated", by: "server" };
  expect(await within("the end", Promise.all([call.ended, answered.ended]))).toEqual([over, over]);
  await expect(ada.call(bob.id)).rejects.toMatchObject({ code: "agent-suspended" });
  expect(await ask("DEACTIVATE", own.tls)).toMatchObject({ status: "suspended", noop: true });
  expect(await ask("REINSTATE", own.tls)).toMatchObject({ status: "active", previous_status: "suspended" });
  expect(await ask("REVOKE", own.tls)).toMatchObject({ status: "retired", previous_status: "active" });
  expect(await ask("REINSTATE", own.tls)).toMatchObject({ status: 422, code: "lifecycle-conflict" });
  await expect(ada.call(bob.id)).rejects.toMatchObject({ code: "agent-retired" });
});
