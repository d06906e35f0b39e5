import type { CallWay, SourceKind } from "../model/page-state.ts";
import type { VideoCodecName } from "../model/video-codec.ts";
import type { TroubleKind } from "../phone/troubles.ts";

/** What people can do on the page. */
export interface PageActions {
  call(agentId: string, name: string): void;
  /** Takes a ringing call back, or hangs up. */
  hangUp(): void;
  accept(sessionId: string): void;
  decline(sessionId: string): void;
  mute(): void;
  interrupt(): void;
  /** Shows the camera or the screen, or no longer. */
  camera(): void;
  screen(): void;
  /** How the next camera or screen is coded. */
  choosePicture(choice: { readonly pictureCodec?: VideoCodecName; readonly renditions?: 1 | 2 }): void;
  /** Sends nothing of a stream, or sends it again. */
  muteStream(id: number): void;
  /** Has nothing of a stream sent here, or has it sent again. */
  holdStream(id: number): void;
  closeStream(id: number): void;
  /** Gives up this end's authority to transmit, and goes on sending to show what happens. */
  narrow(): void;
  /** Flips one bit of the next packet after it was signed. */
  tamper(): void;
  send(typed: string): void;
  saveEvidence(): void;
  saveSound(): void;
  /** Puts the call that is over away. */
  leaveCall(): void;
  rename(name: string): void;
  /** Goes on here with a call of this agent that another tab has, or none. */
  takeOver(sessionId: string): void;
  beSomebodyElse(): void;
  reconnect(): void;
  /** Whether calls that come in are to be heard. */
  ringAloud(isAloud: boolean): void;
  /** How the next calls are made. */
  chooseWay(way: CallWay): void;
  /** Sends what goes through this page's connections through such a network from now on. */
  trouble(kind: TroubleKind): void;
  chooseSource(kind: SourceKind, file?: File): void;
}
