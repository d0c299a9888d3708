import assert from "node:assert/strict";
import { test } from "node:test";
import { protocol } from "./page.mjs";

const lost = Symbol("no reply");
const working = { status: 202, body: {} };
const sealed = { status: 200, body: { enc: "a", ct: "b", aad: "c" } };
const error = (status, name, more) => ({ status, body: { error: name, ...more } });

/** Plays `answers` in order (the last one for ever), on a clock that only `pause` moves. */
async function run(answers, { limit = 180, complete = protocol.isSealed } = {}) {
  let clock = 0;
  let asked = 0;
  const pauses = [];
  const waits = [];
  const result = await protocol.persist({
    ask: async () => {
      const answer = answers[Math.min(asked, answers.length - 1)];
      asked += 1;
      if (answer === lost) throw new TypeError("failed to fetch");
      return answer;
    },
    complete,
    pause: async (seconds) => {
      pauses.push(seconds);
      clock += seconds;
    },
    now: () => clock,
    limit,
    onWait: (isWorking) => waits.push(isWorking),
  });
  return { ...result, asked, pauses, waits };
}

test("a_working_answer_is_asked_about_again_at_the_agreed_pace", async () => {
  const { outcome, body, pauses, waits } = await run([...Array(8).fill(working), sealed]);
  assert.equal(outcome, "done");
  assert.deepEqual(body, sealed.body);
  assert.deepEqual(pauses, [1, 1, 2, 2, 3, 3, 3, 3]);
  assert.deepEqual(waits, Array(8).fill(true));
});

test("lost_replies_and_server_faults_are_retried_with_backoff", async () => {
  for (const fault of [lost, ...[0, 408, 429, 500, 502, 503, 504, 599].map((status) => ({ status, body: {} }))]) {
    const { outcome, pauses, waits } = await run([...Array(6).fill(fault), sealed]);
    assert.equal(outcome, "done", String(fault.status));
    assert.deepEqual(pauses, [1, 2, 4, 8, 15, 15], String(fault.status));
    assert.deepEqual(waits, Array(6).fill(false));
  }
});

test("backoff_starts_anew_after_an_answer", async () => {
  const { pauses } = await run([lost, lost, working, lost, sealed]);
  assert.deepEqual(pauses, [1, 2, 1, 1]);
});

test("half_an_answer_is_no_answer", async () => {
  for (const body of [{}, { enc: "a", ct: "b" }, { enc: "a", ct: "b", aad: 1 }, { error: "used" }]) {
    const { outcome, asked } = await run([{ status: 200, body }, sealed]);
    assert.deepEqual([outcome, asked], ["done", 2], JSON.stringify(body));
  }
});

test("every_refusal_ends_the_asking_at_once", async () => {
  const refusals = [
    [401, "code-wanted"], [401, "code-wrong"], [404, "not-found"], [409, "used"], [410, "expired"], [410, "void"],
    [410, "failed"], [410, "confirmed"], [410, "unconfirmed"], [423, "locked"], [400, "bad-request"],
  ];
  for (const [status, name] of refusals) {
    const { outcome, asked } = await run([working, error(status, name), sealed]);
    assert.deepEqual([outcome, asked], [name, 2], name);
  }
});

test("tries_left_are_passed_on", async () => {
  assert.equal((await run([error(401, "code-wrong", { tries_left: 3 })])).triesLeft, 3);
});

test("a_refusal_this_page_does_not_know_is_still_a_refusal", async () => {
  for (const answer of [error(403, "used"), error(409, "expired"), error(410, "constructor"), { status: 404, body: { message: "Not Found" } }, error(418)]) {
    const { outcome, asked } = await run([answer, sealed]);
    assert.deepEqual([outcome, asked], ["refused", 1], JSON.stringify(answer));
  }
});

test("asking_rests_after_three_minutes", async () => {
  for (const answer of [working, lost]) {
    const { outcome, pauses } = await run([answer]);
    assert.equal(outcome, "slow");
    const waited = pauses.reduce((sum, seconds) => sum + seconds, 0);
    assert.ok(waited >= 180 && waited < 196, `${waited} s`);
  }
});

test("an_answer_just_after_three_minutes_is_still_taken", async () => {
  const { outcome } = await run([...Array(62).fill(working), sealed]);
  assert.equal(outcome, "done");
});

test("without_a_limit_it_goes_on_until_heard", async () => {
  const { outcome, asked } = await run([...Array(500).fill(lost), { status: 200, body: {} }], { limit: Infinity, complete: () => true });
  assert.deepEqual([outcome, asked], ["done", 501]);
});
