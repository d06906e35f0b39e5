import type { IdentitySigner } from "../codecs/signer.ts";

/** An agent as itself: its documents and the key its Genesis names. */
export interface AgentIdentity<Key extends IdentitySigner = IdentitySigner> {
  /** 64 hex: SHA-256 over the Genesis. */
  readonly agentId: string;
  /** Byte-exact, as issued. */
  readonly genesis: Uint8Array;
  /** Byte-exact, as issued. */
  readonly identityDocument: Uint8Array;
  /** Signs with the key the Genesis names. Never signs media. */
  readonly signer: Key;
}
