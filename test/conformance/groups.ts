import type { RowGroup } from "./row.ts";
import { AUTHORITY } from "./rows/authority.ts";
import { BINDING } from "./rows/binding.ts";
import { COMMUNICATION_AUTHORITY } from "./rows/communication-authority.ts";
import { COMMUNICATION_ESTABLISH } from "./rows/communication-establish.ts";
import { COMMUNICATION_MEDIA } from "./rows/communication-media.ts";
import { COMMUNICATION_QUALITY } from "./rows/communication-quality.ts";
import { COMMUNICATION_SECURITY } from "./rows/communication-security.ts";
import { COMMUNICATION_SESSIONS } from "./rows/communication-sessions.ts";
import { HEADERS } from "./rows/headers.ts";
import { IDENTITY } from "./rows/identity.ts";
import { RECORDS } from "./rows/records.ts";
import { SERVICE } from "./rows/service.ts";
import { SESSION } from "./rows/session.ts";
import { WIRE } from "./rows/wire.ts";

/** All rows, in the order of docs/conformance.md. */
export const GROUPS: readonly RowGroup[] = [
  {
    title: "AGTP-COMMUNICATION",
    rows: [
      ...COMMUNICATION_SESSIONS,
      ...COMMUNICATION_ESTABLISH,
      ...COMMUNICATION_AUTHORITY,
      ...COMMUNICATION_MEDIA,
      ...COMMUNICATION_QUALITY,
      ...COMMUNICATION_SECURITY,
    ],
  },
  { title: "Wire and transport", rows: [...WIRE, ...HEADERS, ...BINDING, ...SERVICE] },
  { title: "Sessions", rows: SESSION },
  { title: "Identity, trust and scope", rows: [...IDENTITY, ...AUTHORITY] },
  { title: "Records, privacy, load and media", rows: RECORDS },
];

/** All rows. */
export const ROWS = GROUPS.flatMap(({ rows }) => rows);
