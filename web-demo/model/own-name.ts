/** The name one goes by. It stands in the agent's Genesis, so another name is another agent with another key. */

/** Longest name, characters. */
export const LONGEST_NAME = 40;

/** A name as it is kept: one line, trimmed; undefined when nothing is left. */
export function nameFrom(typed: string): string | undefined {
  const name = typed
    .replace(/\p{Cc}/gu, " ")
    .replace(/\s+/g, " ")
    .trim()
    .slice(0, LONGEST_NAME)
    .trim();
  return name === "" ? undefined : name;
}

/** A name for somebody who has not said theirs, from a few random bytes. */
export function guestName(random: Uint8Array): string {
  const letters = [...random.slice(0, 4)].map((byte) => ALPHABET[byte % ALPHABET.length]);
  return `Guest ${letters.join("")}`;
}

/** Letters and digits that are not mistaken for one another. */
const ALPHABET = "23456789ABCDEFGHJKMNPQRSTVWXYZ";
