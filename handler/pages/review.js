"use strict";
// The review page: one message at a time, with its group. Every decision is saved before the next message appears.

const ENDPOINT = location.pathname;
const NOT_SAVED = "This decision is not saved. ";

const desks = {}; // by tab: {groups, skipped, intents, slots, languages, progress, output}
const page = { tab: "", draft: null, busy: false, words: null };

async function ask(path, body) {
  const request = body ? { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) } : {};
  let answer;
  try {
    const response = await fetch(ENDPOINT + path, request);
    answer = { ok: response.ok, ...(await response.json()) };
  } catch {
    throw new Error("The review is not running: start `ludwig-serverless review` again, and open the new address.");
  }
  if (!answer.ok) throw new Error(answer.error ?? "The request failed: reload the page.");
  return answer;
}

/** Run one request at a time, and show why it failed. Keys do nothing meanwhile. */
async function attempt(work, prefix = "") {
  if (page.busy) return;
  page.busy = true;
  try {
    await work();
    byId("problem").hidden = true;
  } catch (error) {
    byId("problem").textContent = prefix + error.message;
    byId("problem").hidden = false;
  } finally {
    page.busy = false;
  }
}

const desk = () => desks[page.tab];
const groupOf = (id) => desk().groups.find((group) => group.some((item) => item.id === id)) ?? [];

/** Show an item, or the first one that is undecided. */
function show(item = desk().groups[0]?.[0]) {
  page.words = null;
  page.draft = item ? { item, intent: item.choices[0]?.label ?? "", language: item.language, marks: item.marks } : null;
  draw();
  // Screen readers then read the message, and Enter accepts it.
  byId(item ? "text" : "done").focus({ preventScroll: true });
}

function draw() {
  const { progress } = desk();
  const decided = progress.labeled + progress.deleted;
  byId("bar").max = Math.max(1, progress.total);
  byId("bar").value = decided;
  const skipped = progress.skipped ? `, ${progress.skipped} skipped` : "";
  byId("count").textContent = `${decided} of ${progress.total} decided${skipped}`;
  byId("work").hidden = !page.draft;
  byId("done").hidden = Boolean(page.draft);
  for (const tab of document.querySelectorAll("[role=tab]")) {
    tab.setAttribute("aria-selected", String(tab.dataset.tab === page.tab));
    tab.tabIndex = tab.dataset.tab === page.tab ? 0 : -1;
  }
  if (page.draft) drawItem();
  else drawDone();
}

function drawItem() {
  const { item, intent, language, marks } = page.draft;
  const { slots } = desk();
  const when = item.time ? item.time.slice(0, 16).replace("T", " ") : "";
  const times = item.count > 1 ? `${item.count} times` : "";
  fill(byId("about"), [item.note, times, when].filter(Boolean).map((about) => make("span", { class: "chip" }, about)));
  showText(byId("text"), item.text, marks, slots, pickedRange());
  byId("hint").hidden = !page.words;
  fill(byId("marks"), (marks ?? []).map((mark) => drawMark(item, mark, slots)));
  fill(byId("choices"), choicesOf(item, intent).map((choice, position) => drawChoice(choice, position, intent)));
  byId("language").value = language;
  fill(byId("languages"), desk().languages.map((code) => make("option", { value: code })));
  const group = groupOf(item.id);
  byId("accept-group").hidden = group.length < 2;
  fill(byId("accept-group"), `All ${group.length} as ${intent || "…"} `, make("kbd", {}, "Shift Enter"));
  byId("similar").hidden = group.length < 2;
  byId("group-title").textContent = `${group.length} similar ${page.tab}`;
  fill(byId("group"), group.map((each) => drawMember(each, item)));
}

function drawMark(item, mark, slots) {
  const words = Array.from(item.text).slice(mark.start, mark.end).join("");
  const remove = make("button", { type: "button", class: "quiet small", "aria-label": `Remove ${mark.name} ${words}` }, "✕");
  remove.addEventListener("click", () => {
    page.draft.marks = page.draft.marks.filter((each) => each !== mark);
    draw();
    byId("text").focus();
  });
  const name = make("span", { class: "chip tone", "data-tone": toneOf(mark.name, slots) }, mark.name, ": ", make("bdi", {}, words));
  return make("li", {}, name, remove);
}

