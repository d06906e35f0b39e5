/** Writes a log into the folder of its first argument, says so, and erases an agent from it: to be killed meanwhile. */
import { RecordChain } from "../../signaling/record-chain.ts";
import { makeTombstone } from "../../signaling/tombstone.ts";
import { openLmdbLog } from "../../store/lmdb-log.ts";
import { CALL_TIME, SERVER } from "../signed-call.ts";

const folder = process.argv[2] ?? "";
const agentId = "a".repeat(64);
const records = 1_500;
const log = await openLmdbLog(folder);
const owner = { agentId: SERVER.genesis.agentId, ownerId: "example.org", serverId: "parley.test" };
const chain = new RecordChain(owner, SERVER.identity);
for (let made = 0; made < records; made += 100) {
  const entries = Array.from({ length: 100 }, (_, n) => {
    const counterpartyAgentId = n % 2 === 0 ? agentId : "b".repeat(64);
    const { chainSeq, auditId, jws } = chain.next({ status: 200, counterpartyAgentId }, CALL_TIME);
    return { kind: "record", chainSeq, auditId, jws, sessionId: undefined, sessionSeq: undefined } as const;
  });
  await log.append(entries);
}
process.send?.("erasing");
const tombstone = (record: Parameters<typeof makeTombstone>[0]) =>
  makeTombstone(record, SERVER.identity, CALL_TIME);
const { number } = await log.erase({ kind: "agent", agentId }, tombstone);
await log.append([{ kind: "erased", erasure: number }]);
process.send?.("erased");
await log.close();
