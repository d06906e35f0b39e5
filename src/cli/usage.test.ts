import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { encodeWav } from "../../codecs/wav.ts";
import { parley, parleyAgain } from "../../test/command-line.ts";

const ID = "ab".repeat(32);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "parley-usage-"));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

describe("help", () => {
  it("of the program names every command and an example of a whole call", async () => {
    const { code, stdout, stderr } = await parley("--help");
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    for (const command of ["serve", "doctor", "keygen", "call", "answer", "discover", "verify"])
      expect(stdout).toMatch(new RegExp(`^  ${command} `, "m"));
    expect(stdout).toContain("parley call BOB --key ada.key");
  });

  it.each(["serve", "doctor", "keygen", "call", "answer", "discover", "verify"])(
    "of %s teaches with examples",
    async (command) => {
      const { code, stdout } = await parleyAgain(command, "--help");
      expect(code).toBe(0);
      expect(stdout).toMatch(new RegExp(`Examples:\n  parley ${command} `));
    },
  );

  it("goes to standard error, with the exit code of wrong usage, where no command is given", async () => {
    const { code, stdout, stderr } = await parley();
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: parley");
  });
});

describe("wrong usage exits with 2 and says what is wrong", () => {
  it.each([
    [["frobnicate"], /unknown command 'frobnicate'/],
    [["serve", "--port", "eighty"], /whole number from 0 to 65535/],
    [["serve", "--registration", "maybe"], /Allowed choices are open, token, closed/],
    [["serve", "--frob"], /unknown option '--frob'/],
    [["call", "bob", "--key", "k"], /64 hex digits/],
    [["call", "agtp://localhost", "--key", "k"], /names a server/],
    [["call", "agtp://ada@localhost", "--key", "k"], /64 hex digits in lower case/],
    [["call", "agtp://localhost:4480/agents/Ada", "--key", "k"], /goes with no port/],
    [["answer", "--key", "k", "--server", `agtp://${ID}`], /names an agent/],
    [["answer", "--key", "k", "--url", "media.example"], /agtp:\/\/host/],
    [["answer", "--key", "k", "--carrier", "pigeon"], /Allowed choices are/],
    [["call", ID], /required option '--key <file>'/],
    [["call", ID, "--key", "k", "--cert-hash", "12"], /SHA-256/],
    [["call", ID, "--key", "k", "--codec", "mp3"], /opus, g722, pcmu, pcma/],
    [["call", ID, "--key", "k", "--frame-ms", "25"], /10, 20, 30, 40, 60/],
    [["call", ID, "--key", "k", "--profile", "none"], /frame or chain/],
    [["answer", "--key", "k", "--redundancy", "3"], /from 0 to 2/],
    [["call", ID, "--key", "k", "--reason", "\u001b[2J"], /1 to 64 letters/],
    [["call", ID, "--key", "k", "--in", "a.wav", "--tone"], /cannot be used with/],
    [["answer", "--key", "k", "--busy", "--decline"], /cannot be used with/],
    [["discover"], /missing required argument 'server'/],
    [["discover", `agtp://${ID}`], /names an agent/],
    [["keygen"], /Nothing to make/],
    [["verify"], /missing required argument 'file'/],
    [["verify", "x", "--wav", "y"], /--wav needs/],
    [["verify", "x", "--messages", "y"], /--messages needs/],
  ] as const)("%j", async (args, message) => {
    const { code, stdout, stderr } = await parleyAgain(...args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(message);
  });

  it("with --json as one object on standard output and one line on standard error", async () => {
    const { code, stdout, stderr } = await parley("call", "bob", "--key", "k", "--json");
    expect(code).toBe(2);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: "usage" } });
    expect(stderr).toMatch(/^parley: usage: [^\n]+\n$/);
  });
});

describe("files that cannot be used", () => {
  it("names a key file that does not exist, and how to make one", async () => {
    const { code, stderr } = await parleyAgain("call", ID, "--key", join(folder, "none.key"));
    expect(code).toBe(2);
    expect(stderr).toMatch(/^parley: key-file-invalid: .*"parley keygen .*none\.key" makes one\.\n$/);
  });

  it.each([
    ["a text", new TextEncoder().encode("hello"), /no 16-bit PCM WAV file/],
    ["44100 Hz", encodeWav({ sampleRate: 44_100, channels: 1, samples: new Int16Array(8) }), /44100 Hz.*sox/],
    [
      "six channels",
      encodeWav({ sampleRate: 48_000, channels: 6, samples: new Int16Array(6) }),
      /6 channels/,
    ],
  ])("refuses %s as a voice", async (_name, bytes, message) => {
    const path = join(folder, "voice.wav");
    await writeFile(path, bytes);
    const { code, stderr } = await parleyAgain("call", ID, "--key", "k", "--in", path);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  it("notices before the call that what it yields cannot be written", async () => {
    const { code, stderr } = await parleyAgain(
      "call",
      ID,
      "--key",
      "k",
      "--out",
      join(folder, "no/where.wav"),
    );
    expect(code).toBe(2);
    expect(stderr).toMatch(/where\.wav cannot be written: ENOENT/);
  });
});