/** Return the suggested choices, and the chosen intent if it is another one. */
function choicesOf(item, intent) {
  const found = item.choices.slice(0, 8);
  return !intent || found.some((choice) => choice.label === intent) ? found : [...found, { label: intent, confidence: null }];
}

function drawChoice({ label, confidence }, position, intent) {
  const radio = make("input", { type: "radio", name: "intent", value: label, id: `choice-${position}` });
  radio.checked = label === intent;
  radio.addEventListener("change", () => choose(label));
  const share = confidence === null ? null : percent(confidence);
  const gauge = make("span", { class: "gauge", "--share": confidence ?? 0, hidden: confidence === null }, make("span", { class: "fill" }));
  return make("label", { class: "choice", for: radio.id }, radio, make("kbd", {}, position + 1), make("bdi", { class: "wraps" }, label),
    gauge, make("span", { class: "share soft small number" }, share));
}

function drawMember(each, item) {
  const guess = each.choices[0] ? each.choices[0].label : "no guess";
  const differs = guess !== page.draft.intent; // it would get another intent with its group
  return make("li", {}, make("button", { type: "button", "aria-current": String(each.id === item.id), onclick: () => show(each) },
    make("span", { dir: "auto" }, each.text), make("span", { class: differs ? "chip warn" : "soft small" }, make("bdi", {}, guess))));
}

function drawDone() {
  const { progress, output, skipped } = desk();
  const what = page.tab === "rows" ? "rows are confirmed or corrected" : "messages are";
  const nothing = progress.total ? `${progress.labeled} ${what} in ${output}.` : "There is nothing to review here.";
  const again = make("button", { type: "button", class: "main", hidden: !skipped.length, onclick: openSkipped }, `Review ${skipped.length} skipped`);
  fill(byId("done"), make("h2", {}, "Done"), make("p", { class: "wraps" }, nothing), make("div", { class: "row" }, again));
}

function choose(intent) {
  if (!page.draft) return;
  page.draft.intent = intent;
  if (!desk().intents.includes(intent)) desk().intents.push(intent);
  draw();
  byId("text").focus();
  say(`Intent ${intent}`);
}

/** Save what was decided about items of the current tab, then show the next item. */
function decide(submissions, told) {
  return attempt(async () => {
    const answer = await ask("decide", { tab: page.tab, submissions });
    const decided = new Map(submissions.map((submission) => [submission.id, submission.kind]));
    const items = desk().groups.flat().filter((item) => decided.has(item.id));
    const groups = desk().groups.map((group) => group.filter((item) => !decided.has(item.id))).filter((group) => group.length);
    const skipped = [...desk().skipped, ...items.filter((item) => decided.get(item.id) === "skip")];
    Object.assign(desk(), answer, { groups, skipped });
    show();
    say(`${told} ${byId("count").textContent}`);
  }, NOT_SAVED);
}

function accept() {
  const { item, intent, language, marks } = page.draft;
  if (!intent) return begin("find");
  return decide([{ id: item.id, kind: "label", intent, language, marks }], "Accepted.");
}

function acceptGroup() {
  const { item, intent, language, marks } = page.draft;
  const group = groupOf(item.id);
  if (!intent) return begin("find");
  const own = (each) => (each.id === item.id ? { language, marks } : { language: each.language || language, marks: each.marks });
  return decide(group.map((each) => ({ id: each.id, kind: "label", intent, ...own(each) })), `Accepted ${group.length}.`);
}

const skip = () => decide([{ id: page.draft.item.id, kind: "skip" }], "Skipped.");
const remove = () => decide([{ id: page.draft.item.id, kind: "delete" }], "Deleted.");

