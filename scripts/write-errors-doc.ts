/** Writes docs/errors.md from the table of error codes. `npm run docs:errors`; a test fails while the page is stale. */
import { writeFileSync } from "node:fs";
import { ERRORS, type ErrorEntry } from "../codecs/error-codes.ts";

/** The page that belongs to the present table. */
export function errorsPage(): string {
  const rows = Object.entries<ErrorEntry>(ERRORS).map(
    ([code, { status, retryable, meaning }]) =>
      `| \`${code}\` | ${status ?? ""} | ${retryable ? "yes" : ""} | ${meaning.replaceAll("|", "\\|")} |`,
  );
  return `${INTRODUCTION}
| code | status | retry | what it means |
|---|---|---|---|
${rows.join("\n")}
`;
}

const INTRODUCTION = `# Errors

Every failure that Parley reports has one of these codes. In code it is \`ParleyError.code\`; on the wire it is
\`error.code\` in the body of a response; on the command line it stands in front of the message, and with \`--json\` in
\`error.code\`. Codes are stable: decide on them, and show the message to people.

- **status** is the AGTP status of the response that carries the code. Without one the failure never crosses the wire
  as a response: it is found by the end that reports it.
- **retry** says that the same request may succeed later without a change.
- \`at\`, where given, names the line, field or byte at fault; \`details\` holds facts for machines.

Frames are not answered one by one: a refused frame is counted under its reason and reported in \`frames_refused\`
events. The reasons are in [wire-media.md](wire-media.md).

This page is generated from \`codecs/error-codes.ts\` by \`npm run docs:errors\`.
`;

if (import.meta.main) writeFileSync(new URL("../docs/errors.md", import.meta.url), errorsPage());
