import type { JsonValue } from "../codecs/canonical-json.ts";
import type { Clock } from "../codecs/clock.ts";
import type { DataValue } from "../codecs/data-message.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import type { DataMessage } from "./call-data.ts";
import { type LabelledStream, LabelledStreams, type LabelledStreamsOptions } from "./data-labelled.ts";
import { RpcAnswering, type RpcHandledCounters, type RpcHandler } from "./rpc-answering.ts";
import { type RpcAskedCounters, RpcAsking, type RpcOptions } from "./rpc-asking.ts";
import { readRpcMessage } from "./rpc-message.ts";

/** What was counted of the requests of a call at this end. */
export interface RpcStats {
  readonly asked: RpcAskedCounters;
  readonly handled: RpcHandledCounters;
  /** Messages that are none of an rpc stream. */
  readonly malformed: number;
}

/** Requests and answers of a call, both ways, over its streams labelled `parley.rpc`. */
export class RpcChannel {
  readonly #streams: LabelledStreams;
  readonly #asking: RpcAsking;
  readonly #answering: RpcAnswering;
  #malformed = 0;

  /** `first`: number of this end's first request; another one in each process. */
  constructor(
    options: Pick<LabelledStreamsOptions, "open" | "report"> & {
      readonly clock: Clock;
      readonly first: number;
    },
  ) {
    const { clock, first, open, report } = options;
    this.#streams = new LabelledStreams({
      open,
      report,
      take: (message, stream) => this.#take(message, stream),
      gone: (stream) => this.#cut(stream),
    });
    this.#asking = new RpcAsking({ clock, first, send: (message) => this.#streams.send(message) });
    this.#answering = new RpcAnswering({ clock, report });
  }

  get stats(): RpcStats {
    return { asked: this.#asking.counters, handled: this.#answering.counters, malformed: this.#malformed };
  }

  /** A stream of the label is there. */
  add(stream: LabelledStream): void {
    this.#streams.add(stream);
  }

  /** See `Call.rpc`. */
  ask(method: string, params: unknown, options?: RpcOptions): Promise<JsonValue> {
    return this.#asking.ask(method, params, options);
  }

  /** See `Call.onRpc`. */
  handle(method: string, handler: RpcHandler): () => void {
    return this.#answering.handle(method, handler);
  }

  /** The call is over. Idempotent. */
  finish(): void {
    this.#streams.finish();
    this.#cut(undefined);
  }

  #take({ value, speaker, age }: DataMessage<DataValue>, stream: LabelledStream): Promise<void> | undefined {
    const read = readRpcMessage(value);
    if (!read.ok) {
      this.#malformed += 1;
      return undefined;
    }
    const message = read.value;
    if (message.kind === "answer") this.#asking.take(message);
    else if (message.kind === "cancel") this.#answering.cancel(message.cancel);
    else return this.#answering.take(message, speaker, age, stream);
    return undefined;
  }

  /** What went over a stream that is gone fails; where none is named, the call is over. */
  #cut(stream: LabelledStream | undefined): void {
    const failure = new ParleyError({ code: "closed", message: "The stream of the requests has ended." });
    this.#asking.cut(failure, stream);
    this.#answering.cut(stream);
  }
}
