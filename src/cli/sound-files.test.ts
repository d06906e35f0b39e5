import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { encodeWav, parseWav } from "../../codecs/wav.ts";
import { remix, toneVoice, wavVoice } from "./voice.ts";
import { WavWriter } from "./wav-writer.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-sound-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

describe("WavWriter", () => {
  it("puts each piece in its place, silence between, whatever their order", async () => {
    const path = join(folder, "out.wav");
    const wav = await WavWriter.create(path, { clockRate: 8_000, channels: 2 });
    wav.write(3, Int16Array.of(5, -6));
    wav.write(0, Int16Array.of(1, -2, 3, -32_768));
    wav.write(-1, Int16Array.of(9, 9));
    wav.write(2 ** 31, Int16Array.of(9, 9));
    expect(wav.dropped).toBe(2);
    expect(wav.seconds).toBe(4 / 8_000);
    await wav.close();
    expect(parseWav(await readFile(path))).toEqual({
      ok: true,
      value: { sampleRate: 8_000, channels: 2, samples: Int16Array.of(1, -2, 3, -32_768, 0, 0, 5, -6) },
    });
  });

  it("is a sound of no length when nothing was written, and says when it cannot be", async () => {
    const path = join(folder, "empty.wav");
    await (await WavWriter.create(path, { clockRate: 48_000, channels: 1 })).close();
    expect(await readFile(path)).toEqual(
      Buffer.from(encodeWav({ sampleRate: 48_000, channels: 1, samples: new Int16Array() })),
    );
    const nowhere = join(folder, "no/where.wav");
    await expect(WavWriter.create(nowhere, { clockRate: 48_000, channels: 1 })).rejects.toMatchObject({
      code: "usage",
    });
  });
});

describe("a voice", () => {
  it("from a file names the codecs of its rate and becomes one channel", async () => {
    const path = join(folder, "in.wav");
    await writeFile(
      path,
      encodeWav({ sampleRate: 48_000, channels: 2, samples: Int16Array.of(10, 20, -4, -4) }),
    );
    const wide = await wavVoice(path);
    expect(wide.codecs).toEqual(["opus"]);
    expect(wide.pcm({ clockRate: 48_000, channels: 1 })).toEqual(Int16Array.of(15, -4));
    await writeFile(path, encodeWav({ sampleRate: 16_000, channels: 1, samples: Int16Array.of(7) }));
    expect((await wavVoice(path)).codecs).toEqual(["g722"]);
    await writeFile(path, encodeWav({ sampleRate: 8_000, channels: 1, samples: Int16Array.of(7) }));
    const narrow = await wavVoice(path);
    expect(narrow.codecs).toEqual(["pcmu", "pcma"]);
    expect(narrow.pcm({ clockRate: 8_000, channels: 2 })).toEqual(Int16Array.of(7, 7));
  });

  it("of a tone has the length and pitch asked for, at any rate", () => {
    const pcm = toneVoice(0.5).pcm({ clockRate: 8_000, channels: 1 });
    expect(pcm.length).toBe(4_000);
    let crossings = 0;
    for (let at = 1; at < pcm.length; at += 1)
      if ((pcm[at - 1] as number) < 0 && (pcm[at] as number) >= 0) crossings += 1;
    expect(Math.abs(crossings - 220)).toBeLessThanOrEqual(1);
  });

  it("keeps both extremes when two channels become one", () => {
    expect(remix(Int16Array.of(32_767, 32_767, -32_768, -32_768), 2, 1)).toEqual(
      Int16Array.of(32_767, -32_768),
    );
  });
});
