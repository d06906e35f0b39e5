// refused by lint/style/noRestrictedImports
import { importJWK } from "jose";

export const load = importJWK;
