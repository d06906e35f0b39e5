/** What programs of other makers write on a TLS connection, octet by octet, and what the server makes of it. */
import { connect as connectPlain } from "node:net";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { realServer } from "../exchanges/ways.ts";
import { bodyOf, headerOf, resultOf, type WireAnswer } from "../exchanges/wire.ts";
import { ForeignSocket } from "../foreign/foreign-socket.ts";
import { within } from "../waiting.ts";

const AGENT = "2e43ad80b98d79550e4a18a365efb0a532d5069d3d83d1a81969d2265c7d33eb";

let server: Awaited<ReturnType<typeof realServer>>;
beforeAll(async () => {
  server = await realServer();
});
afterAll(() => server.stop());

async function dial(alpn?: readonly string[], more: object = {}): Promise<ForeignSocket> {
  const fingerprint = server.certificateHash;
  const socket = await ForeignSocket.open(server.port, { fingerprint, ...more, ...(alpn && { alpn }) });
  onTestFinished(() => socket.leave());
  return socket;
}

/** A header block. */
function block(...lines: readonly string[]): string {
  return `${lines.join("\r\n")}\r\n\r\n`;
}

/** Answers to octets, one after the other, on a connection of their own without ALPN. */
async function answersTo(octets: string, count = 1): Promise<WireAnswer[]> {
  const socket = await dial();
  await socket.write(octets);
  const answers: WireAnswer[] = [];
  for (let left = count; left > 0; left -= 1) answers.push(await socket.answer());
  return answers;
}

function codeOf(answer: WireAnswer): string {
  const { code } = { ...(bodyOf(answer).error as object | undefined) } as { readonly code?: string };
  return `${answer.version} ${answer.status} ${code}`;
}

function requestIds(answers: readonly WireAnswer[]): (string | undefined)[] {
  return answers.map(({ headers }) => headerOf(headers, "Request-ID"));
}

describe("the port", () => {
  it("speaks AGTP to who offers agtp, who offers it among others, and who offers nothing", async () => {
    for (const alpn of [["agtp"], ["h2", "agtp"], ["agtp", "http/1.1"], undefined]) {
      const socket = await dial(alpn);
      expect(socket.alpn).toBe(alpn === undefined ? false : "agtp");
      await socket.write(block("AGTP/1.0 DESCRIBE /"));
      expect((await socket.answer()).status).toBe(200);
    }
  });

  it("speaks HTTP to who offers http/1.1, and to who offers nothing and begins like HTTP", async () => {
    for (const alpn of [["http/1.1"], undefined]) {
      const socket = await dial(alpn);
      await socket.write(block("GET /agtp HTTP/1.1", `Host: 127.0.0.1:${server.port}`, "Connection: close"));
      await expect(socket.answer()).rejects.toThrow("not the start of an answer: HTTP/1.1 426");
    }
  });

  it("refuses who offers other protocols alone, TLS 1.2, and plain text", async () => {
    await expect(dial(["h2"])).rejects.toThrow();
    await expect(dial(["agtp"], { maxVersion: "TLSv1.2" })).rejects.toThrow();
    const plain = connectPlain(server.port, "127.0.0.1");
    let received = "";
    plain.on("data", (bytes) => {
      received += bytes.toString("latin1");
    });
    plain.on("error", () => {});
    plain.write(block("AGTP/1.0 DISCOVER /"));
    await within(
      "the end of plain text",
      new Promise<void>((resolve) => plain.once("close", () => resolve())),
    );
    expect(received).not.toContain("AGTP");
  });
});

