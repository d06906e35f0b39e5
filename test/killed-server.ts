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
import type { TrustAnchors } from "../signaling/evidence/parties.ts";
import { webTransportCarrier } from "../transports/webtransport/client.ts";
import { RunningCommand } from "./command-line.ts";
import { within } from "./waiting.ts";

/** Silence that means loss, ms: a killed process says no good-bye. */
const SILENCE = { pingInterval: 200, timeout: 1_000 };

export class KilledServer {
  readonly issuer = { name: "registrar.test", signer: createSigner(generateSeed()) };
  readonly #folder = mkdtempSync(join(tmpdir(), "parley-restart-"));
  #command: RunningCommand | undefined;
  #url = "";
  #certificateHash = new Uint8Array(0);

  constructor() {
    onTestFinished(() => {
      this.#command?.kill("SIGKILL");
      rmSync(this.#folder, { recursive: true, force: true });
    });
  }

  /** Starts it, on the port that it had before; resolves when it serves. */
  async start(): Promise<void> {
    const port = this.#url === "" ? "0" : new URL(this.#url).port;
    const command = new RunningCommand([
      ...["serve", "--data-folder", join(this.#folder, "data"), "--registration", "open", "--json"],
      ...["--port", port, "--http-port", "off"],
    ]);
    this.#command = command;
    const [line] = await within("the server coming up", command.says(/^\{.*"certificate_hash".*\}$/m));
    const { url, certificate_hash } = JSON.parse(line) as { url: string; certificate_hash: string };
    this.#url = url;
    this.#certificateHash = new Uint8Array(Buffer.from(certificate_hash, "hex"));
  }

  async kill(): Promise<void> {
    this.#command?.kill("SIGKILL");
    await this.#command?.finished;
  }

  async online(options: Pick<ConnectOptions, "identity" | "reconnect">): Promise<Agent> {
    const carrier = webTransportCarrier({ clock: systemClock, liveness: SILENCE });
    const agent = await connectAgent({ ...nodePlatform(), carrier }, this.#url, {
      certificateHashes: [this.#certificateHash],
      anchors: [this.issuer.signer.publicKey],
      ...options,
    });
    onTestFinished(() => agent.close());
    return agent;
  }

  /** Vouches for every agent here, and for the server. */
  async anchors(): Promise<TrustAnchors> {
    const { agentId } = await loadIdentity(join(this.#folder, "data", "server-identity.json"));
    return { issuerKeys: [this.issuer.signer.publicKey], agentIds: [agentId] };
  }
}
