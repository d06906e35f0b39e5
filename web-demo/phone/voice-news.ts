/** Who speaks in a call, how the voices come, and how far this one was heard. */
import type { Call } from "@parley-rt/parley/agent";
import type { LiveMedia } from "../model/live-media.ts";
import type { CallState, Notice } from "../model/page-state.ts";
import { qualitySentence } from "../model/words.ts";

export interface VoiceNewsTarget {
  /** Of the other end. */
  readonly name: string;
  readonly live: LiveMedia;
  readonly update: (change: (call: CallState) => CallState) => void;
  readonly notice: (text: string, tone: Notice["tone"]) => void;
}

/** Tells `target` as long as the call lasts. */
export function watchVoice(call: Call, { name, live, update, notice }: VoiceNewsTarget): void {
  // Of a gateway events name the one that it signs for.
  const peerId = call.peer.gateway?.subject ?? call.peer.agentId;
  update((state) => ({ ...state, speaking: call.audio.speaking }));
  call.audio.on("speaking", ({ who, speaking }) =>
    update((state) => ({ ...state, speaking: { ...state.speaking, [who]: speaking } })),
  );
  call.audio.on("voice-stalled", () => notice("What you say does not leave this page.", "warning"));
  call.on("quality", (told) => {
    const hears = told.leg === call.leg ? "me" : "peer";
    notice(qualitySentence(told, hears, name), told.degraded ? "warning" : "plain");
  });
  call.on("unattributed", ({ first, last, by }) => {
    const where = by === peerId ? `by ${name}` : "here";
    notice(`Frames ${first} to ${last} were played ${where}, and no signed list names them.`, "warning");
  });
  call.on("bandwidth-estimate", ({ bits_per_second: peerTakes }) => {
    live.way = { ...live.way, peerTakes };
  });
  call.on("heard", ({ playedMs, at }) => {
    live.way = { ...live.way, heardTo: { playedMs, at } };
  });
}
