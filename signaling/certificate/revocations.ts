import type { AgentCertificate } from "../authority.ts";
import { forgottenMark } from "../forgotten.ts";
import { flawed } from "./flaws.ts";
import { MAX_VALIDITY } from "./validity.ts";

/** A certificate that does not hold any more, whatever its time says. */
export interface Revocation {
  /** Its `forgottenMark` where the agent was erased since. */
  readonly agentId: string;
  /** Lowercase hex without leading zeros. */
  readonly serial: string;
  /** Key of the authority that revoked it, which speaks for what it issued alone; `undefined`: all of the agent's with that serial. */
  readonly issuerKeyId: string | undefined;
  readonly reason: string;
  /** From when on, Unix milliseconds. */
  readonly effectiveAt: number;
}

/**
 * Revocations kept at once of those that authorities made, and as many again of those that issuers of agents made: one more is refused, since
 * forgetting one would let its certificate in again. The operator's, and what a log holds, are kept whatever their number.
 */
export const MAX_REVOCATIONS = 65_536;
/** How long one is kept: no certificate that it is about can still be in its time. */
const KEPT = MAX_VALIDITY + 86_400_000;

/** Which certificates were revoked, by serial number. */
export class Revocations {
  /** By authority and serial number. */
  readonly #byIssuer = new Map<string, Revocation>();
  /** By agent and serial number. */
  readonly #byAgent = new Map<string, Revocation>();

  get size(): number {
    return this.#byIssuer.size + this.#byAgent.size;
  }

  /** Takes what was taken before. */
  load(revocations: Iterable<Revocation>): void {
    for (const revocation of revocations) this.add(revocation, Number.NEGATIVE_INFINITY, false);
  }

  /** Takes one. `known` when it says nothing new: the earlier time counts. `full` at the cap, where that is for this one. */
  add(revocation: Revocation, now: number, isCapped = true): "new" | "known" | "full" {
    const { issuerKeyId, agentId, serial, effectiveAt } = revocation;
    const kept = issuerKeyId === undefined ? this.#byAgent : this.#byIssuer;
    const key = `${issuerKeyId ?? agentId}/${serial}`;
    const known = kept.get(key);
    if (known !== undefined && known.effectiveAt <= effectiveAt) return "known";
    if (isCapped && known === undefined && kept.size >= MAX_REVOCATIONS) {
      for (const [old, { effectiveAt: since }] of kept) if (since + KEPT < now) kept.delete(old);
      if (kept.size >= MAX_REVOCATIONS) return "full";
    }
    kept.set(key, revocation);
    return "new";
  }

  /** The revocation by its authority of the certificate with this serial number, once it is in effect. */
  ofIssuer(issuerKeyId: string, serial: string, now: number): Revocation | undefined {
    return inEffect(this.#byIssuer.get(`${issuerKeyId}/${serial}`), now);
  }

  /** The revocation of a certificate, or of an authority on the way up from it, once it is in effect. */
  find(certificate: AgentCertificate, now: number): Revocation | undefined {
    const { agentId, serial, authorities } = certificate;
    for (const one of [certificate, ...authorities]) {
      const revocation = this.ofIssuer(one.issuerKeyId, one.serial, now);
      if (revocation !== undefined) return revocation;
    }
    if (this.#byAgent.size === 0) return undefined;
    return (
      inEffect(this.#byAgent.get(`${agentId}/${serial}`), now) ??
      inEffect(this.#byAgent.get(`${forgottenMark(agentId)}/${serial}`), now)
    );
  }
}

/** What is told of a certificate that was revoked. */
export function revokedFlaw({ serial, reason }: Revocation, at?: string) {
  return flawed("revoked", "It was revoked.", at, { serial, revocation_reason: reason });
}

function inEffect(revocation: Revocation | undefined, now: number): Revocation | undefined {
  return revocation !== undefined && revocation.effectiveAt <= now ? revocation : undefined;
}
