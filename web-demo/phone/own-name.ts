/** Under which name this tab goes, kept by the browser: for the whole browser, or for this tab where it is somebody else. */
import { guestName, nameFrom } from "../model/own-name.ts";

const KEY = "parley.name";

/** The name of this tab's agent; makes one for somebody who comes for the first time. */
export function keptName(): string {
  const kept = nameFrom(sessionStorage.getItem(KEY) ?? localStorage.getItem(KEY) ?? "");
  if (kept !== undefined) return kept;
  const fresh = freshName();
  localStorage.setItem(KEY, fresh);
  return fresh;
}

/** Keeps another name in the place where the present one is kept. */
export function keepName(name: string): void {
  const place = sessionStorage.getItem(KEY) === null ? localStorage : sessionStorage;
  place.setItem(KEY, name);
}

/** Makes this tab somebody else, until it is closed. */
export function keepGuestForTab(): string {
  const fresh = freshName();
  sessionStorage.setItem(KEY, fresh);
  return fresh;
}

function freshName(): string {
  return guestName(crypto.getRandomValues(new Uint8Array(4)));
}
