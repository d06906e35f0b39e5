import { describe, expect, it } from "vitest";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import { CallAudio } from "./call-audio.ts";
import type { HeardAudio } from "./heard-audio.ts";

function heard(kind: "concealed" | "silence", position: number): HeardAudio {
  const base = { pcm: new Int16Array(1), clockRate: 48_000, channels: 1, speaker: "", playedAt: 0 } as const;
  return { ...base, kind, position, verified: false };
}

function listening(): CallAudio {
  return new CallAudio({
    ...{ sends: undefined, hears: undefined, sender: undefined, control: undefined },
    clock: new VirtualClock(),
    report: () => {},
  });
}

async function positions(audio: AsyncIterable<HeardAudio>): Promise<number[]> {
  const found: number[] = [];
  for await (const { position } of audio) found.push(position);
  return found;
}

describe("CallAudio", () => {
  it("keeps what was heard for the first reader, silence too if that one wants it", async () => {
    for (const silence of [true, false]) {
      const audio = listening();
      expect(audio.silenceIsHeard).toBe(true);
      audio.deliver(heard("silence", 0));
      audio.deliver(heard("concealed", 1));
      const reading = positions(audio.heard({ silence }));
      audio.finish();
      expect(await reading).toEqual(silence ? [0, 1] : [1]);
    }
  });

  it("asks for silence no longer than somebody wants it", () => {
    const audio = listening();
    audio.heard();
    expect(audio.silenceIsHeard).toBe(false);
    audio.heard({ silence: true });
    expect(audio.silenceIsHeard).toBe(true);
  });

  it("gives each reader what it wants", async () => {
    const audio = listening();
    const spoken = positions(audio.heard());
    const gapless = positions(audio.heard({ silence: true }));
    audio.deliver(heard("silence", 0));
    audio.deliver(heard("concealed", 1));
    audio.finish();
    expect([await spoken, await gapless]).toEqual([[1], [0, 1]]);
  });
});
