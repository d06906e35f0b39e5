/**
 * Appends to the record log in the folder given, as fast as it can, until it is killed: each append is a record of a
 * session with three artifacts. Prints the chain position of every append once it is acknowledged.
 */
import { createHash } from "node:crypto";
import { writeSync } from "node:fs";
import { openLmdbLog } from "../../store/lmdb-log.ts";

const log = await openLmdbLog(process.argv[2] ?? "");
const head = log.head();
let chainSeq = head === undefined ? 0 : head.chainSeq + 1;
const acknowledge = (at: number) => writeSync(1, `${at}\n`);

writeSync(1, "ready\n");
for (;;) {
  const group: Promise<unknown>[] = [];
  for (let i = 0; i < 8; i++) {
    const at = chainSeq++;
    const jws = `${at}.${"x".repeat(at % 700)}`;
    const auditId = createHash("sha256").update(jws).digest("hex");
    const artifacts = [0, 1, 2].map((part) => ({
      kind: "artifact" as const,
      sessionId: "s",
      index: 3 * at + part,
      artifact: "checkpoint" as const,
      leg: part % 2,
      bytes: Uint8Array.from({ length: 40 * part + (at % 50) }, (_, byte) => byte + at),
    }));
    const record = { kind: "record" as const, chainSeq: at, auditId, jws, sessionId: "s", sessionSeq: at };
    group.push(
      log.append([...artifacts.slice(0, 2), record, ...artifacts.slice(2)]).then(() => acknowledge(at)),
    );
  }
  await Promise.all(group);
}
