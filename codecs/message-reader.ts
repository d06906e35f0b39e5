import { Headers, headerFlaw, trimBlanks } from "./headers.ts";
import {
  type AgtpRequest,
  type AgtpResponse,
  type Dialect,
  MAX_HEADER_BLOCK_BYTES,
  MAX_HEADER_LINES,
  MAX_REQUEST_BODY_BYTES,
  MAX_RESPONSE_BODY_BYTES,
  SINGLE_HEADERS,
} from "./message.ts";
import { type Fault, refuse } from "./result.ts";
import {
  parseRequestLine,
  parseStatusLine,
  type RequestLine,
  requestDialect,
  responseDialect,
  type StatusLine,
} from "./start-line.ts";

/** The message a reader of that kind yields. */
export type MessageOf<Kind extends "request" | "response"> = Kind extends "request"
  ? AgtpRequest
  : AgtpResponse;

/**
 * Reads a series of AGTP messages from one stream, however its bytes are cut (`spec/agtp` 1.3).
 *
 * Push bytes as they come, then take messages until `next` gives none. What it holds is the message in progress (at
 * most `MAX_HEADER_BLOCK_BYTES` plus the body cap of its kind, grown as bytes arrive, whatever Content-Length claims)
 * and the messages completed by bytes already pushed. The first fault is final: bytes pushed after it are dropped,
 * while messages completed before it are still handed out.
 */
export class MessageReader<Kind extends "request" | "response"> {
  readonly #kind: Kind;
  readonly #maxBody: number;
  readonly #complete: MessageOf<Kind>[] = [];
  #fault: Fault | undefined;
  #dialect: Dialect | undefined;
  /** Bytes of the line begun and not ended, or of the body. */
  #held: Uint8Array = new Uint8Array(0);
  #heldLength = 0;
  #blockBytes = 0;
  /** Lines of the header block read so far. */
  #lines = 0;
  #start: RequestLine | StatusLine | undefined;
  #headers = new Headers();
  #seen = new Set<string>();
  /** Octets of the body, once the header block is complete. */
  #bodyLength: number | undefined;
  #contentLength = 0;

  constructor(kind: Kind) {
    this.#kind = kind;
    this.#maxBody = kind === "request" ? MAX_REQUEST_BODY_BYTES : MAX_RESPONSE_BODY_BYTES;
  }

  /** Dialect of the message in progress, or of the last one, as soon as its start line told, even a faulty one. */
  get dialect(): Dialect | undefined {
    return this.#dialect;
  }

  /** Takes the next bytes of the stream; they are copied. Returns the fault once there is one, and ever after. */
  push(bytes: Uint8Array): Fault | undefined {
    let offset = 0;
    while (offset < bytes.length && this.#fault === undefined) {
      offset = this.#bodyLength === undefined ? this.#pushLine(bytes, offset) : this.#pushBody(bytes, offset);
    }
    return this.#fault;
  }

  /**
   * Takes bytes up to the end of one message, and returns how many those were; fewer than given only when a message is complete
   * or at fault. For whoever must know where a message ends: take it with `next` before going on.
   */
  pushOne(bytes: Uint8Array): number {
    let offset = 0;
    while (offset < bytes.length && this.#fault === undefined && this.#complete.length === 0) {
      offset = this.#bodyLength === undefined ? this.#pushLine(bytes, offset) : this.#pushBody(bytes, offset);
    }
    return offset;
  }

  /** What is wrong, once something is. */
  get fault(): Fault | undefined {
    return this.#fault;
  }

  /** The next complete message, or `undefined` until more bytes complete one. */
  next(): MessageOf<Kind> | undefined {
    return this.#complete.shift();
  }

  /** Tells that the stream ended. Returns the fault, which a message cut short is too. */
  end(): Fault | undefined {
    if (this.#fault === undefined && (this.#blockBytes > 0 || this.#heldLength > 0)) {
      const at =
        this.#bodyLength === undefined
          ? `line ${this.#lines + 1}`
          : `body, octet ${this.#heldLength} of ${this.#bodyLength}`;
      this.#fault = fault("message-malformed", "The stream ended inside a message.", at);
    }
    return this.#fault;
  }

