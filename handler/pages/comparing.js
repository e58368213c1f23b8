"use strict";
// The sides of a comparison: which service answers, and with which of its models.

/** A side: a service, the description of its models once it is known, and the chosen ones. */
class Side {
  constructor(service) {
    this.service = service;
    this.described = null;
    this.chosen = null; // null: all models
  }

  async connect() {
    this.described = await this.service.models();
    this.chosen = null;
  }

  /** Return what the chosen models answer: keys such as `intent`, `language` and `entities`. */
  keys() {
    const asked = this.described.models.filter((model) => !this.chosen || this.chosen.includes(model.name));
    return new Set(asked.flatMap((model) => model.outputs.map((output) => output.key)));
  }

  /** Return {answer, timings, milliseconds, service, models, keys}. */
  async ask(text) {
    const [models, keys] = [this.chosen, this.keys()];
    return { ...(await this.service.understand(text, models)), service: this.service, models, keys };
  }
}

/** Return the models that answer the same key as an earlier model, such as a new intent model beside the old one. */
function laterRivals(models) {
  const seen = new Set();
  return models.filter((model) => {
    const keys = model.outputs.map((output) => output.key).filter((key) => key !== "entities");
    const rival = keys.some((key) => seen.has(key));
    keys.forEach((key) => seen.add(key));
    return rival;
  });
}

/** Return checkboxes that choose the models of a side. At least one stays chosen. */
function modelChoice(side, title) {
  const names = side.described.models.map((model) => model.name);
  const chosen = new Set(side.chosen ?? names);
  const boxes = side.described.models.map((model) => {
    const box = make("input", { type: "checkbox", checked: chosen.has(model.name) });
    box.addEventListener("change", () => {
      if (box.checked) chosen.add(model.name);
      else if (chosen.size > 1) chosen.delete(model.name);
      else box.checked = true;
      side.chosen = chosen.size === names.length ? null : names.filter((name) => chosen.has(name));
    });
    return make("label", { class: "check" }, box, make("span", { dir: "auto" }, model.name), make("code", { class: "soft" }, model.seal.slice(0, 8)));
  });
  return make("fieldset", { class: "choices" }, make("legend", { class: "wraps" }, title), make("div", { class: "row" }, boxes));
}

/** The part of the page that chooses both sides. `connect(side)` asks for a token where one is needed. */
class Comparison {
  constructor(panel, own, connect) {
    this.panel = panel;
    this.own = own;
    this.other = null;
    this.connect = connect;
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  /** Return the sides to ask, with their titles. */
  sides() {
    if (!this.isOpen) return [[this.own, null]];
    const other = this.other?.described ? [[this.other, this.titleOf(this.other, "B")]] : [];
    return [[this.own, this.titleOf(this.own, "A")], ...other];
  }

  titleOf(side, letter) {
    const models = (side.chosen ?? side.described.models.map((model) => model.name)).join(", ");
    const places = { [OWN_ADDRESS]: "this service", [`${OWN_ADDRESS}/compare`]: "the bundles of --compare" };
    const place = places[side.service.address] ?? side.service.address;
    return `${letter}: ${place} (${models})`;
  }

  open() {
    const { models, compare } = this.own.described;
    const rivals = laterRivals(models).length > 0;
    const options = [
      ...(compare ? [["compare", "The bundles of --compare"]] : []),
      ["own", "Other models of this service"],
      ["address", "Another service"],
    ];
    this.place = make("select", { id: "place" }, options.map(([value, text]) => make("option", { value }, text)));
    this.place.value = compare ? "compare" : rivals ? "own" : "address";
    this.place.addEventListener("change", () => this.choosePlace());
    this.address = make("input", { id: "address", type: "url", placeholder: "http://127.0.0.1:8001", autocomplete: "off", spellcheck: "false" });
    this.address.addEventListener("change", () => this.use(new Service(this.address.value)));
    this.addressField = make("div", { class: "field" }, make("label", { for: "address" }, "Address"), this.address, this.corsHint());
    this.state = make("div", {});
    this.ownChoice = make("div", {});
    const right = make("div", { class: "choices" }, make("div", { class: "field" }, make("label", { for: "place" }, "B is"), this.place), this.addressField, this.state);
    fill(this.panel, this.ownChoice, right);
    this.panel.hidden = false;
    return this.choosePlace();
  }

  close() {
    this.panel.hidden = true;
    this.own.chosen = null;
    this.other = null;
  }

  corsHint() {
    const command = `NLU_CORS_ORIGINS=${location.origin} ludwig-serverless serve NEW-BUNDLES --port 8001`;
    return make("p", { class: "small soft wraps" }, "It must allow this page: ", make("code", {}, command), " or, on AWS, the parameter CorsOrigins. Shorter, on this machine: ", make("code", {}, "serve BUNDLES --compare NEW-BUNDLES"), ".");
  }

  async choosePlace() {
    const place = this.place.value;
    this.addressField.hidden = place !== "address";
    this.own.chosen = null;
    this.other = null;
    fill(this.state);
    if (place === "own") {
      const rivals = new Set(laterRivals(this.own.described.models).map((model) => model.name));
      const names = this.own.described.models.map((model) => model.name);
      if (rivals.size) this.own.chosen = names.filter((name) => !rivals.has(name));
      await this.use(this.own.service, rivals.size ? [...rivals] : null);
    } else if (place === "compare") {
      await this.use(new Service(`${OWN_ADDRESS}/compare`));
    } else if (this.address.value) {
      await this.use(new Service(this.address.value));
    }
    fill(this.ownChoice, modelChoice(this.own, "A is this service"));
  }

  /** Make a service the other side. */
  async use(service, chosen = null) {
    const side = new Side(service);
    if (service.address.startsWith(OWN_ADDRESS) && !service.token) service.token = this.own.service.token;
    try {
      await this.connect(side);
    } catch (error) {
      fill(this.state, make("p", { class: "note bad small", role: "alert" }, error.message));
      return;
    }
    this.other = side;
    side.chosen = chosen;
    fill(this.state, modelChoice(side, "Models of B"));
  }
}

/** Return the keys that both sides answer, of intent, language and entities. */
function sharedKeys(one, other) {
  return ["intent", "language", "entities"].filter((key) => one.keys.has(key) && other.keys.has(key));
}

/** Return what differs between two results, each as the children of an element; none if nothing does. */
function differences(one, other) {
  const values = {
    intent: (answer) => answer.intent.name ?? "none",
    language: (answer) => answer.language.value,
    entities: (answer) => answer.entities.map((each) => `${each.entity} = ${each.value}`).join("; ") || "none",
  };
  return sharedKeys(one, other)
    .map((key) => [key, values[key](one.answer), values[key](other.answer)])
    .filter(([, first, second]) => first !== second)
    .map(([key, first, second]) => [`${KEY_NAMES[key]}: `, make("bdi", {}, first), " in A, ", make("bdi", {}, second), " in B."]);
}
