/** Text to speech by espeak-ng, where it is installed. */
import { spawn } from "node:child_process";
import type { ErrorCode } from "../../codecs/error-codes.ts";
import { ParleyError } from "../../codecs/parley-error.ts";
import { parseWav, type Wav } from "../../codecs/wav.ts";

/** Longest text that is read, characters. */
export const LONGEST_TEXT = 500;
/** How long one synthesis may take, ms; then the program is stopped. */
const TIME_LIMIT_MS = 10_000;
/** Most sound of one synthesis, bytes: two minutes of what espeak-ng makes. Beyond it the program is stopped. */
const MAX_SOUND_BYTES = 6_000_000;
const COMMAND = "espeak-ng";
const ARGUMENTS = ["-v", "en-gb", "-s", "160", "--stdin", "--stdout"] as const;

/**
 * Speech for a text, 16-bit mono. Throws `field-invalid` for a text that is empty or longer than {@link LONGEST_TEXT},
 * `native-unavailable` where espeak-ng is not installed, `request-timeout` when it takes too long, and `server-error` when
 * it fails. Never goes through a shell.
 */
export async function synthesize(text: string, command: string = COMMAND): Promise<Wav> {
  const plain = text.replace(/\p{C}+/gu, " ").trim();
  if (plain.length === 0 || plain.length > LONGEST_TEXT) {
    const message = `A text to read has 1 to ${LONGEST_TEXT} characters.`;
    throw new ParleyError({ code: "field-invalid", message, at: "read" });
  }
  const read = parseWav(await run(command, plain));
  if (read.ok && read.value.channels === 1) return read.value;
  throw new ParleyError({ code: "server-error", message: "espeak-ng made no sound." });
}

function run(command: string, input: string): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const child = spawn(command, ARGUMENTS, { stdio: ["pipe", "pipe", "ignore"] });
  const fail = (code: ErrorCode, message: string): void => {
    clearTimeout(limit);
    child.kill("SIGKILL");
    child.stdout.destroy();
    reject(new ParleyError({ code, message }));
  };
  const limit = setTimeout(() => fail("request-timeout", "espeak-ng took too long."), TIME_LIMIT_MS);
  const pieces: Buffer[] = [];
  let bytes = 0;
  child.on("error", ({ code = "unknown" }: NodeJS.ErrnoException) =>
    fail("native-unavailable", `espeak-ng does not run on this server (${code}).`),
  );
  child.stdout.on("data", (piece: Buffer) => {
    bytes += piece.length;
    if (bytes <= MAX_SOUND_BYTES) pieces.push(piece);
    else fail("server-error", "espeak-ng makes sound without end.");
  });
  child.on("exit", (status) => {
    if (status !== 0) fail("server-error", "espeak-ng failed.");
  });
  child.on("close", () => {
    clearTimeout(limit);
    resolve(Buffer.concat(pieces));
  });
  // A program that ends before it has read everything breaks the pipe; its status tells.
  child.stdin.on("error", () => {});
  child.stdin.end(input);
  return promise;
}
