/** A call over WebRTC as something to speak into: the browser encodes what is said, and plays what comes. */
import type { GatewayCall } from "@parley-rt/parley/agent";
import type { SoundLine } from "./sound-line.ts";
import { openVoiceTrack } from "./voice-track.ts";

export interface GatewayLineEvents {
  /** What this page says, to be shown. */
  readonly said: (pcm: Int16Array) => void;
  readonly report: (error: unknown) => void;
}

export function gatewayLine(call: GatewayCall, { said, report }: GatewayLineEvents): SoundLine {
  return {
    playedAt: undefined,
    async speak(source, file, over) {
      const { track, stop } = await openVoiceTrack(source, file, {
        turnOver: () => call.endTurn(),
        over,
        heard: said,
        report,
      });
      await call.send("audio", track);
      return { stop };
    },
  };
}
