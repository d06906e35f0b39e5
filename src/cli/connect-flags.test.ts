import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createIdentity } from "../../agent/node.ts";
import { saveIdentity } from "../../platform/node/identity-file.ts";
import { connectOptions } from "./connect-flags.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-connect-flags-"));
const key = join(folder, "ada.key");
beforeAll(() => saveIdentity(key, createIdentity({ name: "Ada" }).file));
afterAll(() => rmSync(folder, { recursive: true }));

describe("an agent's certificate", () => {
  it("stands in one file with its key unless another is named, and goes over TLS", async () => {
    expect(await connectOptions({ key, carrier: "auto", certificate: "ada.pem" })).toMatchObject({
      carrier: "tls",
      certificate: { certificateFile: "ada.pem", keyFile: "ada.pem" },
    });
    const flags = {
      key,
      carrier: "websocket",
      certificate: "ada.pem",
      certificateKey: "ada-key.pem",
    } as const;
    expect(await connectOptions(flags), "which carrier shows none says the library").toMatchObject({
      carrier: "websocket",
      certificate: { certificateFile: "ada.pem", keyFile: "ada-key.pem" },
    });
    expect(await connectOptions({ key, carrier: "auto" })).not.toHaveProperty("certificate");
  });

  it("is needed for a key of its own", async () => {
    const options = connectOptions({ key, carrier: "auto", certificateKey: "ada-key.pem" });
    await expect(options).rejects.toMatchObject({ code: "usage" });
  });
});

describe("an access token", () => {
  const tokenFile = join(folder, "ada.jwt");

  it("stands in a file, which is read again whenever a fresh one is needed", async () => {
    writeFileSync(tokenFile, "a.b.c\n");
    const { token } = await connectOptions({ key, carrier: "auto", tokenFile });
    if (typeof token !== "function") throw new Error("It is read once.");
    expect(await token()).toBe("a.b.c");
    writeFileSync(tokenFile, "d.e.f");
    expect(await token()).toBe("d.e.f");
  });

  it("is not in a file that holds none, nor in two places", async () => {
    writeFileSync(tokenFile, "\n");
    for (const flags of [{ tokenFile }, { tokenFile: join(folder, "none") }, { tokenFile, token: "a.b.c" }]) {
      const options = connectOptions({ key, carrier: "auto", ...flags });
      await expect(options).rejects.toMatchObject({ code: "usage" });
    }
  });

  it("comes by standard input where no file may hold it", async () => {
    const script = `import { connectOptions } from "./src/cli/connect-flags.ts";
      console.log((await connectOptions({ key: ${JSON.stringify(key)}, carrier: "auto", tokenFile: "-" })).token);`;
    const options = { input: "g.h.i\n", encoding: "utf8", cwd: join(import.meta.dirname, "../..") } as const;
    expect(execFileSync(process.execPath, ["--input-type=module", "-e", script], options)).toBe("g.h.i\n");
  });
});
