// Drives the page in Chromium, served under the product's policy: `node tests/page/browser/run.mjs [folder for pictures]`.
// Not part of `node --test tests/page/`, because it needs chromium and chromedriver; without them it fails.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { protocol } from "../page.mjs";
import { KEY } from "../sender.mjs";
import { withServer } from "./server.mjs";
import { withBrowser } from "./webdriver.mjs";

const pictures = process.argv[2];
const VIEW = "return [...document.querySelectorAll('main > section')].filter((s) => !s.hidden).map((s) => s.id).join()";

const downloads = mkdtempSync(join(tmpdir(), "keyvend-downloads-"));
if (pictures) mkdirSync(pictures, { recursive: true });

/* Runs in the page: texts whose contrast is under WCAG AA, and whether the page is wider than its window. */
const LOOK = `
  const parse = (css) => css.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour[3] !== 0) return colour;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const node of document.body.querySelectorAll("*")) {
    const texts = [...node.childNodes].filter((child) => child.nodeType === 3 && child.data.trim());
    if (!texts.length || !node.checkVisibility()) continue;
    const [a, b] = [light(parse(getComputedStyle(node).color)), light(behind(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push(node.tagName + " " + ratio.toFixed(2) + " " + texts[0].data.trim().slice(0, 30));
  }
  return { bad, tooWide: document.scrollingElement.scrollWidth > innerWidth };
`;

// axe-core, where npm put it: in this repository, or in a folder that NODE_PATH names.
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
/* Runs in the page, which needs axe: what breaks a rule, and what axe cannot decide unless it is the contrast, which LOOK measures. */
const RULES = `
  const [done] = arguments;
  const named = ({ id, nodes }) => id + ": " + nodes.map(({ html }) => html.slice(0, 120)).join(" | ");
  axe.run(document, { resultTypes: ["violations", "incomplete"] }).then(
    ({ violations, incomplete }) => done([...violations, ...incomplete.filter(({ id }) => id !== "color-contrast")].map(named)),
    (error) => done([String(error)]));
`;

