"use strict";
// The description of the API, /openapi.json, as a page: fields, examples, errors, and a form that sends a request.

const service = new Service(OWN_ADDRESS);
const JSON_TYPE = "application/json";

/** Return a shell command that sends a request, with the token in a variable. */
function curlCommand(method, path, body, secured) {
  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const parts = ["curl", ...(method === "GET" ? [] : [`-X ${method}`]), quoted(service.address + path)];
  if (secured) parts.push('-H "Authorization: Bearer $TOKEN"');
  if (body) parts.push(`-H ${quoted(`content-type: ${JSON_TYPE}`)}`, `-d ${quoted(body)}`);
  return parts.join(" \\\n  ");
}

/** Send a request, and return its status, its text and its milliseconds. */
async function send(method, path, body, secured) {
  const headers = {
    ...(body ? { "content-type": JSON_TYPE } : {}),
    ...(secured && service.token ? { authorization: `Bearer ${service.token}` } : {}),
  };
  const started = performance.now();
  const response = await fetch(service.address + path, {
    method,
    headers,
    body: body || undefined,
    credentials: "omit",
    cache: "no-store",
  });
  const text = await response.text();
  return { status: response.status, text, milliseconds: performance.now() - started };
}

/** Return the form that sends a request to an operation and shows the response. */
function trial(operation) {
  const { method, path, example, secured } = operation;
  const id = `body-${operation.id}`;
  const body = operation.fields
    ? make("textarea", { id, class: "code", dir: "ltr", spellcheck: "false", rows: 6 }, example ? pretty(example.fields) : "{}")
    : null;
  const bodyText = () => body?.value.trim() ?? "";
  const result = make("div", { class: "stack", hidden: true });
  const button = make("button", { type: "submit", class: "main" }, "Send");
  const form = make(
    "form",
    { class: "stack" },
    body ? make("div", { class: "field" }, make("label", { for: id }, "Body"), body) : null,
    make("div", { class: "row" }, button, copyButton("Copy as curl", () => curlCommand(method, path, bodyText(), secured))),
    result,
  );
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    try {
      const answer = await send(method, path, bodyText(), secured);
      showResponse(result, answer);
      say(`Status ${answer.status}.`);
    } catch {
      fill(result, make("p", { class: "note bad" }, "The service cannot be reached."));
      say("The service cannot be reached.");
    }
    result.hidden = false;
    button.disabled = false;
  });
  return form;
}

function showResponse(result, { status, text, milliseconds }) {
  let shown = text;
  try {
    shown = pretty(JSON.parse(text));
  } catch {
    // It is not JSON: show the text.
  }
  const tone = status < 400 ? "good" : "bad";
  fill(
    result,
    make("p", { class: "row" }, make("span", { class: `chip ${tone}` }, `Status ${status}`), make("span", { class: "soft small number" }, `${milliseconds.toFixed(0)} ms`)),
    shown ? codeBlock("Response", shown) : null,
  );
}

/** Return the operations of a document, with what the page shows of each. */
function operationsOf(api) {
  return Object.entries(api.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => {
      const content = operation.requestBody?.content ?? {};
      const answer = operation.responses["200"]?.content ?? {};
      const example = content[JSON_TYPE]?.example ?? null;
      return {
        id: operation.operationId,
        method: method.toUpperCase(),
        path,
        summary: operation.summary,
        secured: (operation.security ?? api.security).length > 0,
        headers: operation.parameters ?? [],
        fields: content[JSON_TYPE]?.schema ?? null,
        media: Object.keys(content),
        answer: answer[JSON_TYPE]?.schema ?? null,
        isPage: "text/html" in answer,
        example: example === null ? null : { fields: example },
        answerExample: answer[JSON_TYPE]?.example ?? null,
        statuses: Object.entries(operation.responses).map(([status, response]) => [status, resolved(api, response)]),
      };
    }),
  );
}

function resolved(api, response) {
  return response.$ref ? api.components.responses[refName(response.$ref)] : response;
}

