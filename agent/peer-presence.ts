import type { JsonObject, JsonValue } from "../codecs/canonical-json.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { Verifier } from "../codecs/signer.ts";
import { type MediaKey, verifyMediaKey } from "../signaling/media-key.ts";
import type { CheckedSession } from "../signaling/peer-check.ts";
import type { ClockStatement } from "../signaling/stream-fields.ts";
import type { CallMedia } from "./call-media.ts";
import type { HeardPlace } from "./stream-media.ts";
import { unwrap } from "./unwrap.ts";

/** The other end has no connection for the call now. */
export interface PeerDetached {
  /** Until when the server waits for it, Unix milliseconds by the server's clock. */
  readonly until: number;
}

/** It has one again. */
export interface PeerAttached {
  /** Generation of its media key: higher than before where another process of it has taken the call up. */
  readonly generation: number;
}

export interface PeerPresenceOptions {
  readonly session: CheckedSession;
  readonly media: CallMedia;
  readonly verifier: Verifier;
  /** Unix milliseconds. */
  readonly wall: () => number;
  /** This machine's clock against the server's. */
  readonly ownClock: ClockStatement;
  readonly detached: (event: PeerDetached) => void;
  readonly attached: (event: PeerAttached) => void;
}

/** The other end of a call as it comes and goes, and the media keys that it signs with. */
export class PeerPresence {
  readonly #options: PeerPresenceOptions;
  readonly #keys: Map<number, MediaKey>;
  #newest: MediaKey;
  #isDetached = false;
  /** It came or went since this end asked for its connection. */
  #isTold = false;

  constructor(options: PeerPresenceOptions) {
    const { mediaKey } = options.session.peer;
    this.#options = options;
    this.#newest = mediaKey;
    this.#keys = new Map([[mediaKey.generation, mediaKey]]);
  }

  /** Its media key of that generation, raw; undefined for one that is not known. */
  key(generation: number): Uint8Array | undefined {
    return this.#keys.get(generation)?.ed25519;
  }

  /** What the server says of it. Throws `certificate-invalid` or `signature-invalid` for a media key that it did not certify. */
  told(event: string, fields: JsonObject): void {
    if (event === "media-key-changed") this.takeKey(fields.media_key);
    else if (event === "peer-detached") this.#wentAway(fields);
    else if (event === "peer-attached") this.#cameBack(fields);
  }

  #wentAway({ until }: JsonObject): void {
    this.#isTold = true;
    this.#options.media.peerLeft();
    if (this.#isDetached) return;
    this.#isDetached = true;
    this.#options.detached({ until: typeof until === "number" ? until : 0 });
  }

  /** This end is about to ask for a connection, and to be told how the session stands. */
  returning(): void {
    this.#isTold = false;
  }

  /** This end has a connection for a session in this state: `detached` as long as the other end has none. */
  reattached(state: unknown): void {
    // An event is later than the answer that it overtook.
    if (this.#isTold) return;
    if (state === "detached") this.#options.media.peerLeft();
    else this.#options.media.peerCame([]);
  }

  /** The server has no connection for its media yet, as the session begins: `peer-attached` is to come. */
  isToCome(): void {
    if (!this.#isTold) this.#options.media.peerIsToCome();
  }

  #cameBack({ clock, first, received }: JsonObject): void {
    const { media, ownClock } = this.#options;
    this.#isDetached = false;
    this.#isTold = true;
    if (isClock(clock)) {
      // Both were measured against the server's.
      const offset = clock.offset_ms - ownClock.offset_ms;
      media.takeClock({ offset, uncertainty: clock.uncertainty_ms + ownClock.uncertainty_ms });
    }
    media.peerCame(readPlaces(received));
    // It was never away.
    if (first === true) return;
    this.#options.attached({ generation: this.#newest.generation });
  }

  /** A media key of it, as the server passes it on; one that is known changes nothing. Throws as {@link told}. */
  takeKey(certificate: JsonValue | undefined): void {
    if (certificate === this.#newest.jws) return;
    const { session, media, verifier, wall } = this.#options;
    const { agentId, genesis } = session.peer;
    const expected = {
      ...{ agentId, publicKey: genesis.agentKey, offerId: session.offer.payload.offer_id, now: wall() },
    };
    const jws = typeof certificate === "string" ? certificate : "";
    const key = unwrap(verifyMediaKey(jws, expected, verifier));
    // Told before: an answer and the inbox may both say it.
    if (key.generation <= this.#newest.generation) return;
    if ([...this.#keys.values(), session.mediaKey].some((known) => isSame(known.ed25519, key.ed25519))) {
      throw new ParleyError({
        code: "certificate-invalid",
        message: "This media key was used before.",
        at: "media_key",
      });
    }
    this.#keys.set(key.generation, key);
    this.#newest = key;
    media.takeKey(key);
  }
}

function readPlaces(value: JsonValue | undefined): HeardPlace[] {
  if (!Array.isArray(value)) return [];
  return value.flatMap((entry) => {
    const { stream, next_sequence: nextSequence } = (entry ?? {}) as Readonly<Record<string, unknown>>;
    return Number.isSafeInteger(stream) && Number.isSafeInteger(nextSequence)
      ? [{ stream: stream as number, nextSequence: nextSequence as number }]
      : [];
  });
}

function isClock(value: unknown): value is ClockStatement {
  if (typeof value !== "object" || value === null) return false;
  const { offset_ms: offset, uncertainty_ms: uncertainty } = value as Partial<
    Record<keyof ClockStatement, unknown>
  >;
  return Number.isFinite(offset) && Number.isFinite(uncertainty);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
