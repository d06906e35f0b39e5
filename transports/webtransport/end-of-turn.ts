let waiting: (() => void)[] = [];

/**
 * Calls `next` once everything that has come by now is handled, for all who wait in one turn of the event loop together. Every call into
 * the QUIC binding may wake a thread of its own: calls made together wake it once.
 */
export function atEndOfTurn(next: () => void): void {
  if (waiting.length === 0) setImmediate(endTurn);
  waiting.push(next);
}

function endTurn(): void {
  const due = waiting;
  waiting = [];
  for (const next of due) next();
}
