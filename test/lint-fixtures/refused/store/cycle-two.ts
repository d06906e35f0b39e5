// refused by lint/suspicious/noImportCycles
import { one } from "./cycle-one.ts";

export const two = (): number => one();
