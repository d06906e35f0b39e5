import { type ChildProcess, fork } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createIdentity } from "../agent/node.ts";
import { encodeHex } from "../codecs/hex.ts";
import { saveIdentity } from "../platform/node/identity-file.ts";
import type { TalkingAgentNotice, TalkingAgentOptions } from "./processes/talking-agent.ts";
import type { RealServer } from "./real-server.ts";
import { until, within } from "./waiting.ts";

/** An agent of `processes/talking-agent.ts`, seen from the test. */
export class AgentProcess {
  readonly agentId: string;
  readonly #child: ChildProcess;
  readonly #notices: TalkingAgentNotice[];

  private constructor(agentId: string, child: ChildProcess, notices: TalkingAgentNotice[]) {
    this.agentId = agentId;
    this.#child = child;
    this.#notices = notices;
  }

  /** Starts the process; resolves when its agent is online. `speech` names a file of `examples/speech`. */
  static async start(server: RealServer, name: string, speech: string): Promise<AgentProcess> {
    const identityFile = join(server.folder, `${name}.key`);
    await saveIdentity(identityFile, createIdentity({ name }, server.issuer).file);
    const options: TalkingAgentOptions = {
      name,
      url: server.url,
      certificateHash: server.certificateHex,
      identityFile,
      anchor: encodeHex(server.issuer.signer.publicKey),
      speech: fileURLToPath(new URL(`../examples/speech/${speech}`, import.meta.url)),
      folder: server.folder,
    };
    const child = fork(new URL("processes/talking-agent.ts", import.meta.url), [JSON.stringify(options)], {
      execArgv: ["--conditions=source"],
    });
    const notices: TalkingAgentNotice[] = [];
    child.on("message", (notice: TalkingAgentNotice) => notices.push(notice));
    const online = () => notices.find((notice) => notice.kind === "online");
    await until(`${name} online`, () => online() !== undefined || child.exitCode !== null);
    const agentId = online()?.agentId;
    if (agentId === undefined) throw new Error(`${name}'s process ended with ${child.exitCode}`);
    return new AgentProcess(agentId, child, notices);
  }

  call(agentId: string): void {
    this.#child.send({ call: agentId });
  }

  /** Resolves with the first notice of its kind. */
  async notice<Kind extends TalkingAgentNotice["kind"]>(
    kind: Kind,
    limit = 40_000,
  ): Promise<Extract<TalkingAgentNotice, { kind: Kind }>> {
    const find = () => this.#notices.find((notice) => notice.kind === kind);
    await until(`the notice "${kind}"`, () => find() !== undefined, limit);
    return find() as Extract<TalkingAgentNotice, { kind: Kind }>;
  }

  /** Leaves in order; resolves with the exit code. */
  async leave(): Promise<number | null> {
    const exit = this.#exit();
    this.#child.send("leave");
    return await within("the agent's process leaving", exit);
  }

  /** Ends it as a crash of the machine would: nothing more is said. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exit = this.#exit();
    this.#child.kill("SIGKILL");
    await exit;
  }

  #exit(): Promise<number | null> {
    return new Promise((resolve) => this.#child.once("exit", (code) => resolve(code)));
  }
}
