"use strict";
// Ask for all messages of a file, show the answers in a table, and offer them as files.

const AT_ONCE = 4;
const ATTEMPTS = 5;
const SHOWN_ROWS = 200;
const AGAIN = [0, 429, 502, 503, 504]; // the service is busy or starts

class FileRun {
  constructor(side) {
    this.side = side;
    this.stopped = true;
    byId("file").addEventListener("change", () => this.read(byId("file").files[0]));
    byId("start").addEventListener("click", () => this.run());
    byId("stop").addEventListener("click", () => (this.stopped = true));
    byId("named").addEventListener("change", () => this.chooseColumns());
    byId("save-csv").addEventListener("click", () => download("answers.csv", "text/csv;charset=utf-8", csvOf(this.table())));
    byId("save-jsonl").addEventListener("click", () => download("answers.jsonl", "application/jsonl", this.lines()));
  }

  async read(file) {
    this.stopped = true;
    for (const id of ["columns", "run", "results", "progress"]) byId(id).hidden = true;
    fill(byId("file-note"));
    if (!file) return;
    const { rows, named } = readMessages(file.name, decodedText(await file.arrayBuffer()));
    if (!rows.length) {
      this.note("bad", `${file.name} has no messages: it needs one a line, or a CSV file with a column of messages.`);
      return;
    }
    this.cells = rows;
    byId("named").checked = named;
    byId("columns").hidden = rows[0].length < 2 && !named;
    byId("run").hidden = false;
    this.chooseColumns();
  }

  /** Offer the columns of the file, with the names that its first row gives them. */
  chooseColumns() {
    const named = byId("named").checked;
    const rows = this.cells;
    this.header = rows[0].map((cell, number) => (named && cell.trim()) || `column ${number + 1}`);
    this.content = named ? rows.slice(1) : rows;
    const options = this.header.map((name, number) => make("option", { value: number, dir: "auto" }, name));
    fill(byId("text-column"), options);
    fill(byId("intent-column"), make("option", { value: "" }, "none"), options.map((option) => option.cloneNode(true)));
    const find = (pattern) => this.header.findIndex((name) => pattern.test(name));
    byId("text-column").value = Math.max(0, find(MESSAGE_COLUMN));
    byId("intent-column").value = find(INTENT_COLUMN) < 0 ? "" : find(INTENT_COLUMN);
    const count = this.content.length;
    byId("count").textContent = `${count} ${count === 1 ? "message" : "messages"}`;
    byId("start").textContent = count === 1 ? "Ask for it" : `Ask for all ${count}`;
    byId("start").disabled = count === 0;
  }

