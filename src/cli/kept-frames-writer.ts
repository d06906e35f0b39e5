import { createWriteStream, type WriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { PacketTap } from "../../agent/node.ts";
import { encodeKeptFrames, keptFramesTitle } from "../../codecs/kept-frames.ts";
import { unwritable } from "./files.ts";

/** Keeps every verified packet heard, for `parley verify --media`. */
export class KeptFramesWriter {
  readonly path: string;
  readonly #stream: WriteStream;
  readonly #written: Promise<unknown>;
  #frames = 0;

  /** Makes, or replaces, the file; that it cannot be written shows at `close`. */
  constructor(path: string) {
    this.path = path;
    this.#stream = createWriteStream(path);
    this.#written = finished(this.#stream).catch((cause: unknown) => cause);
    this.#stream.write(keptFramesTitle());
  }

  /** Frames kept so far. */
  get frames(): number {
    return this.#frames;
  }

  /** To be given to the call. */
  readonly tap: PacketTap = ({ leg, stream, bytes }) => {
    if (this.#stream.destroyed) return;
    this.#frames += 1;
    this.#stream.write(encodeKeptFrames([{ leg, stream, packet: bytes }]));
  };

  /** Resolves when everything is on disk. Throws `usage` when it could not be written. */
  async close(): Promise<void> {
    if (!this.#stream.destroyed) this.#stream.end();
    const failure = await this.#written;
    if (failure !== undefined) throw unwritable(this.path, failure);
  }
}
