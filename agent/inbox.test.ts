import { expect, test } from "vitest";
import type { JsonObject } from "../codecs/canonical-json.ts";
import { Headers } from "../codecs/headers.ts";
import { ParleyError } from "../codecs/parley-error.ts";
import { VirtualClock } from "../test/net/virtual-clock.ts";
import type { ControlAnswer, ControlRequest } from "./control.ts";
import { Inbox } from "./inbox.ts";

const FIRST = 1_000_000;

/** An inbox whose events a test gives, and whose acknowledgements it reads. */
class Scene {
  readonly clock = new VirtualClock();
  readonly delivered: string[] = [];
  readonly acknowledged: number[] = [];
  failing = false;
  readonly over: Promise<void>;
  #next = Promise.withResolvers<JsonObject | undefined>();

  constructor() {
    const inbox = new Inbox(this, this.clock, { agentId: "ada", name: "main" }, { seen: FIRST }, {});
    this.over = inbox.run(
      () => undefined,
      ({ event }) => this.delivered.push(event),
    );
  }

  async *series(): AsyncGenerator<ControlAnswer, void, undefined> {
    for (;;) {
      const result = await this.#next.promise;
      if (result === undefined) return;
      this.#next = Promise.withResolvers();
      yield answerOf(result);
    }
  }

  async request({ parameters }: ControlRequest): Promise<ControlAnswer> {
    const { content } = parameters as { readonly content: { readonly inbox_seq: number } };
    this.acknowledged.push(content.inbox_seq - FIRST);
    if (this.failing) throw new ParleyError({ code: "connection-lost", message: "gone" });
    return answerOf({});
  }

  async event(event: string, seq: number): Promise<void> {
    this.#next.resolve({ event, inbox_seq: FIRST + seq });
    await this.clock.advance(0);
  }

  async end(): Promise<void> {
    this.#next.resolve(undefined);
    await this.over;
  }
}

function answerOf(result: JsonObject): ControlAnswer {
  return { status: 200, result, headers: new Headers([]), recorded: {}, final: false };
}

test("what agents sent is acknowledged within a second, once for all that came meanwhile", async () => {
  const scene = new Scene();
  await scene.event("notification", 1);
  await scene.clock.advance(600);
  await scene.event("confirmation", 2);
  expect(scene.acknowledged).toEqual([]);
  await scene.clock.advance(400);
  expect(scene.acknowledged).toEqual([2]);
  await scene.clock.advance(5_000);
  expect(scene.acknowledged).toEqual([2]);
  await scene.event("notification", 3);
  await scene.clock.advance(1_000);
  expect(scene.acknowledged).toEqual([2, 3]);
});

test("what the server tells is acknowledged at every sixteenth", async () => {
  const scene = new Scene();
  for (let seq = 1; seq <= 40; seq++) await scene.event("session-ended", seq);
  await scene.clock.advance(60_000);
  expect(scene.acknowledged).toEqual([16, 32]);
  expect(scene.delivered).toHaveLength(40);
});

test("an acknowledgement that was lost is made up for with the next event; one event is delivered once", async () => {
  const scene = new Scene();
  scene.failing = true;
  await scene.event("notification", 1);
  await scene.clock.advance(1_000);
  scene.failing = false;
  await scene.event("notification", 1);
  expect(scene.delivered).toEqual(["notification"]);
  await scene.event("session-ended", 2);
  expect(scene.acknowledged).toEqual([1, 2]);
});

test("nothing is acknowledged after its end", async () => {
  const scene = new Scene();
  await scene.event("notification", 1);
  await scene.end();
  await scene.clock.advance(5_000);
  expect(scene.acknowledged).toEqual([]);
});
