"use strict";
// Show the answer to one message: its slots, intents, language, times, JSON and command.

const SHOWN_LABELS = 5;
const KEY_NAMES = { intent: "Intent", language: "Language", entities: "Slots" };
const UNSURE = ["below threshold", "no evidence", "rejected", "unknown", "blank"];

/** Return the tone of a kind of entity: the same name has the same tone in all answers. */
const tones = new Map();
function toneOf(name) {
  if (!tones.has(name)) tones.set(name, tones.size % 8);
  return tones.get(name);
}

/** Return an element for a result: {answer, timings, milliseconds, service, models, keys} of a side. */
function answerCard(result, title) {
  const { answer } = result;
  const explained = answer.explanation ?? [];
  const first = new Set();
  return make(
    "article",
    { class: "card stack answer", "aria-label": title ?? "Answer" },
    make("h2", { class: title ? "wraps" : "unseen" }, title ?? "Answer"),
    verdict(answer, result.keys),
    markedText(answer),
    failures(answer),
    make(
      "div",
      { class: "parts" },
      explained.map((category) => {
        // With two models for one key, the answer is that of the first.
        const unused = first.has(category.key);
        first.add(category.key);
        return categoryPart(category, unused);
      }),
      entitiesPart(answer),
      traitsPart(answer, first),
      modelsPart(result),
    ),
    detailsPart("JSON", () => JSON.stringify(answer, null, 2)),
    detailsPart("curl", () => curlCommand(result.service, answer.text, result.models)),
  );
}

/** Return the heading of a part. */
function minor(text) {
  return make("h3", { class: "minor", dir: "auto" }, text);
}

/** Return the intent and the language; null if the asked models answer neither. */
function verdict(answer, keys) {
  const withheld = answer.below_threshold.intent;
  const intent = [
    make("span", { class: "unseen" }, "Intent: "),
    make("strong", { dir: "auto" }, answer.intent.name ?? "no intent"),
    answer.intent.name ? make("span", { class: "chip good number" }, percent(answer.intent.confidence)) : null,
    withheld ? make("span", { class: "chip warn wraps" }, `withheld: ${withheld.name} ${percent(withheld.confidence)}`) : null,
  ];
  const { value, confidence } = answer.language;
  const language = make("span", { class: "chip" }, languageName(value), confidence === 0 ? ", the default" : null);
  if (!keys.has("intent") && !keys.has("language")) return null;
  return make("div", { class: "verdict" }, keys.has("intent") ? intent : null, keys.has("language") ? language : null);
}

/** Return a note for each model that could not answer. */
function failures(answer) {
  const failed = Object.entries(answer.models).filter(([, model]) => model.status !== "success");
  return failed.map(([name, model]) => make("p", { class: "note bad small", role: "alert" }, make("bdi", {}, name), `: ${model.error}`));
}

/** Return the text with marks for its entities. Overlapping ones are only in the list of entities. */
function markedText(answer) {
  const parts = [];
  let end = 0;
  for (const entity of answer.entities) {
    if (entity.start < end) continue;
    parts.push(answer.text.slice(end, entity.start));
    const label = make("span", { class: "label", "aria-hidden": "true" }, `${entity.entity} ${percent(entity.confidence)}`);
    parts.push(make("mark", {}, make("span", { class: "tone", "data-tone": toneOf(entity.entity) }, entity.value), label));
    end = entity.end;
  }
  parts.push(answer.text.slice(end));
  return make("p", { class: "message", dir: "auto" }, parts);
}

function categoryPart(category, unused) {
  const comparable = ["above threshold", "below threshold"].includes(category.reason);
  const soft = comparable && Math.abs(category.compared - (category.labels[0]?.confidence ?? 0)) > 0.0005;
  const limited = category.labels.some((label) => label.threshold !== null);
  const rows = (labels) => labels.map((label) => bar(label, label === category.labels[0] ? category : null, soft));
  const more = category.labels.slice(SHOWN_LABELS);
  const name = KEY_NAMES[category.key] ?? category.key;
  const list = make("ul", { class: "bars" }, rows(category.labels.slice(0, SHOWN_LABELS)));
  const button = make("button", { type: "button", class: "quiet small" }, `Show ${more.length} more`);
  button.addEventListener("click", () => {
    list.append(...rows(more));
    button.remove();
  });
  return make(
    "section",
    { class: "part" },
    minor(unused ? `${name}, by ${category.model}: not in the answer` : name),
    list,
    more.length ? make("div", {}, button) : null,
    limited || soft
      ? make("p", { class: "legend" }, limited ? make("span", {}, "threshold") : null, soft ? make("span", { class: "dot" }, "softened confidence") : null)
      : null,
    make("p", { class: `small ${UNSURE.includes(category.reason) ? "" : "soft"}` }, reasonOf(category, soft)),
  );
}

