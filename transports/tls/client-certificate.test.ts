import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { issueAgentCertificate } from "../../src/certificates/issue.ts";
import { makeTestAuthority } from "../../src/certificates/test-authority.ts";
import { ALICE, BOB, CALL_TIME } from "../../test/signed-call.ts";
import { clientCertificate } from "./client-certificate.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-client-certificate-"));
afterAll(() => rmSync(folder, { recursive: true }));

const authority = makeTestAuthority("test", CALL_TIME);
const [alice, bob] = [ALICE, BOB].map(({ genesis, document }) => {
  const identity = { agentId: genesis.agentId, genesis: genesis.bytes, identityDocument: document.bytes };
  return issueAgentCertificate(authority, identity, { days: 1, isCritical: true, now: CALL_TIME }).pem;
}) as [string, string];
const file = (name: string, text: string): string => {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
};

describe("a client's certificate", () => {
  test("is taken from one file or two, or as text, with critical extensions and out of its time", async () => {
    const both = file("both.pem", alice);
    const [certificate = "", key = ""] = alice.split(/(?=-----BEGIN PRIVATE)/);
    const apart = { certificateFile: file("own.pem", certificate), keyFile: file("own.key", key) };
    const read = { certificatePem: readFileSync(both, "utf8"), privateKeyPem: alice };
    expect(await clientCertificate({ certificateFile: both, keyFile: both })).toEqual(read);
    expect(await clientCertificate(apart)).toEqual({ certificatePem: certificate, privateKeyPem: key });
    expect(await clientCertificate(read)).toEqual(read);
  });

  test.each([
    ["missing", join(folder, "nowhere.pem"), alice, /cannot be read/],
    ["none", file("none.pem", "hello"), alice, /cannot be read/],
    ["another key's", file("alice.pem", alice), bob, /another certificate/],
    ["without a key", file("keyless.pem", alice), "hello", /cannot be read/],
  ])("that is %s is refused, naming the file", async (_, certificateFile, key, why) => {
    const given = clientCertificate({ certificateFile, keyFile: file("other.key", key) });
    await expect(given).rejects.toMatchObject({
      code: "certificate-broken",
      message: expect.stringMatching(why),
    });
  });

  test("is shown by nothing but AGTP over TLS", async () => {
    const { identity } = createIdentity({ name: "Ada" });
    const certificate = { certificatePem: alice, privateKeyPem: alice };
    const connecting = Agent.connect("https://127.0.0.1:1/agtp", {
      identity,
      certificate,
      carrier: "webtransport",
    });
    await expect(connecting).rejects.toMatchObject({ code: "usage" });
  });
});
