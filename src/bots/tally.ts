/** What bots have counted since they began. Every number but `up` only grows. */
export interface Tally {
  /** Calls that have begun to connect, that were answered and checked, and that went well to their end. */
  placed: number;
  made: number;
  completed: number;
  /** Calls under way now. */
  up: number;
  /** Calls that failed, by error code or by how they ended. */
  failed: Record<string, number>;
  sent: number;
  /** Frames whose signature held at the listener in time, and those for which it held too late to be played. */
  verified: number;
  late: number;
  concealed: number;
  refused: Record<string, number>;
  /** Bytes of verified packets, headers and signatures included. */
  bytes: number;
  /** Frame intervals that the bots themselves could not keep. */
  skipped: number;
}

export function emptyTally(): Tally {
  return {
    ...{ placed: 0, made: 0, completed: 0, up: 0, failed: {}, sent: 0 },
    ...{ verified: 0, late: 0, concealed: 0, refused: {}, bytes: 0, skipped: 0 },
  };
}

/** All tallies as one. */
export function sumTallies(tallies: Iterable<Tally>): Tally {
  const sum = emptyTally();
  for (const { failed, refused, ...numbers } of tallies) {
    for (const [name, value] of Object.entries(numbers)) sum[name as keyof typeof numbers] += value;
    for (const [reason, value] of Object.entries(failed)) count(sum.failed, reason, value);
    for (const [reason, value] of Object.entries(refused)) count(sum.refused, reason, value);
  }
  return sum;
}

/** One more, or `more` more, of a reason. */
export function count(counts: Record<string, number>, reason: string, more = 1): void {
  counts[reason] = (counts[reason] ?? 0) + more;
}

export function total(counts: Readonly<Record<string, number>>): number {
  return Object.values(counts).reduce((sum, value) => sum + value, 0);
}
