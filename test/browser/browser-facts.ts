import { sha256 } from "@noble/hashes/sha2.js";
import { encodeHex } from "../../codecs/hex.ts";

declare global {
  var browserFacts: () => Promise<object>;
}

globalThis.browserFacts = async () => {
  const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
  const microphones = stream.getAudioTracks().length;
  for (const track of stream.getTracks()) track.stop();
  return {
    secure: isSecureContext,
    webTransport: typeof WebTransport === "function",
    microphones,
    digest: encodeHex(sha256(new TextEncoder().encode("parley"))).slice(0, 8),
  };
};
