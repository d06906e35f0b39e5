/** Products of one signal with every place of a longer one: of many places by way of their spectra, in n log n steps instead of n². */

/**
 * The sum of `sought[i] * there[place + i]` for each place from 0 on below `places`. `there` has a sample for every one that is asked
 * for: `sought.length + places - 1` at least.
 */
export function slidingProducts(sought: Float64Array, there: Float64Array, places: number): Float64Array {
  let size = 1;
  while (size < sought.length + places) size *= 2;
  if (sought.length * places < SPECTRA_COST * size * Math.log2(size)) return directly(sought, there, places);
  // Both are real: one goes as the real part of a signal and the other as the imaginary, and their spectra part by symmetry.
  const real = new Float64Array(size);
  const imaginary = new Float64Array(size);
  real.set(there.subarray(0, Math.min(there.length, sought.length + places - 1)));
  imaginary.set(sought);
  transform(real, imaginary);
  const productReal = new Float64Array(size);
  const productImaginary = new Float64Array(size);
  for (let at = 0; at < size; at += 1) {
    const mirrored = (size - at) & (size - 1);
    const [a, b] = [real[at] as number, imaginary[at] as number];
    const [c, d] = [real[mirrored] as number, imaginary[mirrored] as number];
    const [thereReal, thereImaginary] = [(a + c) / 2, (b - d) / 2];
    // Conjugated, so that the second signal slides instead of being folded.
    const [soughtReal, soughtImaginary] = [(b + d) / 2, (a - c) / 2];
    productReal[at] = thereReal * soughtReal - thereImaginary * soughtImaginary;
    // Conjugated once more: the way back is the way there.
    productImaginary[at] = -(thereReal * soughtImaginary + thereImaginary * soughtReal);
  }
  transform(productReal, productImaginary);
  return productReal.subarray(0, places).map((sum) => sum / size);
}

function directly(sought: Float64Array, there: Float64Array, places: number): Float64Array {
  const products = new Float64Array(places);
  for (let place = 0; place < places; place += 1) {
    let sum = 0;
    for (let at = 0; at < sought.length; at += 1)
      sum += (sought[at] as number) * (there[place + at] as number);
    products[place] = sum;
  }
  return products;
}

/** What a transform of `size` costs against the product of two samples, for each of its `size * log2(size)`; measured. */
const SPECTRA_COST = 4;

/** The discrete Fourier transform in place (Cooley and Tukey 1965, radix 2); the length is a power of two. */
function transform(real: Float64Array, imaginary: Float64Array): void {
  const size = real.length;
  reorder(real, imaginary);
  const cosines = new Float64Array(size / 2);
  const sines = new Float64Array(size / 2);
  for (let at = 0; at < size / 2; at += 1) {
    cosines[at] = Math.cos((2 * Math.PI * at) / size);
    sines[at] = -Math.sin((2 * Math.PI * at) / size);
  }
  for (let half = 1; half < size; half *= 2) {
    const turn = size / (2 * half);
    for (let start = 0; start < size; start += 2 * half) {
      for (let at = 0; at < half; at += 1) {
        const upper = start + at;
        const lower = upper + half;
        const cosine = cosines[at * turn] as number;
        const sine = sines[at * turn] as number;
        const x = real[lower] as number;
        const y = imaginary[lower] as number;
        const turnedReal = x * cosine - y * sine;
        const turnedImaginary = x * sine + y * cosine;
        real[lower] = (real[upper] as number) - turnedReal;
        imaginary[lower] = (imaginary[upper] as number) - turnedImaginary;
        real[upper] = (real[upper] as number) + turnedReal;
        imaginary[upper] = (imaginary[upper] as number) + turnedImaginary;
      }
    }
  }
}

/** Puts each sample at the place whose number has its bits the other way round. */
function reorder(real: Float64Array, imaginary: Float64Array): void {
  const size = real.length;
  for (let at = 1, other = 0; at < size; at += 1) {
    let bit = size >> 1;
    for (; (other & bit) !== 0; bit >>= 1) other ^= bit;
    other ^= bit;
    if (at >= other) continue;
    for (const part of [real, imaginary]) {
      const kept = part[at] as number;
      part[at] = part[other] as number;
      part[other] = kept;
    }
  }
}
