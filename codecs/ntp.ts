/**
 * NTP 64-bit timestamps (RFC 5905 section 6): seconds since 1900 and a binary fraction, 32 bits each. On hot paths the
 * halves travel as two numbers; a 32-bit second without its top bit set is of the era that begins in 2036.
 */

/** One instant, as the two unsigned 32-bit halves on the wire. */
export interface NtpTime {
  readonly seconds: number;
  readonly fraction: number;
}

/** Milliseconds since the Unix epoch, fractional, for instants of 1968 to 2104. */
export function ntpToUnixMs(seconds: number, fraction: number): number {
  const era = seconds < 0x80000000 ? TWO_32 : 0;
  return (seconds + era - NTP_UNIX_SECONDS) * 1000 + (fraction * 1000) / TWO_32;
}

/** The NTP instant of Unix milliseconds, to the nearest fraction. */
export function unixMsToNtp(ms: number): NtpTime {
  const whole = Math.floor(ms / 1000);
  const fraction = Math.round(((ms - whole * 1000) * TWO_32) / 1000);
  // Rounding up to a full second carries.
  const carry = fraction >= TWO_32 ? 1 : 0;
  return { seconds: (whole + NTP_UNIX_SECONDS + carry) >>> 0, fraction: carry === 1 ? 0 : fraction };
}

/** Negative when `a` is earlier than `b`, positive when later, 0 when equal; right for instants less than 68 years apart. */
export function compareNtp(a: NtpTime, b: NtpTime): number {
  return (a.seconds - b.seconds) | 0 || a.fraction - b.fraction;
}

/** The 64-bit timestamp as one integer, for people and documents. */
export function ntpToBigint(time: NtpTime): bigint {
  return (BigInt(time.seconds) << 32n) | BigInt(time.fraction);
}

/** The halves of a 64-bit timestamp; higher bits are cut off. */
export function ntpFromBigint(value: bigint): NtpTime {
  return { seconds: Number((value >> 32n) & 0xffffffffn), fraction: Number(value & 0xffffffffn) };
}

/** Seconds from 1900-01-01 to 1970-01-01. */
const NTP_UNIX_SECONDS = 2_208_988_800;
const TWO_32 = 0x100000000;
