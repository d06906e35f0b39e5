/** What the browser's platform can do, told to the test that opened the page. */
import { createIdentity, openIdentity, openLoudspeaker, openMicrophone } from "../../agent/browser.ts";
import { encodeHex } from "../../codecs/hex.ts";
import type { ParleyError } from "../../codecs/parley-error.ts";
import { createAudioCodec } from "../../platform/audio-codecs.ts";
import { createClock } from "../../platform/browser/clock.ts";
import { createIdentityKey, signerOf } from "../../platform/browser/identity-key.ts";
import { loadIdentity } from "../../platform/browser/identity-store.ts";
import { random } from "../../platform/browser/random.ts";
import { loadSodium } from "../../platform/browser/sodium.ts";

const tasks = {
  /** Opens the kept agent, signs with it, and tries to read its key. */
  async identity(name: string) {
    const sodium = await loadSodium();
    const { agentId, signer } = await openIdentity(name);
    const message = random(100);
    const signature = await signer.sign(message);
    const kept = await loadIdentity(name, sodium);
    const key = kept?.key;
    const exported =
      key?.kind === "webcrypto"
        ? await crypto.subtle.exportKey("pkcs8", key.privateKey).then(
            () => "read",
            (error: Error) => error.name,
          )
        : "no such key";
    const verified = sodium.verifier.verify(signer.publicKey, message, signature);
    message[0] = (message[0] as number) ^ 1;
    const forged = sodium.verifier.verify(signer.publicKey, message, signature);
    return {
      agentId,
      kind: key?.kind,
      extractable: key?.kind === "webcrypto" && key.privateKey.extractable,
      exported,
      verified,
      forged,
    };
  },
  /** Opens one new name from several sides at once. */
  async together(name: string) {
    const opened = await Promise.all([openIdentity(name), openIdentity(name), openIdentity(name)]);
    return new Set(opened.map(({ agentId }) => agentId)).size;
  },
  /** The key of a browser without Ed25519 in WebCrypto, and of a page without WebCrypto. */
  async seedKeys() {
    const sodium = await loadSodium();
    const poor = { generateKey: () => Promise.reject(new DOMException("", "NotSupportedError")) };
    const keys = [
      await createIdentityKey(sodium, poor as unknown as SubtleCrypto),
      await createIdentityKey(sodium, Object.create(null) as SubtleCrypto),
    ];
    return keys.map((key) => {
      const signer = signerOf(key, sodium);
      return [
        key.kind,
        sodium.verifier.verify(signer.publicKey, key.publicKey, signer.sign(key.publicKey) as Uint8Array),
      ];
    });
  },
  /** A tone through Opus: how loud it comes out at its own pitch, as a share of what went in; and a lost frame. */
  async opus() {
    const codec = await createAudioCodec(
      { name: "opus", clockRate: 48_000, rtpClockRate: 48_000, channels: 1, frameSamples: 960 },
      {},
    );
    const out: number[] = [];
    for (let frame = 0; frame < 50; frame += 1) {
      const tone = Int16Array.from(
        { length: 960 },
        (_, at) => 8000 * Math.sin((2 * Math.PI * 440 * (frame * 960 + at)) / 48_000),
      );
      const payload = codec.encode(tone).slice();
      out.push(...(frame === 25 ? codec.conceal() : codec.decode(payload)));
    }
    codec.close();
    let [real, imaginary] = [0, 0];
    const heard = out.slice(24_000, 48_000);
    heard.forEach((sample, at) => {
      real += sample * Math.cos((2 * Math.PI * 440 * at) / 48_000);
      imaginary += sample * Math.sin((2 * Math.PI * 440 * at) / 48_000);
    });
    return { samples: out.length, share: (2 * Math.hypot(real, imaginary)) / heard.length / 8000 };
  },
  /** How far from their instants 50 timers of a clock fired, worst case, ms; and one that was cancelled. */
  async timers() {
    const clock = createClock();
    let [early, late, cancelled] = [0, 0, false];
    clock.at(clock.now() + 30, () => {
      cancelled = true;
    })();
    const begin = clock.now();
    await Promise.all(
      Array.from({ length: 50 }, (_, index) => {
        const at = begin + index * 4.3;
        return new Promise<void>((resolve) =>
          clock.at(at, () => {
            early = Math.max(early, at - clock.now());
            late = Math.max(late, clock.now() - at);
            resolve();
          }),
        );
      }),
    );
    return { early, late, cancelled };
  },
  /** Two seconds of tone into the loudspeaker, flushed after one: how loud it is before and after. */
  async loudspeaker() {
    const speaker = await openLoudspeaker();
    await speaker.resume();
    const analyser = new AnalyserNode(speaker.node.context, { fftSize: 2048 });
    speaker.node.connect(analyser);
    const level = (): number => {
      const wave = new Float32Array(analyser.fftSize);
      analyser.getFloatTimeDomainData(wave);
      return Math.max(...wave.map(Math.abs));
    };
    let [at, loudest] = [0, 0];
    const feeding = setInterval(() => {
      speaker.play(
        Int16Array.from({ length: 2400 }, () => 16_000 * Math.sin((2 * Math.PI * 440 * at++) / 48_000)),
      );
      loudest = Math.max(loudest, level());
    }, 50);
    speaker.play(new Int16Array(4800));
    await new Promise((resolve) => setTimeout(resolve, 1000));
    clearInterval(feeding);
    for (let count = 0; count < 4; count += 1) speaker.play(new Int16Array(4800).fill(9_000));
    await speaker.flush();
    await new Promise((resolve) => setTimeout(resolve, 300));
    const after = level();
    const { stats } = speaker;
    await speaker.close();
    await speaker.close();
    return { loudest, after, stats };
  },
  /** A second of the microphone, at two rates. */
  async microphone(clockRate: number) {
    const microphone = await openMicrophone({ clockRate, blockMs: 10 });
    await microphone.resume();
    const lengths = new Set<number>();
    let [blocks, loudest] = [0, 0];
    for await (const pcm of microphone) {
      lengths.add(pcm.length);
      blocks += 1;
      loudest = Math.max(loudest, ...pcm.map(Math.abs));
      if (blocks === 150) break;
    }
    const live = microphone.stream.active;
    await microphone.close();
    return {
      blocks,
      lengths: [...lengths],
      loudest,
      live,
      after: microphone.stream.active,
      dropped: microphone.dropped,
    };
  },
  /** What a page is told that may not, or cannot, listen. */
  async noMicrophone() {
    return await openMicrophone({ deviceId: "none" }).then(
      () => "opened",
      (error: ParleyError) => error.code,
    );
  },
  async fresh() {
    const { identity } = await createIdentity({ name: "Passer-by" });
    return encodeHex(identity.signer.publicKey).length;
  },
};

declare global {
  var home: typeof tasks;
}
globalThis.home = tasks;
