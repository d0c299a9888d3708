// What the page writes for tools, as text; tests/page/consumers feeds it to the tools.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import { protocol } from "./page.mjs";

const { FORMATS, fileName, isRegion, profileProblem, smtpPassword, suggestProfile } = protocol;
const key = { id: "AKIAIOSFODNN7EXAMPLE", secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", user: "ci-deploy", account: "123456789012" };
const write = (format, more = {}) => FORMATS[format][2](key, { profile: "ci-deploy", region: "", ...more });

test("csv_has_the_columns_that_the_aws_cli_expects", () => {
  assert.equal(write("csv"), `User Name,Access key ID,Secret access key\nci-deploy,${key.id},${key.secret}\n`);
  assert.equal(write("import"), "aws configure import --csv file://ci-deploy.csv && rm ci-deploy.csv");
});

test("profile_begins_and_ends_its_lines", () => {
  const keys = `aws_access_key_id = ${key.id}\naws_secret_access_key = ${key.secret}\n`;
  assert.equal(write("profile"), `\n[ci-deploy]\n${keys}`);
  assert.equal(write("profile", { region: "eu-west-1" }), `\n[ci-deploy]\n${keys}region = eu-west-1\n`);
});

test("every_line_for_a_shell_begins_with_a_blank_and_the_first_clears", () => {
  for (const format of ["shell", "fish", "powershell", "set"]) {
    const lines = write(format, { region: "eu-west-1" }).split("\n");
    assert.equal(lines.pop(), "", format);
    for (const line of lines) assert.match(line, /^ \S/, format);
    if (format === "set") continue;
    for (const name of ["AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_CREDENTIAL_EXPIRATION", "AWS_PROFILE"]) assert.ok(lines[0].includes(name), format);
  }
});

test("powershell_is_told_to_ignore_what_is_not_set", () => {
  assert.equal(write("powershell"),
    " Remove-Item Env:AWS_SESSION_TOKEN, Env:AWS_SECURITY_TOKEN, Env:AWS_CREDENTIAL_EXPIRATION, Env:AWS_PROFILE -ErrorAction Ignore\n" +
    ` $Env:AWS_ACCESS_KEY_ID = '${key.id}'\n $Env:AWS_SECRET_ACCESS_KEY = '${key.secret}'\n`);
});

test("credential_process_is_its_json", () => {
  assert.deepEqual(JSON.parse(write("process")), { Version: 1, AccessKeyId: key.id, SecretAccessKey: key.secret });
});

// Passwords that others publish for their own implementations of AWS's algorithm.
test("smtp_password_meets_published_vectors", async () => {
  const vectors = [
    ["some+secret+key", "eu-central-1", "BMXhUYlu5Z3gSXVQORxlVa7XPaz91aGWdfHxvkOZdWZ2"],
    ["another+secret+key", "eu-central-1", "BBbphbrQmrKMx42d1N6+C7VINYEBGI5v9VsZeTxwskfh"],
    ["some+secret+key", "us-west-1", "BH+jbMzper5WwlwUar9E1ySBqHa9whi0GPo+sJ0mVYJj"],
    ["another+secret+key", "us-west-1", "BKVmjjMDFk/qqw8EROW99bjCS65PF8WKvK5bSr4Y6EqF"],
  ];
  for (const [secret, region, password] of vectors) assert.equal(await smtpPassword(secret, region), password, `${secret} ${region}`);
});

test("smtp_password_is_the_documented_chain_of_five", async () => {
  const hmac = (k, text) => createHmac("sha256", k).update(text).digest();
  const chain = ["11111111", "eu-west-1", "ses", "aws4_request", "SendRawEmail"].reduce(hmac, `AWS4${key.secret}`);
  assert.equal(await smtpPassword(key.secret, "eu-west-1"), Buffer.concat([Buffer.of(4), chain]).toString("base64"));
});

test("smtp_server_is_in_the_partition_of_the_region", () => {
  const servers = { "eu-west-1": "email-smtp.eu-west-1.amazonaws.com", "us-gov-west-1": "email-smtp.us-gov-west-1.amazonaws.com",
    "cn-north-1": "email-smtp.cn-north-1.amazonaws.com.cn", "eusc-de-east-1": "email-smtp.eusc-de-east-1.amazonaws.eu" };
  for (const [region, server] of Object.entries(servers)) {
    assert.ok(isRegion(region), region);
    assert.ok(write("smtp", { region, password: "x" }).startsWith(`SMTP_HOST=${server}\nSMTP_PORT=587\n`), region);
  }
});

test("what_is_no_region_is_none", () => {
  for (const region of ["eu-west", "eu west 1", "eu-west-1\n", "eu-west-1a", "EU-WEST-1", "1", "eu-west-1;x", "../eu-west-1"]) assert.ok(!isRegion(region), JSON.stringify(region));
});

test("names_that_all_sdks_read_are_taken", () => {
  for (const name of ["ci-deploy", "default", "a", "_x", "7", "bob@example.com", "a+b.c_d-e", "team/ci", "a:b", "a%b", "u".repeat(128), "profiles", "my-profile"]) {
    assert.equal(profileProblem(name), null, name);
  }
});

test("names_that_some_tool_cannot_read_are_refused_with_a_reason", () => {
  const refused = ["", " ", "a b", "a\tb", "a\nb", "a]b", "[a", "a=b", "a,b", "a;b", "a#b", "a\"b", "a'b", "a\\b", "a$b", "a`b", "a(b", "a&b", "a|b", "a<b",
    "\u00e4", "\u5b57", "\u{1f511}", "a\u00a0b", "a\u2011b", "-x", "--profile", ".x", "+x", "@x", "/x", "%x", ":x", "u".repeat(129),
    "__proto__", "constructor", "toString", "hasOwnProperty", "DEFAULT", "Default", "profile", "sso-session", "services"];
  for (const name of refused) assert.match(profileProblem(name) ?? "taken", /\.$/, JSON.stringify(name));
});

test("every_iam_user_gets_a_name_that_is_taken", () => {
  for (const user of ["ci-deploy", "a+b=c,d.e-f_g", "=cmd", "-x", "@home", ".x", ",", "__proto__", "constructor", "DEFAULT", "profile", "bob@example.com", "default"]) {
    assert.equal(profileProblem(suggestProfile(user)), null, user);
  }
  assert.equal(suggestProfile("ci-deploy"), "ci-deploy");
  assert.equal(suggestProfile("a=b,c"), "a-b-c");
  assert.equal(suggestProfile("-x"), "aws--x");
  const longest = suggestProfile(`=${"u".repeat(63)}`);
  assert.equal(profileProblem(longest), null, longest);
});

test("file_names_need_no_quotes_in_any_shell", () => {
  for (const profile of ["team/ci", "a:b", "a%b", "a+b.c_d-e@f"]) assert.match(fileName(profile, "csv"), /^[\w.@+-]+$/, profile);
});

test("calendar_entry_is_folded_and_escaped", () => {
  const text = FORMATS.calendar[2]({ ...key, user: `a,b${"u".repeat(60)}`, expires: 1924992000 }, {});
  for (const line of text.split("\r\n")) assert.ok(line.length <= 75, line);
  assert.ok(!/[^\r]\n/.test(text));
  const unfolded = text.replaceAll("\r\n ", "");
  assert.ok(unfolded.includes("\r\nDTSTART:20310101T000000Z\r\n"));
  assert.ok(unfolded.includes(`SUMMARY:AWS access key ${key.id} of a\\,b`));
  assert.equal(unfolded.match(/TRIGGER:-P[17]D/g).join(), "TRIGGER:-P7D,TRIGGER:-P1D");
});
