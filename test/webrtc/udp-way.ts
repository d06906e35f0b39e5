/** The way of a peer to the server: a relay on this machine that can fall silent, or come from another address. */
import { createSocket, type Socket } from "node:dgram";

interface Place {
  readonly address: string;
  readonly port: number;
}

export class UdpWay implements Disposable {
  /** Nothing passes any more. */
  isSilent = false;
  readonly #near: Socket;
  #far: Socket;
  #peer: Place | undefined;

  private constructor(near: Socket, server: Place) {
    this.#near = near;
    this.#far = this.#socket();
    near.on("message", (bytes, { address, port }) => {
      this.#peer = { address, port };
      if (!this.isSilent) this.#far.send(bytes, server.port, server.address);
    });
  }

  /** Leads the candidates of an answer through a relay. */
  static async of(answer: string): Promise<{ readonly way: UdpWay; readonly answer: string }> {
    const [, address = "", port = ""] = /^a=candidate:\S+ 1 udp \d+ (\S+) (\d+)/im.exec(answer) ?? [];
    const near = createSocket("udp4");
    await new Promise<void>((resolve) => near.bind(0, "127.0.0.1", resolve));
    const way = new UdpWay(near, { address, port: Number(port) });
    return { way, answer: way.leads(answer) };
  }

  /** The same for another description of that server. */
  leads(description: string): string {
    return description
      .split("\r\n")
      .filter((line) => !/^a=candidate:\S+ 1 tcp /i.test(line))
      .map((line) =>
        line.replace(/^(a=candidate:\S+ 1 udp \d+) \S+ \d+/i, `$1 127.0.0.1 ${this.#near.address().port}`),
      )
      .join("\r\n");
  }

  /** From now on it comes from this address, and another port. */
  move(address: string): void {
    this.#far.close();
    this.#far = this.#socket(address);
  }

  [Symbol.dispose](): void {
    this.#near.close();
    this.#far.close();
  }

  #socket(address = "127.0.0.1"): Socket {
    const socket = createSocket("udp4");
    socket.bind(0, address);
    socket.on("message", (bytes) => {
      if (!this.isSilent && this.#peer !== undefined)
        this.#near.send(bytes, this.#peer.port, this.#peer.address);
    });
    return socket;
  }
}
