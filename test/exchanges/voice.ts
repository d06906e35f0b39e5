/** One agent on one connection of any carrier: says requests as octets, proves itself, and reads the octets that come back. */
import { v7 as uuidv7 } from "uuid";
import type { AgentIdentity } from "../../agent/identity.ts";
import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { Signer } from "../../codecs/signer.ts";
import { createSigner, random } from "../../platform/node/sodium.ts";
import type { Connection, DuplexStream } from "../../sfu/carrier.ts";
import { signJws } from "../../signaling/jws.ts";
import { hashParameters } from "../../signaling/proof.ts";
import { AnswerReader, resultOf, type WireAnswer, writeMessage } from "./wire.ts";

/** A request as values, or as the octets themselves. */
export interface Request {
  readonly line: string;
  readonly headers?: readonly (readonly [string, string])[];
  readonly parameters?: JsonObject;
  /** How the parameters stand in the body; default in the envelope with `method`. */
  readonly form?: "envelope" | "bare-envelope" | "flat";
  /** Default `application/vnd.agtp+json`. */
  readonly type?: string;
  /** The body as it is, instead of parameters. */
  readonly body?: string;
  /** Brings a proof, with these members changed. Default: where each connection of the carrier must be proved on. */
  readonly proof?: true | JsonObject;
  /** Leaves the Agent-ID out. */
  readonly anonymous?: true;
  /** Everything as it is; the rest counts for nothing. */
  readonly octets?: string | Uint8Array;
}

/** One request and what has come back on it. */
export class Conversation {
  readonly request: Uint8Array;
  readonly #stream: DuplexStream;
  readonly #reader = new AnswerReader();

  constructor(stream: DuplexStream, request: Uint8Array) {
    this.#stream = stream;
    this.request = request;
  }

  /** The next answer; `undefined` at the end of the stream, which must not come inside one. */
  async next(): Promise<WireAnswer | undefined> {
    for (;;) {
      const answer = this.#reader.next();
      if (answer !== undefined) return answer;
      const bytes = await this.#stream.receive.read();
      if (bytes !== undefined) {
        this.#reader.push(bytes);
        continue;
      }
      if (this.#reader.rest > 0) throw new Error("the stream ended inside an answer");
      return undefined;
    }
  }

  /** The next answer, which must be there. */
  async one(): Promise<WireAnswer> {
    const answer = await this.next();
    if (answer === undefined) throw new Error("no answer came");
    return answer;
  }

  /** Every answer until the stream ends. */
  async all(): Promise<WireAnswer[]> {
    const answers: WireAnswer[] = [];
    for (let answer = await this.next(); answer !== undefined; answer = await this.next())
      answers.push(answer);
    return answers;
  }

  leave(): void {
    this.#stream.receive.stop(0);
  }
}

export class Voice {
  readonly connection: Connection;
  readonly identity: AgentIdentity<Signer>;
  readonly media: Signer;
  readonly #wall: () => number;
  readonly #origin: string;
  #nonce = "";

  constructor(
    connection: Connection,
    identity: AgentIdentity<Signer>,
    options: { readonly wall: () => number; readonly origin: string; readonly media?: Signer },
  ) {
    this.connection = connection;
    this.media = options.media ?? createSigner(random(32));
    this.identity = identity;
    this.#wall = options.wall;
    this.#origin = options.origin;
  }

  get id(): string {
    return this.identity.agentId;
  }

  get now(): number {
    return this.#wall();
  }

  /** Fetches the nonce and proves itself, bringing its documents: the first thing to do. */
  async introduceItself(): Promise<void> {
    const directory = await (await this.say({ line: "AGTP/1.0 DISCOVER /" })).all();
    this.#nonce = String((resultOf(directory[0] as WireAnswer).connection as JsonObject).nonce);
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    const { genesis, identityDocument } = this.identity;
    const parameters = { t0: 0, genesis: text(genesis), identity_document: text(identityDocument) };
    const known = await (await this.say({ line: "AGTP/1.0 QUERY /clock", parameters, proof: true })).all();
    resultOf(known[0] as WireAnswer);
  }

  /** The same agent, its keys included, on another connection, where it has proved itself. */
  async onAnother(connection: Connection): Promise<Voice> {
    const { identity, media } = this;
    const other = new Voice(connection, identity, { wall: this.#wall, origin: this.#origin, media });
    await other.introduceItself();
    return other;
  }

  /** Opens an exchange, says the request and ends its side. */
  async say(request: Request): Promise<Conversation> {
    const stream = await this.connection.openExchange();
    const octets = this.octets(request, stream.channelBinding);
    // A refusal may come before everything was taken.
    void stream.send
      .write(octets)
      .then(() => stream.send.finish())
      .catch(() => undefined);
    return new Conversation(stream, octets);
  }

  freshId(): string {
    return uuidv7({ msecs: Math.floor(this.#wall()), random: random(16) });
  }

  /** The request as it is said on an exchange with that channel binding. */
  octets(request: Request, binding: Uint8Array | undefined): Uint8Array {
    if (request.octets !== undefined) return Buffer.from(request.octets as string);
    const body = this.#body(request, binding);
    const namesItself =
      request.anonymous === true || request.headers?.some(([name]) => /^agent-id$/i.test(name));
    const isTyped = body.length > 0 && !request.headers?.some(([name]) => /^content-type$/i.test(name));
    return writeMessage(
      request.line,
      [
        ...(namesItself ? [] : [["Agent-ID", this.id] as const]),
        ...(request.headers ?? []),
        ...(isTyped ? [["Content-Type", request.type ?? "application/vnd.agtp+json"] as const] : []),
        ["Content-Length", String(body.length)],
      ],
      body,
    );
  }

  #body({ line, parameters, form, body, proof }: Request, binding: Uint8Array | undefined): Uint8Array {
    if (body !== undefined) return Buffer.from(body);
    const words = line.split(" ");
    const [method = "", target = "/"] = words[0] === "AGTP/1.0" ? words.slice(1) : words;
    const [path = "/", query = ""] = target.split("?");
    const proves = proof !== undefined || (binding !== undefined && this.#nonce !== "");
    if (parameters === undefined && !proves) return new Uint8Array(0);
    const changes = proof === true || proof === undefined ? {} : proof;
    const covered = { ...Object.fromEntries(new URLSearchParams(query)), ...parameters };
    const all: JsonObject = proves
      ? { ...parameters, proof: this.#proof(method, path, covered, binding, changes) }
      : (parameters ?? {});
    if (form === "flat") return canonicalBytes(all);
    return canonicalBytes({ ...(form === "bare-envelope" ? {} : { method }), parameters: all });
  }

  #proof(
    method: string,
    path: string,
    parameters: JsonObject,
    binding: Uint8Array | undefined,
    changes: JsonObject,
  ): string {
    const { pinned } = this.connection;
    const iat = Math.floor(this.#wall() / 1000);
    const payload = {
      agent_id: this.id,
      method,
      path,
      body_sha256: hashParameters(parameters),
      jti: this.freshId(),
      ...(binding === undefined ? { nonce: this.#nonce } : { cb: encodeHex(binding) }),
      aud: this.#origin,
      ...(pinned === undefined ? {} : { cert: encodeHex(pinned) }),
      iat,
      exp: iat + 60,
      ...changes,
    };
    return signJws("agtp-proof+jwt", payload, this.identity.signer);
  }
}
