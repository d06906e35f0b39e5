import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createGenesis } from "../../signaling/genesis.ts";
import { createIdentityDocument } from "../../signaling/identity-document.ts";
import { parseScopes } from "../../signaling/scope.ts";
import { keptIdentity, loadIdentity, type StoredIdentity, saveIdentity } from "./identity-file.ts";
import { createSigner, generateSeed, verifier } from "./sodium.ts";

let folder = "";
let path = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "parley-identity-"));
  path = join(folder, "ada.json");
});
afterEach(() => rmSync(folder, { recursive: true }));

test("an identity comes back byte for byte, with its signer", async () => {
  const identity = makeIdentity("Ada");
  await saveIdentity(path, identity);
  const loaded = await loadIdentity(path);
  expect(loaded.seed).toEqual(identity.seed);
  expect(loaded.genesis).toEqual(identity.genesis);
  expect(loaded.identityDocument).toEqual(identity.identityDocument);
  expect(loaded.agentId).toMatch(/^[0-9a-f]{64}$/);
  const message = Uint8Array.of(1, 2, 3);
  expect(verifier.verify(createSigner(identity.seed).publicKey, message, loaded.signer.sign(message))).toBe(
    true,
  );
});

test("only the owner may read the file, and no other file is left", async () => {
  const previous = process.umask(0);
  try {
    await saveIdentity(path, makeIdentity("Ada"));
  } finally {
    process.umask(previous);
  }
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["ada.json"]);
});

test("a file in the way stays, unless replacing is asked for", async () => {
  const [ada, bob] = [makeIdentity("Ada"), makeIdentity("Bob")];
  await saveIdentity(path, ada);
  await expect(saveIdentity(path, bob)).rejects.toMatchObject({ code: "key-file-invalid" });
  await expect(saveIdentity(path, bob)).rejects.toThrow("exists already");
  expect((await loadIdentity(path)).seed).toEqual(ada.seed);
  await saveIdentity(path, bob, { replace: true });
  expect((await loadIdentity(path)).seed).toEqual(bob.seed);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readdirSync(folder)).toEqual(["ada.json"]);
});

test("an identity is made where none is kept, and no other one after it", async () => {
  const [ada, bob] = [makeIdentity("Ada"), makeIdentity("Bob")];
  expect((await keptIdentity(path, () => ada)).seed).toEqual(ada.seed);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect((await keptIdentity(path, () => bob)).seed).toEqual(ada.seed);
  writeFileSync(path, "{}");
  await expect(keptIdentity(path, () => bob)).rejects.toMatchObject({ code: "key-file-invalid" });
  expect(readFileSync(path, "utf8")).toBe("{}");
});

test("a folder that is not there is named, and nothing is made", async () => {
  const missing = join(folder, "no", "ada.json");
  const saved = saveIdentity(missing, makeIdentity("Ada"));
  await expect(saved).rejects.toMatchObject({ code: "key-file-invalid" });
  await expect(saved).rejects.toThrow(missing);
  expect(readdirSync(folder)).toEqual([]);
});

test("an identity that would not load is not saved", async () => {
  const [ada, bob] = [makeIdentity("Ada"), makeIdentity("Bob")];
  const broken: StoredIdentity[] = [
    { ...ada, seed: bob.seed },
    { ...ada, seed: new Uint8Array(31) },
    { ...ada, genesis: bob.genesis },
    { ...ada, identityDocument: bob.identityDocument },
    { ...ada, genesis: new Uint8Array(0) },
  ];
  for (const identity of broken) {
    await expect(saveIdentity(path, identity)).rejects.toMatchObject({ code: "key-file-invalid" });
  }
  expect(readdirSync(folder)).toEqual([]);
});

describe("loading refuses, naming the file,", () => {
  async function refusal(): Promise<string> {
    const error = await loadIdentity(path).catch((reason) => reason);
    expect(error).toMatchObject({ name: "ParleyError", code: "key-file-invalid" });
    expect(error.message).toContain(path);
    return error.message;
  }

  async function alter(change: (file: Record<string, unknown>) => void): Promise<string> {
    await saveIdentity(path, makeIdentity("Ada"));
    const file = JSON.parse(readFileSync(path, "utf8"));
    change(file);
    writeFileSync(path, JSON.stringify(file));
    return await refusal();
  }

  test("no file", async () => {
    expect(await refusal()).toContain("does not exist");
  });

  test("a folder in its place", async () => {
    mkdirSync(path);
    expect(await refusal()).toContain("cannot be read");
  });

  test("a file too large", async () => {
    writeFileSync(path, `{"parley_identity":1,"x":"${"x".repeat(200_000)}"}`);
    expect(await refusal()).toContain("cannot be read");
  });

  test.each([
    ["nothing", ""],
    ["text", "ada"],
    ["a list", "[]"],
    ["bytes that are no text", "\xff\xfe\x00"],
  ])("%s instead of JSON", async (_name, content) => {
    writeFileSync(path, content, "latin1");
    expect(await refusal()).toContain("is not JSON");
  });

  test("another version", async () => {
    expect(
      await alter((file) => {
        file.parley_identity = 2;
      }),
    ).toContain("version");
  });

  test.each(["seed", "genesis", "identity_document"])("a file without its %s", async (member) => {
    expect(await alter((file) => delete file[member])).toContain("lacks");
  });

  test.each([["x"], ["AAAA"], ["=".repeat(43)], [`${"A".repeat(42)}B`]])("the seed %s", async (seed) => {
    expect(
      await alter((file) => {
        file.seed = seed;
      }),
    ).toContain("seed");
  });

  test("the seed of another key", async () => {
    expect(
      await alter((file) => {
        file.seed = Buffer.from(generateSeed()).toString("base64url");
      }),
    ).toContain("seed that is not of the key");
  });

  test("a Genesis with a changed letter", async () => {
    expect(
      await alter((file) => {
        file.genesis = String(file.genesis).replace("Ada", "Eda");
      }),
    ).toContain("Genesis");
  });

  test("another agent's identity document", async () => {
    expect(
      await alter((file) => {
        file.identity_document = new TextDecoder().decode(makeIdentity("Bob").identityDocument);
      }),
    ).toContain("identity document");
  });
});

function makeIdentity(name: string): StoredIdentity {
  const scope = parseScopes(["communication:audio:transmit"]);
  if (!scope.ok) throw new Error(scope.fault.message);
  const seed = generateSeed();
  const signer = createSigner(seed);
  const issuedAt = Date.UTC(2026, 0, 2);
  const genesis = createGenesis(
    {
      name,
      ownerId: "owner",
      principalId: "owner",
      archetype: "assistant",
      governanceZone: "zone:test",
      scope: scope.value,
      trustTier: 2,
      verificationPath: "self-signed",
      issuedAt,
      issuer: "self",
    },
    signer.publicKey,
    signer,
    verifier,
  );
  const document = createIdentityDocument(
    {
      name,
      // Escaped in the file, and given back as it was.
      description: `"${name}" — 語\\n`,
      principal: "owner",
      status: "active",
      methods: ["ESTABLISH"],
      capabilities: ["voice"],
      scope: scope.value,
      trustScore: 0,
      issuedAt,
      updatedAt: issuedAt,
    },
    genesis,
    signer,
    verifier,
  );
  return { seed, genesis: genesis.bytes, identityDocument: document.bytes };
}
