/** The real server command, killed and started again on the same folder and port, and agents that notice soon. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import type { Agent } from "../agent/agent.ts";
import { type ConnectOptions, connectAgent } from "../agent/connect.ts";
import { nodePlatform } from "../agent/node.ts";
import { systemClock } from "../platform/node/clock.ts";
import { loadIdentity } from "../platform/node/identity-file.ts";
import { createSigner, generateSeed } from "../platform/node/sodium.ts";
import type { Carrier } from "../sfu/carrier.ts";
import type { TrustAnchors } from "../signaling/evidence/parties.ts";
import { tlsCarrier } from "../transports/tls/client.ts";
import { webSocketCarrier } from "../transports/websocket/client.ts";
import { webTransportCarrier } from "../transports/webtransport/client.ts";
import { type Finished, RunningCommand } from "./command-line.ts";
import { within } from "./waiting.ts";

/** Silence that means loss, ms: a killed process says no good-bye. */
const SILENCE = { pingInterval: 200, timeout: 1_000 };

/** A process takes two seconds of a core to be up; on a busy machine it gets few of them. */
const START_MS = 20_000;

/** Carriers that notice soon, by name. */
export const QUICK_CARRIERS = {
  webtransport: () => webTransportCarrier({ clock: systemClock, liveness: SILENCE }),
  websocket: () => webSocketCarrier({ clock: systemClock, liveness: SILENCE }),
  tls: () => tlsCarrier({ clock: systemClock, liveness: SILENCE }),
} as const satisfies Readonly<Record<string, () => Carrier>>;

export class KilledServer {
  readonly issuer = { name: "registrar.test", signer: createSigner(generateSeed()) };
  /** Where it keeps everything. */
  readonly data: string;
  readonly #args: readonly string[];
  #command: RunningCommand | undefined;
  #url = "";
  #certificateHash = new Uint8Array(0);

  /** `args`: further ones of `parley serve`. */
  constructor(...args: readonly string[]) {
    const folder = mkdtempSync(join(tmpdir(), "parley-restart-"));
    this.data = join(folder, "data");
    this.#args = args;
    onTestFinished(() => {
      this.#command?.kill("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    });
  }

  /** Of the process that was started last. */
  get pid(): number {
    return this.#command?.child.pid ?? -1;
  }

  /** Starts it, on the port that it had before; resolves when it serves. */
  async start(): Promise<void> {
    const command = this.begin();
    const up = command.says(/^\{.*"certificate_hash".*\}$/m);
    const [line] = await within("the server coming up", up, START_MS).catch((error: unknown) => {
      throw new Error(`${String(error)}; it said:\n${command.said}`);
    });
    const { url, certificate_hash } = JSON.parse(line) as { url: string; certificate_hash: string };
    this.#url = url;
    this.#certificateHash = new Uint8Array(Buffer.from(certificate_hash, "hex"));
  }

  /** Starts it, and does not wait until it serves. */
  begin(): RunningCommand {
    const port = this.#url === "" ? "0" : new URL(this.#url).port;
    this.#command = new RunningCommand([
      ...["serve", "--data-folder", this.data, "--registration", "open", "--json"],
      ...["--port", port, "--http-port", "off", ...this.#args],
    ]);
    return this.#command;
  }

  async kill(): Promise<void> {
    this.#command?.kill("SIGKILL");
    await this.#command?.finished;
  }

  /** Stops it in order. */
  async stop(): Promise<Finished | undefined> {
    this.#command?.kill("SIGTERM");
    return await this.#command?.finished;
  }

  async online(
    options: Pick<ConnectOptions, "identity" | "reconnect" | "report"> & { readonly carrier?: Carrier },
  ): Promise<Agent> {
    const { carrier = QUICK_CARRIERS.webtransport(), ...connect } = options;
    const agent = await connectAgent({ ...nodePlatform(), carrier }, this.#url, {
      certificateHashes: [this.#certificateHash],
      anchors: [this.issuer.signer.publicKey],
      ...connect,
    });
    onTestFinished(() => agent.close());
    return agent;
  }

  /** Vouches for every agent here, and for the server. */
  async anchors(): Promise<TrustAnchors> {
    const { agentId } = await loadIdentity(join(this.data, "server-identity.json"));
    return { issuerKeys: [this.issuer.signer.publicKey], agentIds: [agentId] };
  }
}
