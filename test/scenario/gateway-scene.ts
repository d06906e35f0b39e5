/** Agents of whom a gateway speaks for some: peers that hold a token and no key. */
import type { Agent } from "../../agent/agent.ts";
import type { GatewayOptions } from "../../agent/connect.ts";
import type { AgentIdentity } from "../../agent/identity.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { Signer } from "../../codecs/signer.ts";
import { sha256 } from "../../platform/node/sha256.ts";
import { makeAccessToken } from "../../signaling/access-token.ts";
import { verifyEvidence } from "../../signaling/evidence/verify.ts";
import type { GatewayStatement } from "../../signaling/gateway.ts";
import type { SwitchboardConfig } from "../../signaling/switchboard/config.ts";
import { strictVerifier } from "../keys.ts";
import { scopes } from "../signed-call.ts";
import { World } from "./world.ts";

export type Known = AgentIdentity<Signer>;

/** What a peer shows a gateway. */
export interface ShownToken {
  readonly token: string;
  readonly statement: GatewayStatement;
}

export interface TokenWishes {
  readonly scope?: string;
  /** Seconds. */
  readonly lifetime?: number;
  /** Who makes it. Default: the server. */
  readonly by?: Known;
  readonly audience?: string;
  /** The certificate that it is bound to. Default: none. */
  readonly boundTo?: string;
}

/** SHA-256 of the DTLS certificate of the peers here. */
export const FINGERPRINT = "d7".repeat(32);

export class GatewayScene {
  readonly world: World;
  /** The server's gateway. */
  readonly gateway: Known;
  #legs = 0;
  #tokens = 0;

  constructor(config: Partial<SwitchboardConfig> = {}) {
    const gateways: string[] = [];
    this.world = new World({ config: { gateways, ...config } });
    this.gateway = this.world.identity({ name: "Gateway" });
    gateways.push(this.gateway.agentId);
  }

  /** An agent that is known at the server, and not there. */
  async known(name: string): Promise<Known> {
    const identity = this.world.identity({ name });
    const agent = await this.world.agent(name, { identity });
    await this.world.during(agent.close());
    return identity;
  }

  /** A token for `subject`, and what a gateway states of it. */
  shown(subject: Known, wishes: TokenWishes = {}): ShownToken {
    const { world } = this;
    const { by = world.serverIdentity, scope = "communication:audio:*", lifetime = 600 } = wishes;
    const jti = `token-${++this.#tokens}`;
    const token = makeAccessToken(
      {
        ...{ issuer: by.agentId, agentId: subject.agentId, audience: wishes.audience ?? world.serverId },
        ...{ scope: scopes(scope), lifetime, jti, now: world.clock.wall(), fingerprint: wishes.boundTo },
      },
      by.signer,
    );
    const digest = encodeHex(sha256(new TextEncoder().encode(token)));
    const evidence = { jti, token: digest, fingerprint: FINGERPRINT };
    return { token, statement: { subject: subject.agentId, issuer: by.agentId, evidence } };
  }

  /** The gateway for a peer that shows this, at an inbox of its own. */
  leg({ token, statement }: ShownToken, options: Partial<GatewayOptions> = {}): Promise<Agent> {
    this.#legs += 1;
    const inbox = `webrtc-${this.#legs}`;
    const own = { identity: this.gateway, onBehalfOf: statement, token, inbox };
    return this.world.connecting("Gateway", { ...own, ...options });
  }

  /** The same, once it is online. */
  async online(shown: ShownToken, options: Partial<GatewayOptions> = {}): Promise<Agent> {
    return await this.world.during(this.leg(shown, options));
  }

  judge(file: Uint8Array) {
    const { issuer, serverId } = this.world;
    const anchors = { issuerKeys: [issuer.signer.publicKey], agentIds: [serverId] };
    return verifyEvidence(file, anchors, strictVerifier).report;
  }
}
