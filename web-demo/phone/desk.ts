/** What can be done with a call of this page, however it is made. */
import type { LiveMedia } from "../model/live-media.ts";
import type { PageState } from "../model/page-state.ts";
import type { Store } from "../model/store.ts";
import type { CaptureKind } from "../video/capture.ts";
import type { Screen } from "../video/screen.ts";
import type { CallSound } from "./sound.ts";

/** What a call is led with. */
export interface DeskParts {
  readonly store: Store<PageState>;
  readonly sound: CallSound;
  readonly peer: { readonly agentId: string; readonly name: string };
  /** The call is over here; it may go on in another tab. */
  readonly over: () => void;
  readonly report: (error: unknown) => void;
}

export interface Desk {
  readonly live: LiveMedia;
  /** The pictures of the other end that this page decodes itself. */
  readonly screens: readonly Screen[];
  /** Aborted when people take the call back before it is answered. */
  readonly placing: AbortSignal;
  /** Session-ID, once the call is up. */
  readonly sessionId: string | undefined;
  /** The call could not be made or taken. */
  failed(error: unknown): void;
  hangUp(): void;
  mute(): void;
  interrupt(): Promise<void>;
  /** Shows the camera or the screen, or no longer. */
  show(kind: CaptureKind): Promise<void>;
  send(value: object): Promise<void>;
  saveEvidence(): Promise<void>;
  saveSound(): void;
  /** The server will stop; `deadline` is when it ends the calls that are still up, Unix milliseconds. */
  serverStops(deadline: number | undefined): void;
  /** The page is online again: what the server recorded meanwhile can be read now. */
  backOnline(): void;
  /** Nothing of this call runs or is kept any more. */
  leave(): void;
}
