/** One frame as a tick. Each fate has a shape of its own, so that colour is not what tells them apart. */
import type { Tick } from "../model/frame-strip.ts";
import type { ColorName } from "./palette.ts";

/** Width of a tick with the gap after it, CSS pixels. */
export const TICK_PITCH = 5;
const TICK_WIDTH = 3;

/** Height of a tick that says nothing of how loud it is, and of the quietest one, as shares of the room. */
const PLAIN_SHARE = 0.75;
const QUIET_SHARE = 0.25;

/** Paints a tick whose left edge is at `x`, in a row of height `height`. Louder frames are taller. */
export function paintTick(
  pen: CanvasRenderingContext2D,
  colors: Readonly<Record<ColorName, string>>,
  { fate, loudness }: Pick<Tick, "fate" | "loudness">,
  x: number,
  height: number,
): void {
  const top = Math.round(height * 0.22);
  const share = loudness === undefined ? PLAIN_SHARE : QUIET_SHARE + (1 - QUIET_SHARE) * loudness;
  const tall = Math.round((height - top) * share);
  if (fate === "verified" || fate === "sent") {
    pen.fillStyle = fate === "verified" ? colors.accent : colors.muted;
    pen.fillRect(x, height - tall, TICK_WIDTH, tall);
  } else if (fate === "late") {
    // In two pieces: it came, and was of no use any more.
    pen.fillStyle = colors.late;
    const piece = Math.max(2, Math.round(tall * 0.35));
    pen.fillRect(x, height - piece, TICK_WIDTH, piece);
    pen.fillRect(x, height - tall, TICK_WIDTH, piece);
  } else if (fate === "concealed" || fate === "unsent") {
    // Hollow: nobody's frame, or one that nobody got.
    pen.strokeStyle = colors.concealed;
    pen.lineWidth = 1;
    pen.strokeRect(x + 0.5, height - tall + 0.5, TICK_WIDTH - 1, tall - 1);
  } else if (fate === "away") {
    // Nothing but a dot where it would have stood.
    pen.fillStyle = colors.late;
    pen.fillRect(x, height - TICK_WIDTH, TICK_WIDTH, TICK_WIDTH);
  } else {
    pen.strokeStyle = colors.refused;
    pen.fillStyle = colors.refused;
    pen.fillRect(x, top + 3, TICK_WIDTH, height - top - 3);
    pen.lineWidth = 2;
    const middle = x + TICK_WIDTH / 2;
    const reach = Math.min(4, top / 2 - 1);
    pen.beginPath();
    pen.moveTo(middle - reach, top / 2 - reach);
    pen.lineTo(middle + reach, top / 2 + reach);
    pen.moveTo(middle + reach, top / 2 - reach);
    pen.lineTo(middle - reach, top / 2 + reach);
    pen.stroke();
  }
}
