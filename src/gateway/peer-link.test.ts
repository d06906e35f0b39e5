import { afterAll, expect, it } from "vitest";
import { systemClock } from "../../platform/node/clock.ts";
import { random } from "../../platform/node/sodium.ts";
import { mediaWorkers } from "../../test/media-workers.ts";
import { PeerLink } from "./peer-link.ts";

const workers = mediaWorkers();
afterAll(() => workers.close());

it("leaves no peer connection behind that came up after its end", async () => {
  const report = (error: unknown) => expect.unreachable(String(error));
  const link = new PeerLink({ workers, handlers: {}, clock: systemClock, random, report });
  const offering = link.offer({ audio: "sendonly", video: undefined, data: true });
  await link.close("cancelled");
  await expect(offering).rejects.toMatchObject({ code: "cancelled" });
  expect(workers.counts).toMatchObject({ running: 1, peers: 0 });
});
