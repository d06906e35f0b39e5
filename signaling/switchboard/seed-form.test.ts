import { describe, expect, test } from "vitest";
import { serializeResponse } from "../../codecs/message.ts";
import { strictVerifier } from "../../test/keys.ts";
import { type Answers, type AskOptions, SignalingPeer } from "../../test/scenario/signaling-peer.ts";
import { Stage } from "../../test/scenario/signaling-stage.ts";
import { ALICE, answerPayload, BOB, must, offerPayload, scopes, testAgent } from "../../test/signed-call.ts";
import { verifyAnswer } from "../answer.ts";
import { type OfferPayload, verifyOffer } from "../offer.ts";
import { buildSessionCore, verifyCoreWitness } from "../session-core.ts";

const BILATERAL = scopes("communication:bilateral");
const CARA = testAgent("cara", 5, { genesis: { scope: BILATERAL }, document: { scope: BILATERAL } });
const DAN = testAgent("dan", 6, { genesis: { scope: BILATERAL }, document: { scope: BILATERAL } });

const SEED = { dialect: "seed" } as const satisfies AskOptions;
/** What AGTP-COMMUNICATION's own example says beside Agent-ID and Content-Type. */
const SEED_HEADERS = [
  ["Authority-Scope", "communication:bilateral"],
  ["Session-Intent", "communication"],
  ["Communication-Modalities", "audio, video"],
  ["Audio-Codecs", "opus, pcmu"],
  ["Video-Codecs", "vp9, av1"],
] as const;

const [AUDIO] = offerPayload().streams;
const [TAKEN_AUDIO] = answerPayload().streams;
const PICTURE = { clock_rate: 90_000, max_width: 1280, max_height: 720, max_frame_rate: 30 } as const;
const VP9 = { name: "vp9", payload_type: 97, ...PICTURE } as const;
const AV1 = { name: "av1", payload_type: 102, ...PICTURE } as const;
const VIDEO = { stream: 3, modality: "video", direction: "sendrecv", ssrc: 0x51de0 } as const;
const TAKEN_VIDEO = { ...VIDEO, ssrc: 0x51de1, codec: { ...AV1, max_height: 360 } };
const DATA = { stream: 1, modality: "data", direction: "sendrecv", ssrc: 0xda7a } as const;
const JSON_FORMAT = { name: "json", payload_type: 100 } as const;

/** Cara calls Dan, who takes the call, all in the seed dialect. */
function call(changes: Partial<OfferPayload> = {}, streams = [...answerPayload().streams, TAKEN_VIDEO]) {
  const stage = new Stage();
  const cara = new SignalingPeer(stage, CARA);
  const dan = new SignalingPeer(stage, DAN);
  const inbox = dan.subscribe(undefined, SEED);
  const offered = [...offerPayload().streams, { ...VIDEO, codecs: [VP9, AV1] }];
  const offer = cara.offer(DAN, { scope: ["communication:bilateral"], streams: offered, ...changes });
  const isOfSeed = changes.streams === undefined;
  const established = cara.call(DAN, { ...SEED, offer, ...(isOfSeed ? { headers: SEED_HEADERS } : {}) });
  const answer = dan.answerTo(inbox.event("offer"), { scope: ["communication:bilateral"], streams });
  const confirmed = dan.accept(inbox.event("offer"), { ...SEED, answer });
  return { stage, inbox, offer, answer, established, confirmed };
}

function headerOf(answers: Answers, name: string): string | undefined {
  return answers.raw[0]?.headers.get(name);
}

