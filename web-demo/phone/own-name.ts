/** Under which name this tab goes, kept by the browser: for the whole browser, or for this tab where it is somebody else. */
import { type Guests, guestsIn, staleGuests, withGuest, withoutGuest } from "../model/guests.ts";
import { guestName, nameFrom } from "../model/own-name.ts";

const KEY = "parley.name";
/** The names made up for single tabs: their identities are nobody's once the tab is gone. */
const GUESTS_KEY = "parley.guests";

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
  keepGuests(withGuest(guests(), fresh, Date.now()));
  return fresh;
}

/** Whether a name was made up for a tab. */
export function isGuest(name: string): boolean {
  return Object.hasOwn(guests(), name);
}

/** Notes that a tab goes by this name now; nothing for one that is no guest. */
export function seeGuest(name: string): void {
  if (isGuest(name)) keepGuests(withGuest(guests(), name, Date.now()));
}

/** The identity kept under this guest's name is gone. */
export function forgetGuest(name: string): void {
  keepGuests(withoutGuest(guests(), name));
}

/** Guests that no tab went by for days, whose identities can go. */
export function guestsToForget(): string[] {
  return staleGuests(guests(), Date.now());
}

function guests(): Guests {
  return guestsIn(localStorage.getItem(GUESTS_KEY));
}

function keepGuests(kept: Guests): void {
  localStorage.setItem(GUESTS_KEY, JSON.stringify(kept));
}

function freshName(): string {
  return guestName(crypto.getRandomValues(new Uint8Array(4)));
}
