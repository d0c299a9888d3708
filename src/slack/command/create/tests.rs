//! What a line of `create` says, whatever its order and spelling, and how a wrong one is corrected.

use proptest::prelude::*;

use super::*;
use crate::slack::command::Command;

fn of(user: &str, account: Option<&str>, use_case: UseCase, days: u16, reason: &str) -> Create {
    Create {
        user: user.parse().unwrap(),
        account: account.map(|alias| alias.parse().unwrap()),
        use_case,
        days: Days::try_from(days).unwrap(),
        reason: reason.to_owned().try_into().unwrap(),
    }
}

#[test]
fn create_arguments_accept_any_order_and_spelling() {
    let deploy = || of("ci", None, UseCase::Cli, 30, "to deploy");
    let cases = [
        ("create ci use:cli ttl:30d to deploy", deploy()),
        ("create ci ttl:30d use:cli to deploy", deploy()),
        ("create ci to use:cli deploy ttl:30d", deploy()),
        ("create ci to deploy ttl:30d use:cli", deploy()),
        ("  Create\tci\u{a0}use:cli\nttl:30d   to \r\n deploy ", deploy()),
        ("CREATE ci Use:CLI TTL:30D to deploy", deploy()),
        ("create `ci` use:`cli` ttl:`30d` to deploy", deploy()),
        ("`create ci use:cli ttl:30d to deploy`", deploy()),
        ("create ci use:cli ttl:030d to deploy", deploy()),
        ("create bob@prod use:other ttl:1d x", of("bob", Some("prod"), UseCase::Other, 1, "x")),
        ("create `bob`@prod use:other ttl:1d x", of("bob", Some("prod"), UseCase::Other, 1, "x")),
        ("create bob@example.com use:other ttl:1d x", of("bob@example.com", None, UseCase::Other, 1, "x")),
        (
            "create <mailto:bob@example.com|bob@example.com> use:other ttl:1d x",
            of("bob@example.com", None, UseCase::Other, 1, "x"),
        ),
        (
            "create <mailto:bob@example.com|bob@example.com>@prod use:other ttl:1d x",
            of("bob@example.com", Some("prod"), UseCase::Other, 1, "x"),
        ),
        ("create bob@prod@home use:other ttl:1d x", of("bob@prod", Some("home"), UseCase::Other, 1, "x")),
        ("create bob@Prod use:other ttl:1d x", of("bob@Prod", None, UseCase::Other, 1, "x")),
        ("create bob@ use:other ttl:3650d x", of("bob@", None, UseCase::Other, 3650, "x")),
        (
            "create ci use:cli ttl:30d R&amp;D &lt;3 `x` <https://x.test/1|T-1>",
            of("ci", None, UseCase::Cli, 30, "R&D <3 `x` T-1"),
        ),
        ("create ci use: cli ttl: 30 days to deploy", deploy()),
        ("create ci use=cli ttl=30 to deploy", deploy()),
        ("create ci --use cli --ttl 30 to deploy", deploy()),
        ("create ci \u{2014}use cli \u{2014}ttl 30d to deploy", deploy()),
        ("create --user-name ci --use-case=cli --ttl=30d to deploy", deploy()),
        ("new \u{201c}ci\u{201d} *use:cli* _ttl:30d_ to deploy".replace('_', "").leak(), deploy()),
        ("create ci use:cli use:cli ttl:30d ttl:30 reason: to deploy", deploy()),
        ("/access-key create ci use:CLI ttl:30d. to deploy", deploy()),
        ("create use:cli ttl:30d ci to deploy", deploy()),
        ("create --ttl=30d ci --use=cli to deploy", deploy()),
        ("create ci@prod account:prod use:cli ttl:7d x", of("ci", Some("prod"), UseCase::Cli, 7, "x")),
        ("create ci use:cli ttl:1w to", of("ci", None, UseCase::Cli, 7, "to")),
        ("create ci use:cli ttl:2 weeks to", of("ci", None, UseCase::Cli, 14, "to")),
        ("create ci use:local_code ttl:7d x", of("ci", None, UseCase::LocalCode, 7, "x")),
        (
            "create ci\u{2013}bot use:aws\u{2011}compute ttl:7d x",
            of("ci-bot", None, UseCase::AwsCompute, 7, "x"),
        ),
        ("create ci use:cli ttl:7d --account prod x", of("ci", Some("prod"), UseCase::Cli, 7, "x")),
        (
            "create arn:aws:iam::123456789012:user/build/ci use:cli ttl:7d x",
            of("ci", Some("123456789012"), UseCase::Cli, 7, "x"),
        ),
        (
            "create ci use:cli ttl:30d \u{202e}paid\u{202c} \u{7}bell because:use:x",
            of("ci", None, UseCase::Cli, 30, "paid bell because:use:x"),
        ),
    ];
    for (line, expected) in cases {
        assert_eq!(line.parse(), Ok(Command::Create(expected)), "{line:?}");
    }
}

