/** Each record of the call as the server writes and signs it. */

import type { CallState } from "../model/page-state.ts";
import { openRecord, recordDetail, recordTitle, type SessionRecord } from "../model/record-line.ts";
import { el, type Row, RowList } from "./dom.ts";

export class RecordsView {
  readonly element: HTMLElement;
  readonly #list = el("ol", {
    class: "records",
    tabindex: "0",
    "aria-label": "Records of this call",
    "data-testid": "records",
  });
  readonly #rows = new RowList<SessionRecord>(this.#list, ({ auditId }) => auditId, recordRow);
  readonly #empty = el("p", { class: "hint" }, "Nothing is on record yet.");

  constructor() {
    this.element = el(
      "section",
      { class: "panel records-panel", "aria-labelledby": "records-title" },
      el("h2", { id: "records-title" }, "On record"),
      el(
        "p",
        { class: "hint" },
        "Signed by the server, each naming the one before. Open one to see the signed object.",
      ),
      this.#list,
      this.#empty,
    );
  }

  show(call: CallState): void {
    this.#rows.show(call.records.toReversed());
    this.#empty.hidden = call.records.length > 0;
    this.#list.hidden = call.records.length === 0;
  }
}

function recordRow(record: SessionRecord): Row<SessionRecord> {
  const time = new Date(record.at);
  const body = el("pre", { tabindex: "0", "aria-label": `Signed object of record ${record.seq}` });
  const element = el(
    "details",
    { "data-seq": String(record.seq) },
    el(
      "summary",
      {},
      el("span", { class: "seq" }, String(record.seq)),
      el("span", { class: "what" }, recordTitle(record), el("small", {}, recordDetail(record))),
      el("time", { datetime: time.toISOString() }, time.toLocaleTimeString()),
    ),
    body,
  );
  element.addEventListener("toggle", () => {
    if (element.open && body.textContent === "") body.textContent = openRecord(record.jws);
  });
  return { element: el("li", {}, element), update() {} };
}
