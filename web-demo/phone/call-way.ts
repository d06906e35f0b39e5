/** How people want their calls made, kept by the browser; `?carrier=webrtc` or `?carrier=own` in the page's address says it for this visit. */
import type { CallWay } from "../model/page-state.ts";

const KEY = "parley.way";

export function keptWay(search: string): CallWay {
  const asked = new URLSearchParams(search).get("carrier") ?? localStorage.getItem(KEY);
  return asked === "webrtc" ? "gateway" : "signed";
}

export function keepWay(way: CallWay): void {
  localStorage.setItem(KEY, way === "gateway" ? "webrtc" : "own");
}
