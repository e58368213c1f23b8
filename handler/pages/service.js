"use strict";
// Requests to a service: this page's own, or another one to compare it with.

/** The address of the service that serves this page, with a custom domain's base path or a stage. */
const OWN_ADDRESS = location.origin + location.pathname.replace(/\/[^/]*\/*$/, "");

/** A request that got no answer to show. `status` is 0 if the service could not be reached. */
class ServiceError extends Error {
  constructor(message, status) {
    super(message);
    this.status = status;
  }
}

/** A service at an address. Its token is kept in this tab's session storage only. */
class Service {
  constructor(address) {
    this.address = address.trim().replace(/\/+$/, "");
  }

  get token() {
    return readSession(`token ${this.address}`) ?? "";
  }

  set token(value) {
    writeSession(`token ${this.address}`, value.trim());
  }

  /** Return the description of the loaded models: the answer of GET /models. */
  async models() {
    return (await this.#send("/models", {})).answer;
  }

  /** Return {answer, timings, milliseconds}: the compact answer to a text, and the milliseconds of each model. */
  async understand(text, models) {
    return this.#send("/understand", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(this.fields(text, models)),
    });
  }

  /** Return the fields of a request: `models` is a list of names, or null for all. */
  fields(text, models) {
    return { text, explain: true, ...(models ? { model: models.join(",") } : {}) };
  }

  async #send(path, options) {
    const headers = { ...options.headers, ...(this.token ? { authorization: `Bearer ${this.token}` } : {}) };
    const started = performance.now();
    let response;
    try {
      response = await fetch(this.address + path, { ...options, headers, credentials: "omit", cache: "no-store" });
    } catch {
      throw new ServiceError(`${this.address} cannot be reached from this page.`, 0);
    }
    const body = await response.text();
    const milliseconds = performance.now() - started;
    const answer = parsed(body);
    if (!response.ok || answer === undefined) {
      const reason = answer?.error ?? answer?.message ?? (body.slice(0, 200) || response.statusText);
      throw new ServiceError(`Status ${response.status}: ${reason}`, response.status);
    }
    return { answer, milliseconds, timings: serverTimings(response.headers.get("server-timing") ?? "") };
  }
}

/** Read a Server-Timing header: {model: milliseconds}. The service percent-encodes the models' names. */
function serverTimings(header) {
  const found = header.matchAll(/([^\s,;]+);dur=([\d.]+)/g);
  return Object.fromEntries([...found].map(([, name, milliseconds]) => [decodeURIComponent(name), Number(milliseconds)]));
}

function parsed(body) {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}

const unstored = new Map(); // for browsers that block storage

function readSession(key) {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return unstored.get(key) ?? null;
  }
}

function writeSession(key, value) {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    unstored.set(key, value);
  }
}
