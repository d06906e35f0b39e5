import { ParleyError } from "../../codecs/parley-error.ts";
import { inlineModule } from "./inline-module.ts";

/**
 * An audio context at `clockRate` Hz that knows the worklet `program` registers. It runs once the user has done something on
 * the page, as browsers want it. Rejects with `device-unavailable`.
 */
export async function createContext(clockRate: number, program: () => void): Promise<AudioContext> {
  let context: AudioContext | undefined;
  const module = inlineModule(program);
  try {
    context = new AudioContext({ sampleRate: clockRate, latencyHint: "interactive" });
    await context.audioWorklet.addModule(module);
    return context;
  } catch (cause) {
    await context?.close();
    throw new ParleyError(
      { code: "device-unavailable", message: `The browser gives this page no sound at ${clockRate} Hz.` },
      { cause },
    );
  } finally {
    URL.revokeObjectURL(module);
  }
}
