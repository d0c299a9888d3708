// An HPKE sender on node:crypto, written apart from the page's receiver, so that the two check each other.
import { createCipheriv, createECDH, createHmac, randomBytes } from "node:crypto";
import { protocol } from "./page.mjs";

const KEM = Buffer.from("4b454d0010", "hex");
const HPKE = Buffer.from("48504b45001000010002", "hex");

const hmac = (key, data) => createHmac("sha256", key).update(data).digest();
const extract = (suite, salt, label, ikm) => hmac(salt, Buffer.concat([Buffer.from("HPKE-v1"), suite, Buffer.from(label), ikm]));

function expand(suite, prk, label, info, length) {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(length);
  const labeled = Buffer.concat([size, Buffer.from("HPKE-v1"), suite, Buffer.from(label), info]);
  let block = Buffer.alloc(0);
  let out = Buffer.alloc(0);
  for (let counter = 1; out.length < length; counter += 1) {
    block = hmac(prk, Buffer.concat([block, labeled, Buffer.of(counter)]));
    out = Buffer.concat([out, block]);
  }
  return out.subarray(0, length);
}

/** The sender's context; `seal(sequence, aad, plaintext)`. Without `scalar`, a fresh ephemeral key. */
export function sender({ recipient, info, psk = Buffer.alloc(0), pskId = Buffer.alloc(0), scalar }) {
  const none = Buffer.alloc(0);
  const ephemeral = createECDH("prime256v1");
  if (scalar) ephemeral.setPrivateKey(scalar);
  else ephemeral.generateKeys();
  const enc = ephemeral.getPublicKey();
  const dh = ephemeral.computeSecret(recipient);
  const sharedSecret = expand(KEM, extract(KEM, none, "eae_prk", dh), "shared_secret", Buffer.concat([enc, recipient]), 32);
  const context = Buffer.concat([
    Buffer.of(psk.length ? 1 : 0),
    extract(HPKE, none, "psk_id_hash", pskId),
    extract(HPKE, none, "info_hash", info),
  ]);
  const secret = extract(HPKE, sharedSecret, "secret", psk);
  const key = expand(HPKE, secret, "key", context, 32);
  const baseNonce = expand(HPKE, secret, "base_nonce", context, 12);
  const exporterSecret = expand(HPKE, secret, "exp", context, 32);
  const nonce = (sequence) => {
    const mixed = Buffer.from(baseNonce);
    mixed[11] ^= sequence;
    return mixed;
  };
  const seal = (sequence, aad, plaintext) => {
    const aes = createCipheriv("aes-256-gcm", key, nonce(sequence));
    aes.setAAD(aad);
    return Buffer.concat([aes.update(plaintext), aes.final(), aes.getAuthTag()]);
  };
  return { enc, sharedSecret, context, secret, key, baseNonce, exporterSecret, nonce, seal };
}

export const KEY = {
  account: "123456789012",
  user: "ci-deploy",
  access_key_id: "AKIAIOSFODNN7EXAMPLE",
  secret_access_key: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
  receipt: "MTIzNDU2Nzg5MGFiY2RlZg",
};

/** What the worker would answer to a claim with this `pub` (base64url) on the ticket of `T`. */
export async function sealFor(T, pub, key = KEY, aadKeyId = key.access_key_id) {
  const { tid, psk } = await protocol.ticketFrom(T);
  const { account, user, ...plain } = key;
  const aad = Buffer.from(`${account}\n${user}\n${aadKeyId}`);
  const info = Buffer.concat([Buffer.from("keyvend/1"), tid]);
  const context = sender({ recipient: Buffer.from(pub, "base64url"), info, psk: Buffer.from(psk), pskId: Buffer.from(tid) });
  const ct = context.seal(0, aad, Buffer.from(JSON.stringify(plain)));
  return { enc: context.enc.toString("base64url"), ct: ct.toString("base64url"), aad: aad.toString("base64url") };
}

/** A fresh ticket secret and the fragment that carries it. */
export function newLink() {
  const T = new Uint8Array(randomBytes(32));
  return { T, fragment: `#1.${Buffer.from(T).toString("base64url")}` };
}
