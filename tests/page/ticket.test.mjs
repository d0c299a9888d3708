import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { protocol, ticketCases } from "./page.mjs";

const { fromBase64url, toBase64url } = protocol;
const sha256 = (bytes) => createHash("sha256").update(bytes).digest("base64url");

test("there_are_ticket_cases", () => assert.ok(ticketCases.length >= 6));

for (const vector of ticketCases) {
  test(`${vector.name}_derives_what_the_server_stores`, async () => {
    const { T, problem } = protocol.readFragment(vector.fragment);
    assert.equal(problem, undefined);
    assert.equal(toBase64url(T), vector.T);
    const ticket = await protocol.ticketFrom(T);
    assert.equal(toBase64url(ticket.tid), vector.tid);
    assert.equal(toBase64url(ticket.proof), vector.proof);
    assert.equal(sha256(ticket.proof), vector.proof_sha256);
    assert.equal(toBase64url(ticket.psk), vector.psk);
    assert.equal(protocol.normaliseCode(vector.typed), vector.C);
    const code = await protocol.deriveCode(vector.C, ticket.codeSalt);
    assert.equal(toBase64url(code), vector.code);
    assert.equal(sha256(code), vector.code_sha256);
  });
}

test("typed_code_is_forgiven_case_hyphens_blanks_and_lookalikes", () => {
  for (const typed of ["0K1GAT2Z", "0k1gat2z", "0K1G-AT2Z", " 0K1G AT2Z\n", "oKlg-at2z", "OKIGAT2Z", "0K1G\u2011AT2Z", "0K1G\u00a0\u2013 AT2Z"]) {
    assert.equal(protocol.normaliseCode(typed), "0K1GAT2Z", JSON.stringify(typed));
  }
});

test("what_cannot_be_a_code_is_refused", () => {
  const hostile = ["", "0KBGAT2", "0KBGAT2ZZ", "UKBGAT2Z", "0KBGAT2!", "0KBG_AT2Z", "0KBGAT2\u0417", "0KBG.AT2Z", "\uff10KBGAT2Z"];
  for (const typed of hostile) assert.equal(protocol.normaliseCode(typed), null, JSON.stringify(typed));
});

test("fragment_must_be_whole_and_of_this_version", () => {
  const good = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
  const cases = {
    "": "no-link",
    "#": "no-link",
    "#1.": "bad-link",
    "#1": "bad-link",
    [`#${good}`]: "bad-link",
    [`#1.${good}=`]: "bad-link",
    [`#1.${good}A`]: "bad-link",
    [`#1.${good.slice(1)}`]: "bad-link",
    [`#1.${good.slice(0, -1)}9`]: "bad-link", // spare bits set: not the canonical form
    [`#1.${good} `]: "bad-link",
    [`#1.${good.slice(0, -1)}+`]: "bad-link",
    [`#1.${good.slice(0, 20)}\n${good.slice(20)}`]: "bad-link",
    [`#1.${good}&x=1`]: "bad-link",
    [`#1.${good}${good}`]: "bad-link",
    "#1.%00": "bad-link",
    [`#2.${good}`]: "other-version",
    [`#01.${good}`]: "other-version",
    [`#v2.${good}`]: "other-version",
  };
  for (const [fragment, problem] of Object.entries(cases)) {
    assert.deepEqual(protocol.readFragment(fragment), { problem }, JSON.stringify(fragment));
  }
});

test("base64url_is_strict_and_loses_nothing", () => {
  for (let length = 0; length < 70; length += 1) {
    const bytes = Uint8Array.from({ length }, (_, index) => (index * 37 + length * 101) & 255);
    const encoded = toBase64url(bytes);
    assert.equal(encoded, Buffer.from(bytes).toString("base64url"));
    assert.deepEqual(fromBase64url(encoded), bytes);
  }
  for (const bad of ["A", "AB", "AA==", "A A", "AA+_", "AA/A", "\u00e9AAA"]) assert.throws(() => fromBase64url(bad), JSON.stringify(bad));
});
