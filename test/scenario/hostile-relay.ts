/** A server gone bad: everything between one agent and the server passes here, with the server's own key at hand. */
import { canonicalBytes, type JsonObject } from "../../codecs/canonical-json.ts";
import { FrameView, parseFrame } from "../../codecs/frame.ts";
import { Headers } from "../../codecs/headers.ts";
import {
  type AgtpRequest,
  type AgtpResponse,
  serializeRequest,
  serializeResponse,
} from "../../codecs/message.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import { encodeStreamItems, encodeStreamStart, StreamItemReader } from "../../codecs/stream-items.ts";
import type {
  Carrier,
  Connection,
  ConnectionHandlers,
  ConnectOptions,
  DuplexStream,
  ReceiveStream,
  SendStream,
} from "../../sfu/carrier.ts";
import { bodyHash, buildRecord, readRecord } from "../../signaling/attribution.ts";
import { must } from "../signed-call.ts";
import type { World } from "./world.ts";

/** A request as it passes: its method and path, and its parameters. */
export interface PassingRequest {
  readonly method: string;
  readonly path: string;
  readonly parameters: JsonObject;
}

type Way = "to-agent" | "to-server";

/** Honest until a test gives it other habits. One for each agent that is to be deceived. */
export class HostileRelay implements Carrier {
  readonly #world: World;
  #connection: Connection | undefined;
  #handlers: ConnectionHandlers | undefined;
  /** Rewrites the result of an answer; the record over it is signed anew, so only what it says can give it away. */
  answer: (request: PassingRequest, result: JsonObject) => JsonObject = (_, result) => result;
  /** Keeps answers' records as they were although the answer was rewritten. */
  keepsRecords = false;
  /** Sees requests before the server does. */
  request: (request: AgtpRequest, parameters: JsonObject) => void = () => {};
  /** Says which datagrams go on in place of this one. */
  datagram: (way: Way, bytes: Uint8Array) => readonly Uint8Array[] = (_, bytes) => [bytes];
  /** Says whether an item of a stream (checkpoint, receipt, data frame) goes on, or which ones in its place. */
  item: (way: Way, flow: number, bytes: Uint8Array) => boolean | readonly Uint8Array[] = () => true;

  /** How long a request is held up on its way, ms. */
  requestTakes: (request: AgtpRequest) => number = () => 0;
  /** How long an answer is held up on its way back, ms. */
  answerTakes: (request: PassingRequest) => number = () => 0;
  /** How long the carrier takes to be done with a stream of the agent's, ms. */
  finishTakes = 0;

  constructor(world: World) {
    this.#world = world;
  }

  /** The agent's connection to the server, for requests of the relay's own. */
  async connection(): Promise<Connection> {
    if (this.#connection === undefined) throw new Error("no agent has connected through this relay");
    return this.#connection;
  }

  /** Puts a datagram before the agent as if it came from the server. */
  deliver(bytes: Uint8Array): void {
    this.#handlers?.datagram(bytes);
  }

  /** Sends a datagram to the server as if it came from the agent. */
  inject(bytes: Uint8Array): void {
    this.#connection?.sendDatagram(bytes);
  }

  async connect(
    url: string,
    options: ConnectOptions,
    accept: (connection: Connection) => ConnectionHandlers,
  ): Promise<Connection> {
    const inner = await this.#world.network.connect(url, options, (connection) => {
      const handlers = accept(connection);
      this.#handlers = handlers;
      return {
        ...handlers,
        datagram: (bytes) => {
          for (const passed of this.datagram("to-agent", bytes.slice())) handlers.datagram(passed);
        },
        stream: (stream) => handlers.stream(this.#tamperedItems(stream)),
      };
    });
    this.#connection = inner;
    return {
      carrier: inner.carrier,
      url: inner.url,
      pinned: inner.pinned,
      choice: inner.choice,
      drops: inner.drops,
      peerAddress: undefined,
      roundTrip: undefined,
      maxDatagram: inner.maxDatagram,
      openExchange: async () => this.#tamperedExchange(await inner.openExchange()),
      openStream: async () => this.#tamperedSending(await inner.openStream()),
      sendDatagram: (bytes) => {
        for (const passed of this.datagram("to-server", bytes.slice())) inner.sendDatagram(passed);
        return "sent";
      },
      probe: (ms) => inner.probe(ms),
      close: (code, reason) => inner.close(code, reason),
    };
  }

