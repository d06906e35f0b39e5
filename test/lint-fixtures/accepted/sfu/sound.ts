import type { Result } from "../codecs/result.ts";
import type { Row } from "../signaling/admission.ts";

export const rows: Result<Row>[] = [];