describe("a call in the seed dialect", () => {
  test("begins with ESTABLISH as the draft writes it, and is answered as the draft writes it", () => {
    const { inbox, established, confirmed } = call();
    const [answer] = established.raw;
    if (answer === undefined) throw new Error("no answer");
    const [line, ...lines] = new TextDecoder().decode(serializeResponse(answer)).split("\r\n");
    expect(line).toBe("HTTP/AGTP/1.0 200 OK");
    expect(lines).toEqual(
      expect.arrayContaining([
        `Agent-ID: ${CARA.genesis.agentId}`,
        `Session-ID: ${inbox.event("offer").session_id}`,
        "Communication-Modalities: audio, video",
        "Audio-Codec: opus",
        "Video-Codec: av1",
        expect.stringMatching(/^Stream-Parameters: \S/),
        "Content-Type: application/agtp+json",
      ]),
    );
    expect(headerOf(confirmed, "Video-Codec")).toBe("av1");
    expect(confirmed.outcome).toBe("ok 200");
    expect(confirmed.raw[0]?.dialect).toBe("seed");
  });

  test("says which modalities were agreed", () => {
    const offered = { ...DATA, formats: [JSON_FORMAT] };
    const taken = { ...DATA, ssrc: 0xda7b, format: JSON_FORMAT };
    if (AUDIO === undefined || TAKEN_AUDIO === undefined) throw new Error("no audio");
    const both = call({ streams: [AUDIO, offered] }, [TAKEN_AUDIO, taken]);
    expect(headerOf(both.established, "Communication-Modalities")).toBe("audio, data");
    expect(headerOf(both.confirmed, "Communication-Modalities")).toBe("audio, data");
    const declined = call({ streams: [AUDIO, offered] }, [TAKEN_AUDIO]);
    expect(headerOf(declined.established, "Communication-Modalities")).toBe("audio");
    const alone = call({ streams: [offered] }, [taken]);
    expect(headerOf(alone.established, "Communication-Modalities")).toBe("data");
    expect(headerOf(alone.established, "Audio-Codec")).toBeUndefined();
    expect(headerOf(alone.established, "Video-Codec")).toBeUndefined();
  });
});

test("the answer to ESTABLISH has id, model, lifetime and grants, and a witness that binds them to both agents", () => {
  const changes = { session: { model: "persistent", ttl: 300 } } as const;
  const { stage, inbox, offer: jws, answer: reply, established } = call(changes);
  const { result } = established.last;
  const sessionId = String(inbox.event("offer").session_id);
  expect(result).toMatchObject({
    session_id: sessionId,
    session_model: "persistent",
    session_ttl: 300,
    expires_at: stage.now / 1000 + 300,
    authority_scope: ["communication:bilateral"],
  });
  expect(headerOf(established, "Session-ID")).toBe(sessionId);
  const { now, server } = stage;
  const cara = { publicKey: CARA.identity.publicKey, caller: CARA.genesis.agentId, now };
  const offer = must(verifyOffer(jws, cara, strictVerifier));
  const dan = { publicKey: DAN.identity.publicKey, offer, sessionId, now };
  const answer = must(verifyAnswer(reply, dan, strictVerifier));
  const core = buildSessionCore(
    { agentId: server.genesis.agentId, key: server.identity.publicKey },
    offer,
    answer,
  );
  expect(core.payload).toMatchObject({
    session_id: sessionId,
    legs: [{ agent_id: CARA.genesis.agentId }, { agent_id: DAN.genesis.agentId }],
  });
  const expected = { digest: core.digest, serverKey: server.identity.publicKey };
  expect(verifyCoreWitness(String(result.core), expected, strictVerifier).ok).toBe(true);
});

describe("an ESTABLISH whose header and proof name different agents", () => {
  test.each([
    ["the header names the signer", ALICE, BOB.genesis.agentId],
    ["the proof names the signer", { ...BOB, identity: ALICE.identity }, ALICE.genesis.agentId],
  ])("%s: 401, and nothing rings", (_, sender, agentId) => {
    const stage = new Stage();
    const callee = new SignalingPeer(stage, DAN);
    const inbox = callee.subscribe();
    for (const dialect of ["base", "seed"] as const) {
      const refused = new SignalingPeer(stage, sender).call(DAN, { dialect, proof: { agentId } });
      expect(refused.last).toMatchObject({ status: 401, error: { code: "proof-invalid" } });
    }
    expect(inbox.events).toEqual(["subscribed"]);
  });
});
