import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import fc from "fast-check";
import { beforeAll, describe, expect, test } from "vitest";
import { ParleyError } from "../../codecs/parley-error.ts";
import { rebindToOlderGlibc } from "./glibc-shim.ts";

const require = createRequire(import.meta.url);
/** The package brings the binary of every platform, so this one is there on all of them. */
const binary = join(
  dirname(dirname(require.resolve("@moq/web-transport"))),
  "web-transport.linux-x64-gnu.node",
);

/** Undefined dynamic symbols of an ELF object with the version each one needs, read independently of the shim. */
function needs(bytes: Uint8Array): Map<string, string> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const u64 = (at: number): number => Number(view.getBigUint64(at, true));
  const sections = Array.from({ length: view.getUint16(60, true) }, (_, i) => {
    const at = u64(40) + i * view.getUint16(58, true);
    return {
      type: view.getUint32(at + 4, true),
      offset: u64(at + 24),
      size: u64(at + 32),
      link: view.getUint32(at + 40, true),
      info: view.getUint32(at + 44, true),
    };
  });
  const of = (type: number) => sections.find((section) => section.type === type) as (typeof sections)[number];
  const [symbols, versionOf, needed] = [of(11), of(0x6fffffff), of(0x6ffffffe)];
  const strings = sections[symbols.link]?.offset ?? 0;
  const text = (at: number): string =>
    Buffer.from(bytes.subarray(strings + at, bytes.indexOf(0, strings + at))).toString();
  const versions = new Map<number, string>();
  for (
    let i = 0, library = needed.offset;
    i < needed.info;
    i++, library += view.getUint32(library + 12, true)
  ) {
    let version = library + view.getUint32(library + 8, true);
    for (let j = 0; j < view.getUint16(library + 2, true); j++, version += view.getUint32(version + 12, true))
      versions.set(view.getUint16(version + 6, true), text(view.getUint32(version + 8, true)));
  }
  const found = new Map<string, string>();
  for (let i = 1; i < symbols.size / 24; i++) {
    const at = symbols.offset + i * 24;
    if (view.getUint16(at + 6, true) !== 0) continue;
    const version = view.getUint16(versionOf.offset + i * 2, true) & 0x7fff;
    found.set(text(view.getUint32(at, true)), versions.get(version) ?? "");
  }
  return found;
}

describe("rebinding to an older glibc", () => {
  let original: Uint8Array = new Uint8Array();
  beforeAll(() => {
    original = new Uint8Array(readFileSync(binary));
  });

  test("leaves no need for glibc 2.38 and keeps every other need", () => {
    const before = needs(original);
    const newer = [...before].filter(([, version]) => version === "GLIBC_2.38").map(([name]) => name);
    expect(newer.sort()).toEqual(["__isoc23_sscanf", "__isoc23_strtol"]);
    const after = needs(rebindToOlderGlibc(original));
    expect([...after.values()]).not.toContain("GLIBC_2.38");
    for (const name of newer) before.delete(name);
    expect(after).toEqual(new Map([...before, ["__isoc99_sscanf", ""], ["strtol", ""]]));
  });

  test("does not touch its input, and gives the same bytes again", () => {
    const copy = original.slice();
    const once = rebindToOlderGlibc(Buffer.from(original.buffer));
    expect(Buffer.compare(original, copy)).toBe(0);
    expect(Buffer.compare(rebindToOlderGlibc(once), once)).toBe(0);
  });

  test("refuses an object that needs more than the two symbols", () => {
    const worse = original.slice();
    const at = Buffer.from(worse).indexOf("__isoc23_sscanf");
    worse.set(new TextEncoder().encode("__isoc77_"), at);
    expect(() => rebindToOlderGlibc(worse)).toThrow("__isoc77_sscanf needs GLIBC_2.38");
  });

  test("refuses torn and altered files with native-unavailable, never another error", () => {
    const isRefused = (bytes: Uint8Array): boolean => {
      try {
        rebindToOlderGlibc(bytes);
        return false;
      } catch (error) {
        expect(error).toBeInstanceOf(ParleyError);
        expect(error).toMatchObject({ code: "native-unavailable" });
        return true;
      }
    };
    for (const length of [0, 1, 4, 16, 63, 64, 1000, original.length >> 1, original.length - 100])
      expect(isRefused(original.subarray(0, length))).toBe(true);
    const head = original.slice(0, 4096);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 63 }), fc.integer({ min: 0, max: 255 }), (at, value) => {
        const altered = head.slice();
        altered[at] = value;
        expect(isRefused(altered)).toBe(true);
      }),
    );
  });
});
