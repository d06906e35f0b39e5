import type { Clock } from "../codecs/clock.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { ControlChannel } from "./control.ts";

/** How often and how long it is asked for while the server still gathers the last statements. */
const RETRY_MS = 300;
const TRIES = 40;

/**
 * The evidence file of a session. Throws `evidence-not-ready` while it is up, and those of the exchange. `isOver`: whether the server can
 * be expected to have it soon.
 */
export async function readEvidence(
  sessionId: string,
  options: {
    readonly clock: Clock;
    readonly control: () => ControlChannel;
    readonly isOver: () => boolean;
  },
): Promise<Uint8Array> {
  const { clock, control, isOver } = options;
  for (let tries = 1; ; tries += 1) {
    try {
      return await readOnce(sessionId, control());
    } catch (error) {
      const again = error instanceof ParleyError && error.code === "evidence-not-ready";
      if (!again || !isOver() || tries === TRIES) throw error;
      await new Promise<void>((resolve) => clock.at(clock.now() + RETRY_MS, resolve));
    }
  }
}

async function readOnce(sessionId: string, control: ControlChannel): Promise<Uint8Array> {
  const chunks: string[] = [];
  const series = control.series({ method: "QUERY", path: `/sessions/${sessionId}/evidence` });
  for await (const { result } of series) {
    if (typeof result.chunk !== "string") {
      throw new ParleyError({ code: "body-malformed", message: "An evidence answer without a chunk." });
    }
    chunks.push(result.chunk);
  }
  return new TextEncoder().encode(chunks.join(""));
}
