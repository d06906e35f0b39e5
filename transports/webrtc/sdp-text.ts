import { ok, type Result, refuse } from "../../codecs/result.ts";

/** The lines of a description: those before the first section, and those of each section, whose first is its `m=` line. */
export interface SdpText {
  readonly session: SdpPart;
  readonly sections: readonly SdpPart[];
}

/** Attributes by name; one without a value has the empty text. */
export class SdpPart {
  /** For faults, e.g. `section 0`. */
  readonly at: string;
  readonly #attributes = new Map<string, string[]>();

  constructor(at: string) {
    this.at = at;
  }

  /** Every value that was given to an attribute, in order. */
  all(name: string): readonly string[] {
    return this.#attributes.get(name) ?? [];
  }

  has(name: string): boolean {
    return this.#attributes.has(name);
  }

  /** `undefined` where it is not there. */
  one(name: string): string | undefined {
    return this.#attributes.get(name)?.[0];
  }

  /** Those of the four directions that stand here: at most one. */
  get directions(): readonly string[] {
    return DIRECTIONS.filter((name) => this.has(name));
  }

  /** Refuses the second of what may stand once. @internal */
  add(name: string, value: string): boolean {
    const values = this.#attributes.get(name);
    if (values === undefined) this.#attributes.set(name, [value]);
    else if (ONCE.has(name)) return false;
    else values.push(value);
    return !DIRECTIONS.includes(name as (typeof DIRECTIONS)[number]) || this.directions.length === 1;
  }
}

/** Most bytes, lines, bytes of a line and sections of what is read. */
export interface SdpCaps {
  readonly bytes: number;
  readonly lines: number;
  readonly line: number;
  readonly sections: number;
}

export const DESCRIPTION_CAPS: SdpCaps = { bytes: 65_536, lines: 2_048, line: 1_024, sections: 16 };
export const FRAGMENT_CAPS: SdpCaps = { bytes: 16_384, lines: 512, line: 1_024, sections: 16 };

/**
 * Splits text into its lines as RFC 8866 has them and holds it to `caps`, so that whatever reads it afterwards sees the same lines.
 * Lines may end in LF alone. Faults: `sdp-malformed`, `at` the line.
 */
export function splitSdp(text: string, caps: SdpCaps): Result<SdpText> {
  if (text.length > caps.bytes) return malformed(`Longer than ${caps.bytes} bytes.`);
  const lines = text.slice(0, endOf(text)).split(/\r?\n/, caps.lines + 1);
  if (lines.length > caps.lines) return malformed(`More than ${caps.lines} lines.`);
  const session = new SdpPart("session");
  const sections: SdpPart[] = [];
  let part = session;
  for (const [index, line] of lines.entries()) {
    const at = `line ${index + 1}`;
    if (line.length > caps.line) return malformed(`A line is longer than ${caps.line} bytes.`, at);
    const [, type, value] = LINE.exec(line) ?? [];
    if (type === undefined || value === undefined) return malformed("Not a line `x=value` of SDP.", at);
    if (type === "m") {
      if (!MEDIA.test(value)) return malformed("Not an m= line of RFC 8866.", at);
      if (sections.length === caps.sections) return malformed(`More than ${caps.sections} sections.`, at);
      part = new SdpPart(`section ${sections.length}`);
      sections.push(part);
    }
    if (type !== "a") continue;
    const colon = value.indexOf(":");
    const name = colon < 0 ? value : value.slice(0, colon);
    if (!part.add(name, colon < 0 ? "" : value.slice(colon + 1)))
      return malformed(`a=${name} stands twice in one part, or beside another direction.`, at);
  }
  return ok({ session, sections });
}

/** Where the last line ends that is not empty. No regular expression: it would look anew from each of many line ends. */
function endOf(text: string): number {
  let end = text.length;
  while (end > 0 && text[end - 1] === "\n") end -= text[end - 2] === "\r" ? 2 : 1;
  return end;
}

/** Refuses with `sdp-malformed`. */
export function malformed(message: string, at?: string) {
  return refuse("sdp-malformed", message, at);
}

/** Printable: a control character, or CR without LF, would make two lines for one reader and one line for another. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is refused
const LINE = /^([a-z])=([^\u0000-\u001f\u007f\u2028\u2029]*)$/;
const MEDIA = /^[\w-]{1,32} \d{1,5} [\w/-]{1,64} [^ ]+(?: [^ ]+)*$/;
const DIRECTIONS = ["sendrecv", "sendonly", "recvonly", "inactive"] as const;
const ONCE: ReadonlySet<string> = new Set([
  ...DIRECTIONS,
  ...["ice-ufrag", "ice-pwd", "ice-lite", "ice-options", "end-of-candidates", "setup", "mid", "rtcp-mux"],
  ...["sctp-port", "max-message-size", "ptime", "simulcast", "bundle-only"],
]);
