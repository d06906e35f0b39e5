import type { Connection, DatagramDrops } from "../../sfu/carrier.ts";

/** Datagrams dropped on the way to clients, by carrier. */
export type DropsByCarrier = Record<string, DatagramDrops>;

/** Adds what one connection dropped. */
export function addDrops(sums: DropsByCarrier, { carrier, drops }: Connection): void {
  if (drops === undefined) return;
  const sum = sums[carrier] ?? { late: 0, full: 0 };
  sums[carrier] = { late: sum.late + drops.late, full: sum.full + drops.full };
}
