/** Keys and identifiers in a form that people can compare. */

/** The first 16 of the hex digits, in groups of four: enough to tell two keys on a screen apart, not to prove one. */
export function shortFingerprint(hex: string): string {
  return groups(hex.slice(0, 16));
}

/** All hex digits, in groups of four. */
export function fullFingerprint(hex: string): string {
  return groups(hex);
}

/** Cells of a symmetric 5 by 5 picture drawn from the first hex digits, row by row. Two alike pictures prove nothing. */
export function picture(hex: string): readonly boolean[] {
  const cells: boolean[] = [];
  for (let row = 0; row < 5; row += 1) {
    const half = [0, 1, 2].map((column) => Number.parseInt(hex[row * 3 + column] ?? "0", 16) % 2 === 0);
    cells.push(half[0] === true, half[1] === true, half[2] === true, half[1] === true, half[0] === true);
  }
  return cells;
}

function groups(hex: string): string {
  return (hex.match(/.{1,4}/g) ?? []).join(" ");
}
