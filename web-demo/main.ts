/** The page: an agent of one's own, in the browser. */
import { Phone } from "./phone/phone.ts";
import { PageView } from "./view/page-view.ts";

const root = document.getElementById("page");
if (root === null) throw new Error("The page has no place to be.");
const phone = new Phone();
const view = new PageView(root, phone);
view.show(phone.store.state);
phone.store.subscribe((state) => view.show(state));

/** Between two pictures where people asked for less motion, ms. */
const CALM_MS = 1_000;
const calm = matchMedia("(prefers-reduced-motion: reduce)");
let paintedAt = Number.NEGATIVE_INFINITY;
const paint = (now: number): void => {
  if (!calm.matches || now - paintedAt >= CALM_MS) {
    paintedAt = now;
    view.paint(phone.live, phone.screens, now);
  }
  requestAnimationFrame(paint);
};
requestAnimationFrame(paint);
phone.start();
