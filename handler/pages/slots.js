"use strict";
// Mark a slot in the current message: the selected text, or words that the arrow keys choose.

const pickedRange = () => page.words && [page.words.all[page.words.first][0], page.words.all[page.words.last][1]];

function beginMark() {
  const { item } = page.draft;
  const selected = selectedIn(byId("text"), item.text);
  if (selected) return nameSlot(selected);
  const all = wordsOf(item.text);
  if (!all.length) return;
  page.words = { all, first: 0, last: 0 };
  byId("hint").textContent = "Arrow keys choose a word, Shift and arrow keys add words, Enter names the slot, Escape stops.";
  draw();
  byId("text").focus();
  sayWords();
}

function nameSlot(range) {
  page.range = range;
  byId("naming").hidden = false;
  choosers.name.names = desk().slots;
  choosers.name.begin();
}

function named(name) {
  const slot = name.trim().replace(/\s+/g, "_");
  page.draft.marks = withMark(page.draft.marks, page.range, slot);
  if (!desk().slots.includes(slot)) desk().slots.push(slot);
  stopMark();
  say(`Marked ${slot}`);
}

function stopMark() {
  page.words = null;
  byId("naming").hidden = true;
  getSelection().removeAllRanges();
  draw();
  byId("text").focus();
}

function sayWords() {
  say(Array.from(page.draft.item.text).slice(...pickedRange()).join(""));
}

/** Move in the words of the text: with a key of the direction in which the text runs. */
function wordKey(event) {
  const forward = getComputedStyle(byId("text")).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
  const { all, first, last } = page.words;
  if (event.key === "Escape") stopMark();
  else if (event.key === "Enter") nameSlot(pickedRange());
  else if (["ArrowLeft", "ArrowRight"].includes(event.key)) {
    const step = event.key === forward ? 1 : -1;
    const moved = Math.min(all.length - 1, Math.max(0, last + step));
    page.words = event.shiftKey ? { all, first, last: Math.max(first, moved) } : { all, first: moved, last: moved };
    draw();
    sayWords();
  } else return false;
  return true;
}
