/**
 * How many datagrams a connection asks for next, of which `came` came in this turn of those `asked` for, where it may ask for `most`: more
 * where all came, since more may wait in the stack, and no more than came where some did not. What nobody has to say is not asked for many times
 * over: each time the process wakes it looks through all that it asked for.
 */
export function readsAfter(came: number, asked: number, most: number): number {
  return Math.max(1, Math.min(most, came < asked ? came : 2 * came));
}
