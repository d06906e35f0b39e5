import { deriveTagKey, type ExchangeKey, type FrameMac } from "../codecs/chain-key.ts";
import type { FrameProfile, FrameSeal } from "../codecs/frame.ts";
import type { Signer } from "../codecs/signer.ts";
import type { MediaKey } from "../signaling/media-key.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";

/** The other end's media key, and the key that its tags on one stream are made with. */
export interface HeardKey extends MediaKey {
  readonly tagKey: Uint8Array;
}

/**
 * What the two ends of a call share in profile `chain`: a tag key for each stream of each speaker, from this end's exchange key and the
 * other's media key. Nothing of it leaves the process.
 */
export class TagKeys {
  readonly #session: CheckedSession;
  readonly #exchange: ExchangeKey;
  readonly #mac: FrameMac;
  readonly #signer: Signer;

  constructor(options: {
    readonly session: CheckedSession;
    readonly exchange: ExchangeKey;
    readonly mac: FrameMac;
    readonly signer: Signer;
  }) {
    this.#session = options.session;
    this.#exchange = options.exchange;
    this.#mac = options.mac;
    this.#signer = options.signer;
  }

  /** How this end's frames on a stream are sealed, for a listener with this key. Throws `key-unacceptable`. */
  seal(profile: FrameProfile, stream: number, peer: MediaKey): FrameSeal {
    if (profile === "frame") return { profile, signer: this.#signer };
    const { leg, mediaKey } = this.#session;
    const key = this.#derive(peer, leg, stream, mediaKey.generation, peer.generation);
    return { profile, mac: this.#mac, key };
  }

  /** The other end's key as a stream of its is heard with. Throws `key-unacceptable`. */
  heard(stream: number, peer: MediaKey): HeardKey {
    const { leg, mediaKey } = this.#session;
    return { ...peer, tagKey: this.#derive(peer, 1 - leg, stream, peer.generation, mediaKey.generation) };
  }

  #derive(
    peer: MediaKey,
    leg: number,
    stream: number,
    speakerGeneration: number,
    listenerGeneration: number,
  ): Uint8Array {
    const { sessionDigest } = this.#session;
    const place = { sessionDigest, leg, stream, speakerGeneration, listenerGeneration };
    return deriveTagKey(this.#exchange.agree(peer.x25519), place);
  }
}