await withServer((server) => withBrowser(async (browser) => {
  const { press, type, text, run } = browser;
  const view = (name) => browser.until(`return (() => { ${VIEW} })() === arguments[0]`, name);
  const claims = () => server.seen.filter(({ url }) => url === "/reveal/claim");
  const acks = () => server.seen.filter(({ url }) => url === "/reveal/ack");
  const warns = () => run("return !dispatchEvent(new Event('beforeunload', { cancelable: true }))");

  /* Looks at the present state in both schemes, wide and narrow. */
  async function look(name) {
    if (!(await run("return 'axe' in window"))) await run(AXE);
    assert.deepEqual(await browser.runAsync(RULES), [], `${name}: axe`);
    for (const scheme of ["light", "dark"]) {
      for (const [width, height] of [[1000, 760], [360, 740], [320, 640]]) {
        await browser.window(width, height, scheme);
        const { bad, tooWide } = await run(LOOK);
        assert.deepEqual(bad, [], `${name}, ${scheme}: contrast`);
        assert.equal(tooWide, false, `${name} is wider than ${width} px`);
        if (pictures && width !== 320) writeFileSync(join(pictures, `${name}-${width}-${scheme}.png`), await browser.png());
        if (pictures && width !== 320) {
          const height = await run("return document.documentElement.scrollHeight");
          await browser.window(width, height, scheme);
          writeFileSync(join(pictures, `${name}-${width}-${scheme}-whole.png`), await browser.png());
        }
      }
    }
    await browser.window(1000, 760);
  }

  const asked = new Set();

  async function step(name, work) {
    for (const { url } of server.seen.splice(0)) asked.add(url);
    await browser.go("about:blank");
    await work();
    console.log(`ok - ${name}`);
  }

  async function open(claims, acks) {
    await browser.go(await server.link(claims, acks, { ...KEY, expires_at: Math.floor(Date.now() / 1000) + 30 * 86400 }));
  }

  async function openKey(...link) {
    await open(...link);
    await view("start");
    await press("#claim");
    await view("key");
  }

  await browser.devtools("Browser.setDownloadBehavior", { behavior: "allow", downloadPath: downloads, eventsEnabled: false });
  await browser.devtools("Browser.grantPermissions", { permissions: ["clipboardReadWrite", "clipboardSanitizedWrite"], origin: server.origin });
  await browser.window(1000, 760);

  await step("opening_takes_the_fragment_out_and_sends_nothing", async () => {
    await open(["seal"]);
    await view("start");
    assert.equal(await browser.address(), `${server.origin}/reveal`);
    assert.deepEqual(server.seen.map(({ method, url }) => `${method} ${url}`), ["GET /reveal"]);
    assert.equal(await browser.title(), "Get your AWS access key \u00b7 keyvend");
    assert.equal(await warns(), false);
    await look("start");
  });

  await step("reloading_cannot_claim", async () => {
    await open(["seal"]);
    await view("start");
    await browser.reload();
    await view("ended");
    assert.match(await text("#ended"), /This page needs your one-time link/);
    assert.equal(claims().length, 0);
    await look("no-link");
  });

  await step("key_is_claimed_shown_hidden_and_wiped", async () => {
    await openKey(["lose", [202, {}], "seal"]);
    const [first, ...again] = claims();
    assert.equal(again.length, 2);
    for (const { body } of again) assert.deepEqual(body, first.body);
    assert.equal(first.headers.origin, server.origin);
    assert.equal(first.headers["sec-fetch-site"], "same-origin");
    assert.equal(first.headers.referer, undefined);
    assert.equal(first.headers.cookie, undefined);
    assert.match(await text("#key"), new RegExp(`${KEY.user}[^]*${KEY.account}[^]*${KEY.access_key_id}`));
    assert.equal(acks().length, 0);
    assert.equal(await warns(), true);
    await look("key-masked");
    assert.ok(!(await run("return document.documentElement.outerHTML")).includes(KEY.secret_access_key));
    await press("#show");
    assert.equal(await text("#secret"), KEY.secret_access_key);
    await browser.until("return /Marked as received/.test(document.getElementById('receipt').textContent)");
    await look("key-shown");
    await press("#show");
    assert.match(await text("#secret"), /^\u2022+$/);
    await press("#saved");
    await view("done");
    assert.equal(acks().length, 1);
    assert.equal(await warns(), false);
    await look("done");
    const left = await run("return [document.body.innerText, document.body.textContent, localStorage.length, sessionStorage.length, document.cookie, location.href]");
    assert.ok(!JSON.stringify(left).includes(KEY.secret_access_key));
    assert.deepEqual(left.slice(2), [0, 0, "", `${server.origin}/reveal`]);
  });

  await step("coming_back_shows_no_key", async () => {
    await openKey(["seal"]);
    await press("#show");
    await browser.until("return /Marked as received/.test(document.getElementById('receipt').textContent)");
    await browser.go("about:blank");
    await browser.back();
    await view("ended");
    assert.ok(!(await run("return document.documentElement.outerHTML")).includes(KEY.secret_access_key));
    assert.equal(claims().length, 1);
    await openKey(["seal"]);
    await press("#show");
    await run("dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true }))");
    await view("ended");
    assert.match(await text("#ended"), /This page was left/);
    assert.ok(!(await run("return document.documentElement.outerHTML")).includes(KEY.secret_access_key));
    await look("left");
  });

  await step("copies_reach_the_clipboard", async () => {
    await openKey(["seal"]);
    const pasted = () => browser.runAsync("navigator.clipboard.readText().then(arguments[0], (e) => arguments[0](String(e)))");
    const copied = async (format) => {
      await press(`[data-copy=${format}]`);
      await browser.until("return document.querySelector(`[data-copy=${arguments[0]}] span`).textContent === 'Copied'", format);
      return pasted();
    };
    assert.equal(await copied("id"), KEY.access_key_id);
    assert.equal(acks().length, 0);
    assert.equal(await copied("secret"), KEY.secret_access_key);
    assert.equal(await copied("profile"), `\n[${KEY.user}]\naws_access_key_id = ${KEY.access_key_id}\naws_secret_access_key = ${KEY.secret_access_key}\n`);
    assert.equal(acks().length, 1);
    await browser.until("return document.querySelector('[data-copy=profile] span').textContent === 'Copy'");
    await press("summary");
    await type("#region", "eu-west-1");
    assert.equal(await copied("smtp-password"), await protocol.smtpPassword(KEY.secret_access_key, "eu-west-1"));
    await look("key-more");
    await run("navigator.clipboard.writeText = () => Promise.reject(new DOMException('', 'NotAllowedError'))");
    await press("[data-copy=secret]");
    await browser.until("return document.querySelector('[data-copy=secret]').className === 'failed'");
    await look("key-not-copied");
  });

  await step("downloads_reach_the_disk", async () => {
    await openKey(["seal"]);
    await press("[data-download=profile]");
    await press("[data-download=shell]");
    const wanted = ["ci-deploy.credentials", "ci-deploy.sh"];
    const givenUp = Date.now() + 15000;
    while (wanted.join() !== readdirSync(downloads).sort().join()) {
      assert.ok(Date.now() < givenUp, `downloaded: ${readdirSync(downloads)}`);
      await new Promise((resolve) => setTimeout(resolve, 25));
    }
    assert.match(readFileSync(join(downloads, wanted[0]), "utf8"), new RegExp(`^\n\\[ci-deploy\\]\naws_access_key_id = ${KEY.access_key_id}\n`));
    assert.match(readFileSync(join(downloads, wanted[1]), "utf8"), new RegExp(`^ unset [A-Z_ ]+\n export AWS_ACCESS_KEY_ID='${KEY.access_key_id}'\n`));
    assert.equal(await browser.address(), `${server.origin}/reveal`);
  });

  await step("the_code_is_asked_for_and_the_enter_key_sends_it", async () => {
    await open([[401, { error: "code-wanted" }], [401, { error: "code-wrong", tries_left: 4 }], "seal"]);
    await view("start");
    await press("#claim");
    await view("code");
    assert.equal(await run("return document.activeElement.id"), "code-typed");
    await look("code-wanted");
    await type("#code-typed", "abc\uE007");
    await browser.until("return /8 letters/.test(document.getElementById('code-problem').textContent)");
    assert.equal(claims().length, 1);
    await run("document.getElementById('code-typed').value = ''");
    await type("#code-typed", "abcd-efgh\uE007");
    await browser.until("return /4 tries left/.test(document.getElementById('code-problem').textContent)");
    await view("code");
    await look("code-wrong");
    await type("#code-typed", "0kbg-at2z\uE007");
    await view("key");
    assert.deepEqual(claims().map(({ body }) => "code" in body), [false, true, true]);
    assert.equal(await browser.address(), `${server.origin}/reveal`);
  });

  await step("working_is_visible", async () => {
    await open([[202, {}], "hang"]);
    await view("start");
    await press("#claim");
    await browser.until("return /Accepted/.test(document.getElementById('progress').textContent)");
    assert.equal(await warns(), true);
    await look("working");
  });

  const ENDINGS = {
    used: [409, /already collected/], expired: [410, /expired/], void: [410, /replaced or cancelled/], failed: [410, /couldn\u2019t create your key/],
    confirmed: [410, /already confirmed/], unconfirmed: [410, /deactivated/], locked: [423, /locked/], "not-found": [404, /isn\u2019t valid any more/],
    "bad-request": [400, /did not accept/],
  };
  for (const [error, [status, words]] of Object.entries(ENDINGS)) {
    await step(`${error}_is_explained`, async () => {
      await open([[status, { error }]]);
      await view("start");
      await press("#claim");
      await view("ended");
      assert.match(await text("#ended"), words);
      assert.match(await text("#ended"), /What to do:/);
      assert.equal(await run("return document.activeElement.id"), "ended-what");
      assert.equal(claims().length, 1);
      await look(error);
    });
  }

  await step("a_late_confirmation_is_explained", async () => {
    await openKey(["seal"], [[410, { error: "unconfirmed" }]]);
    await press("#show");
    await browser.until("return /deactivated/.test(document.getElementById('receipt').textContent)");
    await look("key-unconfirmed");
  });

  await step("the_end_of_the_time_to_save_is_said", async () => {
    await openKey(["seal"]);
    await press("#saved");
    assert.match(await text("#nothing-saved"), /not saved it yet/);
    await look("key-nothing-saved");
    await run("const begun = Date.now(); Date.now = () => begun + 601000");
    await browser.until("return /has passed/.test(document.getElementById('receipt').textContent)");
    await look("key-too-late");
    assert.equal(acks().length, 0);
  });

  await step("nothing_that_opens_the_key_is_printed", async () => {
    await openKey(["seal"]);
    await press("#show");
    await browser.devtools("Emulation.setEmulatedMedia", { media: "print" });
    const printed = await run("return document.body.innerText");
    await browser.devtools("Emulation.setEmulatedMedia", { media: "" });
    assert.ok(printed.includes(KEY.access_key_id) && !printed.includes(KEY.secret_access_key) && !/Copy|Download/.test(printed), printed);
  });

  await step("a_cut_link_is_explained", async () => {
    await browser.go((await server.link(["seal"])).slice(0, -3));
    await view("ended");
    assert.match(await text("#ended"), /incomplete/);
    assert.equal(await browser.address(), `${server.origin}/reveal`);
    await look("bad-link");
  });

  await step("a_second_link_in_the_same_tab_starts_again", async () => {
    await browser.go(`${server.origin}/reveal#2.abc`);
    await view("ended");
    const link = await server.link(["seal"]);
    await run("location.hash = arguments[0]", link.slice(link.indexOf("#")));
    await view("start");
    assert.equal(await browser.address(), `${server.origin}/reveal`);
  });

  await step("the_whole_way_can_be_gone_by_keyboard", async () => {
    await open(["seal"]);
    await view("start");
    const keys = async (...pressed) => {
      for (const key of pressed) {
        const [code, text] = key === "Enter" ? [13, "\r"] : [9, undefined];
        await browser.devtools("Input.dispatchKeyEvent", { type: "keyDown", key, code: key, windowsVirtualKeyCode: code, text });
        await browser.devtools("Input.dispatchKeyEvent", { type: "keyUp", key, code: key, windowsVirtualKeyCode: code });
      }
    };
    await keys("Tab", "Enter");
    await view("key");
    const reach = async (id) => {
      for (let tabs = 0; tabs < 40 && (await run("return document.activeElement.id")) !== id; tabs += 1) await keys("Tab");
    };
    await reach("show");
    await keys("Enter");
    await browser.until("return document.getElementById('secret').textContent === arguments[0]", KEY.secret_access_key);
    await reach("saved");
    await keys("Enter");
    await view("done");
  });

  await step("without_javascript_it_says_so", async () => {
    await browser.devtools("Emulation.setScriptExecutionDisabled", { value: true });
    await open(["seal"]);
    const { root } = await browser.devtools("DOM.getDocument", { depth: -1 });
    const { nodeId } = await browser.devtools("DOM.querySelector", { nodeId: root.nodeId, selector: "noscript section" });
    const { model } = await browser.devtools("DOM.getBoxModel", { nodeId });
    assert.ok(model.height > 10);
    if (pictures) writeFileSync(join(pictures, "noscript.png"), await browser.png());
    await browser.devtools("Emulation.setScriptExecutionDisabled", { value: false });
  });

  assert.deepEqual([...asked].sort(), ["/reveal", "/reveal/ack", "/reveal/claim"]);

  // 4xx answers and the lost one are reported by the browser itself; a breach of the policy, or a word of ours, would be too.
  const logged = (await browser.console()).filter(({ message }) => !/Failed to load resource/.test(message));
  assert.deepEqual(logged, []);
  console.log("ok - the_policy_was_never_breached_and_the_console_stayed_empty");
})).finally(() => rmSync(downloads, { recursive: true, force: true }));
