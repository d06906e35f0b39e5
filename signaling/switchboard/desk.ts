import type { Verifier } from "../../codecs/signer.ts";
import type { ServerIdentity, SwitchboardConfig } from "./config.ts";
import type { Connections } from "./connections.ts";
import type { Inboxes } from "./inboxes.ts";
import type { Outputs } from "./outputs.ts";
import type { Registry } from "./registry.ts";
import type { Replies } from "./replies.ts";
import type { Timers } from "./timers.ts";

/** What the parts of one switchboard work with together. */
export interface Desk {
  readonly config: SwitchboardConfig;
  readonly identity: ServerIdentity;
  readonly verifier: Verifier;
  readonly random: (n: number) => Uint8Array;
  readonly outputs: Outputs;
  readonly timers: Timers;
  readonly connections: Connections;
  readonly replies: Replies;
  readonly registry: Registry;
  readonly inboxes: Inboxes;
}
