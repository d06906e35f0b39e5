import { ParleyError } from "../codecs/parley-error.ts";
import type { Result } from "../codecs/result.ts";

/** The value, or the fault thrown as `ParleyError`. */
export function unwrap<Value>(result: Result<Value>): Value {
  if (result.ok) return result.value;
  throw new ParleyError(result.fault);
}