  async #pass(ms: number): Promise<void> {
    const { clock } = this.#world;
    if (ms > 0) await new Promise<void>((resolve) => clock.at(clock.now() + ms, resolve));
  }

  #tamperedExchange({ send, receive }: DuplexStream): DuplexStream {
    const requests = new MessageReader("request");
    const answers = new MessageReader("response");
    let passing: PassingRequest = { method: "", path: "", parameters: {} };
    return {
      send: {
        ...bound(send),
        write: async (bytes) => {
          requests.push(bytes);
          for (let request = requests.next(); request !== undefined; request = requests.next()) {
            const parameters = parametersOf(request);
            passing = { method: request.method, path: request.path, parameters };
            this.request(request, parameters);
            await this.#pass(this.requestTakes(request));
            await send.write(serializeRequest(request));
          }
        },
      },
      receive: {
        stop: (code) => receive.stop(code),
        read: async () => {
          for (;;) {
            const bytes = await receive.read();
            if (bytes === undefined) return undefined;
            answers.push(bytes);
            const passed: Uint8Array[] = [];
            await this.#pass(this.answerTakes(passing));
            for (let answer = answers.next(); answer !== undefined; answer = answers.next()) {
              passed.push(serializeResponse(this.#tampered(passing, answer)));
            }
            if (passed.length > 0) return Uint8Array.from(Buffer.concat(passed));
          }
        },
      },
    };
  }

  #tampered(request: PassingRequest, answer: AgtpResponse): AgtpResponse {
    const content = JSON.parse(new TextDecoder().decode(answer.body)) as { result?: JsonObject };
    if (content.result === undefined) return answer;
    const result = this.answer(request, content.result);
    if (result === content.result) return answer;
    const body = canonicalBytes({ ...content, result });
    if (this.keepsRecords) return { ...answer, body };
    const before = must(readRecord(answer.headers.get("Attribution-Record") ?? ""));
    const record = buildRecord({ ...before, result_hash: bodyHash(body) }, this.#world.serverIdentity.signer);
    const headers = new Headers(answer.headers);
    headers.set("Attribution-Record", record.jws).set("Audit-ID", record.auditId);
    return { ...answer, headers, body };
  }

  #tamperedItems(stream: ReceiveStream): ReceiveStream {
    const filter = new ItemFilter((flow, item) => this.item("to-agent", flow, item));
    return {
      stop: (code) => stream.stop(code),
      read: async () => {
        for (let bytes = await stream.read(); bytes !== undefined; bytes = await stream.read()) {
          const passed = filter.push(bytes);
          if (passed.length > 0) return passed;
        }
        return undefined;
      },
    };
  }

  #tamperedSending(stream: SendStream): SendStream {
    const filter = new ItemFilter((flow, item) => this.item("to-server", flow, item));
    return {
      ...bound(stream),
      finish: async () => {
        await this.#pass(this.finishTakes);
        await stream.finish();
      },
      write: async (bytes) => {
        const passed = filter.push(bytes);
        if (passed.length > 0) await stream.write(passed);
      },
    };
  }
}

/** Whether an item of a stream is a frame of data: checkpoints and receipts, which may begin with any octet, have not its form. */
export function isFrame(item: Uint8Array): boolean {
  return parseFrame(item, 0, new FrameView()) === undefined;
}

/** Passes a stream of items on, item by item. */
class ItemFilter {
  readonly #passes: (flow: number, item: Uint8Array) => boolean | readonly Uint8Array[];
  readonly #reader = new StreamItemReader();
  #started = false;

  constructor(passes: (flow: number, item: Uint8Array) => boolean | readonly Uint8Array[]) {
    this.#passes = passes;
  }

  push(bytes: Uint8Array): Uint8Array {
    const { items } = this.#reader.push(bytes);
    const { flow } = this.#reader;
    if (flow === undefined) return new Uint8Array(0);
    const passed = items.flatMap((item) => {
      const fate = this.#passes(flow, item);
      return typeof fate === "boolean" ? (fate ? [item] : []) : fate;
    });
    const parts = passed.map((item) => encodeStreamItems([item]));
    if (!this.#started) parts.unshift(encodeStreamStart(flow));
    this.#started = true;
    return Uint8Array.from(Buffer.concat(parts));
  }
}

function bound(stream: SendStream): SendStream {
  return {
    write: (bytes) => stream.write(bytes),
    finish: () => stream.finish(),
    reset: (code) => stream.reset(code),
  };
}

function parametersOf(request: AgtpRequest): JsonObject {
  if (request.body.length === 0) return {};
  const content = JSON.parse(new TextDecoder().decode(request.body)) as { parameters?: JsonObject };
  return content.parameters ?? {};
}
