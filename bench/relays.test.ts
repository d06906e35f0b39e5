import { type ChildProcess, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { createInterface, type Interface } from "node:readline";
import { fileURLToPath } from "node:url";
import { afterEach, expect, test } from "vitest";
import { loadBinding } from "../transports/webtransport/binding.ts";

const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill("SIGKILL");
});

/** A relay in a process of its own: its first line, and a way to ask for its figures. */
async function relay(script: string) {
  const path = fileURLToPath(new URL(script, import.meta.url));
  const child = spawn(process.execPath, [path], { stdio: ["pipe", "pipe", "inherit"] });
  children.push(child);
  const output: Interface = createInterface({ input: child.stdout });
  const line = async (): Promise<Record<string, unknown>> =>
    JSON.parse(String((await once(output, "line"))[0]));
  const first = (await line()) as { address: string; certificateHash?: string };
  const stats = (by: "signal" | "line"): Promise<Record<string, unknown>> => {
    const answer = line();
    if (by === "signal") child.kill("SIGUSR2");
    else child.stdin.write("stats\n");
    return answer;
  };
  return { child, first, stats };
}

const figures = (received: number, sent: number, dropped: number) => ({
  cpu: { user: expect.any(Number), system: expect.any(Number) },
  rss: expect.any(Number),
  uptime: expect.any(Number),
  received,
  sent,
  dropped,
});

test("the UDP relay carries datagrams between the sides of a pair and counts them", async () => {
  const { child, first, stats } = await relay("./relay-udp.ts");
  const port = Number(first.address.split(":")[1]);
  const side = async (pair: number, which: number) => {
    const socket = createSocket("udp4");
    const registration = Buffer.from("PAIR\0\0\0\0");
    registration.writeUInt32BE(pair * 2 + which, 4);
    socket.send(registration, port, "127.0.0.1");
    expect((await once(socket, "message"))[0]).toEqual(registration);
    return socket;
  };
  const [a, b, lonely] = [await side(7, 0), await side(7, 1), await side(8, 0)];
  a.send("hello", port, "127.0.0.1");
  expect(String((await once(b, "message"))[0])).toBe("hello");
  b.send("back", port, "127.0.0.1");
  expect(String((await once(a, "message"))[0])).toBe("back");
  await new Promise((resolve) => lonely.send("nobody", port, "127.0.0.1", resolve));
  for (const socket of [a, b, lonely]) socket.close();
  let counted = await stats("line");
  while (counted.dropped === 0) counted = await stats("signal");
  expect(counted).toEqual(figures(3, 2, 1));
  child.stdin?.end();
  expect((await once(child, "exit"))[0]).toBe(0);
});

test("the bare QUIC relay carries datagrams between the sides of a pair and counts them", async () => {
  const { child, first, stats } = await relay("./relay-bare.ts");
  const client = loadBinding().NapiClient.withCertificateHashes([
    Buffer.from(first.certificateHash ?? "", "hex"),
  ]);
  const side = (query: string) => client.connect(`https://${first.address}/agtp?${query}`);
  const [a, b, lonely] = await Promise.all([
    side("pair=7&side=a"),
    side("pair=7&side=b"),
    side("pair=8&side=a"),
  ]);
  // A connection stands for the client before the relay knows its side: what comes in between is dropped.
  const carried = async (from: typeof a, to: typeof a, text: string): Promise<void> => {
    const sending = setInterval(() => from?.sendDatagram(Buffer.from(text)), 50);
    expect(String(await to?.recvDatagram())).toBe(text);
    clearInterval(sending);
  };
  await carried(a, b, "hello");
  await carried(b, a, "back");
  lonely?.sendDatagram(Buffer.from("nobody"));
  type Counted = { readonly received: number; readonly sent: number; readonly dropped: number };
  let counted = (await stats("line")) as unknown as Counted;
  while (counted.dropped === 0) counted = (await stats("signal")) as unknown as Counted;
  const { received, sent, dropped } = counted;
  expect(counted).toEqual(figures(sent + dropped, sent, dropped));
  expect(received).toBeGreaterThanOrEqual(3);
  expect(sent).toBeGreaterThanOrEqual(2);
  child.kill("SIGTERM");
  expect((await once(child, "exit"))[0]).toBe(0);
});
