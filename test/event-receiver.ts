/** Somebody's backend that is told what happens on a server. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { onTestFinished } from "vitest";

export class EventReceiver {
  /** Bodies of the requests it took, in order. */
  readonly bodies: string[] = [];
  /** What it was asked for, whether it took that or not. */
  readonly paths = new Set<string | undefined>();
  readonly url: string;

  private constructor(port: number) {
    this.url = `http://127.0.0.1:${port}/parley`;
  }

  /** `takes`: asked for each request; one that is not taken is refused and comes again. Its refusal points elsewhere: whoever may be found behind a receiver is told nothing. */
  static async start(takes: () => boolean): Promise<EventReceiver> {
    let receiver: EventReceiver | undefined;
    const http = createServer((request, response) => {
      const parts: Buffer[] = [];
      receiver?.paths.add(request.url);
      request.on("data", (part: Buffer) => parts.push(part));
      request.on("end", () => {
        const isTaken = takes();
        if (isTaken) receiver?.bodies.push(Buffer.concat(parts).toString());
        response.writeHead(isTaken ? 204 : 307, isTaken ? {} : { location: "/elsewhere" }).end();
      });
    });
    await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void http.close().closeAllConnections());
    receiver = new EventReceiver((http.address() as AddressInfo).port);
    return receiver;
  }
}
