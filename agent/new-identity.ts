import {
  type IdentitySigner,
  type Signed,
  type Signer,
  thenSigned,
  type Verifier,
} from "../codecs/signer.ts";
import { type Archetype, createGenesis, type Genesis } from "../signaling/genesis.ts";
import { createIdentityDocument, type IdentityDocument } from "../signaling/identity-document.ts";
import { parseScopes, sendingScopes } from "../signaling/scope.ts";
import type { AgentIdentity } from "./identity.ts";
import { unwrap } from "./unwrap.ts";

/** What an agent may claim unless its issuer says otherwise: to speak, and to send structured data. */
const TALKING_SCOPE = (["audio", "video", "data"] as const).flatMap((modality) => sendingScopes(modality));

/** Who a new agent is. */
export interface NewIdentity {
  /** Printable ASCII. */
  readonly name: string;
  /** 1 to 256 of letters, digits, `-`, `_`, `:`, `.`. Default: the name in lower case with dashes. */
  readonly owner?: string;
  readonly archetype?: Archetype;
  /** Widest authority the agent may ever claim. Default: audio, video and data. */
  readonly scope?: readonly string[];
  /** Default 1 for an issued agent, 2 for one that vouches for itself. */
  readonly trustTier?: 1 | 2 | 3;
  /** AGTP methods the agent takes part in. */
  readonly methods?: readonly string[];
  readonly capabilities?: readonly string[];
}

/** Who vouches for new agents. */
export interface Issuer {
  readonly name: string;
  readonly signer: Signer;
}

/**
 * Makes an agent's Genesis and identity document around its key. Without an issuer the agent issues its own, which open
 * registration takes and trust anchors do not. Throws `field-invalid`. `now` is Unix milliseconds.
 * With a `Signer` it is made at once; with a key that takes its time it comes as a promise.
 */
export function newIdentity<Key extends IdentitySigner>(
  fields: NewIdentity,
  signer: Key,
  issuer: Issuer | undefined,
  now: number,
  verifier: Verifier,
): Signed<Key, AgentIdentity<Key>> {
  const scope = unwrap(parseScopes(fields.scope ?? TALKING_SCOPE));
  const owner = fields.owner ?? fields.name.toLowerCase().replace(/[^a-z0-9_:.-]+/g, "-");
  // Where an issuer that answers at once vouches for a key that does not, all is there at once, which awaiting takes as well.
  const by = (issuer ?? { name: "self", signer }) as { readonly name: string; readonly signer: Key };
  const born = createGenesis(
    {
      name: fields.name,
      ownerId: owner,
      principalId: owner,
      archetype: fields.archetype ?? "assistant",
      governanceZone: "zone:default",
      scope,
      trustTier: fields.trustTier ?? (issuer === undefined ? 2 : 1),
      verificationPath: issuer === undefined ? "self-signed" : "org-asserted",
      issuedAt: now,
      issuer: by.name,
    },
    signer.publicKey,
    by.signer,
    verifier,
  );
  return thenSigned<Key, Genesis, AgentIdentity<Key>>(born, (genesis) => {
    const described = createIdentityDocument(
      {
        name: fields.name,
        description: "",
        principal: owner,
        status: "active",
        methods: fields.methods ?? ["ESTABLISH", "CONFIRM", "NOTIFY", "TERMINATE"],
        capabilities: fields.capabilities ?? ["voice"],
        scope,
        trustScore: 0,
        issuedAt: now,
        updatedAt: now,
      },
      genesis,
      by.signer,
      verifier,
    );
    return thenSigned<Key, IdentityDocument, AgentIdentity<Key>>(described, (document) => ({
      agentId: genesis.agentId,
      genesis: genesis.bytes,
      identityDocument: document.bytes,
      signer,
    }));
  });
}
