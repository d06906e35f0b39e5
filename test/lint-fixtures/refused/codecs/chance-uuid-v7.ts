// refused by plugin
import { v7 } from "uuid";

export const name = (): string => v7();
