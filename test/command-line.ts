/** The real `parley` command in processes of its own. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import type { Readable, Writable } from "node:stream";
import { fileURLToPath } from "node:url";

const MAIN = fileURLToPath(new URL("../src/cli/main.ts", import.meta.url));
const HOST = fileURLToPath(new URL("processes/command-host.ts", import.meta.url));

export interface Finished {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A command that runs. */
export class RunningCommand {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  readonly finished: Promise<Finished>;
  #stdout = "";
  #stderr = "";
  #heard: (() => void)[] = [];

  constructor(args: readonly string[], options: { readonly nodeArgs?: readonly string[] } = {}) {
    this.child = spawn(
      process.execPath,
      [...(options.nodeArgs ?? []), "--conditions=source", MAIN, ...args],
      {
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.child.stdout.setEncoding("utf8").on("data", (text: string) => {
      this.#stdout += text;
      this.#wake();
    });
    this.child.stderr.setEncoding("utf8").on("data", (text: string) => {
      this.#stderr += text;
      this.#wake();
    });
    this.finished = new Promise((resolve) => {
      this.child.on("close", (code, signal) => {
        this.#wake();
        resolve({ code, signal, stdout: this.#stdout, stderr: this.#stderr });
      });
    });
  }

  /** Resolves when standard output or error says something that matches. Throws when the command ends before. */
  async says(pattern: RegExp): Promise<RegExpExecArray> {
    for (;;) {
      const found = pattern.exec(this.#stdout) ?? pattern.exec(this.#stderr);
      if (found !== null) return found;
      if (this.child.exitCode !== null)
        throw new Error(
          `ended with ${this.child.exitCode} before ${pattern}:\n${this.#stdout}\n${this.#stderr}`,
        );
      await new Promise<void>((resolve) => this.#heard.push(resolve));
    }
  }

  /** What it has said so far, for whoever waited in vain. */
  get said(): string {
    return `${this.#stdout}\n${this.#stderr}`;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  #wake(): void {
    for (const resolve of this.#heard.splice(0)) resolve();
  }
}

/** Runs a command to its end. */
export function parley(...args: readonly string[]): Promise<Finished> {
  return new RunningCommand(args).finished;
}

/**
 * Runs a command to its end in a process that runs one after another, so that only the first of them waits for it to start. Not for
 * commands that are signalled, or that are up at once.
 */
export function parleyAgain(...args: readonly string[]): Promise<Finished> {
  host ??= new CommandHost();
  return host.run(args);
}

/** One for all test files that a worker runs; it ends with the worker. */
let host: CommandHost | undefined;

class CommandHost {
  readonly #input: Writable;
  readonly #stdout: MarkedOutput;
  readonly #stderr: MarkedOutput;
  #last: Promise<unknown> = Promise.resolve();

  constructor() {
    const child = spawn(process.execPath, ["--conditions=source", HOST], { stdio: ["pipe", "pipe", "pipe"] });
    this.#input = child.stdin;
    this.#stdout = new MarkedOutput(child.stdout);
    this.#stderr = new MarkedOutput(child.stderr);
    child.unref();
  }

  run(args: readonly string[]): Promise<Finished> {
    const finished = this.#last.then(() => this.#run(args));
    this.#last = finished.catch(() => undefined);
    return finished;
  }

  async #run(args: readonly string[]): Promise<Finished> {
    this.#input.write(`${JSON.stringify(args)}\n`);
    const [stdout, stderr] = await Promise.all([this.#stdout.next(), this.#stderr.next()]);
    return { code: stdout.code, signal: null, stdout: stdout.text, stderr: stderr.text };
  }
}

/** What comes out of a process that marks where one command's output ends. */
class MarkedOutput {
  #text = "";
  #isOver = false;
  #heard: () => void = () => {};

  constructor(output: Readable) {
    output.setEncoding("utf8").on("data", (text: string) => {
      this.#text += text;
      this.#heard();
    });
    output.on("close", () => {
      this.#isOver = true;
      this.#heard();
    });
  }

  /** Up to the next mark. Throws when the process ended before it. */
  async next(): Promise<{ readonly text: string; readonly code: number }> {
    for (;;) {
      const marked = /^([^\0]*)\0(\d+)\0/.exec(this.#text);
      if (marked !== null) {
        this.#text = this.#text.slice(marked[0].length);
        return { text: marked[1] as string, code: Number(marked[2]) };
      }
      if (this.#isOver) throw new Error(`the process that runs commands ended:\n${this.#text}`);
      await new Promise<void>((resolve) => {
        this.#heard = resolve;
      });
    }
  }
}
