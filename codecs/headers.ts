import { ParleyError } from "./parley-error.ts";
import { refuse } from "./result.ts";

/**
 * The header fields of one AGTP message, in the order they were added. Names compare without case and keep the
 * spelling they were added with. Every field held here can be written to the wire: names are tokens (RFC 9110 5.6.2),
 * values carry no control characters, so no line break can be smuggled in; whitespace around a value is dropped.
 */
export class Headers {
  #fields: HeaderField[] = [];

  /** Throws `field-invalid` as `append` does. */
  constructor(fields: Iterable<HeaderField> = []) {
    for (const [name, value] of fields) {
      this.append(name, value);
    }
  }

  /** The value of the last field of that name. */
  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    return this.#fields.findLast((field) => field[0].toLowerCase() === wanted)?.[1];
  }

  /** The values of all fields of that name, in order. */
  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    return this.#fields.filter((field) => field[0].toLowerCase() === wanted).map((field) => field[1]);
  }

  has(name: string): boolean {
    return this.get(name) !== undefined;
  }

  /**
   * Adds a field behind the others. Throws `field-invalid`, naming the header, for a name or value that cannot stand
   * on a header line.
   */
  append(name: string, value: string): this {
    const flaw = headerFlaw(name, value);
    if (flaw !== undefined) {
      throw new ParleyError(refuse("field-invalid", flaw, `header ${JSON.stringify(name)}`).fault);
    }
    this.#fields.push([name, trimBlanks(value)]);
    return this;
  }

  /** Replaces all fields of that name by one. Throws as `append` does. */
  set(name: string, value: string): this {
    return this.delete(name).append(name, value);
  }

  /** Removes all fields of that name. */
  delete(name: string): this {
    const wanted = name.toLowerCase();
    this.#fields = this.#fields.filter((field) => field[0].toLowerCase() !== wanted);
    return this;
  }

  /** Number of fields, repeated ones counted each. */
  get size(): number {
    return this.#fields.length;
  }

  [Symbol.iterator](): IterableIterator<HeaderField> {
    return this.#fields.values();
  }
}

/** Name and value of one header line. */
export type HeaderField = readonly [name: string, value: string];

/** Why `name: value` cannot stand on a header line, or `undefined` when it can. */
export function headerFlaw(name: string, value: string): string | undefined {
  if (!TOKEN.test(name)) {
    return "A header name that is not a token.";
  }
  if (CONTROLS.test(value) || !value.isWellFormed()) {
    return "A header value with a control character or a lone surrogate.";
  }
  return undefined;
}

/** Drops spaces and tabs at both ends (RFC 9110 5.6.3 optional whitespace). */
export function trimBlanks(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(text.charCodeAt(start))) {
    start += 1;
  }
  while (end > start && isBlank(text.charCodeAt(end - 1))) {
    end -= 1;
  }
  return text.slice(start, end);
}

function isBlank(code: number): boolean {
  return code === 0x20 || code === 0x09;
}

/** A token of RFC 9110 5.6.2. */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** Control characters that may not stand in a header value or reason text; the tab may. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: refusing them is the point.
export const CONTROLS = /[\u0000-\u0008\u000a-\u001f\u007f]/;
