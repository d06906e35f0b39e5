import type { ReceiptTotals } from "../codecs/receipt.ts";

/** What one stream, or several, count towards a closing statement. */
export interface StreamTotals {
  readonly sent: { readonly sent: number; readonly checkpoints: number } | undefined;
  readonly heard: (ReceiptTotals & { readonly receipts: number }) | undefined;
}

/** What both count together. */
export function sumOf(left: StreamTotals, right: StreamTotals): StreamTotals {
  return { sent: added(left.sent, right.sent), heard: added(left.heard, right.heard) };
}

/** Counts added up, member by member. */
function added<Counts extends object>(
  left: Counts | undefined,
  right: Counts | undefined,
): Counts | undefined {
  if (left === undefined || right === undefined) return left ?? right;
  const more = right as Readonly<Record<string, unknown>>;
  const sums = Object.entries(left).map(([name, count]) => {
    const other = more[name];
    return [name, typeof count === "number" && typeof other === "number" ? count + other : count];
  });
  return Object.fromEntries(sums) as Counts;
}
