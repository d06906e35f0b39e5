import type { ExchangeKey } from "../codecs/chain-key.ts";
import type { Signer } from "../codecs/signer.ts";
import { makeMediaKey } from "../signaling/media-key.ts";
import type { AgentContext } from "./agent-context.ts";

/** Media keys are certified from a little before now, ms, so that a verifier whose clock is behind accepts them. */
const BACKDATE_MS = 60_000;

/** A fresh key for the media of one call, and the identity key's certificate for it. */
export interface MediaKeyPair {
  readonly signer: Signer;
  /** What the tags of profile `chain` come from. It lives as long as this process has the call, and no longer. */
  readonly exchange: ExchangeKey;
  /** `parley-media-key+jwt`. */
  readonly certificate: string;
}

/** Makes the media key of one call that lives at most `ttl` seconds; each process that takes it up has one of the next generation. */
export async function createMediaKeyPair(
  context: AgentContext,
  offerId: string,
  ttl: number,
  generation = 0,
): Promise<MediaKeyPair> {
  const { platform, identity } = context;
  const signer = platform.createSigner(platform.random(32));
  const exchange = platform.createExchangeKey();
  const now = platform.clock.wall();
  const certificate = await makeMediaKey(
    {
      agentId: identity.agentId,
      offerId,
      ed25519: signer.publicKey,
      x25519: exchange.publicKey,
      generation,
      notBefore: now - BACKDATE_MS,
      notAfter: now + ttl * 1000 + BACKDATE_MS,
    },
    identity.signer,
  );
  return { signer, exchange, certificate };
}

/** A random RTP synchronisation source (RFC 3550 8). */
export function randomSsrc(context: AgentContext): number {
  return new DataView(context.platform.random(4).buffer).getUint32(0);
}
