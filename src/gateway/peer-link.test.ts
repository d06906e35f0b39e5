import { afterAll, expect, it } from "vitest";
import { systemClock } from "../../platform/node/clock.ts";
import { random } from "../../platform/node/sodium.ts";
import { mediaWorkers } from "../../test/media-workers.ts";
import { takenOffer } from "../../test/sdp-offers.ts";
import { sha256Of } from "../../transports/webrtc/fingerprints.ts";
import { PeerLink, sameCertificate } from "./peer-link.ts";

const workers = mediaWorkers();
afterAll(() => workers.close());

it("takes an answer that names the certificate of before, and no other", () => {
  const answer = takenOffer("libdatachannel");
  expect(sameCertificate(undefined, answer).ok).toBe(true);
  expect(sameCertificate(sha256Of(answer.fingerprints), answer).ok).toBe(true);
  const other = sameCertificate("ee".repeat(32), answer);
  expect(other).toMatchObject({ ok: false, fault: { code: "fingerprint-mismatch" } });
});

it("leaves no peer connection behind that came up after its end", async () => {
  const report = (error: unknown) => expect.unreachable(String(error));
  const link = new PeerLink({ workers, handlers: {}, clock: systemClock, random, report });
  const offering = link.offer({ audio: "sendonly", video: undefined, data: true });
  await link.close("cancelled");
  await expect(offering).rejects.toMatchObject({ code: "cancelled" });
  expect(workers.counts).toMatchObject({ running: 1, peers: 0 });
});
