/** A server whose events are told over HTTP, over real sockets and two lives of its data folder. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it, onTestFinished } from "vitest";
import { Agent, createIdentity } from "../../agent/node.ts";
import { eventsToken } from "../../src/events/events-token.ts";
import { readEvents } from "../../src/events/read-events.ts";
import { SILENT_LOG } from "../../src/server/event-log.ts";
import { serve } from "../../src/server/serve.ts";
import { EventReceiver } from "../event-receiver.ts";
import { until } from "../waiting.ts";

it("tells of a call's life once each, signed, in order, also after it was refused and started again", async () => {
  const folder = mkdtempSync(join(tmpdir(), "parley-webhooks-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  let refusals = 1;
  const hook = await EventReceiver.start(() => refusals-- <= 0);
  const ports = { port: 0, webTransport: false, httpPort: 0 } as const;
  const settings = { dataFolder: folder, ...ports, events: SILENT_LOG, registration: "open" } as const;

  /** One call in a server's life; `events` have been told by its end, those of earlier lives included. */
  async function life(events: number): Promise<string> {
    const server = await serve({ ...settings, webhooks: [hook.url] });
    const ada = await Agent.connect(server.url, {
      identity: createIdentity({ name: "Ada" }).identity,
      certificateHashes: [server.certificateHash],
    });
    const echo = (await ada.directory()).find(({ name }) => name === "Echo");
    const call = await ada.call(echo?.agentId ?? "");
    await call.end("enough");
    await ada.close();
    await until("all is told", () => told().length === events);
    const pulled = await (
      await fetch(new URL("/events", server.httpUrl), {
        headers: { authorization: `Bearer ${eventsToken(folder)}` },
      })
    ).text();
    source = { agentId: server.agentId, genesis: JSON.parse(pulled).genesis };
    expect(readEvents(pulled, source)).toEqual(hook.bodies.flatMap((body) => readEvents(body, source)));
    await server.stop(0);
    return call.id;
  }
  let source = { agentId: "", genesis: "" };
  const told = () => hook.bodies.flatMap((body) => JSON.parse(body).events);

  const calls = [await life(2), await life(4)];
  expect([...hook.paths]).toEqual(["/parley"]);
  const events = hook.bodies.flatMap((body) => readEvents(body, source));
  expect(events.map(({ event, session_id }) => [event, session_id])).toEqual(
    calls.flatMap((id) => [
      ["session-established", id],
      ["session-terminated", id],
    ]),
  );
  expect(events.map(({ previous_seq }) => previous_seq)).toEqual([
    -1,
    ...events.slice(0, -1).map(({ seq }) => seq),
  ]);
  expect(events[0]?.details?.participants).toHaveLength(2);
  expect(events[1]?.details).toMatchObject({ reason: "enough" });
  const strange = createIdentity({ name: "Mallory" }).identity;
  const other = { agentId: strange.agentId, genesis: new TextDecoder().decode(strange.genesis) };
  expect(() => readEvents(hook.bodies[0] ?? "", other)).toThrow();
}, 20_000);
