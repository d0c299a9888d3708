// Prints what the page would write for keys whose names and secrets are hard to read, as JSON: one object a case.
import { protocol } from "../page.mjs";

const { FORMATS, fileName, profileProblem, smtpPassword, suggestProfile } = protocol;
const id = "AKIAIOSFODNN7EXAMPLE";
const secrets = ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "/startsWithASlash+andEndsWithAn0123456789=", "=startsWithAnEquals/0123456789+ABCDEFGHIJ", "+startsWithAPlus/0123456789=abcdefghijklm"];
const users = ["ci-deploy", "bob@example.com", "a+b=c,d.e-f_g", "=cmd", "-x", "default", "u".repeat(64), "__proto__", "constructor", "profile", "DEFAULT"];
const typed = ["team/ci", "a:b", "a%b", "7", "_x"];

const cases = [];
for (const [index, user] of [...users, ...typed].entries()) {
  const profile = typed.includes(user) ? user : suggestProfile(user);
  if (profileProblem(profile)) throw new Error(`${profile} is refused`);
  const secret = secrets[index % secrets.length];
  const region = index % 2 ? "eu-central-1" : "";
  const password = await smtpPassword(secret, "eu-central-1");
  const key = { id, secret, user, account: "123456789012", expires: 1924992000 };
  const texts = Object.fromEntries(Object.entries(FORMATS).map(([name, [, ending, write]]) => [name, {
    file: ending && fileName(profile, ending),
    text: write(key, { profile, region: name.startsWith("smtp") ? "eu-central-1" : region, password }),
  }]));
  cases.push({ id, secret, user, profile, region, texts });
}
process.stdout.write(JSON.stringify(cases));
