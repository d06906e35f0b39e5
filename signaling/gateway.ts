import { type Fault, ok, type Result, refuse } from "../codecs/result.ts";
import { AGENT_ID, DIGEST, object, type Shape, text } from "./shape.ts";

/** What the gateway saw of the peer that it speaks for. */
export type GatewayEvidence = {
  /** `jti` of the access token that the peer showed. */
  readonly jti: string;
  /** SHA-256 of the token's ASCII bytes, 64 hex digits. */
  readonly token: string;
  /** SHA-256 of the peer's DTLS certificate, 64 hex digits. */
  readonly fingerprint: string;
};

/** What a gateway signs in its offers and answers: on whose behalf it takes part, and what it saw of that. */
export type GatewayStatement = {
  /** Agent-ID of the agent that the peer behind the gateway acts for. It signed nothing of this. */
  readonly subject: string;
  /** `iss` of the token: who says that the peer may act for the subject. */
  readonly issuer: string;
  readonly evidence: GatewayEvidence;
};

/** The same in a leg of the session core. */
export type GatewayLeg = {
  readonly role: "gateway";
  readonly on_behalf_of: Pick<GatewayStatement, "subject" | "issuer">;
  readonly evidence: GatewayEvidence;
};

/** Agent-ID of the agent that an end is, or acts for: what records and the server's events name it by. */
export function agentOf(end: {
  readonly agentId: string;
  readonly gateway?: Pick<GatewayStatement, "subject"> | undefined;
}): string {
  return end.gateway?.subject ?? end.agentId;
}

/** What `statement` adds to a leg of the session core; nothing for an end that takes part itself. */
export function gatewayLeg(statement: GatewayStatement | undefined): GatewayLeg | Record<never, never> {
  if (statement === undefined) return {};
  const { subject, issuer, evidence } = statement;
  return { role: "gateway", on_behalf_of: { subject, issuer }, evidence };
}

/**
 * Judges whose word a statement may be: `signer` acts for `expected.subject`, and not for itself. `at` is its place. Faults:
 * `field-invalid`.
 */
export function checkStatement(
  { subject }: GatewayStatement,
  expected: { readonly signer: string; readonly subject?: string | undefined },
  at: string,
): Result<void> {
  const wrong = (message: string) => refuse("field-invalid", message, `${at}.subject`);
  if (subject === expected.signer) return wrong("Nobody is its own gateway.");
  if (expected.subject !== undefined && subject !== expected.subject)
    return wrong("The gateway acts for another agent.");
  return ok(undefined);
}

/** The refusal of an answer by a gateway where the caller wants to talk to the agent itself. */
export function gatewayUnwanted(at: string): { readonly ok: false; readonly fault: Fault } {
  return refuse("peer-untrusted", "A gateway answers for the agent, and the caller takes no gateways.", at, {
    reason: "gateway-unwanted",
  });
}

const TOKEN_NAME = text({ min: 1, max: 512, pattern: /^[!-~]+$/ });
const TOKEN_ID = text({ min: 1, max: 256, pattern: /^[!-~]+$/ });

export const GATEWAY_EVIDENCE: Shape<GatewayEvidence> = object<GatewayEvidence>({
  jti: TOKEN_ID,
  token: DIGEST,
  fingerprint: DIGEST,
});

export const GATEWAY_BEHALF: Shape<GatewayLeg["on_behalf_of"]> = object<GatewayLeg["on_behalf_of"]>({
  subject: AGENT_ID,
  issuer: TOKEN_NAME,
});

export const GATEWAY_STATEMENT: Shape<GatewayStatement> = object<GatewayStatement>({
  subject: AGENT_ID,
  issuer: TOKEN_NAME,
  evidence: GATEWAY_EVIDENCE,
});
