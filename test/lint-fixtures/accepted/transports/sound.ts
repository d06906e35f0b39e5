import type { Carrier } from "../sfu/carrier.ts";

export const carriers: Carrier[] = [];
async function send(): Promise<void> {}
export async function start(): Promise<void> {
  await send();
}