  async run() {
    const textColumn = Number(byId("text-column").value) || 0;
    const intentColumn = byId("intent-column").value;
    this.rows = this.content.map((cells, number) => ({
      number: number + 1,
      cells,
      text: cells[textColumn] ?? "",
      expected: intentColumn === "" ? null : (cells[intentColumn] ?? "").trim(),
    }));
    this.stopped = false;
    this.running(true);
    const head = ["Row", "Message", "Intent", "Confidence", ...(intentColumn === "" ? [] : ["Expected"]), "Language", "Slots"];
    fill(byId("table-head"), head.map((name) => make("th", { scope: "col" }, name)));
    fill(byId("table-rows"));
    const waiting = this.rows.values();
    const work = async () => {
      for (const row of waiting) {
        if (this.stopped) return;
        await this.ask(row);
        this.show(row);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    this.running(false);
    say(`${this.answered().length} of ${this.rows.length} messages are answered.`);
  }

  async ask(row) {
    for (let attempt = 1; ; attempt += 1) {
      try {
        row.answer = (await this.side.ask(row.text)).answer;
        return;
      } catch (error) {
        row.error = error.message;
        if (error.status === 401) this.stopped = true;
        if (!AGAIN.includes(error.status) || attempt === ATTEMPTS || this.stopped) return;
        await new Promise((resolve) => setTimeout(resolve, 500 * 2 ** attempt));
        delete row.error;
      }
    }
  }

  show(row) {
    const done = this.rows.filter((each) => each.answer || each.error).length;
    byId("progress").value = done / this.rows.length;
    byId("count").textContent = `${done} of ${this.rows.length}`;
    if (row.number <= SHOWN_ROWS) {
      const made = this.tableRow(row);
      // Rows are answered out of order and shown in order.
      const next = [...byId("table-rows").children].find((each) => Number(each.dataset.number) > row.number);
      byId("table-rows").insertBefore(made, next ?? null);
    }
    fill(byId("summary"), this.summary());
  }

  tableRow({ number, text, expected, answer, error }) {
    const cells = [make("td", { class: "number" }, number), make("td", { class: "text", dir: "auto" }, text)];
    if (error) {
      cells.push(make("td", { class: "wrong wraps", colspan: expected === null ? 4 : 5 }, error));
      return make("tr", { "data-number": number }, cells);
    }
    const withheld = answer.below_threshold.intent;
    const best = answer.intent.ranking[0];
    const name = answer.intent.name ?? make("span", { class: "soft" }, withheld ? `none (${withheld.name})` : "none");
    cells.push(make("td", { dir: "auto" }, name), make("td", { class: "number" }, best ? percent(best.confidence) : ""));
    if (expected !== null) {
      const right = expected === answer.intent.name;
      cells.push(make("td", { class: right ? "right" : "wrong", dir: "auto" }, `${right ? "✓" : "✗"}\u00a0${expected}`));
    }
    const slots = answer.entities.map((each) => make("span", { class: "tone", "data-tone": toneOf(each.entity), dir: "auto" }, `${each.entity}: ${each.value}`));
    cells.push(make("td", {}, answer.language.value), make("td", {}, slots));
    return make("tr", { "data-number": number }, cells);
  }

  answered() {
    return this.rows.filter((row) => row.answer);
  }

  summary() {
    const answered = this.answered();
    const failed = this.rows.filter((row) => row.error).length;
    const unsure = answered.filter((row) => row.answer.intent.name === null).length;
    const judged = answered.filter((row) => row.expected !== null);
    const right = judged.filter((row) => row.expected === row.answer.intent.name).length;
    return [
      make("span", { class: "chip number" }, `${answered.length} answered`),
      make("span", { class: "chip number" }, `${unsure} without an intent`),
      judged.length ? make("span", { class: "chip good number" }, `${right} of ${judged.length} as expected, ${percent(right / judged.length)}`) : null,
      failed ? make("span", { class: "chip bad number" }, `${failed} failed`) : null,
      this.rows.length > SHOWN_ROWS ? make("span", { class: "small soft" }, `The table shows the first ${SHOWN_ROWS} rows, the downloads have all.`) : null,
    ];
  }

  running(is) {
    byId("start").hidden = is;
    byId("stop").hidden = !is;
    for (const id of ["file", "named", "text-column", "intent-column", "save-csv", "save-jsonl"]) byId(id).disabled = is;
    byId("progress").hidden = !is;
    byId("results").hidden = false;
    if (is) byId("stop").focus();
    else byId("start").focus();
  }

  note(kind, text) {
    fill(byId("file-note"), make("p", { class: `note ${kind}`, role: "alert" }, text));
  }

  /** Return the table to download: the file's own columns, and those of the answers. */
  table() {
    const own = this.header.length > 1 || byId("named").checked ? this.header : ["text"];
    const added = ["answer_intent", "answer_confidence", "answer_withheld", "answer_language", "answer_slots", "answer_error"];
    const rows = this.rows.map(({ cells, answer, error }) => [
      ...own.map((_, number) => cells[number] ?? ""),
      answer?.intent.name,
      answer?.intent.ranking[0]?.confidence,
      answer?.below_threshold.intent?.name,
      answer?.language.value,
      answer?.entities.map((each) => `${each.entity}=${each.value}`).join("; "),
      error,
    ]);
    return [[...own, ...added], ...rows];
  }

  /** Return one JSON object a line: the row's number, and its answer or error. */
  lines() {
    return this.rows.map(({ number, text, expected, answer, error }) => `${JSON.stringify({ row: number, ...(expected === null ? {} : { expected }), ...(answer ?? { text, error: error ?? "not asked" }) })}\n`).join("");
  }
}
