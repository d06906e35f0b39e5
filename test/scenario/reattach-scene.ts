/** A call between agents that come and go: each process speaks the wire itself, to a whole server with its relay, over any carrier. */
import type { AgentIdentity } from "../../agent/identity.ts";
import { newIdentity } from "../../agent/new-identity.ts";
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { buildFrame, FrameSigningContext, FrameView, parseFrame, signFrame } from "../../codecs/frame.ts";
import { decodeHex } from "../../codecs/hex.ts";
import { MessageReader } from "../../codecs/message-reader.ts";
import { unixMsToNtp } from "../../codecs/ntp.ts";
import type { Signer } from "../../codecs/signer.ts";
import { encodeVarint, varintLength } from "../../codecs/varint.ts";
import { createSigner, random, verifier } from "../../platform/node/sodium.ts";
import { CLOSE_CODES, type Connection, type ConnectionHandlers, type MediaDoor } from "../../sfu/carrier.ts";
import { makeMediaKey } from "../../signaling/media-key.ts";
import type { OfferPayload } from "../../signaling/offer.ts";
import { placeCall, type Way } from "../exchanges/ground.ts";
import { type Conversation, type Request, Voice } from "../exchanges/voice.ts";
import { bodyOf, resultOf, type WireAnswer } from "../exchanges/wire.ts";
import { must } from "../signed-call.ts";

/** What became of a request: its result, or the code of its refusal with what it says besides. */
export interface Outcome {
  readonly status: number;
  readonly result: JsonObject;
  readonly code: string | undefined;
  readonly details: JsonObject;
}

/** One stream as an end is told of it. */
interface StreamEntry extends JsonObject {
  readonly direction: string;
  readonly flow: number;
  readonly ssrc: number;
  readonly payload_type: number;
}

/** A frame to send; what is left out is as it should be. */
export interface FrameChoice {
  readonly sequence: number;
  readonly generation?: number;
  readonly signer?: Signer;
  readonly epoch?: number;
  /** By the clock of the process, Unix milliseconds; default now. */
  readonly captured?: number;
}

/** One process of an agent on one connection. */
export class Process {
  readonly scene: ReattachScene;
  readonly leg: 0 | 1;
  /** Sequence numbers of the frames that came here, in order. */
  readonly heard: number[] = [];
  streams: readonly StreamEntry[] = [];
  inbox!: Conversation;
  /** Events its inbox was told, read on by {@link event}. */
  readonly told: JsonObject[] = [];

  /** Take what comes on its connections. */
  readonly handlers: ConnectionHandlers = {
    ...{ stream() {}, exchange() {}, closed() {} },
    datagram: (bytes) => {
      const view = new FrameView();
      const isFrame = parseFrame(bytes, varintLength(bytes[0] ?? 0), view) === undefined;
      if (isFrame) this.heard.push(view.sequence);
    },
  };
  voice!: Voice;
  #media: Connection | undefined;

  constructor(scene: ReattachScene, leg: 0 | 1) {
    this.scene = scene;
    this.leg = leg;
  }

  async ask(request: Request): Promise<Outcome> {
    return await this.scene.during(
      this.voice.say(request).then(async (conversation) => outcomeOf(await conversation.one())),
    );
  }

  /** SUBSCRIBE of the agent's inbox. */
  async subscribe(): Promise<void> {
    const line = `AGTP/1.0 SUBSCRIBE /agents/${this.voice.id}/inbox`;
    this.inbox = await this.scene.during(this.voice.say({ line, proof: true }));
    this.told.push(resultOf(await this.scene.during(this.inbox.one())));
  }

  /** The next event of that name in its inbox. */
  async event(name: string): Promise<JsonObject> {
    const reading = async () => {
      for (;;) {
        const event = resultOf(await this.inbox.one());
        this.told.push(event);
        if (event.event === name) return event;
      }
    };
    return await this.scene.during(reading());
  }

  /** OPEN of the call's media on this connection. */
  async open(attachSeq: number, more: JsonObject = {}): Promise<Outcome> {
    const line = `AGTP/1.0 OPEN /sessions/${this.scene.sessionId}/media`;
    const request = { line, parameters: { attach_seq: attachSeq, ...more }, proof: true } as const;
    const door = this.voice.connection.media;
    const outcome = await (door === undefined ? this.ask(request) : this.#openAnother(door, request));
    if (outcome.code === undefined) this.streams = outcome.result.streams as unknown as StreamEntry[];
    return outcome;
  }

  /** Where requests and media have connections of their own. */
  async #openAnother(door: MediaDoor, request: Request): Promise<Outcome> {
    const message = async (binding: Uint8Array) => {
      const reader = new MessageReader("request");
      reader.push(this.voice.octets(request, binding));
      const read = reader.next();
      if (read === undefined) throw new Error("that is no request");
      return read;
    };
    const { answer, connection } = await this.scene.during(door.open(message, () => this.handlers));
    this.#media = connection;
    return outcomeOf(answer);
  }

  /** A request about the call, without further ado. */
  async about(method: string, parameters: JsonObject = {}, tail = ""): Promise<Outcome> {
    return await this.ask({
      line: `AGTP/1.0 ${method} /sessions/${this.scene.sessionId}${tail}`,
      parameters,
    });
  }

  stream(direction: "send" | "receive"): StreamEntry {
    const entry = this.streams.find((stream) => stream.direction === direction);
    if (entry === undefined) throw new Error(`there is no stream to ${direction}`);
    return entry;
  }