/** Return a row of a label: its name, its bar with the threshold, its probability. `category` is set for the first. */
function bar(label, category, soft) {
  const limit = label.threshold;
  return make(
    "li",
    {},
    make("bdi", { class: category ? "name first" : "name" }, label.name),
    make(
      "span",
      { class: "gauge", "aria-hidden": "true" },
      make("span", { class: category?.sure ? "fill" : "fill pale", "--share": label.confidence }),
      limit === null ? null : make("span", { class: "limit", "--at": limit, title: `threshold ${percent(limit)}` }),
      category && soft ? make("span", { class: "compared", "--at": category.compared }) : null,
    ),
    make("span", { class: "number" }, percent(label.confidence), limit === null ? null : make("span", { class: "unseen" }, `, threshold ${percent(limit)}`)),
  );
}

function reasonOf(category, soft) {
  const limit = percent(category.labels[0]?.threshold ?? 0);
  const compared = soft ? `the softened confidence, ${percent(category.compared)},` : percent(category.compared);
  return {
    "above threshold": `It counts: ${compared} reaches the threshold, ${limit}.`,
    "below threshold": `It is withheld: ${compared} is below the threshold, ${limit}.`,
    "no threshold": "It counts: this model has no thresholds.",
    evidence: "It counts: the text has words or letters of this language only.",
    "no evidence": "It is withheld: the text shows too little of this language.",
    rejected: "It is withheld: this label is for messages out of scope.",
    unknown: "It is withheld: the model knows no label for this message.",
    blank: "The message is blank, so nothing counts.",
  }[category.reason];
}

function entitiesPart(answer) {
  if (!answer.entities.length) return null;
  const rows = answer.entities.map((entity) =>
    make(
      "tr",
      {},
      make("td", {}, make("span", { class: "tone", "data-tone": toneOf(entity.entity) }, entity.entity)),
      make("td", { class: "wraps" }, make("bdi", {}, entity.value), entity.canonicalValue === entity.value ? null : make("bdi", { class: "soft" }, ` = ${entity.canonicalValue}`)),
      make("td", { class: "number" }, entity.source === "model" ? percent(entity.confidence) : entity.source),
    ),
  );
  const head = ["Slot", "Value", "Confidence"].map((name) => make("th", { scope: "col" }, name));
  return make(
    "section",
    { class: "part" },
    minor("Slots"),
    make("table", { class: "entities" }, make("thead", { class: "unseen" }, make("tr", {}, head)), make("tbody", {}, rows)),
  );
}

/** Return the traits that have no bars. */
function traitsPart(answer, explained) {
  const traits = Object.entries(answer.traits).filter(([name]) => !explained.has(name));
  if (!traits.length) return null;
  return make(
    "section",
    { class: "part" },
    minor("Traits"),
    make("ul", { class: "plain" }, traits.map(([name, trait]) => make("li", { dir: "auto" }, `${name}: ${[trait.value].flat().join(", ")}`, trait.confidence === null ? null : make("span", { class: "soft number" }, ` ${percent(trait.confidence)}`)))),
  );
}

function modelsPart({ timings, milliseconds }) {
  const slowest = Math.max(...Object.values(timings), 0.001);
  const rows = Object.entries(timings).map(([name, duration]) =>
    make(
      "li",
      {},
      make("bdi", { class: "name" }, name),
      make("span", { class: "gauge", "aria-hidden": "true" }, make("span", { class: "fill pale", "--share": duration / slowest })),
      make("span", { class: "number" }, `${duration.toFixed(2)} ms`),
    ),
  );
  const models = Object.values(timings).reduce((sum, each) => sum + each, 0);
  return make(
    "section",
    { class: "part" },
    minor("Time of each model"),
    make("ul", { class: "bars" }, rows),
    make("p", { class: "small soft number" }, rows.length === 0 ? "The response has no times." : `Models ${models.toFixed(2)}\u00a0ms, with the network and the page ${milliseconds.toFixed(0)}\u00a0ms.`),
  );
}

function detailsPart(title, textOf) {
  const body = make("div", { class: "stack" });
  const details = make("details", {}, make("summary", {}, title), body);
  details.addEventListener("toggle", () => {
    if (body.childElementCount) return;
    const text = textOf();
    fill(body, make("pre", { tabindex: "0", dir: "ltr" }, text), make("div", {}, copyButton(`Copy ${title}`, () => text)));
  });
  return details;
}

/** Return the same request as a command. A token is never in it. */
function curlCommand(service, text, models) {
  const { explain, ...fields } = service.fields(text, models);
  const quoted = (value) => `'${value.replaceAll("'", "'\\''")}'`;
  return [
    `curl ${quoted(`${service.address}/understand`)}`,
    ...(service.token ? ['-H "authorization: Bearer $TOKEN"'] : []),
    "-H 'content-type: application/json'",
    `-d ${quoted(JSON.stringify(fields))}`,
  ].join(" \\\n  ");
}

function languageName(code) {
  try {
    return new Intl.DisplayNames(["en"], { type: "language" }).of(code) ?? code;
  } catch {
    return code; // not a language code
  }
}
