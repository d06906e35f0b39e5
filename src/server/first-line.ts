import type { TLSSocket } from "node:tls";
import type { Clock } from "../../codecs/clock.ts";

/** Longest first line that is waited for, bytes: more than any AGTP or HTTP request needs. */
export const MAX_FIRST_LINE_BYTES = 8 * 1024;
/** How long a client that named no protocol may take over its first line, ms. */
export const FIRST_LINE_MS = 10_000;

/** Which protocol a first line begins, and every byte that was read to find out; `undefined`: none within the bounds. */
export type Spoken = { readonly protocol: "agtp" | "http"; readonly head: Buffer } | undefined;

/**
 * Reads a connection up to its first line's end and tells by it what is spoken: a line that ends in ` HTTP/1.1` is HTTP's, any other
 * AGTP's. Nothing of the connection is lost: the bytes are in `head`, for whoever goes on.
 */
export function hearFirstLine(socket: TLSSocket, clock: Clock, heard: (spoken: Spoken) => void): void {
  const parts: Buffer[] = [];
  let length = 0;
  const settle = (spoken: Spoken): void => {
    cancel();
    socket.off("readable", read).off("end", gone).off("close", gone);
    heard(spoken);
  };
  const read = (): void => {
    for (let part: Buffer | null = socket.read(); part !== null; part = socket.read()) {
      parts.push(part);
      length += part.length;
      const isWhole = part.includes(LINE_FEED);
      if (!isWhole && length <= MAX_FIRST_LINE_BYTES) continue;
      const head = Buffer.concat(parts);
      settle(isWhole ? spokenBy(head) : undefined);
      return;
    }
  };
  const gone = (): void => settle(undefined);
  const cancel = clock.at(clock.now() + FIRST_LINE_MS, gone);
  socket.on("readable", read).on("end", gone).on("close", gone);
}

function spokenBy(head: Buffer): Spoken {
  const end = head.indexOf(LINE_FEED);
  if (end > MAX_FIRST_LINE_BYTES) return undefined;
  return { protocol: HTTP_LINE.test(head.toString("latin1", 0, end)) ? "http" : "agtp", head };
}

const LINE_FEED = 0x0a;
/** Not AGTP's older form, which ends in ` HTTP/AGTP/1.0`. */
const HTTP_LINE = / HTTP\/1\.\d\r?$/;
