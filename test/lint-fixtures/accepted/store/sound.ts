import type { RecordLog } from "../signaling/record-log.ts";

export const logs: RecordLog[] = [];
