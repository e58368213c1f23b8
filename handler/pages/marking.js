"use strict";
// Slots in a text: show them, and find out what is selected. Positions are in code points, as in the datasets.

const WORD_CHARACTER = /[\p{L}\p{N}\p{M}]/u;

/** Return the words of a text, as [start, end] in code points, without the punctuation around them. */
function wordsOf(text) {
  const words = [];
  const points = Array.from(text);
  for (let start = 0; start < points.length; start++) {
    if (/\s/u.test(points[start])) continue;
    let end = start;
    while (end < points.length && !/\s/u.test(points[end])) end++;
    let [first, last] = [start, end];
    while (first < last && !WORD_CHARACTER.test(points[first])) first++;
    while (last > first && !WORD_CHARACTER.test(points[last - 1])) last--;
    words.push(first < last ? [first, last] : [start, end]);
    start = end;
  }
  return words;
}

/** Show a text with its slots, and words that are being chosen. */
function showText(element, text, marks, names, picked) {
  const points = Array.from(text);
  const parts = (marks ?? []).map((mark) => ({ ...mark, element: "mark" }));
  if (picked) {
    const [start, end] = picked;
    const kept = parts.filter((part) => part.end <= start || part.start >= end);
    parts.splice(0, parts.length, ...kept, { start, end, element: "span" });
  }
  parts.sort((one, two) => one.start - two.start);
  const children = [];
  let end = 0;
  for (const part of parts) {
    children.push(points.slice(end, part.start).join(""));
    const words = points.slice(part.start, part.end).join("");
    // The name is shown by the stylesheet, so that it is no part of what can be selected.
    const look = part.element === "span" ? { class: "picked" }
      : { class: "tone", "data-tone": toneOf(part.name, names), "data-name": part.name };
    children.push(make(part.element, look, words));
    end = part.end;
  }
  fill(element, children, points.slice(end).join(""));
}

/** Return the tone of a slot: the same name has the same color on the whole page. */
function toneOf(name, names) {
  return Math.max(0, names.indexOf(name)) % 8;
}

/** Return what is selected in an element, as [start, end] in code points of its text, or null. */
function selectedIn(element, text) {
  const selection = getSelection();
  if (!selection.rangeCount || selection.isCollapsed) return null;
  const range = selection.getRangeAt(0);
  if (!element.contains(range.startContainer) || !element.contains(range.endContainer)) return null;
  const before = document.createRange();
  before.setStart(element, 0);
  before.setEnd(range.startContainer, range.startOffset);
  const start = Array.from(before.toString()).length;
  return wholeWords(text, start, start + Array.from(range.toString()).length);
}

/** Return a range without the white space around it, and with the rest of words that it cuts; null if it is empty. */
function wholeWords(text, start, end) {
  const points = Array.from(text);
  while (start < end && /\s/u.test(points[start])) start++;
  while (end > start && /\s/u.test(points[end - 1])) end--;
  if (start >= end) return null;
  const inWord = (position) => position >= 0 && position < points.length && WORD_CHARACTER.test(points[position]);
  while (inWord(start) && inWord(start - 1)) start--;
  while (inWord(end - 1) && inWord(end)) end++;
  return [start, end];
}

/** Return slots with a new one. It replaces those that it overlaps. */
function withMark(marks, [start, end], name) {
  const kept = (marks ?? []).filter((mark) => mark.end <= start || mark.start >= end);
  return [...kept, { start, end, name }].sort((one, two) => one.start - two.start);
}
