import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";

/** Bytes that the token bucket lets go at once: a few packets. */
const BURST = "4kb";

/**
 * A network namespace behind a bottleneck of the kernel's (`tbf`): what is sent to {@link address} goes through it to a forwarder there,
 * which sends it back to this side without one. Linux, as root; there is no more of it after `close`.
 */
export interface ShapedNamespace {
  /** Address of this side, where the server is. */
  readonly near: string;
  /** `host:port` of the forwarder. */
  readonly address: string;
  /** Bits a second from now on. */
  change(rate: number): void;
  close(): void;
}

/** Whether such a namespace can be made here, and why not. */
export function missingForNamespaces(): string | undefined {
  if (process.platform !== "linux") return "namespaces with tbf are Linux'";
  if (process.getuid?.() !== 0) return "making a namespace takes root";
  try {
    execFileSync("tc", ["-V"], { stdio: "ignore" });
    execFileSync("ip", ["-V"], { stdio: "ignore" });
    return undefined;
  } catch {
    return "the programs ip and tc are missing";
  }
}

/** Makes one that leads to `port` of this side; `queue`: milliseconds that its bottleneck holds. */
export async function shapedNamespace(port: number, rate: number, queue: number): Promise<ShapedNamespace> {
  const name = `parley-bench-${process.pid}`;
  const [outside, inside] = [`pb${process.pid}o`.slice(-15), `pb${process.pid}i`.slice(-15)];
  const [near, far] = ["10.213.7.1", "10.213.7.2"];
  const run = (command: string, ...args: readonly string[]): void => {
    execFileSync(command, args, { stdio: ["ignore", "ignore", "pipe"] });
  };
  const within = (...args: readonly string[]): void => run("ip", "netns", "exec", name, ...args);
  const shape = (how: "add" | "change", bits: number): void =>
    run(
      ...(["tc", "qdisc", how, "dev", outside, "root", "tbf"] as const),
      ...["rate", `${Math.round(bits)}bit`, "burst", BURST, "latency", `${queue}ms`],
    );
  run("ip", "netns", "add", name);
  // Also where this process ends before it closes it.
  const remove = (): void => {
    process.removeListener("exit", remove);
    run("ip", "netns", "del", name);
  };
  process.on("exit", remove);
  try {
    run("ip", "link", "add", outside, "type", "veth", "peer", "name", inside);
    run("ip", "link", "set", inside, "netns", name);
    run("ip", "addr", "add", `${near}/30`, "dev", outside);
    run("ip", "link", "set", outside, "up");
    within("ip", "addr", "add", `${far}/30`, "dev", inside);
    within("ip", "link", "set", inside, "up");
    shape("add", rate);
    const forwarder = spawn(
      "ip",
      ["netns", "exec", name, process.execPath, "-e", FORWARDER, far, near, String(port)],
      { stdio: ["pipe", "pipe", "inherit"] },
    );
    const [told] = (await Promise.race([
      once(forwarder.stdout, "data"),
      once(forwarder, "close").then(() => Promise.reject(new Error("the forwarder ended"))),
    ])) as [Buffer];
    return {
      near,
      address: `${far}:${told.toString().trim()}`,
      change: (bits) => shape("change", bits),
      close: () => {
        forwarder.stdin.end();
        remove();
      },
    };
  } catch (error) {
    remove();
    throw error;
  }
}

/** Program of the forwarder: its own address, the server's, the server's port. Ends with its standard input. */
const FORWARDER = `
const { createSocket } = require("node:dgram");
const [own, server, port] = process.argv.slice(1);
const [front, back] = [createSocket("udp4"), createSocket("udp4")];
let client;
front.on("message", (packet, from) => { client = from; back.send(packet, Number(port), server); });
back.on("message", (packet) => { if (client) front.send(packet, client.port, client.address); });
front.bind(0, own, () => console.log(front.address().port));
process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
`;
