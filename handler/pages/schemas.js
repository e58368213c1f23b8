"use strict";
// Show the schemas of an OpenAPI 3.1 document: the name of a type, and the fields of an object.

/** Return the parts of a text in which `code` is in backticks. */
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? make("code", {}, part) : part));
}

/** Return the name that a reference ends with: "#/components/schemas/Error" is Error. */
function refName(reference) {
  return reference.slice(reference.lastIndexOf("/") + 1);
}

/** Return the parts of a type's name: texts, and links to the types of this page. */
function typeParts(schema) {
  if (schema.$ref) {
    const name = refName(schema.$ref);
    return [make("a", { href: `#type-${name}` }, name)];
  }
  if (schema.anyOf) return schema.anyOf.flatMap((each, index) => (index ? [" or ", ...typeParts(each)] : typeParts(each)));
  if ("const" in schema) return [JSON.stringify(schema.const)];
  if (schema.enum) return [schema.enum.map((each) => JSON.stringify(each)).join(" or ")];
  if (schema.type === "array") return ["list of ", ...typeParts(schema.items ?? {})];
  if (schema.type === "object" && typeof schema.additionalProperties === "object") {
    return ["object of ", ...typeParts(schema.additionalProperties)];
  }
  if (schema.contentSchema) return ["JSON of ", ...typeParts(schema.contentSchema), " in a string"];
  return [schema.type ?? "any"];
}

/** Return what a schema limits, such as "at most 500 items". */
function limitsOf(schema) {
  return [
    schema.maxLength && `at most ${schema.maxLength} characters`,
    schema.maxItems && `at most ${schema.maxItems} items`,
    "default" in schema && `${JSON.stringify(schema.default)} if missing`,
  ].filter(Boolean);
}

/** Return the fields of an object's schema as a list of terms. */
function fieldList(schema) {
  const rows = Object.entries(schema.properties ?? {}).map(([name, field]) => {
    const required = (schema.required ?? []).includes(name);
    return make(
      "div",
      {},
      make(
        "dt",
        {},
        make("code", {}, name),
        make("span", { class: "small" }, typeParts(field)),
        required ? make("span", { class: "chip" }, "required") : null,
        limitsOf(field).map((limit) => make("span", { class: "soft small" }, limit)),
      ),
      make("dd", {}, prose(field.description ?? "")),
    );
  });
  return make("dl", { class: "fields" }, rows);
}

/** Return a block of code that the keyboard can scroll. */
function codeBlock(label, text) {
  return make("pre", { class: "code", tabindex: 0, role: "region", "aria-label": label, dir: "ltr" }, text);
}

/** Return a value as JSON, with lists of numbers on one line. */
function pretty(value) {
  return JSON.stringify(value, null, 2).replace(/\[\s+([-\d.e,\s]+?)\s+\]/g, (_, numbers) => `[${numbers.replace(/\s+/g, " ")}]`);
}
