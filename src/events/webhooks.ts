import type { Clock } from "../../codecs/clock.ts";
import { packageVersion } from "../package-info.ts";
import type { EventLog } from "../server/event-log.ts";
import { CursorFile } from "./cursor-file.ts";
import type { EventFeed } from "./event-feed.ts";
import { Webhook, type WebhookCounts } from "./webhook.ts";

/** How long a receiver may take for one request, ms. */
const REQUEST_MS = 10_000;

/** What a webhook has done, and how far behind it is. */
export interface WebhookState extends WebhookCounts {
  /** Its place in the setting, from 0: URLs may hold secrets. */
  readonly index: number;
  /** `seq` of the last event it took. */
  readonly cursor: number;
  /** Whether events wait for it. */
  readonly behind: boolean;
}

/** The webhooks of a server. */
export interface Webhooks {
  /** Records became durable that tell of a life. */
  wake(): void;
  states(): readonly WebhookState[];
  /** Breaks off what is under way. Idempotent. */
  close(): Promise<void>;
}

/** Starts a webhook for each URL, each behind what its receiver took last. */
export async function startWebhooks(options: {
  readonly urls: readonly string[];
  readonly feed: EventFeed;
  readonly dataFolder: string;
  readonly clock: Clock;
  readonly random: (length: number) => Uint8Array;
  readonly events: EventLog;
}): Promise<Webhooks> {
  const { urls, feed, dataFolder, clock, random, events } = options;
  const cursors = await CursorFile.open(dataFolder, urls, feed.last, () =>
    events.log("error", "webhook-cursors-unreadable", { dataFolder }),
  );
  const webhooks = urls.map(
    (url, index) =>
      new Webhook({
        feed,
        cursor: cursors.of(url),
        keep: (cursor) => cursors.keep(url, cursor),
        post: (body, signal) => post(url, body, signal),
        clock,
        random,
        failed: ({ why, inARow, retryInMs }) =>
          events.log("warn", "webhook-failed", { index, why, inARow, retryInMs: Math.round(retryInMs) }),
      }),
  );
  for (const webhook of webhooks) webhook.wake();
  return {
    wake: () => {
      for (const webhook of webhooks) webhook.wake();
    },
    states: () =>
      webhooks.map(({ counts, cursor }, index) => ({ ...counts, index, cursor, behind: cursor < feed.last })),
    close: async () => {
      await Promise.all(webhooks.map((webhook) => webhook.close()));
    },
  };
}

async function post(url: string, body: string, signal: AbortSignal): Promise<number> {
  const response = await fetch(url, {
    method: "POST",
    headers: {
      "content-type": "application/vnd.parley.events+json",
      "user-agent": `parley/${packageVersion()}`,
    },
    body,
    // Who was told a URL tells no other.
    redirect: "manual",
    signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
  });
  await response.body?.cancel();
  return response.status;
}
