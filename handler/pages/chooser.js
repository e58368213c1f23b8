"use strict";
// An input that filters a list of names while you type, and can create a new one: ARIA's combobox with a listbox.

class Chooser {
  /**
   * Fill a field with a label, an input and its list.
   * options: {id, label, fresh: the word for a new name, such as "intent", chosen(name), closed()}.
   */
  constructor(field, options) {
    this.options = options;
    this.names = [];
    this.shown = [];
    this.active = -1;
    this.input = make("input", {
      id: options.id, role: "combobox", "aria-autocomplete": "list", "aria-expanded": "false",
      "aria-controls": `${options.id}-list`, autocomplete: "off", spellcheck: "false",
      oninput: () => this.open(), onkeydown: (event) => this.#key(event), onblur: () => this.close(),
    });
    this.list = make("ul", { id: `${options.id}-list`, role: "listbox", "aria-label": options.label, hidden: true });
    fill(field, make("label", { for: options.id }, options.label), make("div", { class: "chooser" }, this.input, this.list));
  }

  /** Empty the input, focus it and show all names. */
  begin() {
    this.input.value = "";
    this.input.focus();
    this.open();
  }

  /** Show the names that contain what was typed; those that start with it come first. */
  open() {
    const typed = this.input.value.trim();
    const folded = typed.toLowerCase();
    const found = this.names.filter((name) => name.toLowerCase().includes(folded));
    found.sort((one, two) => two.toLowerCase().startsWith(folded) - one.toLowerCase().startsWith(folded));
    this.shown = found.map((name) => ({ name, label: name }));
    if (typed && !this.names.includes(typed)) this.shown.push({ name: typed, label: `New ${this.options.fresh}: ${typed}` });
    this.#activate(this.shown.length ? 0 : -1);
  }

  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
  }

  #activate(active) {
    this.active = active;
    const id = (position) => `${this.options.id}-${position}`;
    fill(this.list, this.shown.map((each, position) => make("li", {
      id: id(position), role: "option", dir: "auto", "aria-selected": String(position === active),
      // Before the input loses the focus, which closes the list.
      onmousedown: (event) => { event.preventDefault(); this.#choose(position); },
    }, each.label)));
    this.list.hidden = !this.shown.length;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    if (active < 0) return;
    this.input.setAttribute("aria-activedescendant", id(active));
    byId(id(active)).scrollIntoView({ block: "nearest" });
  }

  #choose(position) {
    const { name } = this.shown[position];
    this.input.value = "";
    this.close();
    this.options.chosen(name);
  }

  #key(event) {
    if (event.isComposing) return; // an input method uses the keys
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step && this.list.hidden) this.open();
    else if (step) this.#activate((this.active + step + this.shown.length) % this.shown.length);
    else if (event.key === "Enter" && !this.list.hidden && this.active >= 0) this.#choose(this.active);
    else if (event.key === "Escape") { this.close(); this.options.closed(); }
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
