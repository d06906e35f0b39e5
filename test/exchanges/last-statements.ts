/** What an end that neither sent nor heard anything signs when its call is over. */
import type { JsonObject } from "../../codecs/canonical-json.ts";
import { encodeCheckpoint } from "../../codecs/checkpoint.ts";
import { encodeReceipt } from "../../codecs/receipt.ts";
import { varintSize, writeVarint } from "../../codecs/varint.ts";
import { makeClosing } from "../../signaling/closing.ts";
import type { PlacedCall } from "./ground.ts";
import type { Voice } from "./voice.ts";
import { headerOf, resultOf, type WireAnswer } from "./wire.ts";

/** Sends its last checkpoint and receipt, where the carrier has streams for them; its closing statement. */
export async function lastStatements(voice: Voice, call: PlacedCall, leg: 0 | 1): Promise<string> {
  const answer = leg === 0 ? (call.established.at(-1) as WireAnswer) : call.confirmed;
  const { core, streams } = resultOf(answer) as { readonly core: string; readonly streams: JsonObject[] };
  const [, witness = ""] = core.split(".");
  const digest = String(JSON.parse(Buffer.from(witness, "base64url").toString()).core_digest);
  const sessionDigest = new Uint8Array(Buffer.from(digest, "hex"));
  // Where media has a connection of its own, nobody opened one.
  const count = voice.connection.media === undefined ? 1 : 0;
  for (const { direction, checkpoint_flow, receipt_flow } of count === 0 ? [] : streams) {
    if (direction === "send")
      await send(voice, Number(checkpoint_flow), checkpoint(voice, sessionDigest, leg));
    else await send(voice, Number(receipt_flow), receipt(voice, sessionDigest, leg));
  }
  return makeClosing(
    {
      v: 1,
      session_id: call.sessionId,
      session_digest: digest,
      leg,
      last_audit_id: String(headerOf(answer.headers, "Audit-ID")),
      reason: "hangup",
      totals: {
        sent: { frames: 0, checkpoints: count },
        received: { frames: 0, heard: 0, concealed: 0, late: 0, refused: 0, receipts: count },
      },
      iat: Math.floor(voice.now / 1000),
    },
    voice.identity.signer,
  );
}

async function send(voice: Voice, flow: number, item: Uint8Array): Promise<void> {
  const bytes = new Uint8Array(varintSize(flow) + varintSize(item.length) + item.length);
  writeVarint(bytes, 0, flow);
  writeVarint(bytes, varintSize(flow), item.length);
  bytes.set(item, bytes.length - item.length);
  const stream = await voice.connection.openStream();
  await stream.write(bytes);
  await stream.finish();
}

const common = { stream: 0, keyGeneration: 0, final: true, index: 0, previous: new Uint8Array(32) } as const;

function checkpoint({ media }: Voice, sessionDigest: Uint8Array, leg: 0 | 1): Uint8Array {
  const never = { seconds: 0, fraction: 0 };
  return encodeCheckpoint(
    {
      ...common,
      sessionDigest,
      leg,
      firstSequence: 1,
      digests: [],
      firstCapture: never,
      lastCapture: never,
      epoch: 0,
      totalFrames: 0,
    },
    media,
  );
}

function receipt({ media }: Voice, sessionDigest: Uint8Array, leg: 0 | 1): Uint8Array {
  return encodeReceipt(
    {
      ...common,
      sessionDigest,
      listenerLeg: leg,
      speakerLeg: leg === 0 ? 1 : 0,
      time: { seconds: 0, fraction: 0 },
      totals: { received: 0, heard: 0, concealed: 0, late: 0, refused: 0 },
      received: [],
      heard: [],
    },
    media,
  );
}
