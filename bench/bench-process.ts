/** A process of a benchmark: told what to do by its arguments and by lines, telling what it found by lines of JSON. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { cpuSecondsOf } from "../src/bots/process-watch.ts";

/** Bytes of a child's last error output that an exception quotes. */
const ERROR_TAIL = 2_000;
/** Milliseconds until a child that was asked to end is killed. */
const STOP_TIMEOUT = 3_000;

export class BenchProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #lines: unknown[] = [];
  #waiting: { resolve: (line: unknown) => void; reject: (error: Error) => void } | undefined;
  #errors = "";
  #over = false;

  /** Starts `script`, the URL of a file, with the Node this process runs on. */
  constructor(script: URL, args: readonly string[] = []) {
    const path = fileURLToPath(script);
    this.#name = basename(path);
    this.#child = spawn(process.execPath, ["--conditions=source", path, ...args], {
      stdio: ["pipe", "pipe", "pipe"],
    });
    // A child that is gone already shows in its exit.
    this.#child.stdin?.on("error", () => {});
    this.#child.stderr?.on("data", (bytes: Buffer) => {
      this.#errors = (this.#errors + bytes.toString()).slice(-ERROR_TAIL);
    });
    if (this.#child.stdout !== null)
      createInterface({ input: this.#child.stdout }).on("line", (line) => this.#line(line));
    this.#child.on("close", (code, signal) => {
      this.#over = true;
      this.#waiting?.reject(this.#gone(`ended (${signal ?? code})`));
    });
    running.add(this);
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** The child's next line. Throws when it ends or stays silent for `timeout` ms. */
  async next<Line>(timeout: number): Promise<Line> {
    const ready = this.#lines.shift();
    if (ready !== undefined) return ready as Line;
    if (this.#over) throw this.#gone("has ended");
    const timer = setTimeout(
      () => this.#waiting?.reject(this.#gone(`was silent for ${timeout} ms`)),
      timeout,
    );
    try {
      const line = await new Promise<unknown>((resolve, reject) => {
        this.#waiting = { resolve, reject };
      });
      return line as Line;
    } finally {
      clearTimeout(timer);
      this.#waiting = undefined;
    }
  }

  /** Waits for the line `{"mark": expected}`. */
  async mark(expected: string, timeout: number): Promise<void> {
    const { mark } = await this.next<{ readonly mark?: string }>(timeout);
    if (mark !== expected) throw this.#gone(`said ${mark} instead of ${expected}`);
  }

  /** Sends one line. */
  tell(line: unknown): void {
    this.#child.stdin?.write(`${JSON.stringify(line)}\n`);
  }

  /** CPU time it has used, user and system, all threads, seconds; as the kernel counts it. Linux only. */
  cpuSeconds(): number {
    return cpuSecondsOf(readFileSync(`/proc/${this.pid}/stat`, "utf8"));
  }

  /** Ends it: by closing its input, by force when that does not do. Idempotent. */
  async stop(): Promise<void> {
    running.delete(this);
    if (this.#over) return;
    const closed = once(this.#child, "close");
    this.#child.stdin?.end();
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), STOP_TIMEOUT);
    await closed;
    clearTimeout(timer);
  }

  kill(): void {
    this.#child.kill("SIGKILL");
  }

  #line(text: string): void {
    let line: unknown;
    try {
      line = JSON.parse(text);
    } catch {
      this.#errors = `${this.#errors}${text}\n`.slice(-ERROR_TAIL);
      return;
    }
    if (this.#waiting === undefined) this.#lines.push(line);
    else this.#waiting.resolve(line);
  }

  #gone(what: string): Error {
    return new Error(`${this.#name} ${what}. ${this.#errors.trim()}`);
  }
}

const running = new Set<BenchProcess>();
process.on("exit", () => {
  for (const child of running) child.kill();
});
