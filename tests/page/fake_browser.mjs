// Just enough of a browser to run the page's scripts on the page's own markup, with a clock and a server that the test holds.
import { html, pageSource, protocolSource } from "./page.mjs";

const VOID = new Set(["input", "meta", "link", "path", "circle", "br"]);

class Node {
  constructor(document, tag, attributes = {}) {
    Object.assign(this, { document, tag, attributes, children: [], parent: null, listeners: {}, value: "" });
    this.dataset = Object.fromEntries(
      Object.entries(attributes).filter(([name]) => name.startsWith("data-")).map(([name, value]) => [name.slice(5), value]),
    );
  }
  get id() { return this.attributes.id ?? ""; }
  get hidden() { return "hidden" in this.attributes; }
  set hidden(value) {
    if (value) this.attributes.hidden = "";
    else delete this.attributes.hidden;
  }
  get className() { return this.attributes.class ?? ""; }
  set className(value) { this.attributes.class = value; }
  get textContent() {
    return this.children.map((child) => (typeof child === "string" ? child : child.textContent)).join("");
  }
  set textContent(value) { this.children = [String(value)]; }
  get visible() { return !this.hidden && (this.parent?.visible ?? true); }
  getAttribute(name) { return this.attributes[name] ?? null; }
  setAttribute(name, value) { this.attributes[name] = String(value); }
  *descendants() {
    for (const child of this.children) {
      if (typeof child === "string") continue;
      yield child;
      yield* child.descendants();
    }
  }
  querySelector(tag) { return [...this.descendants()].find((node) => node.tag === tag) ?? null; }
  closest(tag) { return this.tag === tag ? this : this.parent?.closest(tag) ?? null; }
  get parentElement() { return this.parent; }
  append(...nodes) {
    for (const node of nodes) {
      if (node.parent) node.parent.children = node.parent.children.filter((child) => child !== node);
      node.parent = this;
      this.children.push(node);
    }
  }
  focus() { this.document.activeElement = this; }
  addEventListener(type, listener) { (this.listeners[type] ??= []).push(listener); }
  dispatch(event) {
    event.target ??= this;
    for (const listener of this.listeners[event.type] ?? []) listener(event);
    this.parent?.dispatch(event);
    return event;
  }
  click() { this.dispatch(makeEvent("click")); }
}

const makeEvent = (type) => ({ type, defaultPrevented: false, preventDefault() { this.defaultPrevented = true; } });

/** WebCrypto without the whole of it, or without one algorithm. */
function fakeCrypto(lacks) {
  if (lacks === "subtle") return { getRandomValues: crypto.getRandomValues.bind(crypto) };
  const refusing = (name) => (...given) =>
    JSON.stringify(given).includes(`"${lacks}"`) ? Promise.reject(new Error("NotSupportedError")) : crypto.subtle[name](...given);
  const names = ["importKey", "deriveBits", "generateKey", "exportKey", "sign", "decrypt"];
  return {
    getRandomValues: crypto.getRandomValues.bind(crypto),
    subtle: Object.fromEntries(names.map((name) => [name, refusing(name)])),
  };
}

