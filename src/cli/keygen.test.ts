import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadIdentity } from "../../platform/node/identity-file.ts";
import { verifier } from "../../platform/node/sodium.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { parley, parleyAgain } from "../../test/command-line.ts";
import { loadTrustFile } from "../trust-file.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-keygen-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));
const at = (name: string): string => join(folder, name);

async function genesisOf(path: string) {
  const read = readGenesis((await loadIdentity(path)).genesis, verifier);
  if (!read.ok) throw new Error(read.fault.message);
  return read.value;
}

describe("parley keygen", () => {
  it("makes an agent that vouches for itself, readable by its owner alone, and prints its Agent-ID", async () => {
    const { code, stdout } = await parley("keygen", at("ada.key"), "--trust", at("trust.json"));
    expect(code).toBe(0);
    const identity = await loadIdentity(at("ada.key"));
    expect(stdout).toBe(`${identity.agentId}\n`);
    expect(await genesisOf(at("ada.key"))).toMatchObject({ name: "ada", trustTier: 2 });
    expect((await stat(at("ada.key"))).mode & 0o777).toBe(0o600);
    expect(await loadTrustFile(at("trust.json"))).toEqual({ issuerKeys: [], agentIds: [identity.agentId] });
  });

  it("makes an issuer, has agents vouched for by it, and writes its key as the anchor, once", async () => {
    const made = await parleyAgain(
      "keygen",
      "--new-issuer",
      at("acme.issuer"),
      "--issuer-name",
      "acme.example",
      "--json",
    );
    expect(made.code).toBe(0);
    const { issuer_key: issuerKey } = JSON.parse(made.stdout);
    expect((await stat(at("acme.issuer"))).mode & 0o777).toBe(0o600);
    for (const name of ["ada", "bob"]) {
      const args = [
        "--issuer",
        at("acme.issuer"),
        "--trust",
        at("trust.json"),
        "--scope",
        "communication:audio:capture",
      ];
      expect((await parleyAgain("keygen", at(`${name}.key`), ...args)).code).toBe(0);
      const genesis = await genesisOf(at(`${name}.key`));
      expect(genesis).toMatchObject({ name, issuer: "acme.example", trustTier: 1 });
      expect(Buffer.from(genesis.issuerKey).toString("hex")).toBe(issuerKey);
      expect(genesis.scope?.grants).toEqual(["communication:audio:capture"]);
    }
    const anchors = await loadTrustFile(at("trust.json"));
    expect(anchors.issuerKeys.map((key) => Buffer.from(key).toString("hex"))).toEqual([issuerKey]);
    expect(anchors.agentIds).toEqual([]);
  });

  it("never overwrites a key, and leaves nothing half made", async () => {
    await writeFile(at("ada.key"), "precious");
    const { code, stderr } = await parleyAgain("keygen", at("ada.key"));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^parley: key-file-invalid: .*ada\.key exists already.*\n$/);
    expect(await readFile(at("ada.key"), "utf8")).toBe("precious");
    const issuer = await parleyAgain("keygen", "--new-issuer", at("ada.key"));
    expect(issuer.code).toBe(2);
    expect(await readFile(at("ada.key"), "utf8")).toBe("precious");
  });

  it("names an issuer file that is none", async () => {
    await writeFile(at("no.issuer"), '{"parley_issuer":1,"name":"x","seed":"AA"}');
    const { code, stderr } = await parleyAgain("keygen", at("ada.key"), "--issuer", at("no.issuer"));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^parley: key-file-invalid: .*no\.issuer lacks/);
  });
});