/** Return the card of an operation. */
function operationCard(api, operation) {
  const { id, method, path, summary, secured, fields, answer, media, headers, statuses, answerExample } = operation;
  const schema = fields?.$ref ? api.components.schemas[refName(fields.$ref)] : fields;
  return make(
    "section",
    { class: "card operation", id, "aria-labelledby": `${id}-title` },
    make("h2", { id: `${id}-title` }, make("span", { class: "method" }, method), " ", path),
    make("p", {}, summary, " ", secured || !api.security.length ? null : make("span", { class: "chip" }, "no token")),
    schema ? [make("h3", {}, "Fields"), fieldList(schema), make("p", { class: "soft small wraps" }, `As ${media.join(", ")}.`)] : null,
    headers.map((header) => make("p", { class: "small wraps" }, "Header ", make("code", {}, header.name), ": ", typeParts(header.schema))),
    answer ? make("p", { class: "small wraps" }, "Answer: ", typeParts(answer)) : null,
    operation.isPage
      ? make("p", {}, make("a", { href: service.address + path }, "Open the page"))
      : make("details", {}, make("summary", {}, "Send a request"), trial(operation)),
    answerExample ? make("details", {}, make("summary", {}, "Example of an answer"), codeBlock(`Answer of ${method} ${path}`, pretty(answerExample))) : null,
    make("details", {}, make("summary", {}, "Responses"), statusList(statuses)),
  );
}

function statusList(statuses) {
  const rows = statuses.map(([status, response]) => {
    const example = response.content?.[JSON_TYPE]?.example;
    const message = Number(status) >= 400 && example ? make("p", { class: "wraps" }, "“", prose(example.error), "”") : null;
    return make("div", {}, make("dt", {}, make("code", {}, status)), make("dd", {}, prose(response.description), message));
  });
  return make("dl", { class: "fields" }, rows);
}

/** Return the card of a type. */
function typeCard([name, schema]) {
  return make(
    "section",
    { class: "card type", id: `type-${name}`, "aria-labelledby": `type-${name}-title` },
    make("h3", { id: `type-${name}-title` }, make("code", {}, name)),
    make("p", {}, prose(schema.description)),
    fieldList(schema),
  );
}

function tokenCard(api) {
  const input = make("input", { id: "token", class: "token", type: "password", autocomplete: "off", value: service.token });
  input.addEventListener("input", () => (service.token = input.value));
  return make(
    "section",
    { class: "card stack", "aria-label": "About" },
    api.info.description.trim().split("\n\n").map((paragraph) => make("p", { class: "wraps" }, prose(paragraph))),
    api.security.length
      ? make("div", { class: "field" }, make("label", { for: "token" }, "Token for the requests of this page, kept in this tab"), input)
      : make("p", { class: "soft small" }, "This service needs no token."),
  );
}

function show(api) {
  const operations = operationsOf(api);
  const types = Object.entries(api.components.schemas).filter(([name]) => !name.endsWith("Form"));
  byId("version").textContent = `${api.info.title} ${api.info.version}`;
  fill(
    byId("contents"),
    make("ul", {}, operations.map(({ id, method, path }) => make("li", {}, make("a", { href: `#${id}` }, make("span", { class: "method" }, method), make("code", {}, path)))), make("li", {}, make("a", { href: "#types" }, "Types"))),
  );
  fill(
    byId("main"),
    tokenCard(api),
    operations.map((operation) => operationCard(api, operation)),
    make("h2", { id: "types" }, "Types"),
    types.map(typeCard),
  );
  if (location.hash) byId(decodeURIComponent(location.hash.slice(1)))?.scrollIntoView();
}

async function start() {
  byId("download").href = `${OWN_ADDRESS}/openapi.json`;
  try {
    const response = await fetch(`${OWN_ADDRESS}/openapi.json`, { credentials: "omit" });
    if (!response.ok) throw new Error(`status ${response.status}`);
    show(await response.json());
  } catch (error) {
    fill(byId("main"), make("p", { class: "note bad", role: "alert" }, `The description cannot be loaded: ${error.message}. Reload the page.`));
  }
}

start();
