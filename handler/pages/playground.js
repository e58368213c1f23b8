"use strict";
// The page: it asks both sides for each message, shows the answers, and keeps them in the history.

const KEPT = 200; // messages in the history
const own = new Side(new Service(OWN_ADDRESS));
const comparison = new Comparison(byId("comparison"), own, connected);
const shown = []; // what was asked: {text, results: [{title, result}]}
let waitingForToken = null;

/** Connect a side. If its service wants a token, ask for one and wait. */
async function connected(side) {
  for (;;) {
    try {
      await side.connect();
      return;
    } catch (error) {
      if (error.status === 404) throw new ServiceError(`${side.service.address} has no route GET /models: update it to this version.`, 404);
      if (error.status !== 401) throw error;
      await tokenFor(side.service, error);
    }
  }
}

/** Ask the user for a service's token. Resolves when there is a new one. */
function tokenFor(service, error) {
  const reason = service.token
    ? `It does not know this one. ${error.message}`
    : ["Create one with ", make("code", {}, "ludwig-serverless token"), ", or ask the person who runs the service."];
  fill(byId("token-reason"), reason);
  byId("token-address").textContent = service.address;
  byId("token").value = "";
  byId("token-form").hidden = false;
  byId("token").focus();
  return new Promise((resolve) => {
    waitingForToken = (token) => {
      service.token = token;
      byId("token-form").hidden = true;
      resolve();
    };
  });
}

byId("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  waitingForToken?.(byId("token").value);
});

/** Ask a side. A token that the service no longer knows is asked for again. */
async function askSide(side, text) {
  for (;;) {
    try {
      return { result: await side.ask(text) };
    } catch (error) {
      if (error.status !== 401) return { error };
      await tokenFor(side.service, error);
    }
  }
}

async function ask(text) {
  byId("send").disabled = true;
  await ready;
  byId("answers").setAttribute("aria-busy", "true");
  const results = [];
  // One after the other, so that the times of one side do not slow down those of the other.
  for (const [side, title] of comparison.sides()) results.push({ title, ...(await askSide(side, text)) });
  byId("answers").removeAttribute("aria-busy");
  byId("send").disabled = false;
  shown.unshift({ text, results });
  shown.length = Math.min(shown.length, KEPT);
  show(shown[0]);
  const { answer } = results[0].result ?? {};
  say(answer ? `Intent ${answer.intent.name ?? "none"}, language ${languageName(answer.language.value)}, ${answer.entities.length} slots.` : results[0].error.message);
}

/** Show an entry of the history. */
function show(entry) {
  const cards = entry.results.map(({ title, result, error }) =>
    error ? make("div", { class: "card stack" }, title ? make("h2", { class: "wraps" }, title) : null, make("p", { class: "note bad", role: "alert" }, error.message)) : answerCard(result, title),
  );
  fill(byId("answers"), comparedNote(entry.results), make("div", { class: cards.length > 1 ? "sides" : "" }, cards));
  fill(byId("history"), shown.map((each) => historyItem(each, each === entry)));
  byId("no-history").hidden = shown.length > 0;
  byId("forget").hidden = shown.length === 0;
}

function comparedNote(results) {
  if (results.length < 2 || results.some((each) => each.error)) return null;
  const [one, other] = results.map((each) => each.result);
  const found = differences(one, other);
  if (found.length) return make("div", { class: "note warn compared-note" }, found.map((each) => make("p", {}, each)));
  const names = sharedKeys(one, other).map((key) => KEY_NAMES[key].toLowerCase());
  return make("p", { class: "note good compared-note" }, names.length ? `Both give the same ${names.join(", ")}.` : "These models answer different questions.");
}

function historyItem(entry, current) {
  const { answer } = entry.results[0].result ?? {};
  const label = answer ? `${answer.intent.name ?? "no intent"} · ${answer.language.value}` : "failed";
  const button = make("button", { type: "button", "aria-current": current ? "true" : null }, make("span", { class: "text", dir: "auto" }, entry.text), make("span", { class: "label" }, label));
  button.addEventListener("click", () => {
    show(entry);
    byId("message").value = entry.text;
    byId("history").querySelector("[aria-current=true]").focus();
  });
  return make("li", {}, button);
}

byId("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  if (!byId("send").disabled) ask(byId("message").value);
});

byId("message").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  byId("ask").requestSubmit();
});

byId("forget").addEventListener("click", () => {
  shown.length = 0;
  fill(byId("history"));
  fill(byId("answers"));
  byId("no-history").hidden = false;
  byId("forget").hidden = true;
  byId("message").focus();
});

byId("compare").addEventListener("click", async () => {
  await ready;
  byId("compare").setAttribute("aria-expanded", !comparison.isOpen);
  if (comparison.isOpen) comparison.close();
  else await comparison.open();
});

/** Ask for the loaded models, and show their names and seals. */
async function start() {
  for (;;) {
    try {
      await connected(own);
      break;
    } catch (error) {
      const again = make("button", { type: "button" }, "Try again");
      fill(byId("answers"), make("div", { class: "note bad row", role: "alert" }, error.message, again));
      await new Promise((resolve) => again.addEventListener("click", resolve));
      fill(byId("answers"));
    }
  }
  fill(
    byId("models"),
    own.described.models.map((model) => make("span", { class: "chip", title: `seal ${model.seal}, exported ${model.exported_at}` }, make("span", { dir: "auto" }, model.name), make("code", {}, model.seal.slice(0, 8)))),
  );
  byId("docs").href = `${OWN_ADDRESS}/docs`;
  byId("docs").hidden = !own.described.docs;
  byId("message").focus();
}

tabs(byId("tabs"));
new FileRun(own);
const ready = start();