  /** A frame of this end, signed now, on this process's flow. */
  frame({
    sequence,
    generation = 0,
    signer = this.voice.media,
    epoch = 0,
    captured = this.voice.now,
  }: FrameChoice): Uint8Array {
    const { ssrc, payload_type: payloadType } = this.stream("send");
    const capture = unixMsToNtp(captured);
    const packet = buildFrame({
      ...{ profile: "frame", keyGeneration: generation, sequence, ssrc, payloadType, epoch },
      ...{ captureSeconds: capture.seconds, captureFraction: capture.fraction, timestamp: sequence * 960 },
      payload: new Uint8Array(40).fill(7),
    });
    signFrame(new FrameSigningContext(this.scene.digest, this.leg, 0), packet, signer);
    return packet;
  }

  /** Sends packets on this process's flow, or another one, and lets them arrive. */
  async send(packets: readonly Uint8Array[], flow = this.stream("send").flow): Promise<void> {
    for (const packet of packets) {
      (this.#media ?? this.voice.connection).sendDatagram(Buffer.concat([encodeVarint(flow), packet]));
    }
    await this.scene.pass(200);
  }

  /** The process dies: to the server its connection is lost, not left. */
  async crash(): Promise<void> {
    for (const connection of [this.#media, this.voice.connection]) {
      connection?.close(CLOSE_CODES.livenessTimeout, "it broke");
    }
    await this.scene.pass(300);
  }

  /** The process closes its connection. */
  async leave(): Promise<void> {
    this.voice.connection.close(0, "bye");
    await this.scene.pass(300);
  }
}

export class ReattachScene {
  readonly way: Way;
  /** Lets time go by. */
  readonly pass: (ms: number) => Promise<void>;
  readonly #identities = new Map<string, AgentIdentity<Signer>>();
  alice!: Process;
  bob!: Process;
  sessionId = "";
  offerId = "";
  digest: Uint8Array = new Uint8Array(32);

  private constructor(way: Way, pass: ReattachScene["pass"]) {
    this.way = way;
    this.pass = pass;
  }

  /** A call that is up, between Alice and Bob, each with an inbox beside the connection of the call. */
  static async lay(
    way: Way,
    pass: ReattachScene["pass"],
    session: OfferPayload["session"] = { model: "persistent", ttl: 3_600 },
  ): Promise<ReattachScene> {
    const scene = new ReattachScene(way, pass);
    scene.alice = await scene.process("alice");
    scene.bob = await scene.process("bob");
    await scene.bob.subscribe();
    const { alice, bob } = scene;
    const call = await scene.during(placeCall(alice.voice, bob.voice, bob.inbox, session));
    scene.sessionId = call.sessionId;
    scene.offerId = call.offerId;
    const established = resultOf(call.established.at(-1) as WireAnswer);
    alice.streams = established.streams as unknown as StreamEntry[];
    bob.streams = resultOf(call.confirmed).streams as unknown as StreamEntry[];
    const [, witness = ""] = String(established.core).split(".");
    scene.digest = must(decodeHex(JSON.parse(Buffer.from(witness, "base64url").toString()).core_digest));
    return scene;
  }

  async during<Value>(promise: Promise<Value>): Promise<Value> {
    return await this.way.during(promise);
  }

  /** A further process of Alice or Bob, which knows the identity key and nothing else. `way`: another carrier to the same server. */
  async process(name: "alice" | "bob" | "mallory", way: Way = this.way): Promise<Process> {
    const made = new Process(this, name === "alice" ? 0 : 1);
    const connection = await this.during(way.connect(made.handlers));
    made.voice = new Voice(connection, this.#identity(name), way);
    await this.during(made.voice.introduceItself());
    return made;
  }

  /** A media key of that generation for this call, certified by the identity key of the process. */
  mediaKey(
    process: Process,
    generation: number,
    signer: Signer,
    certifier = process.voice.identity.signer,
  ): string {
    return makeMediaKey(
      {
        ...{ agentId: process.voice.id, offerId: this.offerId, ed25519: signer.publicKey, generation },
        x25519: new Uint8Array(32).fill(0x21),
        notBefore: process.voice.now - 60_000,
        notAfter: process.voice.now + 3_600_000,
      },
      certifier,
    );
  }

  /** What the relay counted of one end's frames. */
  async counters(asker: Process, leg: 0 | 1): Promise<JsonObject> {
    const { result } = await asker.about("QUERY");
    return (result.counters as JsonObject[]).find((flow) => flow.leg === leg) ?? {};
  }

  #identity(name: string): AgentIdentity<Signer> {
    const known = this.#identities.get(name);
    if (known !== undefined) return known;
    const issuer = { name: "registrar.test", signer: createSigner(random(32)) };
    const made = newIdentity({ name }, createSigner(random(32)), issuer, this.way.wall() - 60_000, verifier);
    this.#identities.set(name, made);
    return made;
  }
}

function outcomeOf(answer: Pick<WireAnswer, "status" | "body">): Outcome {
  const { result = {}, error = {} } = bodyOf(answer as WireAnswer) as {
    readonly result?: JsonObject;
    readonly error?: JsonObject;
  };
  const code = error.code === undefined ? undefined : String(error.code);
  return { status: answer.status, result, code, details: (error.details ?? {}) as JsonObject };
}
