// Serves the page as the product does, and plays the claim API: each link made here has its own list of answers.
import { createServer } from "node:http";
import { bytes, contentSecurityPolicy, protocol } from "../page.mjs";
import { KEY, newLink, sealFor } from "../sender.mjs";

const HEADERS = {
  "content-security-policy": contentSecurityPolicy,
  "cache-control": "no-store",
  "referrer-policy": "no-referrer",
  "x-content-type-options": "nosniff",
  "x-robots-tag": "noindex",
  "cross-origin-opener-policy": "same-origin",
  "cross-origin-embedder-policy": "require-corp",
  "cross-origin-resource-policy": "same-origin",
};

export async function withServer(work) {
  const links = new Map();
  const seen = [];

  const read = async (request) => {
    let text = "";
    for await (const chunk of request) text += chunk;
    return text;
  };

  const server = createServer(async (request, response) => {
    const { method, url, headers } = request;
    const text = await read(request);
    seen.push({ method, url, headers, body: text === "" ? null : JSON.parse(text) });
    const answer = (status, body) => {
      response.writeHead(status, { "content-type": "application/json", "cache-control": "no-store" });
      response.end(JSON.stringify(body));
    };
    if (method === "GET" && url === "/reveal") {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8", ...HEADERS });
      return response.end(bytes);
    }
    const body = JSON.parse(text || "{}");
    const link = links.get(body.tid);
    if (method !== "POST" || !link) return answer(404, { error: "not-found" });
    const list = url === "/reveal/claim" ? link.claims : link.acks;
    const step = list.length > 1 ? list.shift() : list[0];
    if (step === "lose") return response.destroy();
    if (step === "hang") return undefined;
    if (step === "seal") return answer(200, await sealFor(link.T, body.pub, link.key));
    return answer(step[0], step[1]);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;
  try {
    await work({
      origin,
      seen,
      /** A link whose claims are answered by `claims` in order, the last one for ever. */
      async link(claims, acks = [[200, {}]], key = KEY) {
        const { T, fragment } = newLink();
        const { tid } = await protocol.ticketFrom(T);
        links.set(protocol.toBase64url(tid), { T, claims: [...claims], acks: [...acks], key });
        return `${origin}/reveal${fragment}`;
      },
    });
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
