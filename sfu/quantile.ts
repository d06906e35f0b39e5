/** The least of these, in ascending order, below or at which so large a share of them is; `undefined` where there are none. */
export function quantile(sorted: readonly number[], share: number): number | undefined {
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)];
}
