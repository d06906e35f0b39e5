import { createHash, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeBase64url } from "../../codecs/base64url.ts";
import { random } from "../../platform/node/sodium.ts";
import { unwritable } from "../../store/data-folder.ts";

/** In the data folder, readable by its owner alone: what whoever asks `/events` shows. Deleted, another one is made at the next start. */
export const EVENTS_TOKEN_FILE = "events.token";

/** The token of a data folder, made where there is none. Throws `data-folder-unwritable`. */
export function eventsToken(folder: string): string {
  const path = join(folder, EVENTS_TOKEN_FILE);
  try {
    const kept = existsSync(path) ? readFileSync(path, "utf8").trim() : "";
    if (kept.length >= LEAST_CHARACTERS) return kept;
    const token = encodeBase64url(random(TOKEN_BYTES));
    writeFileSync(`${path}.tmp`, `${token}\n`, { mode: 0o600 });
    renameSync(`${path}.tmp`, path);
    return token;
  } catch (cause) {
    throw unwritable(folder, cause);
  }
}

/** Whether an `Authorization` header shows the token; how long that takes tells nothing of it. */
export function showsToken(authorization: string | undefined, token: string): boolean {
  const shown = /^bearer +(\S+)$/i.exec(authorization ?? "")?.[1] ?? "";
  const digest = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(digest(shown), digest(token));
}

const TOKEN_BYTES = 32;
/** Fewer are a file that was cut short. */
const LEAST_CHARACTERS = 32;
