import { describe, expect, it } from "vitest";
import { AGTP_PORT, isAgtpUri, parseAgtpUri } from "./agtp-uri.ts";

const ID = "2e43ad80b98d79550e4a18a365efb0a532d5069d3d83d1a81969d2265c7d33eb";
const server = (host: string, port = AGTP_PORT) => ({ host, port });

describe("parseAgtpUri reads", () => {
  it.each([
    ["form 1", `agtp://${ID}`, { kind: "agent", agentId: ID, server: undefined }],
    [
      "form 1a",
      `agtp://${ID}@media.example`,
      { kind: "agent", agentId: ID, server: server("media.example") },
    ],
    [
      "form 1a with a port",
      `agtp://${ID}@127.0.0.1:50000`,
      { kind: "agent", agentId: ID, server: server("127.0.0.1", 50_000) },
    ],
    ["form 2", "agtp://media.example:4481", { kind: "server", server: server("media.example", 4481) }],
    ["form 2 without a port", "agtp://localhost", { kind: "server", server: server("localhost") }],
    ["form 2 with IPv6", "agtp://[::1]:4480", { kind: "server", server: server("[::1]") }],
    [
      "form 2 with IPv6 and no port",
      "agtp://[2001:db8::1]",
      { kind: "server", server: server("[2001:db8::1]") },
    ],
    ["form 2a", "agtp://example.com", { kind: "server", server: server("example.com") }],
    ["a bare slash as nothing", "agtp://example.com/", { kind: "server", server: server("example.com") }],
    [
      "scheme and host in capitals",
      "AGTP://Media.EXAMPLE",
      { kind: "server", server: server("media.example") },
    ],
    [
      "form 3",
      "agtp://example.com/agents/reader",
      { kind: "name", server: server("example.com"), domain: "example.com", name: "reader" },
    ],
    [
      "form 4",
      "agtp://agtp.example.com/agents/reader",
      { kind: "name", server: server("agtp.example.com"), domain: "example.com", name: "reader" },
    ],
    [
      "a name with encoded characters",
      "agtp://example.com/agents/Ada%20L%C3%B6w",
      { kind: "name", server: server("example.com"), domain: "example.com", name: "Ada Löw" },
    ],
    [
      "an Agent-ID in the place of a name as the canonical ID that it is",
      `agtp://example.com/agents/${ID}`,
      { kind: "agent", agentId: ID, server: server("example.com") },
    ],
  ])("%s", (_form, text, value) => {
    expect(parseAgtpUri(text)).toEqual({ ok: true, value });
    expect(isAgtpUri(text)).toBe(true);
  });
});

describe("parseAgtpUri refuses", () => {
  it.each([
    ["another scheme", `https://${ID}`, "scheme"],
    ["no slashes", `agtp:${ID}`, "scheme"],
    ["nothing", "agtp://", "host"],
    ["a query", "agtp://example.com?x=1", "query"],
    ["a fragment", "agtp://example.com/agents/reader#x", "query"],
    ["a user who is no Agent-ID", "agtp://ada@example.com", "agent id"],
    ["an Agent-ID in capitals", `agtp://${ID.toUpperCase()}`, "agent id"],
    ["a short Agent-ID", `agtp://${ID.slice(1)}@example.com`, "agent id"],
    ["an Agent-ID at nowhere", `agtp://${ID}@`, "host"],
    ["an Agent-ID with a port and no host", `agtp://${ID}:4480`, "host"],
    ["an Agent-ID with a path", `agtp://${ID}@example.com/agents/reader`, "path"],
    ["a port with a name, form 3", "agtp://example.com:4480/agents/reader", "port"],
    ["a port with a name, form 4", "agtp://agtp.example.com:4480/agents/reader", "port"],
    ["a name at an address", "agtp://127.0.0.1/agents/reader", "host"],
    ["port 0", "agtp://example.com:0", "port"],
    ["a port too large", "agtp://example.com:65536", "port"],
    ["an empty port", "agtp://example.com:", "port"],
    ["a port that is none", "agtp://example.com:44a", "port"],
    ["a port with zeros before it", "agtp://example.com:04480", "port"],
    ["another path", "agtp://example.com/sessions/1", "path"],
    ["no name", "agtp://example.com/agents/", "path"],
    ["more than a name", "agtp://example.com/agents/reader/status", "path"],
    ["a file suffix", "agtp://example.com/agents/reader.agent", "name"],
    ["a slash in a name", "agtp://example.com/agents/a%2Fb", "name"],
    ["a control character in a name", "agtp://example.com/agents/a%0Ab", "name"],
    ["broken encoding in a name", "agtp://example.com/agents/a%F", "name"],
    ["an Agent-ID in capitals for a name", `agtp://example.com/agents/${ID.toUpperCase()}`, "name"],
    ["an address that is none", "agtp://127.0.0.256", "host"],
    ["an address in octal", "agtp://127.0.0.01", "host"],
    ["an address in hexadecimal", "agtp://0X7f000001", "host"],
    ["a number too large for an address", "agtp://0xa0a0a0a0a0", "host"],
    ["an empty label", "agtp://example..com", "host"],
    ["a blank", "agtp://exam ple.com", "host"],
    ["brackets without an address", "agtp://[]", "host"],
    ["brackets around what is no address", "agtp://[1::2::3]:4480", "host"],
    ["a text without end", `agtp://${"a.".repeat(2_000)}`, "length"],
  ])("%s", (_what, text, at) => {
    expect(parseAgtpUri(text)).toMatchObject({ ok: false, fault: { code: "uri-invalid", at } });
  });
});
