/** A server in a process of its own with a call up over `ws:`, and peers of its WebSocket that keep to no rule. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { WebSocket } from "ws";
import { Agent, type Call, createIdentity } from "../agent/node.ts";
import { decodeFrame, encodeFrame, type MuxFrame } from "../transports/mux/frames.ts";
import { connectCall } from "./calling.ts";
import { RunningCommand } from "./command-line.ts";
import { CallListener } from "./listener.ts";
import { pause, until, within } from "./waiting.ts";

/** Samples of one written piece: 100 ms. */
const PIECE = 4_800;

export class BesiegedServer {
  readonly url: string;
  readonly call: Call;
  readonly listener: CallListener;
  readonly #answered: Call;
  readonly #command: RunningCommand;
  readonly #folder: string;
  readonly #agents: readonly Agent[];
  #isTalking = true;

  private constructor(parts: {
    readonly url: string;
    readonly call: Call;
    readonly answered: Call;
    readonly command: RunningCommand;
    readonly folder: string;
    readonly agents: readonly Agent[];
  }) {
    this.url = parts.url;
    this.call = parts.call;
    this.#answered = parts.answered;
    this.#command = parts.command;
    this.#folder = parts.folder;
    this.#agents = parts.agents;
    this.listener = new CallListener(parts.answered);
    void this.#talk().catch(() => {});
  }

  /** Comes up with a call in which the caller never stops talking. */
  static async start(): Promise<BesiegedServer> {
    const folder = mkdtempSync(join(tmpdir(), "parley-besieged-"));
    const command = new RunningCommand([
      ..."serve --no-web-transport --tcp-port off --http-port 0 --no-residents --registration open --json".split(
        " ",
      ),
      ...["--data-folder", join(folder, "data")],
    ]);
    const [line] = await within("the server coming up", command.says(/^\{.*"url".*\}$/m));
    const { url } = JSON.parse(line) as { url: string };
    const [ada, bob] = await Promise.all(
      ["Ada", "Bob"].map((name) => Agent.connect(url, { identity: createIdentity({ name }).identity })),
    );
    const agents = [ada as Agent, bob as Agent];
    const { call, answered } = await connectCall(ada as Agent, bob as Agent);
    return new BesiegedServer({ url, call, answered, command, folder, agents });
  }

  /** Resolves once so many further frames were heard and found genuine. */
  async goesOn(frames = 25): Promise<void> {
    const from = this.#verified();
    await until("the call going on", () => this.#verified() >= from + frames);
  }

  /** Frames said, and those of them that arrived and were genuine. */
  get frames(): { readonly sent: number; readonly verified: number } {
    return { sent: this.call.stats().sent?.sent ?? 0, verified: this.#verified() };
  }

  /** Resident memory of the server's process, MiB. */
  get memory(): number {
    const status = readFileSync(`/proc/${this.#command.child.pid}/status`, "utf8");
    return Math.round(Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024);
  }

  /** Ends the call and the server in order; the server's exit code. */
  async stop(): Promise<number | null> {
    this.#isTalking = false;
    await within("the end of the call", this.call.end());
    await Promise.all(this.#agents.map((agent) => agent.close()));
    this.#command.kill("SIGTERM");
    const { code } = await within("the server stopping", this.#command.finished, 40_000);
    rmSync(this.#folder, { recursive: true, force: true });
    return code;
  }

  #verified(): number {
    return this.#answered.stats().heard?.verified ?? 0;
  }

  async #talk(): Promise<void> {
    while (this.#isTalking)
      await this.call.audio.write(new Int16Array(PIECE).map((_, at) => 9_000 * Math.sin(at / 15)));
  }
}

/** A WebSocket of nobody in particular. */
export class HostileSocket {
  /** How the server closed it: the multiplexer's code and reason, or else the WebSocket's own code. */
  readonly closed: Promise<string>;
  readonly #socket: WebSocket;

  private constructor(socket: WebSocket) {
    this.#socket = socket;
    const { promise, resolve } = Promise.withResolvers<string>();
    this.closed = promise;
    socket.on("message", (data: Buffer) => {
      const frame = decodeFrame(new Uint8Array(data.buffer, data.byteOffset, data.length));
      if (frame.ok && frame.value.type === "close") resolve(`${frame.value.code} ${frame.value.reason}`);
    });
    socket.on("close", (code) => resolve(`websocket ${code}`));
    socket.on("error", () => {});
  }

  static async open(url: string): Promise<HostileSocket> {
    const socket = new WebSocket(url, { perMessageDeflate: false });
    const hostile = new HostileSocket(socket);
    await within(
      "the WebSocket opening",
      new Promise<void>((resolve, reject) => {
        socket.once("open", resolve);
        socket.once("error", reject);
      }),
    );
    return hostile;
  }

  /** Whether it can still say something. */
  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  says(...frames: readonly MuxFrame[]): void {
    for (const frame of frames) this.sends(encodeFrame(frame));
  }

  sends(message: Uint8Array | string): void {
    if (this.isOpen) this.#socket.send(message);
  }

  /** Says it so many times, as fast as the server takes it, while the connection is open. */
  async repeats(times: number, frames: (index: number) => readonly MuxFrame[]): Promise<void> {
    for (let index = 0; index < times && this.isOpen; index += 1) {
      this.says(...frames(index));
      if (index % 200 !== 0) continue;
      await pause(0);
      while (this.isOpen && this.#socket.bufferedAmount > 64 * 1024) await pause(1);
    }
  }

  /** Reads nothing from here on. */
  deafen(): void {
    this.#socket.pause();
  }

  leave(): void {
    this.#socket.terminate();
  }
}
