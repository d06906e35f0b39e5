/** What Chromium sent once (`test/vectors/chromium-rtp`). */
import { readFileSync } from "node:fs";
import { readU16 } from "../../codecs/big-endian.ts";
import { isRtcp } from "../../codecs/rtcp.ts";
import { parseRtpPacket, type RtpPacket } from "../../codecs/rtp-packet.ts";
import type { VideoFormatName } from "../../codecs/video-formats.ts";

/** The captures of video. */
export const CHROMIUM_VIDEOS: readonly { readonly name: string; readonly format: VideoFormatName }[] = [
  { name: "vp8", format: "vp8" },
  { name: "vp9", format: "vp9" },
  { name: "vp9-layers", format: "vp9" },
  { name: "av1", format: "av1" },
];

/** All packets of a capture, as they came. */
export function chromiumPackets(name: string): readonly Uint8Array[] {
  const bytes = readFileSync(new URL(`../vectors/chromium-rtp/${name}.rtp`, import.meta.url));
  const packets: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; ) {
    const end = at + 2 + readU16(bytes, at);
    packets.push(new Uint8Array(bytes.subarray(at + 2, end)));
    at = end;
  }
  return packets;
}

/** Its RTP packets, read. */
export function chromiumRtp(name: string): readonly RtpPacket[] {
  return chromiumPackets(name)
    .filter((bytes) => !isRtcp(bytes, 0))
    .map((bytes) => {
      const packet = parseRtpPacket(bytes);
      if (!packet.ok) throw new Error(packet.fault.message);
      return packet.value;
    });
}
