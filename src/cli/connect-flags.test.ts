import { mkdtempSync, rmSync } from "node:fs";
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
