// Firefox (Marionette) and WebKit (WebDriver) for one claim, each with a profile and a display of its own. Fails if one is missing.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createConnection, createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";
const MINI_BROWSER = "/usr/lib/x86_64-linux-gnu/webkit2gtk-4.1/MiniBrowser";
const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// What is left if this process is ended itself.
const started = new Set();
process.on("exit", () => started.forEach((end) => end()));
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

/** Starts a program for the time of `work`, in a process group that ends with it. */
async function withProgram(command, args, environment, work) {
  const program = spawn(command, args, { stdio: "ignore", detached: true, env: { ...process.env, ...environment } });
  const failed = new Promise((resolve, reject) => program.on("error", () => reject(new Error(`${command} was not found: install it`))));
  const ended = new Promise((resolve) => program.on("exit", resolve));
  const end = () => {
    try {
      process.kill(-program.pid);
    } catch {
      // It has ended, or was never there.
    }
  };
  started.add(end);
  try {
    return await Promise.race([work(), failed]);
  } finally {
    end();
    await Promise.race([ended, pause(3000)]);
    started.delete(end);
  }
}

async function withFolder(work) {
  const folder = mkdtempSync(join(tmpdir(), "keyvend-engine-"));
  try {
    return await work(folder);
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 200 });
  }
}

async function until(what, condition) {
  const givenUp = Date.now() + 30000;
  for (;;) {
    const found = await condition();
    if (found) return found;
    if (Date.now() > givenUp) throw new Error(`waited in vain for ${what}`);
    await pause(25);
  }
}

/** The same few steps on either protocol. */
function browserOf(call, names) {
  const find = async (css) => (await call(...names.find({ using: "css selector", value: css })))[ELEMENT];
  const run = (script, ...args) => call(...names.run({ script, args }));
  return {
    run,
    go: (url) => call(...names.go({ url })),
    runAsync: (script, ...args) => call(...names.runAsync({ script, args })),
    press: async (css) => call(...names.press(await find(css), {})),
    type: async (css, text) => call(...names.type(await find(css), { text })),
    window: (width, height) => call(...names.window({ width, height })),
    png: async () => Buffer.from(await call(...names.png()), "base64"),
    until: (script, ...args) => until(`${script} ${args}`, () => run(script, ...args)),
  };
}

/** Firefox, whose `zoom` is that of its menu. */
export function withFirefox(work) {
  return withFolder((profile) => {
    const settings = {
      "marionette.port": 0, "app.update.enabled": false, "datareporting.policy.dataSubmissionEnabled": false,
      "browser.shell.checkDefaultBrowser": false, "network.captive-portal-service.enabled": false, "browser.startup.homepage_override.mstone": "ignore",
      "browser.aboutwelcome.enabled": false, "termsofuse.bypassNotification": true,
    };
    writeFileSync(join(profile, "user.js"), Object.entries(settings).map((pair) => `user_pref(${pair.map((part) => JSON.stringify(part)).join(", ")});\n`).join(""));
    const display = { MOZ_HEADLESS_WIDTH: "1280", MOZ_HEADLESS_HEIGHT: "2400", HOME: profile };
    return withProgram("firefox-esr", ["--headless", "--marionette", "--remote-allow-system-access", "--no-remote", "--profile", profile], display, async () => {
      const chosen = join(profile, "MarionetteActivePort");
      const port = await until("Firefox", () => existsSync(chosen) && Number(readFileSync(chosen, "utf8")));
      const { call, end } = await marionette(port);
      await call("WebDriver:NewSession", { capabilities: { alwaysMatch: { acceptInsecureCerts: false } } });
      const named = (name) => (fields) => [name, fields];
      const on = (name) => (id, fields) => [name, { id, ...fields }];
      try {
        const ask = async (name, fields) => {
          const answer = await call(name, fields ?? {});
          return answer !== null && "value" in answer ? answer.value : answer;
        };
        const zoom = async (factor) => {
          await ask("Marionette:SetContext", { value: "chrome" });
          await ask("WebDriver:ExecuteScript", { script: "window.gBrowser.selectedBrowser.fullZoom = arguments[0]", args: [factor] });
          await ask("Marionette:SetContext", { value: "content" });
        };
        return await work({ zoom, ...browserOf(ask, {
          go: named("WebDriver:Navigate"), run: named("WebDriver:ExecuteScript"), runAsync: named("WebDriver:ExecuteAsyncScript"),
          find: named("WebDriver:FindElement"), press: on("WebDriver:ElementClick"), type: on("WebDriver:ElementSendKeys"),
          window: named("WebDriver:SetWindowRect"), png: () => ["WebDriver:TakeScreenshot", { full: false }],
        }) });
      } finally {
        end();
      }
    });
  });
}

