import type { LogLevel, SwitchboardOutput } from "./io.ts";

/**
 * What the switchboard wants done, in order. Emptied after every input, so it is bounded by what one input can cause:
 * at shutdown, a few messages per session and connection.
 */
export class Outputs {
  #queue: SwitchboardOutput[] = [];
  #head = 0;

  push(output: SwitchboardOutput): void {
    this.#queue.push(output);
  }

  log(
    level: LogLevel,
    event: string,
    fields: Readonly<Record<string, string | number | boolean | undefined>> = {},
  ): void {
    this.push({ kind: "log", level, event, fields });
  }

  shift(): SwitchboardOutput | undefined {
    const output = this.#queue[this.#head];
    if (output === undefined) {
      this.#queue = [];
      this.#head = 0;
      return undefined;
    }
    this.#head++;
    return output;
  }
}
