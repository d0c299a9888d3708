// The page as it is served: its bytes, the scripts and style in it, and the policy its hashes make.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

const file = new URL("../../src/page/reveal.html", import.meta.url);
export const bytes = readFileSync(file);
export const html = bytes.toString("utf8");

const inner = (tag) => [...html.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, "g"))].map((found) => found[1]);
export const scripts = inner("script");
export const styles = inner("style");
export const [protocolSource, pageSource] = scripts;

const hashes = (sources) => sources.map((text) => `'sha256-${createHash("sha256").update(text).digest("base64")}'`).join(" ");
export const contentSecurityPolicy = [
  "default-src 'none'",
  `script-src ${hashes(scripts)}`,
  `style-src ${hashes(styles)}`,
  "connect-src 'self'",
  "img-src data:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** The first script's functions, run as they stand in the page. */
export const protocol = new Function(`${protocolSource}; return keyvend;`)();

const vectors = (name) => JSON.parse(readFileSync(new URL(`../vectors/${name}.json`, import.meta.url), "utf8"));
export const ticketCases = vectors("ticket");
export const hpkeCases = vectors("hpke");

/** A P-256 private key as WebCrypto imports it, from its scalar and its uncompressed point. */
export function privateJwk(scalar, point) {
  const part = (slice) => Buffer.from(slice).toString("base64url");
  return { kty: "EC", crv: "P-256", d: part(scalar), x: part(point.subarray(1, 33)), y: part(point.subarray(33, 65)) };
}

export const importPrivateKey = (jwk) =>
  crypto.subtle.importKey("jwk", jwk, { name: "ECDH", namedCurve: "P-256" }, false, ["deriveBits"]);
