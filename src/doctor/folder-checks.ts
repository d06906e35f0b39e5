/** The data folder and the certificate, without making either. */
import { accessSync, constants, existsSync, statfsSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { ParleyError } from "../../codecs/parley-error.ts";
import type { ServerConfig } from "../config.ts";
import { lockFolder } from "../server/folder-lock.ts";
import type { Check } from "./finding.ts";

/** `isOurs`: whether a server of this data folder runs now. */
export function folderChecks(config: ServerConfig, isOurs: () => Promise<boolean>): readonly Check[] {
  return [
    {
      name: "store",
      fix: "Give --data-folder one that this user may write and no other server uses.",
      look: () => store(config.dataFolder, isOurs),
    },
    {
      name: "certificate",
      fix: "Give --certificate-file and --certificate-key-file a certificate in force and its key.",
      look: () => certificate(config),
    },
  ];
}

async function store(folder: string, isOurs: () => Promise<boolean>) {
  let existing = resolve(folder);
  while (!existsSync(existing)) existing = dirname(existing);
  accessSync(existing, constants.R_OK | constants.W_OK | constants.X_OK);
  const { bavail, bsize } = statfsSync(existing);
  const free = Math.floor((bavail * bsize) / 2 ** 20);
  if (free < LEAST_FREE_MIB)
    return {
      state: "failed",
      found: `${free} MiB are free in ${existing}`,
      fix: `Make room: ${LEAST_FREE_MIB} MiB at least.`,
    } as const;
  if (existing !== resolve(folder))
    return { state: "ok", found: `${folder} will be made; ${free} MiB free` } as const;
  let unlock: () => void;
  try {
    unlock = lockFolder(folder);
  } catch (error) {
    const isUsed = error instanceof ParleyError && error.code === "data-folder-in-use";
    if (isUsed && (await isOurs()))
      return { state: "ok", found: `${folder} is used by the server that runs; ${free} MiB free` } as const;
    throw error;
  }
  try {
    if (!existsSync(join(folder, "data.mdb")))
      return { state: "ok", found: `${folder} is empty and writable; ${free} MiB free` } as const;
    const { isOpenToOthers, prepareFolder } = await import("../../store/data-folder.ts");
    prepareFolder(folder);
    const { openLmdbLog } = await import("../../store/lmdb-log.ts");
    const log = await openLmdbLog(folder);
    const records = (log.head()?.chainSeq ?? -1) + 1;
    await log.close();
    if (isOpenToOthers(folder))
      return {
        state: "warning",
        found: `${folder} opens, with ${records} records; other accounts of this machine may look into it`,
        fix: `Close it to them: chmod 700 ${folder}`,
      } as const;
    return { state: "ok", found: `${folder} opens, with ${records} records; ${free} MiB free` } as const;
  } finally {
    unlock();
  }
}

/** The certificate that a server of these settings shows, in force or not; there is one once a server has run. */
export async function certificateInUse(config: ServerConfig) {
  const { certificateFile, certificateKeyFile: keyFile, dataFolder } = config;
  const papers = await import("../../transports/webtransport/certificate.ts");
  const stored = join(dataFolder, papers.CERTIFICATE_FILE);
  return certificateFile !== undefined && keyFile !== undefined
    ? await papers.givenCertificate({ certificateFile, keyFile, now: Date.now() })
    : await papers.givenCertificate({ certificateFile: stored, keyFile: stored, now: 0 });
}

async function certificate(config: ServerConfig) {
  const { certificateFile, dataFolder } = config;
  const { CERTIFICATE_FILE } = await import("../../transports/webtransport/certificate.ts");
  const now = Date.now();
  const isGiven = certificateFile !== undefined;
  if (!isGiven && !existsSync(join(dataFolder, CERTIFICATE_FILE)))
    return { state: "ok", found: "self-made at the first start, for 13 days" } as const;
  const { notAfter } = await certificateInUse(config);
  const days = Math.floor((notAfter - now) / DAY_MS);
  const found = `${isGiven ? certificateFile : "self-made"}, until ${new Date(notAfter).toISOString()} (${days} days)`;
  if (isGiven && days < RENEW_DAYS)
    return { state: "warning", found, fix: "Renew it and start the server again." } as const;
  if (!isGiven && days < 1)
    return { state: "warning", found, fix: "Start the server again: it makes a fresh one." } as const;
  return { state: "ok", found } as const;
}

const DAY_MS = 86_400_000;
/** An operator's certificate with less time left is warned about. */
const RENEW_DAYS = 7;
const LEAST_FREE_MIB = 64;
