import { makeAccessToken } from "../../signaling/access-token.ts";
import type { AgentContext } from "../agent-context.ts";

/** Seconds; as long as a token may live. */
export const OWN_TOKEN_SECONDS = 3_600;

/**
 * The agent's own word that whoever holds the certificate of that fingerprint may do here what the agent itself may. Servers that take calls
 * with tokens of issuers alone refuse it.
 */
export async function signOwnToken(
  { identity, declaredScope, server, control, platform }: AgentContext,
  fingerprint: string,
): Promise<string> {
  return await makeAccessToken(
    {
      issuer: identity.agentId,
      agentId: identity.agentId,
      audience: server.agentId,
      scope: declaredScope,
      lifetime: OWN_TOKEN_SECONDS,
      jti: control.freshId(),
      fingerprint,
      now: platform.clock.wall(),
    },
    identity.signer,
  );
}
