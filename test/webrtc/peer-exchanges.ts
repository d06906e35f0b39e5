/** Requests of an agent about WebRTC peers, in exchanges of a connection of its own by QUIC. */
import { ControlChannel } from "../../agent/control.ts";
import type { AgentIdentity } from "../../agent/identity.ts";
import { meetServer } from "../../agent/meeting-server.ts";
import { nodePlatform } from "../../agent/node.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import type { Signer } from "../../codecs/signer.ts";
import { systemClock } from "../../platform/node/clock.ts";
import type { Connection } from "../../sfu/carrier.ts";
import { webTransportCarrier } from "../../transports/webtransport/client.ts";
import type { ForeignPeer } from "./foreign-peer.ts";

export interface ServerAddress {
  readonly url: string;
  /** Hex. */
  readonly certificateHash: string;
  /** Who it has to be. Default: whoever answers. */
  readonly agentId?: string;
}

export class PeerExchanges {
  readonly #connection: Connection;
  readonly #control: ControlChannel;

  private constructor(connection: Connection, control: ControlChannel) {
    this.#connection = connection;
    this.#control = control;
  }

  static async connect(server: ServerAddress, identity: AgentIdentity<Signer>): Promise<PeerExchanges> {
    const { agentId, certificateHash, url } = server;
    const platform = { ...nodePlatform(), carrier: webTransportCarrier({ clock: systemClock }) };
    const certificateHashes = [Buffer.from(certificateHash, "hex")];
    const connection = await platform.carrier.connect(url, { certificateHashes }, () => SILENT_HANDLERS);
    const control = new ControlChannel({
      ...{ connection, identity, clock: systemClock, wall: () => Date.now() },
      ...{ random: platform.random, verifier: platform.verifier },
    });
    control.trust(await meetServer(control, platform, agentId));
    return new PeerExchanges(connection, control);
  }

  /** Has a peer opened, answers its offer, and resolves with its name once it is connected. */
  async open(token: string, peer: ForeignPeer, wishes: JsonObject = {}): Promise<string> {
    const { id, offer } = await this.offered(token, wishes);
    await this.adjust(token, id, { sdp: await peer.answer(offer) });
    await peer.connected();
    return id;
  }

  async offered(token: string, wishes: JsonObject): Promise<{ readonly id: string; readonly offer: string }> {
    const parameters = { audio: "sendrecv", video: "none", data: true, ...wishes };
    const request = { method: "OPEN", path: "/webrtc", parameters, token, prove: true, timeout: 30_000 };
    const { result } = await this.#control.request(request);
    return { id: String(result.peer_id), offer: String(result.sdp) };
  }

  async adjust(token: string, id: string, parameters: JsonObject): Promise<JsonObject> {
    const path = `/webrtc/${id}`;
    return (await this.#control.request({ method: "ADJUST", path, parameters, token, prove: true })).result;
  }

  async close(token: string, id: string): Promise<void> {
    await this.#control.request({ method: "CLOSE", path: `/webrtc/${id}`, token, prove: true });
  }

  disconnect(): void {
    this.#connection.close(0, "done");
  }
}

const SILENT_HANDLERS = { datagram() {}, stream() {}, exchange() {}, closed() {} };
