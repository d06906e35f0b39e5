// refused by lint/style/noRestrictedImports
import { v4 } from "uuid";

export const name = (): string => v4();
