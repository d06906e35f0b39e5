import type { Headers } from "../../codecs/headers.ts";
import type { ConnectionState } from "./connections.ts";
import type { RegisteredAgent } from "./registry.ts";
import type { Exchange } from "./replies.ts";

/** A request with what is already known about it. */
export interface AskedByAnybody {
  readonly exchange: Exchange;
  readonly connection: ConnectionState;
  /** Whose request it is, where that is proved. */
  readonly agent: RegisteredAgent | undefined;
  readonly headers: Headers;
  /** When it arrived, on the clock that capture times are held against: Unix milliseconds. */
  readonly mediaTime: number;
}

/** A request of a known agent. */
export interface Asked extends AskedByAnybody {
  readonly agent: RegisteredAgent;
}

/** True when it is known whose request this is. */
export function isProved(asked: AskedByAnybody): asked is Asked {
  return asked.agent !== undefined;
}
