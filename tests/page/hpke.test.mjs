import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createECDH, randomBytes } from "node:crypto";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { hpkeCases, importPrivateKey, privateJwk, protocol } from "./page.mjs";
import { KEY, newLink, sealFor, sender } from "./sender.mjs";

const hex = (text) => new Uint8Array(Buffer.from(text, "hex"));
const toHex = (bytes) => Buffer.from(bytes).toString("hex");

test("vectors_cover_base_and_psk_of_this_suite", () => {
  const suites = hpkeCases.map(({ mode, kem_id, kdf_id, aead_id }) => [mode, kem_id, kdf_id, aead_id]);
  assert.deepEqual(suites, [[0, 0x10, 1, 2], [1, 0x10, 1, 2]]);
});

async function receiving(vector) {
  const pub = hex(vector.pkRm);
  return {
    privateKey: await importPrivateKey(privateJwk(hex(vector.skRm), pub)),
    pub,
    enc: hex(vector.enc),
    psk: hex(vector.psk),
    pskId: hex(vector.psk_id),
    info: hex(vector.info),
    aad: hex(vector.encryptions[0].aad),
    ct: hex(vector.encryptions[0].ct),
  };
}

for (const vector of hpkeCases) {
  test(`receiver_opens_the_cfrg_vector_of_mode_${vector.mode}`, async () => {
    assert.equal(toHex(await protocol.hpkeOpen(await receiving(vector))), vector.encryptions[0].pt);
  });

  test(`receiver_is_single_shot_in_mode_${vector.mode}`, async () => {
    for (const { aad, ct } of vector.encryptions.slice(1)) {
      await assert.rejects(protocol.hpkeOpen({ ...(await receiving(vector)), aad: hex(aad), ct: hex(ct) }));
    }
  });

  test(`the_tests_own_sender_meets_the_cfrg_vector_of_mode_${vector.mode}`, () => {
    const context = sender({
      recipient: Buffer.from(vector.pkRm, "hex"),
      info: Buffer.from(vector.info, "hex"),
      psk: Buffer.from(vector.psk, "hex"),
      pskId: Buffer.from(vector.psk_id, "hex"),
      scalar: Buffer.from(vector.skEm, "hex"),
    });
    const wanted = {
      enc: vector.enc, sharedSecret: vector.shared_secret, context: vector.key_schedule_context, secret: vector.secret,
      key: vector.key, baseNonce: vector.base_nonce, exporterSecret: vector.exporter_secret,
    };
    for (const [name, value] of Object.entries(wanted)) assert.equal(toHex(context[name]), value, name);
    for (const [sequence, { aad, ct, nonce, pt }] of vector.encryptions.entries()) {
      assert.equal(toHex(context.nonce(sequence)), nonce);
      assert.equal(toHex(context.seal(sequence, hex(aad), hex(pt))), ct);
    }
  });

  for (const field of ["enc", "ct", "aad", "info", "psk", "pskId", "pub"].filter((name) => vector.mode === 1 || !name.startsWith("psk"))) {
    test(`a_changed_${field}_does_not_open_in_mode_${vector.mode}`, async () => {
      const right = await receiving(vector);
      for (const index of [0, right[field].length >> 1, right[field].length - 1]) {
        const changed = Uint8Array.from(right[field]);
        changed[index] ^= 0x01;
        await assert.rejects(protocol.hpkeOpen({ ...right, [field]: changed }), `${field}[${index}]`);
      }
    });
  }
}

test("a_psk_seal_does_not_open_without_its_psk", async () => {
  const right = await receiving(hpkeCases[1]);
  const none = new Uint8Array();
  await assert.rejects(protocol.hpkeOpen({ ...right, psk: none, pskId: none }));
});

async function claimed() {
  const { T } = newLink();
  const ticket = await protocol.ticketFrom(T);
  const tab = await protocol.newTab();
  return { T, ticket, tab, pub: protocol.toBase64url(tab.pub) };
}

test("the_tab_opens_what_was_sealed_to_it", async () => {
  const { T, ticket, tab, pub } = await claimed();
  const key = await protocol.openKey(ticket, tab, await sealFor(T, pub));
  assert.deepEqual(key, {
    account: KEY.account, user: KEY.user, id: KEY.access_key_id, secret: KEY.secret_access_key, receipt: KEY.receipt,
  });
});

test("the_private_half_cannot_leave_the_tab", async () => {
  const { privateKey, pub, cid } = await protocol.newTab();
  assert.equal(privateKey.extractable, false);
  assert.deepEqual(privateKey.usages, ["deriveBits"]);
  for (const format of ["jwk", "pkcs8"]) await assert.rejects(crypto.subtle.exportKey(format, privateKey));
  assert.equal(pub.length, 65);
  assert.equal(pub[0], 4);
  assert.equal(cid.length, 16);
});

