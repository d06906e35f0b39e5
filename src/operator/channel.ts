import { type ControlAnswer, ControlChannel, type ControlRequest } from "../../agent/control.ts";
import type { AgentIdentity } from "../../agent/identity.ts";
import { meetServer } from "../../agent/meeting-server.ts";
import type { AgentPlatform } from "../../agent/platform.ts";
import { CLOSE_CODES, type Connection } from "../../sfu/carrier.ts";

/** Proved requests to one server, without an inbox or calls. */
export interface Channel {
  /** The key that the server's records are signed with, raw; its Genesis hashes to its Agent-ID. */
  readonly serverKey: Uint8Array;
  readonly serverId: string;
  /** Sends a request with a proof and returns its one answer. Throws the refusal as `ParleyError`. */
  ask(request: Omit<ControlRequest, "prove">): Promise<ControlAnswer>;
  close(): void;
}

/** Where a channel leads, and as whom. */
export interface ChannelOptions {
  readonly identity: AgentIdentity;
  readonly url: string;
  readonly certificateHashes?: readonly Uint8Array[] | undefined;
  /** Agent-ID the server must have. */
  readonly serverId?: string | undefined;
}

/** Connects without coming online. Throws what connecting throws, and `peer-untrusted` where the server is another than expected. */
export async function openChannel(platform: AgentPlatform, options: ChannelOptions): Promise<Channel> {
  const { identity, url, certificateHashes, serverId } = options;
  const connection: Connection = await platform.carrier.connect(
    url,
    certificateHashes === undefined ? {} : { certificateHashes },
    () => ({ datagram() {}, stream() {}, exchange() {}, closed() {} }),
  );
  const close = () => connection.close(CLOSE_CODES.normal, "");
  try {
    const control = new ControlChannel({
      connection,
      identity,
      clock: platform.clock,
      wall: () => platform.clock.wall(),
      random: (length) => platform.random(length),
      verifier: platform.verifier,
    });
    const server = await meetServer(control, platform, serverId);
    control.trust(server);
    return {
      serverKey: server.key,
      serverId: server.agentId,
      ask: (request) => control.request({ ...request, prove: true }),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
