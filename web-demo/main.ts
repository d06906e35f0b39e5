/** The page: an agent of one's own, in the browser. */
import { Phone } from "./phone/phone.ts";
import { PageView } from "./view/page-view.ts";

const root = document.getElementById("page");
if (root === null) throw new Error("The page has no place to be.");
const phone = new Phone();
const view = new PageView(root, phone);
view.show(phone.store.state);
phone.store.subscribe((state) => view.show(state));

/**
 * Between two times that it is painted, ms: where a picture is seen, as often as the screen shows one; for ticks and figures, for which the
 * machine is not to be taken from the voice; while nothing moves; and where people asked for less motion.
 */
const PAINTING_MS = { pictures: 0, figures: 50, nothing: 200, calm: 1_000 } as const;
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function paint(now: number): void {
  view.paint(phone.live, phone.screens, now);
  const pause = PAINTING_MS[paintedNext()];
  if (pause === 0) requestAnimationFrame(paint);
  else setTimeout(() => requestAnimationFrame(paint), pause);
}

function paintedNext(): keyof typeof PAINTING_MS {
  if (calm.matches) return "calm";
  if (phone.live === undefined) return "nothing";
  return phone.screens.length > 0 ? "pictures" : "figures";
}

requestAnimationFrame(paint);
phone.start();