// https://firefox-source-docs.mozilla.org/testing/marionette/Protocol.html: "<length>:<JSON>", [0, id, name, fields] and [1, id, error, answer].
async function marionette(port) {
  const socket = createConnection(port, "127.0.0.1");
  const waiting = new Map();
  let left = Buffer.alloc(0);
  let greeted;
  const greeting = new Promise((resolve) => { greeted = resolve; });
  socket.on("data", (chunk) => {
    left = Buffer.concat([left, chunk]);
    for (let colon = left.indexOf(":"); colon > 0; colon = left.indexOf(":")) {
      const end = colon + 1 + Number(left.subarray(0, colon));
      if (left.length < end) return;
      const message = JSON.parse(left.subarray(colon + 1, end));
      left = left.subarray(end);
      if (!Array.isArray(message)) {
        greeted();
        continue;
      }
      const [, id, error, answer] = message;
      const { resolve, reject } = waiting.get(id);
      waiting.delete(id);
      if (error) reject(new Error(`${error.error}: ${error.message}`));
      else resolve(answer);
    }
  });
  await greeting;
  let last = 0;
  const call = (name, fields) => new Promise((resolve, reject) => {
    const id = (last += 1);
    waiting.set(id, { resolve, reject });
    const message = JSON.stringify([0, id, name, fields]);
    socket.write(`${Buffer.byteLength(message)}:${message}`);
  });
  return { call, end: () => socket.destroy() };
}

const freePort = () => new Promise((resolve) => {
  const server = createServer().listen(0, "127.0.0.1", () => {
    const { port } = server.address();
    server.close(() => resolve(port));
  });
});

/** WebKitGTK's browser for tests. */
export function withWebKit(work) {
  return withFolder(async (home) => {
    const port = await freePort();
    const display = `:${100 + (process.pid % 800)}`;
    const environment = {
      DISPLAY: display, HOME: home, XDG_RUNTIME_DIR: home, GDK_BACKEND: "x11", LIBGL_ALWAYS_SOFTWARE: "1", NO_AT_BRIDGE: "1",
      WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS: "1", WEBKIT_DISABLE_DMABUF_RENDERER: "1", WEBKIT_DISABLE_COMPOSITING_MODE: "1",
    };
    return withProgram("Xvfb", [display, "-screen", "0", "1400x2600x24", "-nolisten", "tcp"], {}, async () => {
      await until("Xvfb", () => existsSync(`/tmp/.X11-unix/X${display.slice(1)}`));
      return withProgram("WebKitWebDriver", [`--port=${port}`], environment, async () => {
        const base = `http://127.0.0.1:${port}`;
        const post = async (path, body, method = "POST") => {
          const reply = await fetch(base + path, { method, body: method === "POST" ? JSON.stringify(body) : undefined });
          const { value } = await reply.json();
          if (!reply.ok) throw new Error(`${path}: ${value?.error} ${value?.message ?? reply.status}`);
          return value;
        };
        await until("WebKitWebDriver", () => fetch(`${base}/status`).then((reply) => reply.ok, () => false));
        const options = { binary: MINI_BROWSER, args: ["--automation"] };
        const { sessionId } = await post("/session", { capabilities: { alwaysMatch: { browserName: "MiniBrowser", "webkitgtk:browserOptions": options } } });
        const at = (path) => (body) => [`/session/${sessionId}${path}`, body];
        const on = (path) => (id, body) => [`/session/${sessionId}/element/${id}/${path}`, body];
        try {
          return await work(browserOf(post, {
            go: at("/url"), run: at("/execute/sync"), runAsync: at("/execute/async"), find: at("/element"), press: on("click"), type: on("value"),
            window: at("/window/rect"), png: () => [`/session/${sessionId}/screenshot`, undefined, "GET"],
          }));
        } finally {
          await post(`/session/${sessionId}`, undefined, "DELETE").catch(() => {});
        }
      });
    });
  });
}