#[test]
fn invalid_create_line_gets_correction() {
    // The reply names the first problem.
    let all = "create ci use:other ttl:7d why you need it";
    let none = "create ci-deployer use:<use-case> ttl:30d why you need it";
    let long = format!("create ci use:other ttl:7d {}", "x".repeat(201));
    let words = format!("create ci use:other ttl:7d {}", "four ".repeat(41));
    let name = "n".repeat(64);
    let unknown = |word: &str, near| Problem::UnknownUseCase(word.to_owned(), near);
    let cases: &[(&str, Problem, &str)] = &[
        (
            "create use:other ttl:7d",
            Problem::UserMissing,
            "create ci-deployer use:other ttl:7d why you need it",
        ),
        ("create use:other ttl:7d ci", Problem::ReasonMissing, all),
        (
            "create ci@prod --account home use:other ttl:7d x",
            Problem::AccountRepeated,
            "create ci@prod use:other ttl:7d x",
        ),
        (
            "create ci use: nope ttl:7d to go",
            unknown("nope", None),
            "create ci use:<use-case> ttl:7d nope to go",
        ),
        (
            "create a/b use:other ttl:7d x",
            Problem::NotAnIamUser("a/b".to_owned()),
            "create ci-deployer use:other ttl:7d x",
        ),
        ("create @prod", Problem::NotAnIamUser("@prod".to_owned()), none),
        ("create <@U1|bob>", Problem::NotAnIamUser("@bob".to_owned()), none),
        ("create ci --user bob use:other ttl:7d x", Problem::UserRepeated, "create ci use:other ttl:7d x"),
        (
            "create ci account:a/b use:other ttl:7d x",
            Problem::NotAnAccount("a/b".to_owned()),
            "create ci use:other ttl:7d x",
        ),
        // No use case is invented: the line would be approved and audited with it.
        ("create ci ttl:7d x", Problem::UseMissing, "create ci use:<use-case> ttl:7d x"),
        ("create ci use:nope ttl:7d to go", unknown("nope", None), "create ci use:<use-case> ttl:7d to go"),
        (
            "create ci use:ec2 ttl:7d to go",
            unknown("ec2", Some(UseCase::AwsCompute)),
            "create ci use:aws-compute ttl:7d to go",
        ),
        (
            "create ci use:thi ttl:7d to go",
            unknown("thi", Some(UseCase::ThirdParty)),
            "create ci use:third-party ttl:7d to go",
        ),
        ("create ci use:other x", Problem::TtlMissing, "create ci use:other ttl:30d x"),
        ("create ci use:other ttl:7d", Problem::ReasonMissing, all),
        ("create ci use:other ttl:7d \u{7} \u{202e}", Problem::ReasonMissing, all),
        (&long, Problem::ReasonTooLong, all),
        (
            &words,
            Problem::ReasonTooLong,
            &format!("create ci use:other ttl:7d {}", vec!["four"; 40].join(" ")),
        ),
        ("create ci use:other use:cli ttl:7d x", Problem::UseRepeated, "create ci use:other ttl:7d x"),
        ("create ci use:other ttl:7d ttl:8d x", Problem::TtlRepeated, "create ci use:other ttl:7d x"),
        ("create ci use:nope use:other ttl:7d x", unknown("nope", None), "create ci use:other ttl:7d x"),
        ("create ci use: ttl:7d x", unknown("", None), "create ci use:<use-case> ttl:7d x"),
        ("create bob@prod", Problem::UseMissing, "create bob@prod use:<use-case> ttl:30d why you need it"),
        (
            &format!("create {name} use:cli"),
            Problem::TtlMissing,
            &format!("create {name} use:cli ttl:30d why you need it"),
        ),
    ];
    for (line, problem, correct) in cases {
        let error = line.parse::<Command>().unwrap_err();
        assert_eq!((&error.problem, error.correct.as_str()), (problem, *correct), "{line:?}");
    }
    for wrong in
        ["", "d", "0d", "3651d", "99999d", "-1d", "+1d", "1.5d", "12h", "1m", "1y", "30dd", "\u{663}d"]
    {
        let error = format!("create ci use:cli x ttl:{wrong}").parse::<Command>().unwrap_err();
        assert_eq!(error.problem, Problem::InvalidLifetime(wrong.to_owned()), "{wrong:?}");
    }
}

