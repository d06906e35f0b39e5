/** Somebody's backend that is told what happens on a server. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export class EventReceiver {
  /** Bodies of the requests it took, in order. */
  readonly bodies: string[] = [];
  readonly url: string;

  private constructor(port: number) {
    this.url = `http://127.0.0.1:${port}/parley`;
  }

  /** `takes`: asked for each request; one that is not taken is refused with 503 and comes again. */
  static async start(takes: () => boolean): Promise<EventReceiver> {
    let receiver: EventReceiver | undefined;
    const http = createServer((request, response) => {
      const parts: Buffer[] = [];
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const isTaken = takes();
        if (isTaken) receiver?.bodies.push(Buffer.concat(parts).toString());
        response.writeHead(isTaken ? 204 : 503).end();
      });
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void http.close().closeAllConnections());
    receiver = new EventReceiver((http.address() as AddressInfo).port);
    return receiver;
  }
}
