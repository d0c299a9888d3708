import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { bytes, contentSecurityPolicy, html, scripts, styles } from "./page.mjs";

test("page_fits_its_budget", () => {
  assert.ok(bytes.length <= 53248, `${bytes.length} bytes`);
  const packed = gzipSync(bytes, { level: 9 }).length;
  assert.ok(packed <= 16384, `${packed} bytes gzipped`);
});

test("page_is_plain_utf8_with_unix_lines", () => {
  assert.equal(Buffer.compare(Buffer.from(html, "utf8"), bytes), 0);
  // A browser turns CR into LF before it hashes a script: the header would name other bytes.
  assert.ok(!html.includes("\r"));
});

test("page_loads_and_leaks_nothing", () => {
  const forbidden = {
    "an address": /\b(?:https?|wss?|ftp):|["'(=]\/\//i,
    "a loaded file": /\s(?:src|srcset|poster|action|formaction|background)\s*=|@import|\burl\(/i,
    "an inline handler": /<[^>]+\son\w+\s*=/i,
    "a style attribute": /<[^>]+\sstyle\s*=|setAttribute\(\s*["']style/i,
    "markup from text": /innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|srcdoc/,
    "code from text": /\beval\b|\bFunction\s*\(|setTimeout\(\s*["'`]|javascript:/,
    "storage": /localStorage|sessionStorage|indexedDB|document\.cookie|\bcaches\b|serviceWorker|\.pushState/,
    "the console": /\bconsole\s*[.[]/,
    "another way out": /sendBeacon|XMLHttpRequest|WebSocket|EventSource|postMessage|window\.open|RTCPeerConnection/,
  };
  for (const [what, pattern] of Object.entries(forbidden)) {
    assert.equal(pattern.exec(html)?.[0], undefined, what);
  }
});

test("only_href_is_the_empty_icon", () => {
  assert.deepEqual([...html.matchAll(/<[^>]+\shref="([^"]*)"/g)].map((found) => found[1]), ["data:,"]);
});

test("requests_go_to_claim_and_ack_alone", () => {
  assert.equal(html.match(/\bfetch\(/g).length, 1);
  assert.deepEqual([...html.matchAll(/post\("([^"]+)"/g)].map((found) => found[1]).sort(), ["/reveal/ack", "/reveal/claim"]);
});

test("every_script_and_style_is_hashed_in_the_policy", () => {
  assert.equal(scripts.length, html.match(/<script\b/gi).length);
  assert.equal(styles.length, html.match(/<style\b/gi).length);
  assert.equal(contentSecurityPolicy.match(/'sha256-/g).length, scripts.length + styles.length);
  assert.ok(!contentSecurityPolicy.includes("unsafe"));
});

test("page_says_what_robots_and_referrers_may_do", () => {
  assert.match(html, /^<!doctype html>\n<html lang="en">/);
  assert.match(html, /<meta name="robots" content="noindex, nofollow">/);
  assert.match(html, /<meta name="referrer" content="no-referrer">/);
  assert.match(html, /<meta name="viewport" content="width=device-width, initial-scale=1">/);
  assert.match(html, /<noscript>\s*<section>[^<]{40,}<\/section>\s*<\/noscript>/);
});
