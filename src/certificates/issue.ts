/** Agent Certificates for agents whose identity is at hand. */
import { unwrap } from "../../agent/unwrap.ts";
import { isJsonObject, parseJson } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { LoadedIdentity } from "../../platform/node/identity-file.ts";
import { createSigner, generateSeed, verifier } from "../../platform/node/sodium.ts";
import { AGENT_EXTENSIONS, type AgentExtension } from "../../signaling/certificate/agent-extensions.ts";
import { UNDERSTOOD } from "../../signaling/certificate/x509.ts";
import { readGenesis } from "../../signaling/genesis.ts";
import { readIdentityDocument } from "../../signaling/identity-document.ts";
import { formatScopes, parseScopes } from "../../signaling/scope.ts";
import { extension, keyIdentifiers, name, privateKeyPem, writeCertificate } from "./certificate-writer.ts";
import { bits, oid, positive, sequence } from "./der-writer.ts";
import { BACKDATED, freshSerial, type TestAuthority } from "./test-authority.ts";

/** Whose certificate it is to be. */
type Named = Pick<LoadedIdentity, "agentId" | "genesis" | "identityDocument">;

/** How a certificate is made. */
export interface IssueOptions {
  /** Days from now, 1 to 90. */
  readonly days: number;
  /** Scope committed to. Default: what the identity document accepts. */
  readonly scope?: readonly string[] | undefined;
  /** Default: what the Genesis says. */
  readonly zone?: string | undefined;
  /** Whether the three mandatory extensions are critical, as the draft has it; stock TLS stacks refuse such certificates. */
  readonly isCritical: boolean;
  /** Unix milliseconds. */
  readonly now: number;
}

/** A certificate with the key that was made for it. */
export interface IssuedCertificate {
  /** Both, PEM, in one text. */
  readonly pem: string;
  /** Lowercase hex without leading zeros. */
  readonly serial: string;
  readonly notAfter: number;
}

/**
 * Issues a certificate for an agent, around a fresh key: the identity key stays where it is. It has all of AGTP's extensions but the timestamp
 * of a log, under the identifiers of the reference implementation. Throws `scope-malformed`.
 */
export function issueAgentCertificate(
  authority: TestAuthority,
  identity: Named,
  options: IssueOptions,
): IssuedCertificate {
  const { days, isCritical, now } = options;
  const seed = generateSeed();
  const { publicKey } = createSigner(seed);
  const serial = freshSerial();
  const notAfter = Math.min(now + days * DAY, authority.certificate.notAfter);
  const { subject, values } = factsOf(identity, options);
  const certificate = writeCertificate(
    {
      serial,
      issuer: authority.certificate.subject,
      subject,
      notBefore: now - BACKDATED,
      notAfter,
      publicKey,
      extensions: [
        extension(UNDERSTOOD.basicConstraints, true, sequence()),
        extension(UNDERSTOOD.keyUsage, true, bits(DIGITAL_SIGNATURE, 7)),
        extension(UNDERSTOOD.extendedKeyUsage, false, sequence(oid(CLIENT_AUTH))),
        ...keyIdentifiers(publicKey, authority.signer.publicKey),
        ...values.map(([named, value]) =>
          extension(AGENT_EXTENSIONS[named][0], isCritical && MANDATORY.has(named), value),
        ),
      ],
    },
    authority.signer,
  );
  const pem = `${certificate}${privateKeyPem(seed)}`;
  return { pem, serial: encodeHex(serial).replace(/^0+/, ""), notAfter };
}

/** What the certificate says of the agent. */
function factsOf(identity: Named, { scope, zone }: IssueOptions) {
  const genesis = unwrap(readGenesis(identity.genesis, verifier));
  const document = unwrap(readIdentityDocument(identity.identityDocument, genesis, verifier));
  const parsed = parseJson(identity.genesis);
  const said = parsed.ok && isJsonObject(parsed.value) ? parsed.value : {};
  const committed = scope === undefined ? document.scope : unwrap(parseScopes(scope, "--scope"));
  const governed = zone ?? said.governance_zone;
  const { archetype } = said;
  const values: [AgentExtension, Uint8Array][] = [
    ["agent-id", encoder.encode(identity.agentId)],
    ["owner-id", encoder.encode(genesis.ownerId)],
    ["authority-scope-commitment", encoder.encode(formatScopes(committed).toSorted().join(","))],
    ["trust-tier", positive(Uint8Array.of(genesis.trustTier))],
    ["activation-certificate-id", encoder.encode(identity.agentId)],
  ];
  if (typeof governed === "string" && governed.startsWith("zone:"))
    values.push(["governance-zone", encoder.encode(governed)]);
  if (typeof archetype === "string") values.push(["archetype", encoder.encode(archetype)]);
  return { subject: name(genesis.name || identity.agentId.slice(0, 16), genesis.ownerId), values };
}

const MANDATORY: ReadonlySet<AgentExtension> = new Set<AgentExtension>([
  "agent-id",
  "owner-id",
  "authority-scope-commitment",
]);
const encoder = new TextEncoder();
const DAY = 86_400_000;
/** Bit 0 of keyUsage. */
const DIGITAL_SIGNATURE = Uint8Array.of(0x80);
const CLIENT_AUTH = "1.3.6.1.5.5.7.3.2";
