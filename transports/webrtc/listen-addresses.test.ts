import { describe, expect, it } from "vitest";
import { listenAddresses } from "./listen-addresses.ts";

const OWN = ["127.0.0.1", "192.0.2.7", "::1", "2001:db8::7"];

describe("addresses of media workers", () => {
  it("are the one that the server listens on", async () => {
    expect(await listenAddresses("192.0.2.7", undefined, OWN)).toEqual([{ ip: "192.0.2.7" }]);
    expect(await listenAddresses("localhost", undefined, OWN)).toEqual([
      { ip: expect.stringMatching(/^(127\.0\.0\.1|::1)$/) },
    ]);
  });

  it("are all of the machine, one by one, where one stands for them", async () => {
    const addresses = async (host: string) =>
      (await listenAddresses(host, undefined, OWN)).map(({ ip }) => ip);
    expect(await addresses("0.0.0.0")).toEqual(["127.0.0.1", "192.0.2.7"]);
    expect(await addresses("::")).toEqual(OWN);
  });

  it("are told as what they are announced as", async () => {
    const announced = "media.example";
    expect(await listenAddresses("0.0.0.0", announced, OWN)).toEqual([{ ip: "0.0.0.0", announced }]);
  });
});
