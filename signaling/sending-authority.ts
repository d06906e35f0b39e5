import { type Result, refuse } from "../codecs/result.ts";
import type { Genesis } from "./genesis.ts";
import type { IdentityDocument } from "./identity-document.ts";
import { effectiveScope, permitsSending, type ScopeSet } from "./scope.ts";
import { streamsSentBy, type Terms } from "./terms.ts";

/** The effective scope of one end of a call, when its documents let it send what was agreed. */
export interface SendingAuthority {
  readonly leg: 0 | 1;
  readonly genesis: Genesis;
  readonly identity: IdentityDocument;
  /** What that end signed for in its offer or answer. */
  readonly claim: ScopeSet;
  readonly terms: Terms;
}

/**
 * Whether an end had the authority for every stream it sends: its claim within its identity document and Genesis, and its
 * standing good. The same rule for the other end before the call and for an auditor after it. Faults: `scope-claim-invalid`,
 * `scope-violation`, `agent-suspended`, `agent-retired`.
 */
export function checkSendingAuthority(input: SendingAuthority): Result<ScopeSet> {
  const { leg, genesis, identity, claim, terms } = input;
  if (identity.status === "suspended") return refuse("agent-suspended", "The agent is suspended.", "status");
  if (identity.status === "retired") return refuse("agent-retired", "The agent is retired.", "status");
  const scope = effectiveScope({ claim, document: identity.scope, genesis: genesis.scope });
  if (!scope.ok) return scope;
  const unauthorized = streamsSentBy(terms, leg).find(
    ({ modality }) => !permitsSending(scope.value, modality),
  );
  if (unauthorized === undefined) return scope;
  return refuse("scope-violation", "The scope does not cover a stream that is sent.", "scope", {
    stream: unauthorized.stream,
  });
}
