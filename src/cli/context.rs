//! Who runs the tool, and with what: flags before variables, AWS as they reach it, and the name that the audit trail
//! gets.

use std::collections::BTreeMap;

use crate::aws::session_policy::SessionPolicy;
use crate::aws::{self, Caller, Iam, Sts, TableNames, Tables};
use crate::cli::args::{Aws, TableArgs};
use crate::cli::output as words;
use crate::cli::value_parsers::{AccountArg, OperatorName};
use crate::cli::{CommandContext, Failure};
use crate::config::{Environment, OperatorConfig};
use crate::domain::audit::{AuditChain, AuditEvent, NewAuditEntry};
use crate::domain::iam::Account;
use crate::id::{AccountId, RequestId};
use crate::store::chains;
use crate::time::Timestamp;

/// The variables, those before them that were given as flags.
pub(crate) struct Flags<'e> {
    given: BTreeMap<&'static str, String>,
    environment: &'e dyn Environment,
}

impl<'e> Flags<'e> {
    pub(crate) fn over(
        environment: &'e dyn Environment,
        given: impl IntoIterator<Item = (&'static str, Option<String>)>,
    ) -> Self {
        let given = given.into_iter().filter_map(|(variable, value)| Some((variable, value?)));
        Self { given: given.collect(), environment }
    }

    pub(crate) fn config(&self) -> OperatorConfig<'_> {
        OperatorConfig::new(self)
    }
}

impl Environment for Flags<'_> {
    fn get(&self, variable: &str) -> Option<String> {
        let given = self.given.get(variable).filter(|value| !value.is_empty());
        given.cloned().or_else(|| self.environment.get(variable))
    }
}

impl Aws {
    pub(crate) fn flags(&self) -> [(&'static str, Option<String>); 2] {
        [("AWS_REGION", self.region.clone()), ("AWS_PROFILE", self.profile.clone())]
    }
}

impl TableArgs {
    pub(crate) fn flags(&self) -> [(&'static str, Option<String>); 2] {
        [
            ("KEYVEND_AUDIT_TABLE", self.audit_table.clone()),
            ("KEYVEND_REQUESTS_TABLE", self.requests_table.clone()),
        ]
    }
}

impl CommandContext<'_> {
    /// AWS, as this command is to reach it.
    pub(crate) async fn aws(&self, config: OperatorConfig<'_>) -> Result<aws_config::SdkConfig, Failure> {
        match &self.sdk {
            Some(sdk) => Ok(sdk.clone()),
            None => Ok(aws::operators_config(&config.aws()?, self.connector.clone()).await?),
        }
    }

    /// The name of a chain for what is recorded in this run and belongs to no request.
    pub(crate) fn own_chain(&self) -> RequestId {
        RequestId::of_signature(&self.random)
    }
}

/// Both tables, which whatever changes something needs.
pub(crate) fn tables(config: OperatorConfig<'_>) -> Result<TableNames, Failure> {
    Ok(TableNames { requests: config.requests()?, audit: config.audit()?, ..TableNames::default() })
}

/// Whoever runs the tool.
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
        let arn = self.caller.as_ref().map_or(words::ARN_UNKNOWN, |caller| &caller.arn);
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
            Some(own) if *own != account.id => Err(words::other_account(own, account)),
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

/// Records something that belongs to no request, in a chain of its own.
pub(crate) async fn record_alone(
    dynamo: &Tables,
    chain: &RequestId,
    now: Timestamp,
    happened: NewAuditEntry,
) -> anyhow::Result<()> {
    let mut entries = AuditChain::default();
    entries.append(chain, now, happened);
    // First, so that `audit verify` misses the entry if it is lost; but a table that cannot be written loses no entry.
    let kept = dynamo.write(vec![chains::put_standalone_chain_head(chain, &entries)]).await;
    for entry in &entries.outbox {
        dynamo.insert_audit(chain, entry).await?;
    }
    Ok(kept?)
}

/// The account that is meant: as given, looked for among those that are configured; a number may be of any other too.
pub(crate) fn account(given: &AccountArg, known: &[Account]) -> Result<Account, Failure> {
    let found = known.iter().find(|account| match given {
        AccountArg::Id(id) => account.id == *id,
        AccountArg::Alias(alias) => account.alias == *alias,
    });
    match (found, given) {
        (Some(account), _) => Ok(account.clone()),
        (None, AccountArg::Id(id)) => unnamed(id, known),
        (None, AccountArg::Alias(alias)) => Err(words::unknown_account(alias, known)),
    }
}

/// The account of the caller's own credentials, under the alias that it is configured with, if any.
pub(crate) fn own_account(own: &AccountId, known: &[Account]) -> Result<Account, Failure> {
    match known.iter().find(|account| account.id == *own) {
        Some(account) => Ok(account.clone()),
        None => unnamed(own, known),
    }
}

/// An account that no alias is configured for goes by its number, or by `home` where none is, as the template has it.
fn unnamed(id: &AccountId, known: &[Account]) -> Result<Account, Failure> {
    let alias = if known.is_empty() { "home" } else { id.as_str() };
    let alias = alias.parse().map_err(anyhow::Error::from)?;
    Ok(Account { alias, id: id.clone() })
}