fn a_user() -> impl Strategy<Value = String> {
    // What follows the last `@` must not read as an account.
    "[A-Za-z0-9_+=,.@-]{1,64}".prop_filter("ends like an account", |name| {
        name.rsplit_once('@').is_none_or(|(_, rest)| rest.parse::<AccountAlias>().is_err())
    })
}

fn a_reason() -> impl Strategy<Value = Reason> {
    ".{1,80}".prop_filter_map("no reason", |text| {
        let kept =
            text.split(crate::text::is_blank).filter(|word| !word.is_empty() && Part::of(word).is_none());
        Reason::from_words(kept).ok()
    })
}

fn a_create() -> impl Strategy<Value = Create> {
    (
        a_user(),
        prop::option::of("[a-z0-9-]{1,32}"),
        prop::sample::select(&UseCase::ALL[..]),
        1u16..=3650,
        a_reason(),
    )
        .prop_map(|(user, account, use_case, days, reason)| Create {
            user: user.parse().unwrap(),
            account: account.map(|alias| alias.parse().unwrap()),
            use_case,
            days: Days::try_from(days).unwrap(),
            reason,
        })
}

/// The words of a line that say something valid.
fn said(create: &Create) -> [String; 3] {
    [
        TypedUser { user: create.user.clone(), account: create.account.clone() }.to_string(),
        format!("use:{}", create.use_case),
        format!("ttl:{}", create.days),
    ]
}

proptest! {
    /// Whatever one part is spoilt: the other parts stay in the line that is suggested.
    #[test]
    fn correction_keeps_every_valid_word(create in a_create(), spoilt in 0_usize..3) {
        let mut parts = said(&create).to_vec();
        parts[spoilt] = ["a/b", "use:nope", "ttl:soon"][spoilt].to_owned();
        let reason = create.reason.as_str().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let line = format!("create {} {reason}", parts.join(" "));
        let error = line.parse::<Command>().unwrap_err();
        for (at, part) in said(&create).iter().enumerate().filter(|(at, _)| *at != spoilt) {
            prop_assert!(error.correct.contains(part.as_str()), "{at}: {} of {line}", error.correct);
        }
        prop_assert!(error.correct.ends_with(create.reason.as_str()), "{} of {line}", error.correct);
    }

    #[test]
    fn every_create_line_reads_back(
        create in a_create(),
        order in prop::sample::subsequence(vec![0, 1, 2], 3).prop_shuffle(),
        blanks in "[ \t\u{a0}\u{2003}\n]{1,3}",
    ) {
        let escaped = create.reason.as_str().replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let at = create.account.as_ref().map(|alias| format!("@{alias}")).unwrap_or_default();
        let parts = [format!("use:{}", create.use_case), format!("ttl:{}", create.days), escaped];
        let mut line = vec!["create".to_owned(), format!("{}{at}", create.user)];
        line.extend(order.iter().map(|index| parts[*index].clone()));
        prop_assert_eq!(line.join(&blanks).parse(), Ok(Command::Create(create)));
    }

    #[test]
    fn a_create_survives_the_queue(create in a_create()) {
        let text = serde_json::to_string(&create).unwrap();
        prop_assert_eq!(serde_json::from_str::<Create>(&text).unwrap(), create);
    }
}
