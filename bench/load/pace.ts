/** What is said in turn, each at its moment. */
export interface Pace {
  /** Speakers, spread over the frame time, as those who began at different moments are. */
  readonly speakers: number;
  /** Of each. */
  readonly frames: number;
  readonly frameMs: number;
  /** When the first is due, by `performance.now()`. */
  readonly start: number;
  /** Sends one; `deadline`: when it was due. */
  readonly send: (speaker: number, frame: number, deadline: number) => void;
}

/** Sends all frames, none before its time; resolves after the last. */
export async function inTurn({ speakers, frames, frameMs, start, send }: Pace): Promise<void> {
  const spacing = frameMs / speakers;
  const total = speakers * frames;
  for (let sent = 0; sent < total; ) {
    const now = performance.now();
    for (; sent < total; sent += 1) {
      const speaker = sent % speakers;
      const frame = (sent - speaker) / speakers;
      const deadline = start + frame * frameMs + speaker * spacing;
      if (deadline > now) break;
      send(speaker, frame, deadline);
    }
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
