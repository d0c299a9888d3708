import assert from "node:assert/strict";
import { test } from "node:test";
import { openPage } from "./fake_browser.mjs";
import { html, protocol, ticketCases } from "./page.mjs";
import { KEY, newLink, sealFor } from "./sender.mjs";

const working = { status: 202, body: {} };
const confirmed = { status: 200, body: {} };
const error = (status, name, more) => ({ status, body: { error: name, ...more } });
const lost = () => { throw new TypeError("failed to fetch"); };

/** A server that plays `claims` in order; "seal" and everything after the last of them is the sealed key. */
function server(T, { claims = [], ack = () => confirmed, key = KEY } = {}) {
  const left = [...claims];
  let acks = 0;
  return async (path, body) => {
    if (path === "/reveal/ack") return ack((acks += 1));
    const next = left.shift() ?? "seal";
    if (typeof next === "function") return next(body);
    return next === "seal" ? { status: 200, body: await sealFor(T, body.pub, key) } : next;
  };
}

async function opened(options) {
  const { T, fragment } = newLink();
  return openPage({ fragment, serve: server(T, options) });
}

async function withKey(options) {
  const page = await opened(options);
  page.press("claim");
  await page.until(() => page.view() === "key");
  return page;
}

test("the_fragment_leaves_the_address_bar_before_anything_else", async () => {
  const page = await opened();
  assert.deepEqual(page.journal, [["replaceState", "/reveal"]]);
  assert.equal(page.location.hash, "");
  assert.match(html, /"use strict";\n\/\*[^/]*\*\/\n\(\(\) => \{\n(?:  \/\/.*\n)?  function takeFragment\(\) \{\n[^}]*\}\n  let fragment = takeFragment\(\);/);
});

test("a_bad_fragment_leaves_the_address_bar_too", async () => {
  const page = await openPage({ fragment: "#1.tooshort" });
  assert.deepEqual(page.journal, [["replaceState", "/reveal"]]);
});

test("opening_sends_nothing", async () => {
  const page = await opened();
  assert.equal(page.view(), "start");
  assert.equal(page.requests.length, 0);
  assert.equal(page.leave(), "left");
});

test("pressing_twice_claims_once", async () => {
  const page = await opened();
  const button = page.element("claim");
  button.click();
  button.click();
  await page.until(() => page.view() === "key");
  assert.equal(page.claims().length, 1);
});

test("a_link_that_cannot_be_read_says_so_and_sends_nothing", async () => {
  const cases = {
    "": /needs your one-time link/, "#1.tooshort": /incomplete/, [`#2.${newLink().fragment.slice(3)}`]: /isn\u2019t valid/,
  };
  for (const [fragment, title] of Object.entries(cases)) {
    const page = await openPage({ fragment });
    assert.equal(page.view(), "ended");
    assert.match(page.text("ended-what"), title, fragment);
    assert.match(page.text("ended-next"), /in Slack/);
    assert.equal(page.requests.length, 0);
  }
});

test("a_browser_that_cannot_open_a_key_creates_none", async () => {
  for (const lacks of ["subtle", "P-256", "ECDH", "HKDF", "AES-GCM", "time-outs"]) {
    const page = await openPage({ fragment: newLink().fragment, lacks });
    assert.match(page.text("ended-what"), /browser cannot open/, lacks);
    assert.match(page.text("ended-more"), /the link still works/, lacks);
    assert.equal(page.requests.length, 0, lacks);
  }
});

test("a_browser_that_cannot_copy_says_so_before_the_claim", async () => {
  const { T, fragment } = newLink();
  const page = await openPage({ fragment, serve: server(T), lacks: "clipboard" });
  assert.ok(page.element("no-clipboard").visible);
  page.press("claim");
  await page.until(() => page.view() === "key");
  page.press("copy=secret");
  await page.until(() => /did not allow copying/.test(page.text("feedback")));
  assert.equal(page.acks().length, 0);
  assert.ok(!(await opened()).element("no-clipboard").visible);
});

test("a_page_whose_script_does_not_run_says_so", async () => {
  assert.match(html, /<p id="starting">[^<]*too old/);
  assert.ok(!(await opened()).element("starting").visible);
});

test("a_claim_says_what_the_contract_names_and_nothing_else", async () => {
  const { T, fragment } = newLink();
  const page = await openPage({ fragment, serve: server(T) });
  page.press("claim");
  await page.until(() => page.view() === "key");
  const [{ path, body, options }] = page.requests;
  const ticket = await protocol.ticketFrom(T);
  assert.equal(path, "/reveal/claim");
  assert.deepEqual(Object.keys(body).sort(), ["cid", "proof", "pub", "tid"]);
  assert.equal(body.tid, protocol.toBase64url(ticket.tid));
  assert.equal(body.proof, protocol.toBase64url(ticket.proof));
  assert.equal(protocol.fromBase64url(body.cid).length, 16);
  assert.equal(protocol.fromBase64url(body.pub).length, 65);
  const { method, headers, credentials, cache, redirect, mode } = options;
  assert.deepEqual({ method, headers, credentials, cache, redirect, mode }, {
    method: "POST", headers: { "content-type": "application/json" }, credentials: "omit", cache: "no-store", redirect: "error", mode: undefined,
  });
  assert.ok(!JSON.stringify(page.requests).includes(fragment.slice(3)), "T is never sent");
});

test("working_answers_end_in_the_key", async () => {
  const page = await withKey({ claims: [working, working, working, "seal"] });
  assert.equal(page.claims().length, 4);
  assert.equal(page.seconds(), 4);
  for (const [id, value] of [["account", KEY.account], ["user", KEY.user], ["key-id", KEY.access_key_id]]) assert.equal(page.text(id), value);
});

test("a_lost_reply_is_asked_for_by_the_same_tab", async () => {
  const brokenReply = { status: 200, text: "{\"enc\": \"AAA" };
  const page = await withKey({ claims: [lost, working, lost, { status: 503, text: "<html>" }, brokenReply, { status: 429, body: {} }, "seal"] });
  const claims = page.claims();
  assert.equal(claims.length, 7);
  for (const claim of claims) assert.deepEqual(claim, claims[0]);
});

test("progress_is_told_while_working", async () => {
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  const page = await opened({ claims: [working, lost, () => held.then(() => working)] });
  page.press("claim");
  assert.equal(page.view(), "working");
  assert.match(page.text("progress"), /Sending/);
  assert.equal(page.leave(), "warned");
  await page.until(() => page.claims().length === 3);
  assert.match(page.text("progress"), /cannot be reached/);
  assert.equal(page.text("elapsed"), "1 s");
  release();
  await page.until(() => page.view() === "key");
});

test("after_three_minutes_the_same_tab_can_go_on", async () => {
  const page = await opened({ claims: [...Array(70).fill(working), "seal"] });
  page.press("claim");
  await page.until(() => page.element("again").visible);
  assert.match(page.text("progress"), /three minutes/);
  assert.equal(page.leave(), "warned");
  assert.ok(page.seconds() >= 180);
  page.press("again");
  assert.ok(!page.element("again").visible);
  await page.until(() => page.view() === "key");
  for (const claim of page.claims()) assert.deepEqual(claim, page.claims()[0]);
});

test("every_refusal_says_what_happened_and_what_to_do", async () => {
  const refusals = [
    [404, "not-found", /isn\u2019t valid any more/, /Get my key/],
    [409, "used", /already collected/, /This wasn\u2019t me in Slack at once/],
    [410, "expired", /expired.*no key was created/, /Get my key again/],
    [410, "void", /replaced or cancelled/, /in Slack/],
    [410, "failed", /couldn\u2019t create your key/, /Get my key again/],
    [410, "confirmed", /already confirmed/, /rotate/],
    [410, "unconfirmed", /deactivated.*ten minutes/, /I saved it in Slack/],
    [423, "locked", /locked.*five times/, /new link and a new code/],
    [400, "bad-request", /did not accept/, /Get my key/],
    [403, "whatever", /did not accept/, /Get my key/],
  ];
  for (const [status, name, what, next] of refusals) {
    const page = await opened({ claims: [error(status, name)] });
    page.press("claim");
    await page.until(() => page.view() === "ended");
    assert.match(`${page.text("ended-what")}. ${page.text("ended-more")}`, what, name);
    assert.match(page.text("ended-next"), next, name);
    assert.match(page.element("ended").className, /^(note|warn|stop)$/);
    assert.equal(page.claims().length, 1, name);
    assert.equal(page.document.activeElement.id, "ended-what");
    assert.equal(page.leave(), "left", name);
  }
});

test("what_was_not_sealed_for_this_tab_is_not_shown", async () => {
  const other = newLink();
  const page = await opened({ claims: [async (body) => ({ status: 200, body: await sealFor(other.T, body.pub) })] });
  page.press("claim");
  await page.until(() => page.view() === "ended");
  assert.match(page.text("ended-what"), /could not be opened/);
  assert.equal(page.acks().length, 0);
  assert.ok(!page.everything().includes(KEY.secret_access_key));
});

test("the_secret_is_in_the_document_only_while_shown", async () => {
  const page = await withKey();
  assert.match(page.text("secret"), /^\u2022+$/);
  assert.ok(!page.everything().includes(KEY.secret_access_key));
  page.press("show");
  assert.equal(page.text("secret"), KEY.secret_access_key);
  assert.equal(page.text("show-label"), "Hide");
  page.press("show");
  assert.match(page.text("secret"), /^\u2022+$/);
  assert.ok(!page.everything().includes(KEY.secret_access_key));
});

test("copies_are_what_tools_read", async () => {
  const page = await withKey();
  const formats = ["id", "secret", "import", "profile", "shell", "set", "fish", "powershell", "env", "process", "test"];
  const key = { id: KEY.access_key_id, secret: KEY.secret_access_key };
  for (const format of formats) {
    page.press(`copy=${format}`);
    await page.until(() => page.clipboard.length === formats.indexOf(format) + 1);
  }
  assert.deepEqual(page.clipboard, formats.map((format) => protocol.FORMATS[format][2](key, { profile: "ci-deploy", region: "" })));
});

test("downloads_are_what_tools_read", async () => {
  const page = await withKey();
  for (const format of ["csv", "profile", "shell", "env", "process"]) page.press(`download=${format}`);
  const texts = Object.fromEntries(page.downloads.map(({ name, text }) => [name, text]));
  assert.deepEqual(Object.keys(texts), ["ci-deploy.csv", "ci-deploy.credentials", "ci-deploy.sh", "ci-deploy.env", "ci-deploy.json"]);
  assert.equal(texts["ci-deploy.csv"], `User Name,Access key ID,Secret access key\nci-deploy,${KEY.access_key_id},${KEY.secret_access_key}\n`);
  for (const text of Object.values(texts)) assert.ok(text.includes(KEY.secret_access_key));
  // A script of PowerShell that was downloaded does not run where Windows is as installed.
  assert.doesNotMatch(html, /data-download="powershell"|\.ps1/);
});

test("profile_and_region_that_were_typed_are_used", async () => {
  const page = await withKey();
  page.fill("profile", "work");
  page.fill("region", " EU-west-1 ");
  assert.equal(page.text("import"), "aws configure import --csv file://work.csv && rm work.csv");
  assert.equal(page.text("section"), "[work]");
  page.press("copy=profile");
  await page.until(() => page.clipboard.length === 1);
  assert.match(page.clipboard[0], /^\n\[work\]\n[^]*\nregion = eu-west-1\n$/);
  page.press("download=csv");
  assert.equal(page.downloads[0].name, "work.csv");
  page.press("saved");
  assert.equal(page.text("done-try"), "aws sts get-caller-identity --profile work");
});

test("a_name_that_tools_cannot_read_is_refused_with_the_reason", async () => {
  const page = await withKey();
  page.fill("profile", "my key");
  assert.match(page.text("profile-problem"), /blank is not allowed/);
  assert.equal(page.element("profile").getAttribute("aria-invalid"), "true");
  page.press("copy=profile");
  page.press("download=csv");
  assert.equal(page.document.activeElement.id, "profile");
  assert.deepEqual([page.clipboard, page.downloads], [[], []]);
  assert.equal(page.acks().length, 0);
  page.press("copy=id");
  await page.until(() => page.clipboard.length === 1);
  page.fill("profile", "default");
  assert.match(page.text("profile-problem"), /names no profile/);
  page.press("copy=profile");
  await page.until(() => page.clipboard.length === 2);
});

test("smtp_credentials_need_a_region_and_are_of_that_region", async () => {
  const page = await withKey();
  page.press("copy=smtp");
  assert.match(page.text("region-problem"), /one region/);
  page.fill("region", "eu west");
  page.press("copy=smtp-password");
  assert.match(page.text("region-problem"), /not the name of a region/);
  assert.deepEqual(page.clipboard, []);
  // Derived for a region that is no longer there.
  page.fill("region", "us-east-1");
  page.fill("region", "");
  // Begun later, done later.
  for (let turn = 0; turn < 3; turn += 1) await protocol.smtpPassword("x", "eu-west-1");
  page.press("copy=smtp");
  assert.match(page.text("region-problem"), /one region/);
  assert.deepEqual(page.clipboard, []);
  const password = await protocol.smtpPassword(KEY.secret_access_key, "eu-west-1");
  page.fill("region", "us-east-1");
  page.fill("region", "eu-west-1");
  await page.until(() => {
    if (page.clipboard.length === 0) page.press("copy=smtp-password");
    return page.clipboard.length === 1;
  });
  page.press("copy=smtp");
  assert.equal(page.clipboard[0], password);
  assert.match(page.clipboard[1], new RegExp(`^SMTP_HOST=email-smtp\\.eu-west-1\\.amazonaws\\.com\n[^]*SMTP_USERNAME=${KEY.access_key_id}\n`));
});

test("a_copy_is_said_in_its_button_for_two_seconds", async () => {
  const page = await withKey();
  const label = page.button("copy=id").querySelector("span");
  page.press("copy=id");
  await page.until(() => label.textContent === "Copied");
  assert.equal(page.text("feedback"), "Access key ID copied.");
  const before = page.seconds();
  await page.until(() => label.textContent === "Copy");
  assert.equal(page.seconds() - before, 2);
});

test("a_refused_clipboard_is_a_failure_beside_the_button", async () => {
  const page = await withKey();
  page.refuseClipboard();
  const button = page.button("copy=secret");
  page.press("copy=secret");
  await page.until(() => button.className === "failed");
  assert.equal(button.querySelector("span").textContent, "Failed");
  const beside = button.parentElement.children.at(-1);
  assert.deepEqual([beside.className, beside.textContent], ["problem", page.text("feedback")]);
  assert.match(beside.textContent, /manually/);
  assert.equal(page.acks().length, 0);
  page.press("show");
  await page.until(() => page.acks().length === 1);
});

const CONFIRMING = ["show", "copy=secret", "copy=profile", "copy=shell", "copy=set", "copy=fish", "copy=powershell", "copy=env", "copy=process",
  "download=csv", "download=profile", "download=shell", "download=env", "download=process"];

for (const first of CONFIRMING) {
  test(`${first.replace("=", "_")}_confirms_once_when_first`, async () => {
    const page = await withKey();
    assert.equal(page.acks().length, 0);
    page.press(first);
    await page.until(() => page.acks().length > 0);
    for (const later of ["show", "copy=profile", "download=shell", "saved"]) page.press(later);
    await page.until(() => /Marked as received/.test(page.text("done-receipt")));
    const [claim] = page.claims();
    assert.deepEqual(page.acks(), [{ tid: claim.tid, proof: claim.proof, cid: claim.cid, receipt: KEY.receipt }]);
  });
}

test("what_holds_no_secret_confirms_nothing", async () => {
  const page = await withKey({ key: { ...KEY, expires_at: 1924992000 } });
  const pressed = [...html.matchAll(/data-(copy|download)="([^"]+)"/g)].map(([, how, format]) => `${how}=${format}`);
  const silent = pressed.filter((button) => !CONFIRMING.includes(button) && !button.includes("smtp"));
  assert.deepEqual(silent, ["copy=id", "download=calendar", "copy=import", "copy=test"]);
  for (const button of silent) {
    page.press(button);
    await page.until(() => page.clipboard.length + page.downloads.length === silent.indexOf(button) + 1);
  }
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(page.acks().length, 0);
});

test("the_rotate_line_has_the_command_as_installed", async () => {
  for (const [command, said] of [["/aws-key", "/aws-key"], [undefined, "/access-key"], ["/x && y", "/access-key"]]) {
    const page = await withKey({ key: { ...KEY, command } });
    page.press("show");
    page.press("saved");
    assert.equal(page.text("done-rotate"), `${said} rotate ${KEY.access_key_id}`);
  }
});

test("done_is_refused_while_nothing_was_taken", async () => {
  const page = await withKey();
  page.press("copy=id");
  page.press("saved");
  assert.equal(page.view(), "key");
  assert.match(page.text("nothing-saved"), /not saved it yet/);
  page.press("show");
  assert.equal(page.text("nothing-saved"), "");
  page.press("saved");
  assert.equal(page.view(), "done");
});

test("the_time_that_is_left_is_counted_down_and_its_end_is_said", async () => {
  const page = await withKey();
  assert.match(page.text("receipt"), /before \d\d:\d\d [A-Z]+/);
  assert.equal(page.text("left"), "10:00 left");
  page.pass(61);
  assert.equal(page.text("left"), "8:59 left");
  page.pass(600);
  assert.equal(page.text("left"), "");
  assert.match(page.text("receipt"), /has passed.*I saved it in Slack/);
  assert.equal(page.element("receipt").className, "stop");
  assert.ok(!page.ticking());
});

test("the_count_ends_with_the_confirmation", async () => {
  const page = await withKey();
  page.press("show");
  await page.until(() => /Closing this tab still loses the secret/.test(page.text("receipt")));
  page.pass(700);
  assert.equal(page.text("left"), "");
  assert.match(page.text("receipt"), /Marked as received/);
});

test("the_end_of_the_key_is_said_and_can_be_put_into_a_calendar", async () => {
  const year2030 = Date.UTC(2030, 0, 1, 12) / 1000;
  const said = { 30: /^31 Jan 2030, \d\d:\d\d; we remind you 7 days and 1 day before$/, 5: /; we remind you 1 day before$/, 1: /^2 Jan 2030, \d\d:\d\d$/ };
  for (const [days, sentence] of Object.entries(said)) {
    const page = await withKey({ key: { ...KEY, expires_at: year2030 + 86400 * days } });
    assert.match(page.text("expires"), sentence, days);
  }
  const page = await withKey({ key: { ...KEY, expires_at: year2030 + 86400 * 30 } });
  page.press("download=calendar");
  assert.equal(page.downloads[0].name, "ci-deploy.ics");
  assert.match(page.downloads[0].text, /\r\nDTSTART:20300131T120000Z\r\n/);
  assert.ok(!page.downloads[0].text.includes(KEY.secret_access_key));
  const without = await withKey();
  assert.ok(!without.element("expiry").visible, "a worker of an older version says no end");
});

test("a_press_beside_the_buttons_confirms_nothing", async () => {
  const page = await withKey();
  page.element("key").click();
  page.element("key-id").click();
  assert.equal(page.acks().length, 0);
});

test("the_confirmation_is_repeated_until_heard", async () => {
  const page = await withKey({ ack: (count) => (count <= 5 ? (count % 2 ? lost() : { status: 502, text: "" }) : confirmed) });
  page.press("show");
  await page.until(() => page.acks().length === 3);
  assert.match(page.text("receipt"), /Trying again/);
  await page.until(() => /Marked as received/.test(page.text("receipt")));
  assert.equal(page.acks().length, 6);
  for (const ack of page.acks()) assert.deepEqual(ack, page.acks()[0]);
});

test("a_confirmation_that_came_too_late_says_what_to_do", async () => {
  const page = await withKey({ ack: () => error(410, "unconfirmed") });
  page.press("show");
  await page.until(() => /deactivated/.test(page.text("receipt")));
  assert.match(page.text("receipt"), /I saved it in Slack/);
  assert.equal(page.text("secret"), KEY.secret_access_key);
  assert.equal(page.acks().length, 1);
});

test("a_refused_confirmation_is_not_repeated", async () => {
  const page = await withKey({ ack: () => error(404, "not-found") });
  page.press("copy=secret");
  await page.until(() => /could not be confirmed/.test(page.text("receipt")));
  assert.equal(page.acks().length, 1);
});

test("leaving_warns_until_saved", async () => {
  const page = await withKey();
  assert.equal(page.leave(), "warned");
  page.press("show");
  await page.until(() => /Marked as received/.test(page.text("receipt")));
  assert.equal(page.leave(), "warned");
  page.press("saved");
  assert.equal(page.leave(), "left");
});

test("leaving_warns_while_the_confirmation_is_unheard", async () => {
  let heard = false;
  const page = await withKey({ ack: () => (heard ? confirmed : lost()) });
  page.press("show");
  page.press("saved");
  await page.until(() => page.acks().length === 2);
  assert.equal(page.leave(), "warned");
  heard = true;
  await page.until(() => page.leave() === "left");
});

test("saved_wipes_the_secret", async () => {
  const page = await withKey();
  page.press("show");
  page.press("saved");
  assert.equal(page.view(), "done");
  assert.ok(!page.everything().includes(KEY.secret_access_key));
  assert.equal(page.text("done-key"), KEY.access_key_id);
  assert.match(page.text("done-try"), /--profile ci-deploy$/);
  page.press("done=done-rotate");
  await page.until(() => page.clipboard.length === 1);
  assert.equal(page.clipboard[0], `/access-key rotate ${KEY.access_key_id}`);
  const copies = page.clipboard.length;
  page.element("show").click();
  page.element("key").querySelector("button").click();
  assert.equal(page.clipboard.length, copies);
  assert.ok(!page.everything().includes(KEY.secret_access_key));
});

test("what_the_person_must_know_is_said_beside_the_key", async () => {
  const page = await withKey();
  const said = page.text("key");
  for (const fact of [/10 seconds/, /Never share/, /password manager/, /only this tab can fetch it, for 10 minutes/, /deactivated/]) assert.match(said, fact);
});

/* ---- Leaving, and coming back by Back ---- */

function assertWiped(page) {
  assert.equal(page.view(), "ended");
  assert.match(page.text("ended-what"), /was left/);
  for (const part of [KEY.secret_access_key, KEY.access_key_id, KEY.account]) assert.ok(!page.everything().includes(part), part);
  assert.equal(page.leave(), "left");
}

test("leaving_wipes_the_key_and_coming_back_shows_none", async () => {
  const page = await withKey();
  page.press("show");
  page.press("download=shell");
  await page.until(() => /Marked as received/.test(page.text("receipt")));
  page.hide();
  assertWiped(page);
  assert.equal(page.downloadable(), 0);
  page.restore();
  assertWiped(page);
  page.element("show").click();
  for (const button of page.element("key").descendants()) if (button.tag === "button") button.click();
  assertWiped(page);
  assert.deepEqual(page.clipboard, []);
  assert.equal(page.claims().length, 1);
});

test("leaving_after_saving_wipes_what_named_the_key", async () => {
  const page = await withKey();
  page.press("show");
  page.press("saved");
  page.hide();
  assertWiped(page);
});

test("a_key_that_arrives_after_the_page_was_left_is_not_shown", async () => {
  let release;
  const held = new Promise((resolve) => { release = resolve; });
  const { T, fragment } = newLink();
  const page = await openPage({
    fragment,
    serve: async (path, body) => held.then(async () => ({ status: 200, body: await sealFor(T, body.pub) })),
  });
  page.press("claim");
  await page.until(() => page.claims().length === 1);
  page.hide();
  release();
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assertWiped(page);
  page.restore();
  assertWiped(page);
});

test("a_page_that_was_left_claims_no_more", async () => {
  const page = await opened({ claims: [working, working, ...Array(100).fill(working)] });
  page.press("claim");
  await page.until(() => page.claims().length === 2);
  page.hide();
  const before = page.claims().length;
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(page.claims().length, before);
  assertWiped(page);
});

test("a_confirmation_goes_on_after_the_page_was_left", async () => {
  let heard = false;
  const page = await withKey({ ack: () => (heard ? confirmed : lost()) });
  page.press("show");
  await page.until(() => page.acks().length === 2);
  page.hide();
  heard = true;
  await page.until(() => page.acks().length > 2);
  assertWiped(page);
});

test("leaving_before_a_claim_wipes_the_link_and_a_new_one_starts_again", async () => {
  const second = newLink();
  const page = await openPage({ fragment: newLink().fragment, serve: server(second.T) });
  page.hide();
  page.restore();
  assertWiped(page);
  assert.equal(page.requests.length, 0);
  page.follow(second.fragment);
  await page.until(() => page.view() === "start");
  page.press("claim");
  await page.until(() => page.view() === "key");
});

test("leaving_wipes_a_code_and_sends_none_that_is_being_derived", async () => {
  const page = await openPage({ fragment: mailed.fragment, serve: mailedServer([error(401, "code-wanted"), "seal"]) });
  page.press("claim");
  await page.until(() => page.view() === "code");
  page.type(mailed.typed);
  page.hide();
  // Begun later, done later.
  for (let turn = 0; turn < 2; turn += 1) await protocol.deriveCode("AAAAAAAA", new Uint8Array(32));
  assertWiped(page);
  assert.equal(page.element("code-typed").value, "");
  assert.equal(page.claims().length, 1);
});

test("an_explanation_stays_when_the_page_is_left", async () => {
  const page = await opened({ claims: [error(409, "used")] });
  page.press("claim");
  await page.until(() => page.view() === "ended");
  page.hide();
  page.restore();
  assert.match(page.text("ended-what"), /already collected/);
});

/* ---- The mailed code ---- */

const mailed = ticketCases[1];

function mailedServer(steps) {
  return server(protocol.fromBase64url(mailed.T), { claims: steps });
}

test("a_wanted_code_is_asked_for_derived_and_sent", async () => {
  const page = await openPage({
    fragment: mailed.fragment,
    serve: mailedServer([error(401, "code-wanted"), error(401, "code-wrong", { tries_left: 4 }), error(401, "code-wrong", { tries_left: 1 }), working, "seal"]),
  });
  page.press("claim");
  await page.until(() => page.view() === "code");
  assert.equal(page.text("code-problem"), "");
  assert.equal(page.document.activeElement.id, "code-typed");
  assert.equal(page.leave(), "left");

  page.type("AAAA-AAAA");
  await page.until(() => page.view() === "code");
  assert.match(page.text("code-problem"), /does not match.* 4 tries left/);
  assert.equal(page.element("code-typed").value, "");
  assert.equal(page.element("code-typed").getAttribute("aria-invalid"), "true");

  page.type("BBBB-BBBB");
  await page.until(() => page.view() === "code");
  assert.match(page.text("code-problem"), / 1 try left/);

  assert.equal(page.type(mailed.typed).defaultPrevented, true);
  await page.until(() => page.view() === "key");
  const claims = page.claims();
  assert.equal(claims.length, 5);
  assert.equal("code" in claims[0], false);
  assert.notEqual(claims[1].code, mailed.code);
  assert.equal(claims[3].code, mailed.code);
  assert.deepEqual(claims[4], claims[3]);
  for (const claim of claims) assert.deepEqual([claim.cid, claim.pub], [claims[0].cid, claims[0].pub]);
  assert.ok(!page.everything().toUpperCase().includes(mailed.C));
});

test("what_cannot_be_a_code_is_not_sent", async () => {
  const page = await openPage({ fragment: mailed.fragment, serve: mailedServer([error(401, "code-wanted")]) });
  page.press("claim");
  await page.until(() => page.view() === "code");
  for (const typed of ["", "0KBGAT2", "0KBG-AT2U"]) {
    assert.equal(page.type(typed).defaultPrevented, true);
    assert.match(page.text("code-problem"), /8 letters and digits/);
    assert.equal(page.view(), "code");
  }
  assert.equal(page.claims().length, 1);
});

test("the_fifth_wrong_code_locks", async () => {
  const page = await openPage({ fragment: mailed.fragment, serve: mailedServer([error(401, "code-wanted"), error(423, "locked")]) });
  page.press("claim");
  await page.until(() => page.view() === "code");
  page.type("AAAAAAAA");
  await page.until(() => page.view() === "ended");
  assert.match(page.text("ended-what"), /locked/);
});

/* ---- A second link in the same tab ---- */

test("a_new_link_in_the_same_tab_is_another_claim", async () => {
  const second = newLink();
  const page = await openPage({ fragment: "#1.tooshort", serve: server(second.T) });
  assert.equal(page.view(), "ended");
  page.follow(second.fragment);
  await page.until(() => page.view() === "start");
  assert.equal(page.location.hash, "");
  page.press("claim");
  await page.until(() => page.view() === "key");
});

test("a_new_link_does_not_push_out_a_key", async () => {
  const page = await withKey();
  page.follow(newLink().fragment);
  assert.equal(page.location.hash, "");
  assert.equal(page.view(), "key");
  page.press("copy=secret");
  assert.deepEqual(page.clipboard, [KEY.secret_access_key]);
});
