let turn: Promise<void> | undefined;

/**
 * Resolves once everything that has come by now is handled, for all who wait in one turn of the event loop together. Every call into
 * the QUIC binding may wake a thread of its own: calls made together wake it once.
 */
export function endOfTurn(): Promise<void> {
  turn ??= new Promise((resolve) =>
    setImmediate(() => {
      turn = undefined;
      resolve();
    }),
  );
  return turn;
}