describe("a request", () => {
  it("as the reference client writes it: two tokens, Accept, Host, the length last", async () => {
    const [answer] = (await answersTo(
      block(
        "AGTP/1.0 DESCRIBE",
        "Accept: application/json",
        "Host: media.example",
        `Agent-ID: ${AGENT}`,
        "X-Trace: 7",
        "Content-Length: 0",
      ),
    )) as [WireAnswer];
    expect(answer.version).toBe("AGTP/1.0");
    expect(resultOf(answer)).toMatchObject({ version: "1.0" });
    expect(headerOf(answer.headers, "Agent-ID")).toBe(AGENT);
    expect(answer.headers.filter(([name]) => /^(?:host|accept|x-)/i.test(name))).toEqual([]);
  });

  it("as the reference client establishes, with a flat body: it is told what is missing", async () => {
    const body = '{"session_model":"bounded","session_ttl":600}';
    const [answer] = (await answersTo(
      block(
        "AGTP/1.0 ESTABLISH /sessions",
        "Accept: application/json",
        "Host: 127.0.0.1",
        `Agent-ID: ${AGENT}`,
        "Content-Type: application/vnd.agtp+json",
        "Authority-Scope: communication:audio:capture, communication:audio:transmit",
        "Session-Intent: communication",
        "Communication-Modalities: audio",
        "Audio-Codecs: opus, g722",
        "Request-ID: 0198c1f2-7c1e-7a55-9d11-0242ac120002",
        `Content-Length: ${body.length}`,
      ) + body,
    )) as [WireAnswer];
    expect(codeOf(answer)).toBe("AGTP/1.0 401 proof-required");
    expect(requestIds([answer])).toEqual(["0198c1f2-7c1e-7a55-9d11-0242ac120002"]);
    expect(headerOf(answer.headers, "Session-ID")).toBeUndefined();
  });

  it("as the draft's own example establishes: version last, no length, no body", async () => {
    const [answer] = (await answersTo(
      block(
        "ESTABLISH /sessions HTTP/AGTP/1.0",
        `Agent-ID: ${AGENT}`,
        "Authority-Scope: communication:bilateral",
        "Session-Intent: communication",
        "Communication-Modalities: audio, video",
        "Audio-Codecs: opus, g722",
        "Video-Codecs: vp9, av1",
        "Content-Type: application/agtp+json",
      ),
    )) as [WireAnswer];
    expect(codeOf(answer)).toBe("HTTP/AGTP/1.0 401 proof-required");
    expect(headerOf(answer.headers, "Content-Type")).toBe("application/agtp+json");
    expect(headerOf(answer.headers, "Agent-ID")).toBe(AGENT);
  });

  it("with headers that are reserved, private, or of another protocol: they change nothing", async () => {
    const [answer] = (await answersTo(
      block(
        "AGTP/1.0 DESCRIBE /",
        "Principal-ID: somebody",
        "Server-Agent-ID: somebody else",
        "Priority: critical",
        "TTL: 1",
        "AGTP-Zone-ID: zone:elsewhere",
        "Budget-Limit: calls=0",
        "X-AGTP-Target-Agent: nobody",
        "Host: evil.example",
        "Connection: close",
        "Expect: 100-continue",
      ),
    )) as [WireAnswer];
    expect(resultOf(answer)).toMatchObject({ version: "1.0" });
    const names = answer.headers.map(([name]) => name.toLowerCase());
    for (const name of ["principal-id", "server-agent-id", "host"]) expect(names).not.toContain(name);
  });

  it("with retired headers that say the start line again: it is refused, and the next one is not", async () => {
    const retired = ["AGTP-Version: 1.0", "AGTP-Method: TERMINATE", "AGTP-Status: 500"];
    const answers = await answersTo(
      [...retired.map((line) => block("AGTP/1.0 DESCRIBE /", line)), block("AGTP/1.0 DESCRIBE /")].join(""),
      4,
    );
    const refusal = "AGTP/1.0 400 header-retired";
    expect(answers.map(codeOf)).toEqual([refusal, refusal, refusal, "AGTP/1.0 200 undefined"]);
  });

  it("with its headers in any order and case, and blanks around values", async () => {
    const [answer] = (await answersTo(
      `${block(
        "AGTP/1.0 QUERY /clock",
        "CONTENT-LENGTH:8",
        "content-TYPE:  application/json  ",
        "rEQUEST-id:\tr 7 ",
      )}{"t0":1}`,
    )) as [WireAnswer];
    expect(resultOf(answer)).toMatchObject({ t0: 1 });
    expect(requestIds([answer])).toEqual(["r 7"]);
  });
});

