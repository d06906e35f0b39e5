import { expect, test } from "vitest";
import { buildRecord, ZERO_AUDIT_ID } from "../../signaling/attribution.ts";
import { readSigned } from "../../signaling/jws.ts";
import { LIFE_EVENT } from "../../signaling/life-events.ts";
import { createMemoryLog } from "../../store/memory-log.ts";
import { seedSigner } from "../../test/keys.ts";
import { VirtualClock } from "../../test/net/virtual-clock.ts";
import { EventFeed } from "./event-feed.ts";
import { EVENTS_PER_REQUEST, Webhook } from "./webhook.ts";

const signer = seedSigner(1);
const agentId = "ab".repeat(32);

/** A log of `total` events, a receiver that answers as told, and a webhook between them. */
function scene({ cursor = -1 } = {}) {
  const clock = new VirtualClock();
  const log = createMemoryLog();
  const feed = new EventFeed(log, { agentId, signer });
  const kept: number[] = [];
  const taken: number[][] = [];
  const failures: string[] = [];
  const receiver: { answer: (tries: number) => number | Error } = { answer: () => 200 };
  let tries = 0;
  const webhook = new Webhook({
    feed,
    cursor,
    keep: async (seq) => void kept.push(seq),
    post: async (body) => {
      const answer = receiver.answer(++tries);
      if (answer instanceof Error) throw answer;
      if (answer < 300) taken.push(JSON.parse(body).events.map(seqOf));
      return answer;
    },
    clock,
    random: (length) => new Uint8Array(length).fill(0xff),
    failed: ({ why }) => failures.push(why),
  });
  let next = 0;
  const happen = async (count: number) => {
    for (let i = 0; i < count; i += 1) {
      const { jws, auditId } = buildRecord(recordOf(next), signer);
      const names = { sessionId: undefined, sessionSeq: undefined };
      await log.append([{ kind: "record", chainSeq: next++, auditId, jws, ...names, isLifeEvent: true }]);
    }
    webhook.wake();
    await clock.advance(0);
  };
  return { clock, webhook, kept, taken, failures, receiver, happen };
}

test("what happens is told in order, many in one request, and counted as taken when it was", async () => {
  const { webhook, kept, taken, happen } = scene();
  await happen(EVENTS_PER_REQUEST + 2);
  expect(taken.map((seqs) => seqs.length)).toEqual([EVENTS_PER_REQUEST, 2]);
  expect(taken.flat()).toEqual([...Array(EVENTS_PER_REQUEST + 2).keys()]);
  expect(kept).toEqual([EVENTS_PER_REQUEST - 1, EVENTS_PER_REQUEST + 1]);
  expect(webhook.counts).toEqual({ delivered: 2, failed: 0 });
  await happen(1);
  expect(taken.at(-1)).toEqual([EVENTS_PER_REQUEST + 2]);
});

test("a receiver that was away is told everything once it is back, after waits that grow", async () => {
  const { clock, webhook, taken, failures, receiver, happen } = scene();
  receiver.answer = (tries) => (tries === 1 ? new Error("refused") : tries < 4 ? 503 : 204);
  await happen(2);
  expect([taken, failures]).toEqual([[], ["refused"]]);
  await happen(1);
  // What happens meanwhile does not make it try sooner.
  expect(failures).toEqual(["refused"]);
  await clock.advance(1_000);
  expect(failures).toEqual(["refused", "status 503"]);
  await clock.advance(1_999);
  expect(failures).toHaveLength(2);
  await clock.advance(1);
  expect(failures).toHaveLength(3);
  await clock.advance(4_000);
  expect(taken).toEqual([[0, 1, 2]]);
  expect(webhook.counts).toEqual({ delivered: 1, failed: 3 });
});

test("a redirect is a failure, and a later start goes on behind what was kept", async () => {
  const { taken, failures, receiver, happen, clock } = scene({ cursor: 1 });
  receiver.answer = (tries) => (tries === 1 ? 302 : 200);
  await happen(4);
  expect([taken, failures]).toEqual([[], ["status 302"]]);
  await clock.advance(1_000);
  expect(taken).toEqual([[2, 3]]);
});

test("closed, it tells nothing more and does not wait for its retry", async () => {
  const { clock, webhook, taken, receiver, happen } = scene();
  receiver.answer = () => 500;
  await happen(1);
  await webhook.close();
  receiver.answer = () => 200;
  await clock.advance(600_000);
  await happen(1);
  expect(taken).toEqual([]);
});

function seqOf(event: string): number {
  const read = readSigned(event, LIFE_EVENT);
  if (!read.ok) throw new Error(read.fault.message);
  return read.value.seq;
}

function recordOf(seq: number) {
  return {
    audit_record_version: "1",
    agent_id: agentId,
    owner_id: "",
    server_id: "media.example",
    request_id: "",
    response_id: "",
    previous_audit_id: ZERO_AUDIT_ID,
    issued_at: new Date(1_700_000_000_000 + seq).toISOString(),
    status: 0,
    event: "agent-retired",
  } as const;
}
