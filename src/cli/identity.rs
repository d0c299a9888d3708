//! Who runs the tool: AWS as they reach it, and the name that the audit trail gets.

use crate::aws::session_policy::SessionPolicy;
use crate::aws::{Caller, Iam, Sts};
use crate::cli::failure::Failure;
use crate::cli::output::failure;
use crate::cli::value_parsers::OperatorName;
use crate::domain::audit::{AuditEvent, NewAuditEntry};
use crate::domain::iam::Account;
use crate::id::AccountId;

/// In the trail, where AWS did not say whose credentials they were.
const ARN_UNKNOWN: &str = "unknown";

/// The person who runs the tool.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    name: Option<OperatorName>,
    caller: Option<Caller>,
}

impl Operator {
    /// As AWS knows them. Where AWS does not say, a name that was given will do.
    pub(crate) async fn of(
        sdk: &aws_config::SdkConfig,
        name: Option<&OperatorName>,
    ) -> Result<Self, Failure> {
        let name = name.cloned();
        match Sts::caller(sdk).await {
            Ok(caller) => Ok(Self { name, caller: Some(caller) }),
            Err(_) if name.is_some() => Ok(Self { name, caller: None }),
            Err(error) => Err(error.into()),
        }
    }

    /// The account of their credentials, where AWS said.
    pub(crate) fn account(&self) -> Option<&AccountId> {
        self.caller.as_ref().map(|caller| &caller.account)
    }

    /// As the trail names them.
    pub(crate) fn actor(&self) -> &str {
        match (&self.name, &self.caller) {
            (Some(name), _) => name.as_str(),
            (None, Some(caller)) => &caller.arn,
            (None, None) => "",
        }
    }

    /// Something that they did. Their ARN is part of it, whatever name they gave.
    pub(crate) fn happened<const N: usize>(
        &self,
        event: AuditEvent,
        detail: [(&str, String); N],
    ) -> NewAuditEntry {
        let mut happened = NewAuditEntry::new(event, self.actor(), detail);
        let arn = self.caller.as_ref().map_or(ARN_UNKNOWN, |caller| &caller.arn);
        happened.detail.insert("arn".to_owned(), arn.to_owned());
        happened.detail.insert("by".to_owned(), "command-line tool".to_owned());
        happened
    }

    /// IAM in that account: with their own credentials where these are of it, else through a role of this name there.
    pub(crate) async fn iam(
        &self,
        sdk: &aws_config::SdkConfig,
        account: &Account,
        role: Option<&str>,
        policy: SessionPolicy,
    ) -> Result<Iam, Failure> {
        if let Some(role) = role {
            let name = session_name(self.actor());
            let partition = self.caller.as_ref().and_then(Caller::partition).unwrap_or_default();
            return Ok(Sts::new(sdk, role, partition).operators_session(account, &name, policy).await?);
        }
        match self.account() {
            Some(own) if *own != account.id => Err(failure::other_account(own, account)),
            Some(_) | None => Ok(Iam::of_caller(sdk)),
        }
    }
}

/// What a session may be named: the end of an ARN, or a name, in the characters that STS takes.
fn session_name(actor: &str) -> String {
    let end = actor.rsplit(['/', ':']).next().unwrap_or_default();
    let fits = |c: char| if c.is_ascii_alphanumeric() || "_+=,.@-".contains(c) { c } else { '-' };
    format!("keyvend-{}", end.chars().map(fits).take(50).collect::<String>())
}
