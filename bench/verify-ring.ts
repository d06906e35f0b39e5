/** Slots in a ring, and bytes of the longest signed message in one. */
const SLOTS = 256;
const SLOT_BYTES = 2_048;
const SIGNATURE_BYTES = 64;
/** Places in the control words. */
const HEAD = 0;
const TAIL = 1;
const FAILED = 2;

/** The shared memory of a ring. */
export interface RingMemory {
  readonly control: SharedArrayBuffer;
  readonly slots: SharedArrayBuffer;
}

/** Messages and signatures on their way from one thread to one other, in shared memory: nobody waits to put one in, nothing is allocated. */
export class SignatureRing {
  readonly #control: Int32Array;
  readonly #slots: Uint8Array;
  readonly #lengths: DataView;

  constructor({ control, slots }: RingMemory) {
    this.#control = new Int32Array(control);
    this.#slots = new Uint8Array(slots);
    this.#lengths = new DataView(slots);
  }

  static memory(): RingMemory {
    return { control: new SharedArrayBuffer(12), slots: new SharedArrayBuffer(SLOTS * SLOT_BYTES) };
  }

  /** Offered and not yet checked. */
  get waiting(): number {
    return Atomics.load(this.#control, HEAD) - Atomics.load(this.#control, TAIL);
  }

  get hasRoom(): boolean {
    return this.waiting < SLOTS;
  }

  get checked(): number {
    return Atomics.load(this.#control, TAIL);
  }

  get failed(): number {
    return Atomics.load(this.#control, FAILED);
  }

  /** The sender's side. There must be room. */
  offer(message: Uint8Array, signature: Uint8Array): void {
    const head = Atomics.load(this.#control, HEAD);
    const at = (head % SLOTS) * SLOT_BYTES;
    this.#lengths.setUint32(at, message.length);
    this.#slots.set(signature, at + 4);
    this.#slots.set(message, at + 4 + SIGNATURE_BYTES);
    Atomics.store(this.#control, HEAD, head + 1);
    // It sleeps only where the ring was empty.
    if (head === Atomics.load(this.#control, TAIL)) Atomics.notify(this.#control, HEAD);
  }

  /** The checker's side: checks one after the other, for ever. The bytes are copied out first: not every build of the checker takes shared ones. */
  checkAll(check: (message: Uint8Array, signature: Uint8Array) => boolean): never {
    const copy = new Uint8Array(SLOT_BYTES);
    for (let tail = Atomics.load(this.#control, TAIL); ; tail += 1) {
      if (Atomics.load(this.#control, HEAD) === tail) Atomics.wait(this.#control, HEAD, tail);
      const at = (tail % SLOTS) * SLOT_BYTES;
      const end = 4 + SIGNATURE_BYTES + this.#lengths.getUint32(at);
      copy.set(this.#slots.subarray(at, at + end));
      const holds = check(copy.subarray(4 + SIGNATURE_BYTES, end), copy.subarray(4, 4 + SIGNATURE_BYTES));
      if (!holds) Atomics.add(this.#control, FAILED, 1);
      Atomics.store(this.#control, TAIL, tail + 1);
    }
  }
}