test("every_tab_is_another", async () => {
  const [one, two] = await Promise.all([protocol.newTab(), protocol.newTab()]);
  assert.notDeepEqual(one.cid, two.cid);
  assert.notDeepEqual(one.pub, two.pub);
});

test("another_tab_or_another_ticket_opens_nothing", async () => {
  const mine = await claimed();
  const other = await claimed();
  const sealed = await sealFor(mine.T, mine.pub);
  await protocol.openKey(mine.ticket, mine.tab, sealed);
  await assert.rejects(protocol.openKey(mine.ticket, other.tab, sealed));
  await assert.rejects(protocol.openKey(other.ticket, mine.tab, sealed));
  await assert.rejects(protocol.openKey({ ...mine.ticket, tid: other.ticket.tid }, mine.tab, sealed));
  await assert.rejects(protocol.openKey({ ...mine.ticket, psk: other.ticket.psk }, mine.tab, sealed));
});

test("a_changed_answer_does_not_open", async () => {
  const { T, ticket, tab, pub } = await claimed();
  const sealed = await sealFor(T, pub);
  for (const field of ["enc", "ct", "aad"]) {
    const length = Buffer.from(sealed[field], "base64url").length;
    for (const index of [0, length >> 1, length - 1]) {
      const changed = Buffer.from(sealed[field], "base64url");
      changed[index] ^= 0x80;
      await assert.rejects(protocol.openKey(ticket, tab, { ...sealed, [field]: changed.toString("base64url") }), `${field}[${index}]`);
    }
    for (const bad of ["", "!", `${sealed[field]}=`, sealed[field].slice(4)]) {
      await assert.rejects(protocol.openKey(ticket, tab, { ...sealed, [field]: bad }), `${field}: ${bad}`);
    }
  }
});

test("a_point_off_the_curve_is_refused", async () => {
  const { T, ticket, tab, pub } = await claimed();
  const enc = Buffer.concat([Buffer.of(4), randomBytes(64)]).toString("base64url");
  await assert.rejects(protocol.openKey(ticket, tab, { ...(await sealFor(T, pub)), enc }));
});

test("the_key_inside_must_be_the_key_named_outside", async () => {
  const { T, ticket, tab, pub } = await claimed();
  const sealed = await sealFor(T, pub, KEY, "AKIAI44QH8DHBEXAMPLE");
  await assert.rejects(protocol.openKey(ticket, tab, sealed), /another key/);
});

test("what_would_break_out_of_a_profile_or_a_shell_is_refused", async () => {
  const { T, ticket, tab, pub } = await claimed();
  const hostile = [
    { user: "a]\nx" }, { user: "" }, { user: "a b" }, { user: "$(id)" }, { account: "" },
    { secret_access_key: "'; rm -rf ~; '0000000000" }, { secret_access_key: "short" }, { secret_access_key: undefined },
    { secret_access_key: "wJalrXUtnFEMI/K7MDENG\nregion = x" }, { access_key_id: "AKIA'IOSFODNN7EXAM" }, { receipt: undefined },
  ];
  for (const part of hostile) {
    const sealed = await sealFor(T, pub, { ...KEY, ...part });
    await assert.rejects(protocol.openKey(ticket, tab, sealed), /not an access key|another key/, JSON.stringify(part));
  }
});

function openMjs(lines) {
  const file = fileURLToPath(new URL("open.mjs", import.meta.url));
  return spawnSync(process.execPath, [file], { input: lines.map((line) => `${JSON.stringify(line)}\n`).join(""), encoding: "utf8" });
}

async function sealedLine() {
  const { T } = newLink();
  const pair = createECDH("prime256v1");
  const pub = pair.generateKeys();
  const jwk = privateJwk(Buffer.from(pair.getPrivateKey("hex").padStart(64, "0"), "hex"), pub);
  return { T: protocol.toBase64url(T), jwk, ...(await sealFor(T, pub.toString("base64url"))) };
}

test("open_mjs_prints_each_plaintext", async () => {
  const { account, user, ...plain } = KEY;
  const { status, stdout, stderr } = openMjs([await sealedLine(), await sealedLine()]);
  assert.equal(status, 0, stderr);
  assert.deepEqual(stdout.trimEnd().split("\n").map((line) => JSON.parse(line)), [plain, plain]);
});

test("open_mjs_fails_on_what_does_not_open", async () => {
  const line = await sealedLine();
  const { status, stdout } = openMjs([{ ...line, aad: (await sealedLine()).aad, T: newLink().fragment.slice(3) }]);
  assert.notEqual(status, 0);
  assert.equal(stdout, "");
});
