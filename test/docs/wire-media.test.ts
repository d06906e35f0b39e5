import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { MAX_CHECKPOINT_BYTES } from "../../codecs/checkpoint.ts";
import { FRAME_FAULTS } from "../../codecs/frame.ts";
import { MAX_RECEIPT_BYTES } from "../../codecs/receipt.ts";
import { REFUSALS } from "../../signaling/admission.ts";
import { EXAMPLES } from "./wire-media-examples.ts";

const page = readFileSync(new URL("../../docs/wire-media.md", import.meta.url), "utf8");
const shown = new Map(
  [...page.matchAll(/<!-- example: ([a-z0-9-]+) -->\n```text\n(.*?)\n```/gs)].map((match) => [
    match[1],
    match[2],
  ]),
);

describe("docs/wire-media.md", () => {
  it("shows every example, each once", () => {
    expect([...shown.keys()].sort()).toEqual([...EXAMPLES.keys()].sort());
    expect(page.match(/<!-- example: /g)?.length).toBe(EXAMPLES.size);
  });

  it.each([...EXAMPLES])("shows the bytes that the code makes: %s", (name, text) => {
    expect(shown.get(name)).toBe(text);
  });

  it.each<[string, readonly string[]]>([
    ["### Why a packet is refused as malformed", FRAME_FAULTS],
    ["### Why a relay refuses a frame", REFUSALS],
  ])("lists under %s every reason of the code, in its order", (heading, reasons) => {
    const [section] = page.slice(page.indexOf(heading) + heading.length).split(/^#/m);
    expect([...(section ?? "").matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1])).toEqual([
      ...reasons,
    ]);
  });

  it("states the caps of stream items", () => {
    expect(page).toContain(`${MAX_CHECKPOINT_BYTES.toLocaleString("en")} bytes for checkpoints`);
    expect(page).toContain(`${MAX_RECEIPT_BYTES.toLocaleString("en")} for receipts`);
  });
});
