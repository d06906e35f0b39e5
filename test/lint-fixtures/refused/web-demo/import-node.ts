// refused by lint/correctness/noNodejsModules
export { join } from "node:path";
