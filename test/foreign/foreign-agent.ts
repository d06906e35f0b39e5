/**
 * An agent of somebody else's making: keys, canonical JSON and signatures by `node:crypto` and nothing of this package, from what the
 * pages on the wire say.
 */
import {
  createHash,
  type createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  randomUUID,
  sign,
  verify,
} from "node:crypto";

/** JSON of any shape. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [member: string]: Json };
export type JsonMembers = { readonly [member: string]: Json };

/** What a request's proof is tied to. */
export type Tie = { readonly cb: string } | { readonly nonce: string };

/** What of an offer its answer repeats. */
interface Offered {
  readonly caller: string;
  readonly offer_id: string;
  readonly streams: readonly [
    {
      readonly stream: number;
      readonly codecs: readonly [{ readonly name: string; readonly frame_ms: readonly [number] }];
    },
  ];
}

export class ForeignAgent {
  readonly id: string;
  readonly genesis: string;
  readonly identityDocument: string;
  readonly #key = generateKeyPairSync("ed25519").privateKey;
  readonly #media = generateKeyPairSync("ed25519").privateKey;
  readonly #exchange = generateKeyPairSync("x25519").privateKey;

  /** `keys`: how its Genesis writes keys, as raw octets or, as an older client does, in PEM. */
  constructor(name: string, keys: "raw" | "pem" = "raw") {
    const written = keys === "raw" ? rawOf(this.#key) : pemOf(this.#key);
    const about = {
      name,
      owner_id: "acme.test",
      principal_id: "acme.test",
      trust_tier: 2,
      verification_path: "self-signed",
      issued_at: utc(-3_600),
      issuer: "acme.test",
    };
    const genesis = {
      ...about,
      agtp_genesis_version: "agtp-genesis/1",
      archetype: "assistant",
      governance_zone: "zone:test",
      scope: SCOPE,
      issuer_public_key: written,
      agent_public_key: written,
    };
    this.id = sha256(canonical(genesis));
    this.genesis = canonical({ ...genesis, signature: this.#signed(canonical(genesis)) });
    const document = {
      ...about,
      agtp_version: "1.0",
      document_type: "agtp-identity",
      document_version: "1",
      agent_id: this.id,
      description: "",
      principal: "Acme",
      updated_at: utc(-3_600),
      status: "active",
      methods: ["ESTABLISH", "CONFIRM"],
      capabilities: ["voice"],
      scopes_accepted: SCOPE,
      trust_score: 0,
      trust_score_computed_at: utc(-3_600),
    };
    this.identityDocument = canonical({ ...document, manifest_signature: this.#signed(canonical(document)) });
  }

  /** The parameters of a request with a proof over them; documents go along, for open registration. */
  prove(
    request: { readonly method: string; readonly path: string; readonly origin: string },
    tie: Tie,
    parameters: JsonMembers = {},
  ): JsonMembers {
    const brought = { ...parameters, genesis: this.genesis, identity_document: this.identityDocument };
    const iat = seconds();
    const proof = this.jws("agtp-proof+jwt", {
      agent_id: this.id,
      method: request.method,
      path: request.path,
      body_sha256: sha256(canonical(brought)),
      jti: randomUUID(),
      ...tie,
      aud: request.origin,
      iat,
      exp: iat + 60,
    });
    return { ...brought, proof };
  }

  /** A signed offer of one voice stream. */
  offer(callee: string, offerId: string): string {
    const iat = seconds();
    return this.jws("parley-offer+jwt", {
      v: 1,
      offer_id: offerId,
      caller: this.id,
      callee,
      media_key: this.#mediaKey(offerId),
      session: { model: "bounded", ttl: 600 },
      scope: SCOPE,
      profiles: ["frame"],
      streams: [
        {
          stream: 0,
          modality: "audio",
          direction: "sendrecv",
          ssrc: 7_001,
          codecs: [OPUS].map(({ frame_ms, ...codec }) => ({ ...codec, frame_ms: [frame_ms] })),
        },
      ],
      clock: { offset_ms: 0, uncertainty_ms: 5 },
      last_audit_id: "0".repeat(64),
      iat,
      exp: iat + 60,
    });
  }

  /** The signed answer to an offer as it stood in an inbox. */
  answer(event: { readonly offer: string; readonly session_id: string }): string {
    const offer = payloadOf(event.offer) as unknown as Offered;
    const [
      {
        stream,
        codecs: [codec],
      },
    ] = offer.streams;
    return this.jws("parley-answer+jwt", {
      v: 1,
      session_id: event.session_id,
      offer_digest: sha256(event.offer),
      caller: offer.caller,
      callee: this.id,
      media_key: this.#mediaKey(offer.offer_id),
      scope: SCOPE,
      profile: "frame",
      streams: [
        {
          stream,
          modality: "audio",
          direction: "sendrecv",
          ssrc: 7_002,
          codec: { ...codec, frame_ms: codec.frame_ms[0] },
        },
      ],
      clock: { offset_ms: 0, uncertainty_ms: 5 },
      last_audit_id: "0".repeat(64),
      iat: seconds(),
    });
  }

  /** Gives up the right to capture. */
  narrowing(sessionId: string, sessionDigest: string, leg: 0 | 1): string {
    return this.jws("parley-narrowing+jwt", {
      v: 1,
      session_id: sessionId,
      session_digest: sessionDigest,
      leg,
      number: 2,
      scope: ["communication:audio:transmit"],
      last_audit_id: "0".repeat(64),
      iat: seconds(),
    });
  }

  /** A compact JWS by the identity key. */
  jws(typ: string, payload: JsonMembers): string {
    const header = { alg: "EdDSA", kid: keyId(Buffer.from(rawOf(this.#key), "base64url")), typ };
    const signed = `${base64url(canonical(header))}.${base64url(canonical(payload))}`;
    return `${signed}.${this.#signed(signed)}`;
  }

  #mediaKey(offerId: string): string {
    return this.jws("parley-media-key+jwt", {
      v: 1,
      agent_id: this.id,
      offer_id: offerId,
      ed25519: rawOf(this.#media),
      x25519: rawOf(this.#exchange),
      generation: 0,
      not_before: seconds() - 60,
      not_after: seconds() + 3_600,
    });
  }

  #signed(text: string): string {
    return sign(null, Buffer.from(text), this.#key).toString("base64url");
  }
}

/** What a JWS says, once its signature under a raw key (base64url) holds. */
export function verifiedPayload(jws: string, key: string): JsonMembers {
  const [header = "", payload = "", signature = ""] = jws.split(".");
  const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x: key }, format: "jwk" });
  if (!verify(null, Buffer.from(`${header}.${payload}`), publicKey, Buffer.from(signature, "base64url")))
    throw new Error("the signature does not hold");
  return payloadOf(jws);
}

export function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** Members sorted, nothing between them. All text here is ASCII and all numbers are whole. */
export function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value === null || typeof value !== "object") return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(",")}}`;
}

function payloadOf(jws: string): JsonMembers {
  return JSON.parse(Buffer.from(jws.split(".")[1] ?? "", "base64url").toString());
}

function keyId(raw: Buffer): string {
  return `ed25519-${createHash("sha256").update(raw).digest("hex").slice(0, 16)}`;
}

function rawOf(key: ReturnType<typeof createPrivateKey>): string {
  return String(createPublicKey(key).export({ format: "jwk" }).x);
}

function pemOf(key: ReturnType<typeof createPrivateKey>): string {
  return String(createPublicKey(key).export({ format: "pem", type: "spki" }));
}

function base64url(text: string): string {
  return Buffer.from(text).toString("base64url");
}

function seconds(): number {
  return Math.floor(Date.now() / 1_000);
}

function utc(inSeconds: number): string {
  return new Date(Date.now() + inSeconds * 1_000).toISOString().replace(/\.\d+Z$/, "Z");
}

const SCOPE = ["communication:audio:capture", "communication:audio:transmit"];
const OPUS = { name: "opus", clock_rate: 48_000, channels: 1, frame_ms: 20, payload_type: 111 };
