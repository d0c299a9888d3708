//! Everything the functions read from their environment, in one place.
//! A value that cannot be right stops a function at start, with a message that names its variable.

pub mod accounts;
pub mod aws;
#[cfg(feature = "cli")]
pub mod cli;
pub mod environment;
pub mod json_pairs;
pub mod reveal;
pub mod slack;
pub mod value;
pub mod worker;

pub use crate::aws::config::AwsConfig;
pub use crate::aws::queue_url::QueueUrl;
#[cfg(feature = "cli")]
pub use crate::config::cli::OperatorConfig;
pub use crate::config::environment::{ConfigError, Environment, ProcessEnvironment};
pub use crate::config::reveal::RevealConfig;
pub use crate::config::slack::SlackConfig;
pub use crate::config::worker::{Mail, WorkerConfig};

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::domain::approvers::Approvers;
    use crate::domain::ticket::page_url::RevealUrl;

    fn complete() -> BTreeMap<&'static str, String> {
        [
            (
                "KEYVEND_SLACK_QUEUE_URL",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-slack.fifo",
            ),
            (
                "KEYVEND_CLAIMS_QUEUE_URL",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-claims.fifo",
            ),
            ("KEYVEND_DUE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-due.fifo"),
            (
                "KEYVEND_SWEEP_QUEUE_URL",
                "https://sqs.eu-west-1.amazonaws.com/123456789012/keyvend-sweep.fifo",
            ),
            ("AWS_REGION", "eu-west-1"),
            ("KEYVEND_REQUESTS_TABLE", "r"),
            ("KEYVEND_TICKETS_TABLE", "t"),
            ("KEYVEND_AUDIT_TABLE", "a"),
            ("KEYVEND_SIGNING_SECRET_ID", "s"),
            ("KEYVEND_BOT_TOKEN_ID", "b"),
            ("KEYVEND_SLACK_APP_ID", "A1"),
            ("KEYVEND_SLACK_TEAM_IDS", "T0001,T0002"),
            ("KEYVEND_APPROVALS_CHANNEL", "C0APPROVE"),
            ("KEYVEND_REVEAL_URL", "https://keys.example.com/reveal"),
            ("KEYVEND_ISSUER_ROLE_NAME", "keyvend-issuer"),
            ("KEYVEND_ACCOUNTS", r#"{"home":"123456789012"}"#),
        ]
        .map(|(variable, value)| (variable, value.to_owned()))
        .into()
    }

    fn read_all(environment: &BTreeMap<&str, String>) -> Result<(), ConfigError> {
        AwsConfig::read(environment)?;
        SlackConfig::read(environment)?;
        RevealConfig::read(environment)?;
        WorkerConfig::read(environment)?;
        Ok(())
    }

    #[test]
    fn a_complete_environment_is_read() {
        assert_eq!(read_all(&complete()), Ok(()));
        let worker = WorkerConfig::read(&complete()).unwrap();
        assert_eq!(worker.approvers, Approvers::Channel(worker.approvals_channel.clone()));
        assert!(worker.slack_queue.is_source("arn:aws:sqs:eu-west-1:123456789012:keyvend-slack.fifo"));
        assert!(!worker.slack_queue.is_source("arn:aws:sqs:eu-west-1:123456789012:keyvend-claims.fifo"));
        assert!(!worker.slack_queue.is_source("arn:aws:sqs:eu-west-1:999999999999:keyvend-slack.fifo"));
    }

    #[test]
    fn defaults_match_design() {
        let worker = WorkerConfig::read(&complete()).unwrap();
        let day = 86_400;
        assert_eq!(
            (worker.request_ttl.as_secs(), worker.approved_ttl.as_secs(), worker.ticket_ttl.as_secs()),
            (day, 3 * day, 900)
        );
        assert_eq!((worker.max_key_days, worker.policy_dir.to_str()), (90, Some("/opt")));
        assert_eq!(worker.slack_api.as_str(), "https://slack.com/api/");
        let slack = SlackConfig::read(&complete()).unwrap();
        for rule in [&worker.response_urls, &slack.response_urls] {
            assert!(rule.check("https://hooks.slack.com/commands/T0001/1/x").is_ok());
            assert!(rule.check("https://slack.com/commands/T0001/1/x").is_err());
        }
        assert_eq!(worker.partition.as_str(), "aws");
        assert_eq!((worker.mail, worker.help_channel, worker.iam_path), (None, None, None));
    }

    #[test]
    fn an_app_not_yet_connected_is_no_error() {
        let mut environment = complete();
        environment.insert("KEYVEND_SLACK_APP_ID", String::new());
        environment.insert("KEYVEND_SLACK_TEAM_IDS", String::new());
        assert_eq!(SlackConfig::read(&environment).unwrap().app_id, None);
    }

    #[test]
    fn a_missing_variable_is_named() {
        for variable in complete().keys().filter(|name| **name != "KEYVEND_SLACK_APP_ID") {
            let mut environment = complete();
            environment.remove(variable);
            assert_eq!(read_all(&environment).unwrap_err().variable, *variable);
        }
    }

    // T2.8, T3.9
    #[test]
    fn a_wrong_value_is_named() {
        let wrong = [
            ("AWS_ENDPOINT_URL", "localhost:4566"),
            ("KEYVEND_SLACK_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/standard"),
            ("KEYVEND_CLAIMS_QUEUE_URL", "https://keyvend-claims.fifo"),
            ("KEYVEND_DUE_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/.fifo"),
            ("KEYVEND_SWEEP_QUEUE_URL", "https://sqs.eu-west-1.amazonaws.com/123456789012/sweep"),
            ("KEYVEND_SLACK_APP_ID", "nope"),
            ("KEYVEND_SLACK_TEAM_IDS", "T1,U2"),
            ("KEYVEND_APPROVALS_CHANNEL", "#approvals"),
            ("KEYVEND_APPROVERS", "U0BOB"),
            ("KEYVEND_HELP_CHANNEL", "help"),
            ("KEYVEND_CHECKPOINTS_CHANNEL", "#audit"),
            ("KEYVEND_SLASH_COMMAND", "keys"),
            ("KEYVEND_REVEAL_URL", "http://keys.example.com/reveal"),
            ("KEYVEND_REVEAL_URL", "https://keys.example.com/reveal#x"),
            ("KEYVEND_REVEAL_URL", "http://localhost.example.com/reveal"),
            ("KEYVEND_REVEAL_URL", "http://127.0.0.1@example.com/reveal"),
            ("KEYVEND_ACCOUNTS", "{}"),
            ("KEYVEND_ACCOUNTS", r#"{"home":"1"}"#),
            ("KEYVEND_ACCOUNTS", r#"{"Home":"123456789012"}"#),
            ("KEYVEND_ACCOUNTS", r#"{"home":"123456789012","home":"210987654321"}"#),
            ("KEYVEND_ACCOUNTS", r#"{"home":"123456789012","main":"123456789012"}"#),
            ("KEYVEND_ACCOUNTS", r#"{"home":"123456789012"} {}"#),
            ("KEYVEND_ACCOUNTS", r#"["home","123456789012"]"#),
            ("KEYVEND_AWS_PARTITION", "us-gov"),
            ("KEYVEND_IAM_PATH", "keyvend"),
            ("KEYVEND_IAM_PATH", "//"),
            ("KEYVEND_IAM_PATH", "/key vend/"),
            ("KEYVEND_IAM_PATH", "/key*/"),
            ("KEYVEND_IAM_PATH", "/key?end/"),
            ("KEYVEND_IAM_PATH", "/${aws:username}/"),
            ("KEYVEND_TICKET_TTL", "0"),
            ("KEYVEND_TICKET_TTL", "3601"),
            ("KEYVEND_REQUEST_TTL", "soon"),
            ("KEYVEND_MAX_KEY_DAYS", "0"),
            ("KEYVEND_SLACK_API_URL", "https://slack.com/api"),
            ("KEYVEND_SLACK_API_URL", "https://example.slack.com/api/"),
            ("KEYVEND_SLACK_API_URL", "http://slack-gov.com/api/"),
            ("KEYVEND_MAIL_FROM", "keys"),
            ("KEYVEND_MAIL_FROM", "keyvend <keys@example.com>"),
            ("KEYVEND_MAIL_FROM", "keys@example.com,eve@evil.test"),
        ];
        for (variable, value) in wrong {
            let mut environment = complete();
            environment.insert(variable, value.to_owned());
            let error = read_all(&environment).unwrap_err();
            assert_eq!(error.variable, variable, "{value}");
            assert!(error.to_string().starts_with(variable), "{error}");
        }
    }

    #[test]
    fn partition_follows_region_unless_configured() {
        for (region, configured, expected) in [
            ("eu-west-1", "", "aws"),
            ("cn-north-1", "", "aws-cn"),
            ("us-gov-west-1", "", "aws-us-gov"),
            ("us-iso-east-1", "", "aws-iso"),
            ("us-isob-east-1", "", "aws-iso-b"),
            ("eu-isoe-west-1", "", "aws-iso-e"),
            ("us-isof-south-1", "", "aws-iso-f"),
            ("eusc-de-east-1", "", "aws-eusc"),
            ("us-gov-west-1", "aws-us-gov", "aws-us-gov"),
            ("xx-new-1", "aws-new", "aws-new"),
        ] {
            let mut environment = complete();
            environment.insert("AWS_REGION", region.to_owned());
            environment.insert("KEYVEND_AWS_PARTITION", configured.to_owned());
            assert_eq!(WorkerConfig::read(&environment).unwrap().partition.as_str(), expected, "{region}");
        }
    }

    #[test]
    fn accounts_keep_configured_order() {
        let mut environment = complete();
        let written = r#"{"zeta":"123456789012","alpha":"210987654321","mid":"112233445566"}"#;
        environment.insert("KEYVEND_ACCOUNTS", written.to_owned());
        let accounts = WorkerConfig::read(&environment).unwrap().accounts;
        let aliases: Vec<&str> = accounts.iter().map(|account| account.alias.as_str()).collect();
        assert_eq!(aliases, ["zeta", "alpha", "mid"]);
    }

    // T2.21
    #[test]
    fn two_aliases_of_one_account_are_named() {
        let mut environment = complete();
        let written = r#"{"prod":"123456789012","dev":"210987654321","main":"123456789012"}"#;
        environment.insert("KEYVEND_ACCOUNTS", written.to_owned());
        let error = WorkerConfig::read(&environment).unwrap_err().to_string();
        assert!(error.contains("the account 123456789012 twice, `prod` and `main`"), "{error}");
        environment.insert("KEYVEND_TICKET_TTL", "3600".to_owned());
        environment.insert("KEYVEND_ACCOUNTS", r#"{"prod":"123456789012"}"#.to_owned());
        assert_eq!(WorkerConfig::read(&environment).unwrap().ticket_ttl, Duration::from_secs(3_600));
    }

    #[test]
    fn mailed_codes_want_their_domains() {
        let mut environment = complete();
        environment.insert("KEYVEND_MAIL_FROM", "keys@example.com".to_owned());
        assert_eq!(read_all(&environment).unwrap_err().variable, "KEYVEND_MAIL_DOMAINS");
        environment.insert("KEYVEND_MAIL_DOMAINS", "@example.com".to_owned());
        assert_eq!(read_all(&environment).unwrap_err().variable, "KEYVEND_MAIL_DOMAINS");
        environment.insert("KEYVEND_MAIL_DOMAINS", "Example.com, example.org".to_owned());
        let mail = WorkerConfig::read(&environment).unwrap().mail.unwrap();
        assert_eq!(mail.domains, ["example.com", "example.org"]);
    }

    #[test]
    fn the_page_has_one_origin() {
        assert_eq!(
            RevealUrl::new("https://Keys.example.com/reveal".to_owned()).origin(),
            "https://keys.example.com"
        );
        assert_eq!(
            RevealUrl::new("http://127.0.0.1:4010/reveal".to_owned()).origin(),
            "http://127.0.0.1:4010"
        );
    }
}
