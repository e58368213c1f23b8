"use strict";
// Read and write delimited files: CSV as RFC 4180 describes it, also with semicolons or tabs.

/** Decode a file: UTF-16 and UTF-8 by their marks, else UTF-8, else Windows-1252, which Excel writes. */
function decodedText(bytes) {
  const [first, second] = new Uint8Array(bytes.slice(0, 2));
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder("windows-1252").decode(bytes);
  }
}

const MESSAGE_COLUMN = /^(text|message|utterance|sentence|example|query|question)s?$/i;
const INTENT_COLUMN = /^(intent|label)s?$/i;

/** Return {rows, named}: the cells of each row, and whether the first row seems to name the columns. */
function readMessages(name, text) {
  if (!/\.(csv|tsv)$/i.test(name)) {
    const lines = text.split(/\r\n|\r|\n/).filter((line) => line.trim());
    return { rows: lines.map((line) => [line]), named: false };
  }
  const rows = parseDelimited(text, delimiterOf(text)).filter((row) => row.some((cell) => cell.trim()));
  return { rows, named: (rows[0] ?? []).some((cell) => MESSAGE_COLUMN.test(cell.trim()) || INTENT_COLUMN.test(cell.trim())) };
}

/** Return the delimiter that is most frequent in the first line; a comma if there is none. */
function delimiterOf(text) {
  const line = text.split(/\r\n|\r|\n/, 1)[0];
  const counts = [",", ";", "\t"].map((each) => [line.split(each).length, each]);
  return counts.reduce((best, each) => (each[0] > best[0] ? each : best))[1];
}

/** Split delimited text into rows of cells. Quoted cells may contain delimiters, line breaks and doubled quotes. */
function parseDelimited(text, delimiter) {
  const rows = [[]];
  let cell = "";
  let quoted = false;
  const endCell = () => {
    rows.at(-1).push(cell);
    cell = "";
  };
  for (let at = 0; at < text.length; at += 1) {
    const character = text[at];
    if (quoted) {
      if (character !== '"') cell += character;
      else if (text[at + 1] === '"') {
        cell += '"';
        at += 1;
      } else quoted = false;
    } else if (character === '"' && cell === "") quoted = true;
    else if (character === delimiter) endCell();
    else if (character === "\n" || character === "\r") {
      if (character === "\r" && text[at + 1] === "\n") at += 1;
      endCell();
      rows.push([]);
    } else cell += character;
  }
  if (cell || rows.at(-1).length) endCell();
  return rows.filter((row) => row.length);
}

/** Return rows as CSV. The mark at the start tells Excel that the file is UTF-8. */
function csvOf(rows) {
  const quoted = (cell) => (/[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell);
  return `\ufeff${rows.map((row) => row.map((cell) => quoted(String(cell ?? ""))).join(",")).join("\r\n")}\r\n`;
}
