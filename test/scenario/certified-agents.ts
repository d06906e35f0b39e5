/** Certificates for the agents of scenarios, by an authority of their own. */
import { encodeHex } from "../../codecs/hex.ts";
import { certificateSignatures } from "../../platform/node/certificate-signatures.ts";
import { certificatesOfPem } from "../../platform/node/pem.ts";
import type { CertificateRules } from "../../signaling/certificate/agent-certificate.ts";
import { readAuthorities } from "../../signaling/certificate/authorities.ts";
import { issueAgentCertificate } from "../../src/certificates/issue.ts";
import {
  AUTHORITY_LIFETIME,
  makeTestAuthority,
  type NewAuthority,
} from "../../src/certificates/test-authority.ts";
import { strictVerifier } from "../keys.ts";
import { CALL_TIME, must, type TestAgent } from "../signed-call.ts";
import type { OpeningFacts } from "./signaling-stage.ts";

export class CertifiedAgents {
  readonly rules: CertificateRules;
  /** What the authority itself shows. */
  readonly authority: OpeningFacts;
  readonly #authority: NewAuthority;
  /** Certificates of the authorities on the way up, but the topmost. */
  readonly #way: readonly Uint8Array[];

  /** With an authority of its own, beneath that of others, whose rules then hold, or the topmost; `lasting`: until when from now on, milliseconds. */
  constructor(above?: CertifiedAgents, lasting = AUTHORITY_LIFETIME) {
    this.#authority = makeTestAuthority(
      above === undefined ? "scenario" : `beneath ${above.keyId}`,
      CALL_TIME - AUTHORITY_LIFETIME + lasting,
      above === undefined ? undefined : above.#authority,
    );
    const own = certificatesOfPem(this.#authority.certificatePem);
    this.#way = above === undefined ? [] : [...own, ...above.#way];
    const certificates = above === undefined ? own : this.#way;
    this.rules = above?.rules ?? {
      authorities: must(readAuthorities(certificates)),
      signatures: certificateSignatures,
      verifier: strictVerifier,
    };
    this.authority = { peerCertificates: certificates, peerKey: this.#authority.signer.publicKey };
  }

  /** SHA-256 of the authority's key. */
  get keyId(): string {
    return this.#authority.certificate.keyId;
  }

  /** Serial number of the authority's certificate. */
  get serial(): string {
    return this.#authority.certificate.serial;
  }

  /** A fresh certificate of an agent: what its connection shows, and the serial number. */
  issue(
    { genesis, document }: TestAgent,
    options: { readonly scope?: readonly string[]; readonly days?: number } = {},
  ) {
    const identity = { agentId: genesis.agentId, genesis: genesis.bytes, identityDocument: document.bytes };
    const { pem, serial } = issueAgentCertificate(this.#authority, identity, {
      days: 30,
      isCritical: true,
      now: CALL_TIME,
      ...options,
    });
    return { shown: { peerCertificates: [...certificatesOfPem(pem), ...this.#way] }, serial };
  }
}

/** What somebody shows who holds only this key. */
export function keyHolder(publicKey: Uint8Array): OpeningFacts {
  return { peerKey: publicKey, network: encodeHex(publicKey.subarray(0, 4)) };
}
