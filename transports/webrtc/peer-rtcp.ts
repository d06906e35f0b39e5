/** What RTCP of a worker says to whoever gives it packets. */
import { parseRtcp } from "../../codecs/rtcp.ts";
import { parseFullIntra } from "../../codecs/rtcp-fir.ts";
import { parsePictureLoss } from "../../codecs/rtcp-pli.ts";

/** The streams that somebody needs a key frame of. Other packets, and what is malformed, are passed over. */
export function keyFramesWanted(bytes: Uint8Array): readonly number[] {
  const packets = parseRtcp(bytes);
  if (!packets.ok) return [];
  return packets.value.flatMap((packet) => {
    const loss = parsePictureLoss(bytes, packet);
    if (loss.ok) return [loss.value.ssrc];
    const command = parseFullIntra(bytes, packet);
    return command.ok ? command.value.streams.map(({ ssrc }) => ssrc) : [];
  });
}