function parse(document) {
  const root = new Node(document, "body");
  let at = root;
  const body = html.slice(html.indexOf("<body>") + 6, html.indexOf("</body>"));
  for (const [token, closing, tag, attributes] of body.matchAll(/<(\/?)([a-z][a-z0-9]*)((?:\s+[\w-]+(?:="[^"]*")?)*)\s*\/?>|[^<]+/g)) {
    if (!tag) {
      at.children.push(token);
    } else if (closing) {
      if (at.tag !== tag) throw new Error(`<${at.tag}> closed by </${tag}>`);
      at = at.parent;
    } else {
      const parsed = [...attributes.matchAll(/([\w-]+)(?:="([^"]*)")?/g)].map(([, name, value = ""]) => [name, value]);
      const node = new Node(document, tag, Object.fromEntries(parsed));
      node.parent = at;
      at.children.push(node);
      if (!VOID.has(tag) && !token.endsWith("/>")) at = node;
    }
  }
  if (at !== root) throw new Error(`<${at.tag}> is not closed`);
  return root;
}

/**
 * Opens the page on `fragment`. `serve(path, body)` answers requests with { status, body }, or throws for a lost reply. Time
 * passes only where the page waits. `lacks` names what this browser does not have.
 */
export async function openPage({ fragment = "", serve = () => { throw new Error("no server"); }, lacks = "" } = {}) {
  const journal = [];
  const requests = [];
  const downloads = [];
  const clipboard = [];
  const listeners = {};
  const blobs = new Map();
  let clock = Date.UTC(2030, 0, 1, 12);
  let clipboardWorks = true;
  let timers = 0;
  const intervals = new Map();

  const document = { activeElement: null, title: "" };
  const body = parse(document);
  Object.assign(document, {
    getElementById: (id) => [...body.descendants()].find((node) => node.id === id) ?? null,
    querySelectorAll(selector) {
      if (selector !== "main > section") throw new Error(`selector ${selector}`);
      return [...body.descendants()].filter((node) => node.tag === "section" && node.parent.tag === "main");
    },
    createElement(tag) {
      const node = new Node(document, tag);
      node.click = () => downloads.push({ name: node.download, text: blobs.get(node.href) });
      return node;
    },
    addEventListener: (type, listener) => (listeners[type] ??= []).push(listener),
  });
  const location = { hash: fragment, pathname: "/reveal" };
  const history = {
    replaceState(state, title, url) {
      journal.push(["replaceState", url]);
      location.hash = "";
    },
  };

  class FakeDate extends Date {
    static now() { return clock; }
  }
  class FakeBlob {
    constructor(parts) { this.text = parts.join(""); }
  }
  const globals = {
    document, location, history,
    crypto: fakeCrypto(lacks),
    AbortSignal: lacks === "time-outs" ? {} : AbortSignal,
    navigator: lacks === "clipboard" ? {} : {
      clipboard: {
        async writeText(text) {
          if (!clipboardWorks) throw new Error("NotAllowedError");
          clipboard.push(text);
        },
      },
    },
    performance: { now: () => clock },
    Date: FakeDate,
    Blob: FakeBlob,
    URL: {
      createObjectURL(blob) {
        const url = `blob:${blobs.size}`;
        blobs.set(url, blob.text);
        return url;
      },
      revokeObjectURL: (url) => blobs.delete(url),
    },
    setTimeout(callback, milliseconds) {
      timers += 1;
      if (timers > 2000) return; // Else a failed test whose page still retries would never end.
      setImmediate(() => {
        clock += milliseconds;
        callback();
      });
    },
    clearTimeout() {},
    setInterval(callback, milliseconds) {
      intervals.set(intervals.size, { callback, milliseconds });
      return intervals.size - 1;
    },
    clearInterval: (id) => intervals.delete(id),
    addEventListener: (type, listener) => (listeners[type] ??= []).push(listener),
    async fetch(path, options) {
      const sent = JSON.parse(options.body);
      requests.push({ path, body: sent, options });
      journal.push(["fetch", path]);
      const answer = await serve(path, sent, requests.length);
      return { status: answer.status, json: async () => JSON.parse(answer.text ?? JSON.stringify(answer.body)) };
    },
    // Any use is a failure: the page must not know that these exist.
    ...Object.fromEntries(["console", "localStorage", "sessionStorage", "indexedDB", "window", "self", "globalThis", "top"].map((name) => [
      name, new Proxy({}, { get() { throw new Error(`the page used ${name}`); } }),
    ])),
  };
  new Function(...Object.keys(globals), `${protocolSource}\n${pageSource}`)(...Object.values(globals));

  const element = (id) => document.getElementById(id);
  const browser = {
    document, location, history, journal, requests, downloads, clipboard,
    element,
    text: (id) => element(id).textContent.replace(/\s+/g, " ").trim(),
    /** What a person could read or copy anywhere in the document, hidden parts and fields included. */
    everything: () => JSON.stringify([body.textContent, document.title, [...body.descendants()].map((node) => [node.value, node.attributes])]),
    view: () => document.querySelectorAll("main > section").filter((section) => section.visible).map((section) => section.id).join(),
    claims: () => requests.filter(({ path }) => path === "/reveal/claim").map((request) => request.body),
    acks: () => requests.filter(({ path }) => path === "/reveal/ack").map((request) => request.body),
    /** Lets so many seconds pass, with what the page does every second. */
    pass(seconds) {
      for (let second = 0; second < seconds; second += 1) {
        clock += 1000;
        for (const { callback } of [...intervals.values()]) callback();
      }
    },
    ticking: () => intervals.size > 0,
    fill(id, value) {
      if (!element(id).visible) throw new Error(`no field ${id} in view ${browser.view()}`);
      element(id).value = value;
      element(id).dispatch(makeEvent("input"));
    },
    button: (idOrAttribute) => {
      const [name, value] = idOrAttribute.split("=");
      return value ? [...body.descendants()].find((node) => node.attributes[`data-${name}`] === value) : element(idOrAttribute);
    },
    refuseClipboard: () => { clipboardWorks = false; },
    leave() {
      const event = makeEvent("beforeunload");
      for (const listener of listeners.beforeunload ?? []) listener(event);
      return event.defaultPrevented ? "warned" : "left";
    },
    /** Goes elsewhere; the browser keeps the page whole, as for its back/forward cache. */
    hide() {
      for (const listener of listeners.pagehide ?? []) listener(Object.assign(makeEvent("pagehide"), { persisted: true }));
    },
    /** Comes back by Back. */
    restore() {
      for (const listener of listeners.pageshow ?? []) listener(Object.assign(makeEvent("pageshow"), { persisted: true }));
    },
    downloadable: () => blobs.size,
    follow(next) {
      location.hash = next;
      for (const listener of listeners.hashchange) listener(makeEvent("hashchange"));
    },
    press(idOrAttribute) {
      const button = browser.button(idOrAttribute);
      if (!button?.visible) throw new Error(`no visible button ${idOrAttribute} in view ${browser.view()}`);
      button.click();
    },
    type(code) {
      if (!element("code-typed").visible) throw new Error(`no field in view ${browser.view()}`);
      element("code-typed").value = code;
      return element("code-form").dispatch(makeEvent("submit"));
    },
    /** Lets everything that is under way go on until `condition` holds. */
    async until(condition) {
      const givenUp = Date.now() + 5000;
      while (!condition()) {
        if (Date.now() > givenUp) throw new Error(`waited in vain for ${condition}; view ${browser.view()}`);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    seconds: () => (clock - Date.UTC(2030, 0, 1, 12)) / 1000,
  };
  for (const listener of listeners.DOMContentLoaded) listener(makeEvent("DOMContentLoaded"));
  await browser.until(() => browser.view() !== "");
  return browser;
}
