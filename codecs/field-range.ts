import { ParleyError } from "./parley-error.ts";

/** Largest values of the unsigned integers on the wire. */
export const MAX_U16 = 0xffff;
export const MAX_U32 = 0xffffffff;
export const MAX_U48 = 0xffffffffffff;

/** Throws `field-invalid` naming `field` unless `value` is an integer of `min` to `max`. For what a local caller hands an encoder. */
export function requireInteger(value: number, max: number, field: string, min = 0): void {
  if (!Number.isInteger(value) || value < min || value > max) {
    const message = `must be an integer of ${min} to ${max}`;
    throw new ParleyError({ code: "field-invalid", message, at: field });
  }
}

/** Throws `field-invalid` naming `field` unless `bytes` has exactly `length` bytes. */
export function requireLength(bytes: Uint8Array, length: number, field: string): void {
  if (bytes.length !== length) {
    throw new ParleyError({ code: "field-invalid", message: `must have ${length} bytes`, at: field });
  }
}
