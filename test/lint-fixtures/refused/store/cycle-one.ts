// refused by lint/suspicious/noImportCycles
import { two } from "./cycle-two.ts";

export const one = (): number => two();
