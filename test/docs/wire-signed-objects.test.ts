import { createPublicKey } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { compactVerify } from "jose";
import { describe, expect, it } from "vitest";
import { canonicalBytes } from "../../codecs/canonical-json.ts";
import { signedObjectsPage } from "../../scripts/write-signed-objects-doc.ts";
import { publicKeyToPem } from "../../signaling/keys.ts";
import { SIGNED_OBJECTS } from "../../signaling/signed-objects.ts";
import { strictVerifier } from "../keys.ts";
import { EXAMPLES } from "./signed-object-examples.ts";

const root = new URL("../../", import.meta.url);
const page = readFileSync(new URL("docs/wire-signed-objects.md", root), "utf8");

describe("docs/wire-signed-objects.md", () => {
  it("is what `node scripts/write-signed-objects-doc.ts` writes from the table and the examples", () => {
    expect(page).toBe(signedObjectsPage());
  });

  it("lists every `typ` and domain string in the sources", () => {
    const sources = ["signaling", "codecs"].flatMap((room) => typescriptIn(room));
    const marks = sources.flatMap((source) => [
      ...[...source.matchAll(/typ: "([^"]+)"/g)].map((match) => match[1]),
      ...[...source.matchAll(/_DOMAIN = "(\\0[^"]+)"/g)].map((match) => match[1]?.replaceAll("\\0", "\0")),
    ]);
    const listed = SIGNED_OBJECTS.filter((object) => object.envelope !== "member").map(
      (object) => object.mark,
    );
    expect([...new Set(marks)].sort()).toEqual(listed.sort());
  });
});

describe("the table", () => {
  it("has one row for each mark, and an example for each row", () => {
    expect(new Set(SIGNED_OBJECTS.map((object) => object.mark)).size).toBe(SIGNED_OBJECTS.length);
    expect([...EXAMPLES.keys()]).toEqual(SIGNED_OBJECTS.map((object) => object.name));
  });

  it("keeps media keys to raw bytes that begin with zero, and all other keys away from them", () => {
    for (const { envelope, key, mark } of SIGNED_OBJECTS) {
      expect(envelope === "bytes").toBe(key === "agent's media key");
      expect(mark.startsWith("\0")).toBe(envelope === "bytes");
    }
  });

  it("names modules that exist", () => {
    for (const { module } of SIGNED_OBJECTS) expect(existsSync(new URL(module, root)), module).toBe(true);
  });
});

describe("every example holds as the table says", () => {
  it.each(SIGNED_OBJECTS.map((object) => [object.name, object] as const))("%s", async (name, object) => {
    const example = EXAMPLES.get(name);
    expect(example?.envelope).toBe(object.envelope);
    switch (example?.envelope) {
      case "JWS": {
        const verified = await compactVerify(example.jws, createPublicKey(publicKeyToPem(example.key)));
        expect(verified.protectedHeader.typ).toBe(object.mark);
        return;
      }
      case "member": {
        const {
          [example.member]: signature,
          agent_id,
          ...rest
        } = JSON.parse(new TextDecoder().decode(example.bytes));
        const signed = name === "Genesis" ? rest : { ...rest, agent_id };
        const [member = "", value] = object.mark.split(": ");
        expect(rest[member]).toBe(value);
        expect(
          strictVerifier.verify(example.key, canonicalBytes(signed), Buffer.from(signature, "base64url")),
        ).toBe(true);
        return;
      }
      case "bytes": {
        const signed = Buffer.concat([Buffer.from(object.mark), example.body]);
        expect(strictVerifier.verify(example.key, signed, example.signature)).toBe(true);
      }
    }
  });
});

function typescriptIn(folder: string): string[] {
  return readdirSync(new URL(`${folder}/`, root), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
    .map((path) => readFileSync(new URL(`${folder}/${path}`, root), "utf8"));
}
