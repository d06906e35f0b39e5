import type { Detached, Reattached } from "./call-attachment.ts";
import type { AskedChange } from "./call-changes.ts";
import type { CallEnd } from "./call-ending.ts";
import type { HeardPosition } from "./call-heard.ts";
import type { Interrupted } from "./call-interrupts.ts";
import type {
  BandwidthTold,
  KeyFrameWanted,
  QualityTold,
  StreamHeld,
  StreamMuted,
  UnattributedTold,
} from "./call-notices.ts";
import type { CallStream } from "./call-stream.ts";
import type { Resumed, Suspended } from "./call-suspension.ts";
import type { AuthorityNarrowed, TermsChanged } from "./call-terms.ts";
import type { PeerAttached, PeerDetached } from "./peer-presence.ts";

export interface StreamOpened {
  readonly stream: CallStream;
}

export interface StreamClosed {
  readonly stream: CallStream;
}

/** Frames of this call that a relay or this end refused. */
export interface FramesRefused {
  readonly flow: number;
  /** Lowest and highest 48-bit sequence number among them; undefined where none could be read. */
  readonly first: number | undefined;
  readonly last: number | undefined;
  readonly reason: string;
  readonly count: number;
}

/** Frames of profile `chain` that the relay let through, and that their speaker's checkpoints list otherwise: as the server says. */
export interface FramesContradicted {
  readonly flow: number;
  readonly stream: number;
  readonly first: number;
  readonly last: number;
  readonly count: number;
}

/** What a call tells of, by name. */
export type CallEvents = {
  ended: CallEnd;
  "frames-refused": FramesRefused;
  "frames-contradicted": FramesContradicted;
  /** One end gave up scope, or both agreed on other terms; the signatures were checked. */
  "terms-changed": TermsChanged;
  /** The other end asks for other terms, and the policy of the call leaves the answer to who listens here. */
  "change-asked": AskedChange;
  /** What this end hears or sends is worse than it should be, or no more, by the word of the other end or of the server. */
  quality: QualityTold;
  /** What the other end believes that it can be sent. */
  "bandwidth-estimate": BandwidthTold;
  /**
   * In profile `chain` an end played what nobody else can be shown to have said: this end (`by` is this agent), and by default nothing more of
   * that stream is played until that changes; or the other one, which says so.
   */
  unattributed: UnattributedTold;
  /** The other end needs a key frame of a video that this end sends. */
  "keyframe-wanted": KeyFrameWanted;
  /** A stream was opened, by either end, and flows. */
  "stream-opened": StreamOpened;
  /** One was closed, by either end; its handle is `closed`. */
  "stream-closed": StreamClosed;
  /** The other end mutes what it says on a stream, or goes on. */
  "stream-muted": StreamMuted;
  /** The other end wants nothing of what this end says on a stream for now, or wants it again. */
  "stream-held": StreamHeld;
  /** The server found that an end has less authority than it had: what is not covered any more is refused from then on. */
  "authority-narrowed": AuthorityNarrowed;
  /** The other end interrupted what this end was saying; its signature was checked. */
  interrupted: Interrupted;
  /** The other end signed how far it heard this one: after an interrupt, when asked, every ten seconds; its signature was checked. */
  heard: HeardPosition;
  /** Either end suspended the call. */
  suspended: Suspended;
  /** Either end resumed it. */
  resumed: Resumed;
  /** This end has no connection for the call now. */
  detached: Detached;
  /** It has one again, and the call goes on. */
  reattached: Reattached;
  /** The other end has no connection for the call now: it says and hears nothing. */
  "peer-detached": PeerDetached;
  /** It has one again; perhaps another process of that agent has taken the call up. */
  "peer-attached": PeerAttached;
};
