// Opens sealed keys with the page's own receiver. One JSON object a line in: { T, jwk, enc, ct, aad }, all but `jwk` unpadded
// base64url; one line out: the plaintext. Anything that does not open ends the run with status 1.
import { createInterface } from "node:readline";
import { importPrivateKey, protocol } from "./page.mjs";

const { fromBase64url } = protocol;

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === "") continue;
  const { T, jwk, enc, ct, aad } = JSON.parse(line);
  const ticket = await protocol.ticketFrom(fromBase64url(T));
  const pub = Buffer.concat([Buffer.of(4), Buffer.from(jwk.x, "base64url"), Buffer.from(jwk.y, "base64url")]);
  const plaintext = await protocol.hpkeOpen({
    privateKey: await importPrivateKey(jwk),
    pub,
    enc: fromBase64url(enc),
    psk: ticket.psk,
    pskId: ticket.tid,
    info: Buffer.concat([Buffer.from("keyvend/1"), ticket.tid]),
    aad: fromBase64url(aad),
    ct: fromBase64url(ct),
  });
  process.stdout.write(`${Buffer.from(plaintext).toString("utf8")}\n`);
}