describe("octets", () => {
  const clock = (number: number, body = `{"t0":${number}}`) =>
    block(
      number % 2 === 0 ? "AGTP/1.0 QUERY /clock" : "QUERY /clock AGTP/1.0",
      `Request-ID: ${number}`,
      "Content-Type: application/json",
      `Content-Length: ${body.length}`,
    ) + body;

  it("of twenty requests in one piece are answered one by one in their order", async () => {
    const numbers = Array.from({ length: 20 }, (_, number) => number);
    const answers = await answersTo(numbers.map((number) => clock(number)).join(""), 20);
    expect(requestIds(answers)).toEqual(numbers.map(String));
    expect(answers.map((answer) => resultOf(answer).t0)).toEqual(numbers);
    expect(answers.map(({ version }) => version)).toEqual(
      numbers.map((number) => (number % 2 === 0 ? "AGTP/1.0" : "HTTP/AGTP/1.0")),
    );
  });

  it("that come one by one are a request all the same", async () => {
    const socket = await dial();
    for (const octet of Buffer.from(clock(4))) await socket.write(Uint8Array.of(octet));
    expect(resultOf(await socket.answer())).toMatchObject({ t0: 4 });
  });

  it("of a request split anywhere, between two others", async () => {
    const text = clock(0) + clock(1) + clock(2);
    const socket = await dial(["agtp"]);
    for (let at = 0; at < text.length; at += 37) await socket.write(text.slice(at, at + 37));
    const answers = [await socket.answer(), await socket.answer(), await socket.answer()];
    expect(requestIds(answers)).toEqual(["0", "1", "2"]);
  });

  it("that end with the request: it is answered, then the connection ends", async () => {
    const socket = await dial();
    await socket.write(clock(6));
    socket.finish();
    expect(resultOf(await socket.answer())).toMatchObject({ t0: 6 });
    await within("the end", socket.ended);
  });

  it("that end inside a request: nothing is answered", async () => {
    for (const cut of [5, 30, clock(6).length - 1]) {
      const socket = await dial();
      await socket.write(clock(6).slice(0, cut));
      socket.finish();
      await within("the end", socket.gone);
      expect(socket.received).toBe(0);
    }
  });

  it("that are no request are refused once, and the connection ends", async () => {
    for (const [octets, refusal] of [
      [block("AGTP/2.0 DISCOVER /"), "AGTP/1.0 400 version-unsupported"],
      [block("DISCOVER /#here AGTP/1.0"), "HTTP/AGTP/1.0 400 invalid-request-line"],
      [
        block("AGTP/1.0 DISCOVER /", "Content-Length: 1", "Content-Length: 2"),
        "AGTP/1.0 400 message-malformed",
      ],
      [block("DISCOVER / HTTP/AGTP/1.0", "Content-Length: +1"), "HTTP/AGTP/1.0 400 message-malformed"],
      [block("AGTP/1.0 DISCOVER /", "Transfer-Encoding chunked"), "AGTP/1.0 400 message-malformed"],
      [block("AGTP/1.0 DISCOVER /", `X-Long: ${"x".repeat(65_536)}`), "AGTP/1.0 400 header-too-large"],
      [block("AGTP/1.0 QUERY /clock", "Content-Length: 1048577"), "AGTP/1.0 400 body-too-large"],
    ] as const) {
      const socket = await dial(["agtp"]);
      await socket.write(clock(0) + octets + clock(2));
      expect(resultOf(await socket.answer())).toMatchObject({ t0: 0 });
      expect(codeOf(await socket.answer())).toBe(refusal);
      await within("the end", socket.ended);
      await expect(socket.answer()).rejects.toThrow("ended without an answer");
    }
  });

  it("of requests that are refused leave the connection to those behind them", async () => {
    const answers = await answersTo(
      block("AGTP/1.0 FROBNICATE /", "Request-ID: a") +
        block("AGTP/1.0 QUERY /stream", "Request-ID: b") +
        block("AGTP/1.0 ESTABLISH /clock", "Request-ID: c") +
        block("AGTP/1.0 QUERY /weather", "Request-ID: d") +
        block("AGTP/1.0 QUERY /clock", "Request-ID: e") +
        clock(2),
      6,
    );
    expect(answers.map(({ status }) => status)).toEqual([459, 460, 405, 404, 422, 200]);
    expect(requestIds(answers)).toEqual(["a", "b", "c", "d", "e", "2"]);
  });
});
