// WebDriver over plain HTTP: starts chromedriver and a headless Chromium with a fresh profile. Fails if either is missing.
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const ELEMENT = "element-6066-11e4-a52e-4f735466cecf";

async function startDriver() {
  const driver = spawn("chromedriver", ["--port=0"], { stdio: ["ignore", "pipe", "inherit"] });
  const port = await new Promise((resolve, reject) => {
    driver.on("error", () => reject(new Error("chromedriver was not found: install chromium and chromium-driver")));
    driver.on("exit", (code) => reject(new Error(`chromedriver ended at once, status ${code}`)));
    let said = "";
    driver.stdout.on("data", (chunk) => {
      said += chunk;
      const found = /started successfully on port (\d+)/.exec(said);
      if (found) resolve(found[1]);
    });
  });
  return { driver, base: `http://127.0.0.1:${port}` };
}

/** Runs `work(browser)` in a browser of its own and ends everything it started. */
export async function withBrowser(work) {
  const { driver, base } = await startDriver();
  const profile = mkdtempSync(join(tmpdir(), "keyvend-page-"));
  const call = async (method, path, body) => {
    const reply = await fetch(base + path, { method, body: body === undefined ? undefined : JSON.stringify(body) });
    const { value } = await reply.json();
    if (!reply.ok) throw new Error(`${method} ${path}: ${value?.message ?? reply.status}`);
    return value;
  };
  let session;
  try {
    const args = [
      "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
      "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage", "--lang=en", `--user-data-dir=${profile}`,
    ];
    const capabilities = { browserName: "chrome", "goog:chromeOptions": { args }, "goog:loggingPrefs": { browser: "ALL" } };
    const { sessionId } = await call("POST", "/session", { capabilities: { alwaysMatch: capabilities } });
    session = `/session/${sessionId}`;
    const at = (method, path, body) => call(method, session + path, body);

    const browser = {
      go: (url) => at("POST", "/url", { url }),
      back: () => at("POST", "/back", {}),
      address: () => at("GET", "/url"),
      title: () => at("GET", "/title"),
      reload: () => at("POST", "/refresh", {}),
      run: (script, ...args) => at("POST", "/execute/sync", { script, args }),
      runAsync: (script, ...args) => at("POST", "/execute/async", { script, args }),
      devtools: (cmd, params = {}) => at("POST", "/goog/cdp/execute", { cmd, params }),
      console: () => at("POST", "/se/log", { type: "browser" }),
      png: async () => Buffer.from(await at("GET", "/screenshot"), "base64"),
      async find(css) {
        return (await at("POST", "/element", { using: "css selector", value: css }))[ELEMENT];
      },
      async press(css) {
        await at("POST", `/element/${await browser.find(css)}/click`, {});
      },
      async type(css, text) {
        await at("POST", `/element/${await browser.find(css)}/value`, { text });
      },
      text: async (css) => at("GET", `/element/${await browser.find(css)}/text`),
      async until(script, ...args) {
        const givenUp = Date.now() + 15000;
        while (!(await browser.run(script, ...args))) {
          if (Date.now() > givenUp) throw new Error(`waited in vain for: ${script} ${args}`);
          await new Promise((resolve) => setTimeout(resolve, 25));
        }
      },
      async window(width, height, scheme = "light") {
        await browser.devtools("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
        await browser.devtools("Emulation.setEmulatedMedia", { features: [{ name: "prefers-color-scheme", value: scheme }] });
      },
    };
    await work(browser);
  } finally {
    if (session) await call("DELETE", session).catch(() => {});
    driver.removeAllListeners("exit");
    const ended = new Promise((resolve) => driver.once("exit", resolve));
    driver.kill();
    await ended;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}
