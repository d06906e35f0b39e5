/** One TLS connection of somebody else's program: octets in, octets out, and nothing of this package. */
import { createHash } from "node:crypto";
import { type ConnectionOptions, connect, type TLSSocket } from "node:tls";
import { AnswerReader, type WireAnswer } from "../exchanges/wire.ts";
import { within } from "../waiting.ts";

export class ForeignSocket {
  /** Resolves when the server has ended its side. */
  readonly ended: Promise<void>;
  /** Resolves when the connection is gone: with what broke it, if something did. */
  readonly gone: Promise<string>;
  readonly #socket: TLSSocket;
  readonly #reader = new AnswerReader();
  readonly #waiting: (() => void)[] = [];
  #isOver = false;
  #octets = 0;

  private constructor(socket: TLSSocket) {
    this.#socket = socket;
    let why = "";
    socket.on("error", (error: NodeJS.ErrnoException) => {
      why = error.code ?? error.message;
    });
    socket.on("data", (bytes: Buffer) => {
      this.#octets += bytes.length;
      this.#reader.push(bytes);
      this.#wake();
    });
    const over = (): void => {
      this.#isOver = true;
      this.#wake();
    };
    this.ended = new Promise((resolve) => socket.once("end", resolve).once("close", () => resolve()));
    this.gone = new Promise((resolve) => socket.once("close", () => resolve(why)));
    socket.once("end", over).once("close", over);
  }

  /** Connects; `alpn` says which protocols it offers. Throws what the handshake failed with. */
  static async open(
    port: number,
    options: { readonly alpn?: readonly string[]; readonly fingerprint: string } & ConnectionOptions,
  ): Promise<ForeignSocket> {
    const { alpn, fingerprint, ...more } = options;
    const socket = connect({
      host: "127.0.0.1",
      port,
      // Whose certificate it is says its fingerprint.
      rejectUnauthorized: false,
      allowHalfOpen: true,
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
      ...more,
    } as ConnectionOptions);
    await within(
      "the handshake",
      new Promise<void>((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject)),
    );
    const shown = createHash("sha256").update(socket.getPeerCertificate().raw).digest("hex");
    if (shown !== fingerprint) throw new Error("another server's certificate");
    return new ForeignSocket(socket);
  }

  /** RFC 9266, hashed as proofs want it, hex. */
  get binding(): string {
    return bindingOf(this.#socket);
  }

  get alpn(): string | false | null {
    return this.#socket.alpnProtocol;
  }

  /** Octets that came back in all. */
  get received(): number {
    return this.#octets;
  }

  /** Resolves once the octets are handed to the system. */
  write(octets: string | Uint8Array): Promise<void> {
    return new Promise((resolve) => void this.#socket.write(octets, () => resolve()));
  }

  /** Ends its side. */
  finish(): void {
    this.#socket.end();
  }

  /** The next answer; throws when the server ends before it. */
  async answer(): Promise<WireAnswer> {
    for (;;) {
      const answer = this.#reader.next();
      if (answer !== undefined) return answer;
      if (this.#isOver) throw new Error("the connection ended without an answer");
      await within("an answer", new Promise<void>((resolve) => this.#waiting.push(resolve)));
    }
  }

  leave(): void {
    this.#socket.destroy();
  }

  #wake(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

/** SHA-256 of a TLS connection's exporter (RFC 9266), hex. */
export function bindingOf(socket: TLSSocket): string {
  const exporter = socket.exportKeyingMaterial(32, "EXPORTER-Channel-Binding", Buffer.alloc(0));
  return createHash("sha256").update(exporter).digest("hex");
}