  #pushLine(bytes: Uint8Array, offset: number): number {
    const newline = bytes.indexOf(LF, offset);
    const end = newline === -1 ? bytes.length : newline + 1;
    // Counted before the line is looked at, so that the verdict does not hang on how the bytes were cut.
    if (this.#blockBytes + this.#heldLength + end - offset > MAX_HEADER_BLOCK_BYTES) {
      const message = `The header block exceeds ${MAX_HEADER_BLOCK_BYTES} octets.`;
      this.#held = NOTHING;
      this.#fault = fault("header-too-large", message, `line ${this.#lines + 1}`);
      return end;
    }
    if (newline === -1) {
      this.#hold(bytes.subarray(offset), MAX_HEADER_BLOCK_BYTES);
      return end;
    }
    let line = bytes.subarray(offset, end);
    if (this.#heldLength > 0) {
      this.#hold(line, MAX_HEADER_BLOCK_BYTES);
      line = this.#held.subarray(0, this.#heldLength);
    }
    this.#blockBytes += line.length;
    this.#heldLength = 0;
    this.#lines += 1;
    this.#fault = this.#readLine(line, `line ${this.#lines}`);
    return end;
  }

  #readLine(line: Uint8Array, at: string): Fault | undefined {
    let text: string;
    try {
      text = strictDecoder.decode(line);
    } catch {
      return fault("message-malformed", "The line is not UTF-8.", at);
    }
    if (this.#lines === 1) {
      const dialectOf = this.#kind === "request" ? requestDialect : responseDialect;
      this.#dialect = dialectOf(text.trimEnd());
    }
    if (!text.endsWith("\r\n") || text.indexOf("\r") !== text.length - 2) {
      return fault("message-malformed", "Lines end with CRLF, and CR and LF stand nowhere else.", at);
    }
    text = text.slice(0, -2);
    if (this.#lines === 1) {
      return this.#readStartLine(text);
    }
    if (text === "") {
      this.#finishHeaders();
      return undefined;
    }
    return this.#readHeader(text, at);
  }

  #readStartLine(text: string): Fault | undefined {
    const read = this.#kind === "request" ? parseRequestLine(text) : parseStatusLine(text);
    if (!read.ok) {
      return read.fault;
    }
    this.#start = read.value;
    return undefined;
  }

  #readHeader(text: string, at: string): Fault | undefined {
    if (this.#lines > 1 + MAX_HEADER_LINES)
      return fault("header-too-large", `More than ${MAX_HEADER_LINES} header lines.`, at);
    const colon = text.indexOf(":");
    if (colon === -1) {
      return fault("message-malformed", "A header line without a colon.", at);
    }
    const name = text.slice(0, colon);
    const value = trimBlanks(text.slice(colon + 1));
    const flaw = headerFlaw(name, value);
    if (flaw !== undefined) {
      return fault("message-malformed", flaw, at);
    }
    const lower = name.toLowerCase();
    if (SINGLE_HEADERS.has(lower) && this.#seen.has(lower)) {
      return fault("message-malformed", `A second ${name} header.`, `${at}, ${name}`);
    }
    this.#seen.add(lower);
    if (lower === "transfer-encoding") {
      // Passed over, it would let the body that it announces be read as requests of whoever the connection is bound to.
      return fault("message-malformed", "Bodies are framed by Content-Length alone.", `${at}, ${name}`);
    }
    if (lower !== "content-length") {
      this.#headers.append(name, value);
      return undefined;
    }
    if (!DIGITS.test(value)) {
      return fault("message-malformed", "Content-Length is made of digits only.", `${at}, ${name}`);
    }
    if (Number(value) > this.#maxBody) {
      return fault("body-too-large", `A body of more than ${this.#maxBody} octets.`, `${at}, ${name}`);
    }
    this.#contentLength = Number(value);
    return undefined;
  }

  #finishHeaders(): void {
    this.#bodyLength = this.#contentLength;
    if (this.#contentLength === 0) {
      this.#complete.push(this.#takeMessage(new Uint8Array(0)));
    }
  }

  #pushBody(bytes: Uint8Array, offset: number): number {
    const length = this.#bodyLength as number;
    const part = bytes.subarray(offset, offset + length - this.#heldLength);
    this.#hold(part, length);
    if (this.#heldLength === length) {
      const body = this.#held.length === length ? this.#held : this.#held.slice(0, length);
      this.#held = new Uint8Array(0);
      this.#complete.push(this.#takeMessage(body));
    }
    return offset + part.length;
  }

  /** Appends to what is held; room doubles with what arrived, so a claimed length alone allocates nothing. */
  #hold(part: Uint8Array, most: number): void {
    const needed = this.#heldLength + part.length;
    if (needed > this.#held.length) {
      const room = new Uint8Array(Math.min(most, Math.max(needed, this.#held.length * 2, MIN_ROOM_BYTES)));
      room.set(this.#held.subarray(0, this.#heldLength));
      this.#held = room;
    }
    this.#held.set(part, this.#heldLength);
    this.#heldLength = needed;
  }

  #takeMessage(body: Uint8Array): MessageOf<Kind> {
    const message = { dialect: this.#dialect, ...this.#start, headers: this.#headers, body };
    this.#blockBytes = 0;
    this.#heldLength = 0;
    this.#lines = 0;
    this.#start = undefined;
    this.#headers = new Headers();
    this.#seen = new Set();
    this.#bodyLength = undefined;
    this.#contentLength = 0;
    return message as MessageOf<Kind>;
  }
}

function fault(code: Fault["code"], message: string, at: string): Fault {
  return refuse(code, message, at).fault;
}

const NOTHING = new Uint8Array();
const LF = 0x0a;
const DIGITS = /^[0-9]+$/;
/** Smallest room made for bytes that wait for the rest of their line or body. */
const MIN_ROOM_BYTES = 256;
const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
