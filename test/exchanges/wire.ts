/** AGTP messages as octets, written and read without any code of the product. */
import type { JsonObject } from "../../codecs/canonical-json.ts";

/** One answer as it stood on the wire. */
export interface WireAnswer {
  readonly version: string;
  readonly status: number;
  readonly reason: string;
  /** Names as written, in order. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: Uint8Array;
}

/** CRLF lines, then the body. `Content-Length` is written only where `headers` has it. */
export function writeMessage(
  line: string,
  headers: readonly (readonly [string, string])[],
  body: Uint8Array = new Uint8Array(0),
): Uint8Array {
  const head = [line, ...headers.map(([name, value]) => `${name}: ${value}`), "", ""].join("\r\n");
  return Buffer.concat([Buffer.from(head), body]);
}

/** Takes a stream of octets apart into answers. */
export class AnswerReader {
  #held = Buffer.alloc(0);

  push(bytes: Uint8Array): void {
    this.#held = Buffer.concat([this.#held, bytes]);
  }

  /** Octets that belong to no complete answer yet. */
  get rest(): number {
    return this.#held.length;
  }

  next(): WireAnswer | undefined {
    const end = this.#held.indexOf("\r\n\r\n");
    if (end === -1) return undefined;
    const [start = "", ...lines] = this.#held.subarray(0, end).toString("utf8").split("\r\n");
    const parts = /^(AGTP\/1\.0|HTTP\/AGTP\/1\.0) (\d{3})(?: (.*))?$/.exec(start);
    if (parts === null) throw new Error(`not the start of an answer: ${start}`);
    const headers = lines.map((line): readonly [string, string] => {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): (.*)$/.exec(line) ?? [];
      if (name === undefined || value === undefined) throw new Error(`not a header: ${line}`);
      return [name, value];
    });
    const length = Number(headerOf(headers, "Content-Length") ?? 0);
    const from = end + 4;
    if (this.#held.length < from + length) return undefined;
    const body = new Uint8Array(this.#held.subarray(from, from + length));
    this.#held = this.#held.subarray(from + length);
    const [, version = "", status = "", reason = ""] = parts;
    return { version, status: Number(status), reason, headers, body };
  }
}

/** The header of that name, whatever its case. Throws where it stands more than once. */
export function headerOf(headers: readonly (readonly [string, string])[], name: string): string | undefined {
  const found = headers.filter(([other]) => other.toLowerCase() === name.toLowerCase());
  if (found.length > 1) throw new Error(`${name} stands ${found.length} times`);
  return found[0]?.[1];
}

/** The JSON object of an answer's body. */
export function bodyOf(answer: WireAnswer): JsonObject {
  return JSON.parse(Buffer.from(answer.body).toString("utf8"));
}

/** The `result` of a success. */
export function resultOf(answer: WireAnswer): JsonObject {
  const { result, error } = bodyOf(answer);
  if (result === undefined) throw new Error(`${answer.status}: ${JSON.stringify(error)}`);
  return result as JsonObject;
}