function undo() {
  return attempt(async () => {
    const answer = await ask("undo", { tab: page.tab });
    const { items } = answer;
    const open = new Set(items.map((item) => item.id));
    const groups = [items, ...desk().groups.map((group) => group.filter((item) => !open.has(item.id)))];
    const skipped = desk().skipped.filter((item) => !open.has(item.id));
    Object.assign(desk(), answer, { groups: groups.filter((group) => group.length), skipped });
    show();
    say(items.length ? "Undone." : "There is nothing to undo.");
  });
}

function openSkipped() {
  return attempt(async () => {
    await ask("decide", { tab: page.tab, submissions: desk().skipped.map((item) => ({ id: item.id, kind: "open" })) });
    Object.assign(desks, await ask("state"));
    show();
  });
}

// Keys

const choosers = {
  find: new Chooser(byId("finding"), { id: "find", label: "Another intent", fresh: "intent", chosen: choose, closed: () => byId("text").focus() }),
  name: new Chooser(byId("naming"), { id: "name", label: "Name of the slot", fresh: "slot", chosen: named, closed: stopMark }),
};

function begin(name) {
  choosers[name].names = name === "find" ? desk().intents : desk().slots;
  choosers[name].begin();
}

function help() {
  const shown = (byId("help").hidden = !byId("help").hidden);
  byId("help-button").setAttribute("aria-expanded", String(!shown));
}

const KEYS = { i: () => begin("find"), s: beginMark, l: () => byId("language").select(), j: skip, d: remove };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || page.busy) return;
  const { target } = event;
  const types = target.matches("input:not([type=radio]):not([type=checkbox]), textarea, select");
  const pressesButton = target.matches("button, a") && ["Enter", " "].includes(event.key);
  if (event.key === "Escape" && types) return byId("text").focus();
  if (types && !(event.key === "Enter" && target.id === "language")) return;
  if (pressesButton || (event.repeat && !page.words)) return;
  if (page.words && page.draft) {
    if (wordKey(event)) event.preventDefault();
    return;
  }
  const work = keyWork(event);
  if (!work) return;
  event.preventDefault();
  work();
});

/** Return what a key does now; undefined if it does nothing. */
function keyWork(event) {
  const single = byId("keys-on").checked;
  const key = event.key.toLowerCase();
  if (event.key === "?" && single) return help;
  if (key === "u" && single) return undo;
  if (!page.draft) return undefined;
  if (event.key === "Enter") return event.shiftKey && groupOf(page.draft.item.id).length > 1 ? acceptGroup : accept;
  if (!single) return undefined;
  const choice = choicesOf(page.draft.item, page.draft.intent)[Number(event.key) - 1];
  return /^[1-9]$/.test(event.key) ? choice && (() => choose(choice.label)) : KEYS[key];
}

byId("language").addEventListener("input", () => (page.draft.language = byId("language").value.trim()));
for (const [id, work] of Object.entries({ accept, "accept-group": acceptGroup, mark: beginMark, skip, delete: remove, undo, "help-button": help })) {
  byId(id).addEventListener("click", work);
}
byId("mark").addEventListener("mousedown", (event) => event.preventDefault()); // keeps what is selected
byId("choices").closest("fieldset").addEventListener("mousedown", () => getSelection().removeAllRanges());
byId("find").addEventListener("focus", () => (choosers.find.names = desk().intents));
byId("tabs").addEventListener("click", (event) => changeTab(event.target.dataset.tab));
byId("tabs").addEventListener("keydown", (event) => {
  if (!["ArrowLeft", "ArrowRight"].includes(event.key)) return;
  changeTab(page.tab === "messages" ? "rows" : "messages");
  document.querySelector(`[data-tab=${page.tab}]`).focus();
});

function changeTab(tab) {
  if (!desks[tab]) return;
  page.tab = tab;
  show();
}

attempt(async () => {
  const { ok, ...found } = await ask("state");
  Object.assign(desks, found);
  byId("tabs").hidden = Object.keys(desks).length < 2;
  changeTab(Object.keys(desks)[0]);
});
