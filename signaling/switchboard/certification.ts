import { ok, type Result } from "../../codecs/result.ts";
import type { AgentCertificate } from "../authority.ts";
import { type CertificateRules, judgeCertificates } from "../certificate/agent-certificate.ts";
import { issuingAuthority } from "../certificate/issuing-authority.ts";
import { type FindRevocation, timeFlaw } from "../certificate/path.ts";
import { Revocations, revokedFlaw } from "../certificate/revocations.ts";
import type { ConnectionState } from "./connections.ts";
import type { Outputs } from "./outputs.ts";

/** What the certificates that clients show are worth: judged once for each connection, held against time and revocations every time. */
export class Certification {
  readonly revocations = new Revocations();
  readonly #rules: CertificateRules | undefined;
  readonly #outputs: Outputs;

  /** Without rules nobody is anybody by a certificate. */
  constructor(rules: CertificateRules | undefined, outputs: Outputs) {
    this.#rules = rules;
    this.#outputs = outputs;
  }

  /**
   * The Agent Certificate of a connection's client; `undefined` where it showed none, or one that says nothing of an agent. Fault:
   * `agent-certificate-refused`.
   */
  of(connection: ConnectionState, now: number): Result<AgentCertificate | undefined> {
    if (this.#rules === undefined || connection.peerCertificates.length === 0) return ok(undefined);
    connection.certified ??= this.#judge(connection, this.#rules, now);
    if (!connection.certified.ok || connection.certified.value === undefined) return connection.certified;
    return this.holds(connection.certified.value, now);
  }

  /** A certificate that was found to hold, if it still does. Faults: flaws `not-yet-valid`, `expired`, `revoked`. */
  holds(certificate: AgentCertificate, now: number): Result<AgentCertificate> {
    const late = timeFlaw(certificate, now, AT);
    if (late !== undefined) return late;
    const revocation = this.revocations.find(certificate, now);
    return revocation === undefined ? ok(certificate) : revokedFlaw(revocation);
  }

  /** The key of the certificate authority that a connection's client is, hex. */
  authorityOf({ peerCertificates }: ConnectionState, now: number): string | undefined {
    return this.#rules && issuingAuthority(peerCertificates, this.#rules, now, this.#revocationOf(now));
  }

  #revocationOf(now: number): FindRevocation {
    return (issuerKeyId, serial) => this.revocations.ofIssuer(issuerKeyId, serial, now);
  }

  #judge(
    connection: ConnectionState,
    rules: CertificateRules,
    now: number,
  ): Result<AgentCertificate | undefined> {
    const judged = judgeCertificates(connection.peerCertificates, rules, now, this.#revocationOf(now));
    const { id } = connection;
    if (!judged.ok) {
      const { at, details } = judged.fault;
      this.#outputs.log("warn", "agent-certificate-refused", {
        connection: id,
        flaw: String(details?.flaw),
        at,
      });
    } else if (judged.value !== undefined) {
      const { agentId, serial, fingerprint } = judged.value;
      this.#outputs.log("debug", "agent-certificate-shown", { connection: id, agentId, serial, fingerprint });
    }
    return judged;
  }
}

const AT = "certificate[0]";
