/** What one look found. */
export interface Finding {
  /** Stable name of what was looked at. */
  readonly name: string;
  /** `warning`: a server runs all the same. */
  readonly state: "ok" | "warning" | "failed";
  /** What was found, in one line. */
  readonly found: string;
  /** What to do about it; of everything that is not `ok`. */
  readonly fix?: string;
}

/** Looks at one thing. What it throws counts as failed. */
export interface Check {
  readonly name: string;
  /** What to do where the look itself fails. */
  readonly fix: string;
  readonly look: () => Promise<Omit<Finding, "name">>;
}

/** Every look's finding, in their order; one at a time, since some share ports and files. */
export async function findings(checks: readonly Check[]): Promise<Finding[]> {
  const found: Finding[] = [];
  for (const { name, fix, look } of checks) {
    try {
      found.push({ name, ...(await look()) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      found.push({ name, state: "failed", found: message.split("\n")[0] as string, fix });
    }
  }
  return found;
}
