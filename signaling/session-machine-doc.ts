import { isFinal, SESSION_STATES, SESSION_TRIGGERS, step, TRANSITIONS } from "./session-machine.ts";

/** The text of `docs/states.md`: the session machine as a picture, its rows, and every pair it refuses. */
export function renderStates(): string {
  const picture = TRANSITIONS.flatMap((row) =>
    row.from.map((from) => `  ${node(from)} --> ${row.to}: ${row.id} ${row.trigger}`),
  );
  const ends = SESSION_STATES.filter(isFinal).map((state) => `  ${state} --> [*]`);
  const rows = TRANSITIONS.map(
    (row) =>
      `| ${row.id} | ${row.from.join(", ")} | ${row.trigger} | ${row.to} | ${row.reason ?? ""} | ${row.duty} |`,
  );
  const matrix = SESSION_TRIGGERS.map(
    (trigger) =>
      `| ${trigger} | ${SESSION_STATES.map((state) => {
        const outcome = step(state, trigger);
        return outcome.ok ? `**${outcome.value.to}**` : outcome.fault.code;
      }).join(" | ")} |`,
  );
  return `# Session states

Generated from \`signaling/session-machine.ts\`; \`node scripts/write-states.ts\` writes it anew.

\`\`\`mermaid
stateDiagram-v2
${[...picture, ...ends].join("\n")}
\`\`\`

## Transitions

| row | from | trigger | to | reason | duty |
|---|---|---|---|---|---|
${rows.join("\n")}

## Every state and trigger

Bold is the next state; anything else is the refusal, leaving the session as it is.

| trigger | ${SESSION_STATES.join(" | ")} |
|---|${SESSION_STATES.map(() => "---|").join("")}
${matrix.join("\n")}
`;
}

function node(state: string): string {
  return state === "none" ? "[*]" : state;
}
