import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { LONGEST_TEXT, synthesize } from "./synthesis.ts";

const folder = mkdtempSync(join(tmpdir(), "parley-synthesis-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** A program in espeak-ng's place. */
function program(name: string, script: string): string {
  const path = join(folder, name);
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
  return path;
}

describe("a text to read", () => {
  it("is spoken, whatever characters are in it", async () => {
    const plain = await synthesize("One two three.");
    expect(plain.channels).toBe(1);
    expect(plain.samples.length / plain.sampleRate).toBeGreaterThan(0.7);
    const odd = await synthesize(
      "--version; $(id) `id` \u0000\n<b>one two</b> 日本 'x' \"y\" -f /etc/passwd",
    );
    expect(odd.samples.length / odd.sampleRate).toBeGreaterThan(1);
  });

  it.each(["", " \n\t\u0000 ", "a".repeat(LONGEST_TEXT + 1)])(
    "is refused when empty or too long",
    async (text) => {
      await expect(synthesize(text)).rejects.toMatchObject({ code: "field-invalid", at: "read" });
    },
  );

  it("is refused by name where espeak-ng is not installed, fails, or makes no sound", async () => {
    const missing = synthesize("one", join(folder, "absent"));
    await expect(missing).rejects.toMatchObject({ code: "native-unavailable" });
    const failing = synthesize("one", program("failing", "exit 3"));
    await expect(failing).rejects.toMatchObject({ code: "server-error" });
    const mute = synthesize("one", program("mute", "cat > /dev/null; echo RIFF"));
    await expect(mute).rejects.toMatchObject({ code: "server-error" });
    const endless = synthesize("one", program("endless", "exec cat /dev/zero"));
    await expect(endless).rejects.toMatchObject({ code: "server-error" });
  });
});
