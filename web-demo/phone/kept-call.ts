/** The call of this tab, kept by the browser so that a reloaded page can go on with it. */

export interface KeptCall {
  readonly sessionId: string;
  /** Whose call it is: the page's own agent. */
  readonly agentId: string;
  readonly peer: { readonly agentId: string; readonly name: string };
  /** When it came up, Unix milliseconds. */
  readonly since: number;
  /** When the page last had it, Unix milliseconds. */
  readonly at: number;
}

const KEY = "parley.call";

export function keepCall(call: KeptCall): void {
  sessionStorage.setItem(KEY, JSON.stringify(call));
}

export function forgetCall(): void {
  sessionStorage.removeItem(KEY);
}

/** The call that this tab had as that agent when its page was left. */
export function keptCall(agentId: string): KeptCall | undefined {
  try {
    const kept = JSON.parse(sessionStorage.getItem(KEY) ?? "null") as KeptCall | null;
    return kept?.agentId === agentId ? kept : undefined;
  } catch {
    return undefined;
  }
}
