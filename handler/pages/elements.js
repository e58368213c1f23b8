"use strict";
// Build elements from values. Texts become text nodes, never HTML, so no message can add markup or scripts.

/** Return a new element: make("p", {class: "soft", onclick: f, hidden: true}, "text", otherElement, null). */
function make(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) made.style.setProperty(name, value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  fill(made, ...children);
  return made;
}

/** Replace an element's children. Children may be elements, texts, numbers, lists of these, and null for nothing. */
function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
}

/** Return the element with an id. */
function byId(id) {
  return document.getElementById(id);
}

/** Return a probability as a percentage, such as 98.7%, 4.02% or < 0.01%. */
function percent(share) {
  const value = share * 100;
  if (value > 0 && value < 0.01) return "< 0.01%";
  return `${value >= 99.95 || value === 0 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2)}%`;
}

/** Return a button that copies a text, and says so. */
function copyButton(label, textOf) {
  const button = make("button", { type: "button", class: "quiet" }, label);
  button.addEventListener("click", async () => {
    await copy(textOf());
    say("Copied.");
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1500);
  });
  return button;
}

/** Copy a text. Browsers offer the clipboard itself only to pages from HTTPS and from this machine. */
async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const field = make("textarea", { class: "unseen" });
  field.value = text;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
}

/** Offer a text as a download. */
function download(name, type, text) {
  const url = URL.createObjectURL(new Blob([text], { type }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** Tell users of screen readers about a change: the page has an element with the id "status" and role="status". */
function say(text) {
  const status = byId("status");
  status.textContent = "";
  requestAnimationFrame(() => (status.textContent = text));
}

/** Make a list of tabs work: buttons with aria-controls, in an element with role="tablist". Arrow keys move. */
function tabs(list) {
  const buttons = [...list.querySelectorAll("[role=tab]")];
  const choose = (chosen) => {
    for (const button of buttons) {
      button.setAttribute("aria-selected", button === chosen);
      button.tabIndex = button === chosen ? 0 : -1;
      byId(button.getAttribute("aria-controls")).hidden = button !== chosen;
    }
  };
  list.addEventListener("click", (event) => buttons.includes(event.target) && choose(event.target));
  list.addEventListener("keydown", (event) => {
    const rtl = getComputedStyle(list).direction === "rtl" ? -1 : 1;
    const step = { ArrowRight: rtl, ArrowLeft: -rtl }[event.key];
    if (!step) return;
    const next = buttons[(buttons.indexOf(document.activeElement) + step + buttons.length) % buttons.length];
    choose(next);
    next.focus();
    event.preventDefault();
  });
  choose(buttons.find((button) => button.getAttribute("aria-selected") === "true") ?? buttons[0]);
}
