import type { Fault, Result } from "../../codecs/result.ts";
import type { AccessGrant } from "../../signaling/authority.ts";
import type {
  Direction,
  IceCredentials,
  IceFragment,
  LocalDescription,
  RemoteDescription,
} from "../../transports/webrtc/description.ts";

/** Who asks, as the request shows it: the desk says whether that holds, by `judge`. */
export interface Asker {
  /** The access token, as it came: what a peer acts on behalf of somebody by. */
  readonly token: string;
  /** What the request's client may have dialled: audiences that the token may name. */
  readonly origins: readonly string[];
  /** Whoever proved itself on the connection of the request, where it came in an AGTP exchange: the token has to be for no other. */
  readonly agentId?: string;
}

/** Who asks, once the desk has found that what it shows holds. */
export interface JudgedAsker extends Asker {
  readonly grant: AccessGrant;
}

/** What a WebRTC peer wants to be opened for it. */
export type PeerOpening = {
  readonly asker: JudgedAsker;
  /** Agent-ID to call at once; the peer is answered when that agent answered. */
  readonly to?: string;
  /** Nobody waits for the outcome any more: what is being set up is given up. */
  readonly abandoned: AbortSignal;
} & (
  | {
      /** WHIP: the peer sends; WHEP: it receives. */
      readonly way: "whip" | "whep";
      readonly offer: RemoteDescription;
    }
  | {
      /** The server offers, and the peer takes a call of whoever asks through an AGTP exchange. */
      readonly way: "exchange";
      /** A call that rings at the asker's own inbox, instead of `to`. */
      readonly sessionId?: string;
      /** As the peer sees it. */
      readonly audio: Direction | "none";
      readonly video: Direction | "none";
      readonly data: boolean;
    }
);

/** A peer connection that is being set up. */
export interface OpenedPeer {
  /** Names it from now on. Nobody can guess it. */
  readonly id: string;
  /** The answer to what was offered; or an offer, since what was asked for leaves nothing to answer, or cannot be answered (WHEP). */
  readonly kind: "answer" | "offer";
  readonly description: LocalDescription;
  /** Names its present ICE credentials: 1 to 64 characters, another one after each restart. */
  readonly iceTag: string;
}

/** Which peer connection is meant, and by whom: only who showed a token for the same subject when it was opened reaches it. */
export interface PeerNamed {
  readonly id: string;
  readonly asker: JudgedAsker;
}

/**
 * Where WebRTC peers are opened and looked after, whatever road their requests come by. Never rejects. Faults: `not-found` for a peer that
 * is not there, or is another subject's; those named below.
 */
export interface PeerDesk {
  /** Why no peer can be opened now, if so: `webrtc-unavailable`, whose message says how to turn the carrier on. */
  unavailable(): Fault | undefined;
  /** Whether the token that is shown holds: asked before anything that came along is read. Faults: `token-invalid`, `token-expired`, `token-issuer-unavailable`. */
  judge(asker: Asker): Promise<Result<JudgedAsker>>;
  /**
   * Opens a peer connection. Faults besides: `webrtc-unavailable`, `codec-unsupported`, `fingerprint-mismatch`, `capacity`, and what the call
   * itself ends with before it is answered, e.g. `callee-busy`, `declined`, `no-answer`, `scope-violation`.
   */
  open(opening: PeerOpening): Promise<Result<OpenedPeer>>;
  /** Candidates of the peer. `iceTag`, where it is given: of the credentials that they are for. Faults: `ice-outdated`. */
  trickle(peer: PeerNamed, fragment: IceFragment, iceTag: string | undefined): Promise<Result<void>>;
  /**
   * New ICE credentials: `ice` are the peer's new ones, and what is given back has this end's new ones. Without, since this end offers: what is
   * given back is an offer for `answer`.
   */
  restart(peer: PeerNamed, ice: IceCredentials | undefined): Promise<Result<Omit<OpenedPeer, "id">>>;
  /** The text of the answer to an offer of this end. Faults: `sdp-malformed`, `codec-unsupported`, `fingerprint-mismatch`, `session-state-conflict` where none is awaited. */
  answer(peer: PeerNamed, sdp: string): Promise<Result<void>>;
  /** Ends it, and the call with it. No fault where it is over. */
  close(peer: PeerNamed): Promise<Result<void>>;
}
