// A slash command answered by Slack's Bolt for JavaScript on Lambda, under a loop that does less than AWS's own runtime.
const http = require("node:http");
const { App, AwsLambdaReceiver } = require("@slack/bolt");

const receiver = new AwsLambdaReceiver({ signingSecret: process.env.SLACK_SIGNING_SECRET });
const authorize = async () => ({ teamId: "T0001", botToken: "xoxb-not-a-token" });
const app = new App({ receiver, authorize, processBeforeResponse: true });
app.command("/access-key", async ({ ack }) => ack("There is no such command."));

const agent = new http.Agent({ keepAlive: true });
const [host, port] = process.env.AWS_LAMBDA_RUNTIME_API.split(":");

function call(method, path, body) {
  return new Promise((resolve, reject) => {
    const request = http.request({ host, port, method, path: `/2018-06-01/runtime/invocation/${path}`, agent }, (response) => {
      const parts = [];
      response.on("data", (part) => parts.push(part));
      response.on("end", () => resolve({ headers: response.headers, text: Buffer.concat(parts).toString() }));
    });
    request.on("error", reject);
    if (body !== undefined) request.setHeader("content-length", Buffer.byteLength(body));
    request.end(body);
  });
}

(async () => {
  const handler = await receiver.start();
  for (;;) {
    const { headers, text } = await call("GET", "next");
    const answer = await handler(JSON.parse(text), {}, () => {});
    await call("POST", `${headers["lambda-runtime-aws-request-id"]}/response`, JSON.stringify(answer));
  }
})();
