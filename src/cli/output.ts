import { ParleyError } from "../../codecs/parley-error.ts";
import { type ExitCode, exitCodeOf } from "./exit-codes.ts";

/** Where a command speaks: results on standard output, everything on the way there on standard error. */
export class Output {
  /** Standard output holds one JSON object and nothing else. */
  readonly json: boolean;

  constructor(json: boolean) {
    this.json = json;
  }

  /** What the command found, in both forms. */
  result(object: object, ...lines: readonly string[]): void {
    process.stdout.write(this.json ? `${JSON.stringify(object)}\n` : lines.map(lineOf).join(""));
  }

  /** Part of the result for people; with `--json` it is only on the way to it. */
  line(text: string): void {
    (this.json ? process.stderr : process.stdout).write(lineOf(text));
  }

  /** What happens meanwhile. */
  note(line: string): void {
    process.stderr.write(lineOf(line));
  }

  /** One line on standard error; with `--json` an object on standard output as well. Gives the exit code. */
  failure(error: unknown): ExitCode {
    const told = describe(error);
    if (this.json) {
      const { code, message, at, details } = told;
      process.stdout.write(`${JSON.stringify({ error: { code, message, at, details } })}\n`);
    }
    process.stderr.write(lineOf(`parley: ${told.code}: ${reasonOf(told)}`));
    return exitCodeOf(told);
  }
}

function describe(error: unknown): ParleyError {
  if (error instanceof ParleyError) return error;
  const message = error instanceof Error ? error.message : String(error);
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code === "string" && MISSING_PARTS.has(code)) {
    return new ParleyError(
      { code: "native-unavailable", message: `A part of Parley cannot be loaded: ${firstLine(message)}` },
      { cause: error },
    );
  }
  return new ParleyError({ code: "server-error", message: firstLine(message) }, { cause: error });
}

/** The message, and the operating system's reason where it does not say that itself. */
function reasonOf(error: ParleyError): string {
  const message = firstLine(error.message);
  const { code } = (error.cause ?? {}) as { code?: unknown };
  const isNew = typeof code === "string" && /^E[A-Z]+$/.test(code) && !message.includes(code);
  return isNew ? `${message} (${code})` : message;
}

/** One line. Names and reasons come from strangers: what a terminal would obey is spelled out instead. */
function lineOf(text: string): string {
  const plain = text.replaceAll(/[\p{Cc}\p{Cf}\u2028\u2029]/gu, (mark) => {
    return `\\u{${(mark.codePointAt(0) as number).toString(16)}}`;
  });
  return `${plain}\n`;
}

function firstLine(text: string): string {
  return (text.split("\n")[0] ?? "").trim();
}

/** How Node and the loaders of native parts say that a module is missing or does not fit this machine. */
const MISSING_PARTS = new Set([
  "MODULE_NOT_FOUND",
  "ERR_MODULE_NOT_FOUND",
  "ERR_DLOPEN_FAILED",
  "ADDON_NOT_FOUND",
]);

/** Runs a command's work; what it throws becomes one line and an exit code. */
export async function attempt(json: boolean, work: (output: Output) => Promise<ExitCode>): Promise<ExitCode> {
  const output = new Output(json);
  try {
    return await work(output);
  } catch (error) {
    return output.failure(error);
  }
}

/** A setting or file that the command cannot work with. */
export function usageError(message: string, cause?: unknown): ParleyError {
  return new ParleyError({ code: "usage", message }, { cause });
}
