import { ParleyError } from "../../codecs/parley-error.ts";

/**
 * A copy of a shared object that loads on glibc 2.34 to 2.37, made from one built against 2.38 whose only newer needs are
 * C23 variants of `scanf` and `strtol` (`__isoc23_*`; they differ in reading "0b" alone). Those symbols are bound to their older
 * namesakes, and the version they needed is marked weak (ELF gABI; symbol versioning as in the LSB, chapter 10).
 * Throws `native-unavailable` when the bytes are not such an object or need more than that.
 */
export function rebindToOlderGlibc(original: Uint8Array): Uint8Array {
  try {
    return rebind(original);
  } catch (error) {
    // Offsets in the file itself may point anywhere.
    if (error instanceof RangeError) throw unsuitable("its tables point outside the file", error);
    throw error;
  }
}

interface Section {
  readonly type: number;
  readonly offset: number;
  readonly size: number;
  /** Index of the section this one refers to: for symbols, their strings. */
  readonly link: number;
  /** For needed versions: how many libraries. */
  readonly info: number;
}

function rebind(original: Uint8Array): Uint8Array {
  // A copy whatever it is: `slice` of a Buffer would be a view.
  const bytes = new Uint8Array(original);
  const view = new DataView(bytes.buffer);
  // ELF magic, 64-bit, little-endian.
  if (view.getUint32(0) !== 0x7f454c46 || bytes[4] !== 2 || bytes[5] !== 1)
    throw unsuitable("it is not a 64-bit little-endian ELF object");
  const sections = readSections(view);
  const symbols = sectionOf(sections, SHT_DYNSYM);
  const versions = sectionOf(sections, SHT_GNU_VERSYM);
  const needs = sectionOf(sections, SHT_GNU_VERNEED);
  const strings = sections[symbols.link];
  if (strings === undefined) throw unsuitable("its symbols have no names");

  const text = (offset: number): string => {
    const start = strings.offset + offset;
    const end = bytes.indexOf(0, start);
    if (end < 0) throw unsuitable("a name does not end");
    return String.fromCharCode(...bytes.subarray(start, end));
  };
  const count = symbols.size / SYMBOL_BYTES;
  const nameAt = (symbol: number): number => symbols.offset + symbol * SYMBOL_BYTES;
  const versionAt = (symbol: number): number => versions.offset + symbol * 2;

  for (let symbol = 1; symbol < count; symbol++) {
    const nameOffset = view.getUint32(nameAt(symbol), true);
    const name = text(nameOffset);
    if (!name.startsWith(C23_PREFIX)) continue;
    if (name.endsWith("scanf")) bytes.set(C99_PREFIX, strings.offset + nameOffset);
    // The older name is the tail of the newer one: no string changes.
    else view.setUint32(nameAt(symbol), nameOffset + C23_PREFIX.length, true);
    view.setUint16(versionAt(symbol), VER_NDX_GLOBAL, true);
  }

  let need = needs.offset;
  for (let library = 0; library < needs.info; library++) {
    let version = need + view.getUint32(need + 8, true);
    for (let left = view.getUint16(need + 2, true); left > 0; left--) {
      const name = text(view.getUint32(version + 8, true));
      if (TOO_NEW.test(name)) {
        const index = view.getUint16(version + 6, true);
        for (let symbol = 1; symbol < count; symbol++) {
          if ((view.getUint16(versionAt(symbol), true) & 0x7fff) === index)
            throw unsuitable(`${text(view.getUint32(nameAt(symbol), true))} needs ${name}`);
        }
        view.setUint16(version + 4, view.getUint16(version + 4, true) | VER_FLG_WEAK, true);
      }
      version += view.getUint32(version + 12, true);
    }
    need += view.getUint32(need + 12, true);
  }
  return bytes;
}

function readSections(view: DataView): Section[] {
  const table = Number(view.getBigUint64(0x28, true));
  const entryBytes = view.getUint16(0x3a, true);
  return Array.from({ length: view.getUint16(0x3c, true) }, (_, index) => {
    const at = table + index * entryBytes;
    return {
      type: view.getUint32(at + 4, true),
      offset: Number(view.getBigUint64(at + 24, true)),
      size: Number(view.getBigUint64(at + 32, true)),
      link: view.getUint32(at + 40, true),
      info: view.getUint32(at + 44, true),
    };
  });
}

function sectionOf(sections: readonly Section[], type: number): Section {
  const section = sections.find((candidate) => candidate.type === type);
  if (section === undefined) throw unsuitable("it has no versioned dynamic symbols");
  return section;
}

function unsuitable(why: string, cause?: unknown): ParleyError {
  return new ParleyError(
    {
      code: "native-unavailable",
      message: `The shared object cannot be made to load on this glibc: ${why}.`,
    },
    { cause },
  );
}

const SHT_DYNSYM = 11;
const SHT_GNU_VERNEED = 0x6ffffffe;
const SHT_GNU_VERSYM = 0x6fffffff;
const SYMBOL_BYTES = 24;
/** Version index of symbols looked up without a version. */
const VER_NDX_GLOBAL = 1;
const VER_FLG_WEAK = 2;
const C23_PREFIX = "__isoc23_";
const C99_PREFIX = new TextEncoder().encode("__isoc99_");
const TOO_NEW = /^GLIBC_2\.(3[5-9]|[4-9]\d)$/;
