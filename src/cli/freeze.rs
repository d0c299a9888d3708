//! `freeze` and `unfreeze`: all issuing stopped, and let go on, by the same conditional write as from Slack, but by
//! whoever may write the table.

use serde::Serialize;

use crate::aws::item::Table;
use crate::aws::{Tables, WriteError};
use crate::cli::args::Stop;
use crate::cli::context::CommandContext;
use crate::cli::failure::Failure;
use crate::cli::flags::{Flags, tables};
use crate::cli::identity::Operator;
use crate::cli::standalone_audit::record_standalone_audit;
use crate::domain::audit::AuditEvent;
use crate::id::RequestId;
use crate::slack::command_name::CommandName;
use crate::store::freeze;
use crate::time::Timestamp;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct FreezeResult {
    /// Whether all issuing is stopped now.
    pub frozen: bool,
    /// Whether that is of this run's doing.
    pub changed: bool,
    /// Whether `unfreeze` was refused, because somebody froze at the same time or since.
    pub raced: bool,
    /// Who had stopped it last, as stored before this run.
    pub frozen_by: Option<String>,
    /// Since when.
    pub frozen_at: Option<Timestamp>,
    /// The audit chain in which this is recorded; none where that failed.
    pub recorded_in: Option<RequestId>,
    /// Why it is not recorded.
    pub not_recorded: Option<String>,
    /// What the slash command is called.
    #[serde(skip)]
    pub command: CommandName,
}

/// What a run changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Made,
    Nothing,
    /// Somebody froze at the same time, or since by a clock that is ahead of this one.
    Raced,
}

/// How often a write that crossed another one is tried again.
const MAX_CONFLICT_RETRIES: usize = 5;

/// Makes it so, by the writes that the worker makes, and says who had stopped it before.
async fn change(
    dynamo: &Tables,
    freeze: bool,
    operator: &Operator,
    now: Timestamp,
) -> Result<(Change, Option<(String, Timestamp)>), Failure> {
    for _ in 0..MAX_CONFLICT_RETRIES {
        let before = freeze::frozen(dynamo).await?;
        let (change, update) = match (freeze, &before) {
            (true, None) => (Change::Made, freeze::freeze(operator.actor(), now)),
            (true, Some(_)) => (Change::Nothing, freeze::freeze_again(operator.actor(), now)),
            (false, None) => return Ok((Change::Nothing, None)),
            (false, Some((_, at))) if *at >= now => return Ok((Change::Raced, before)),
            (false, Some(_)) => (Change::Made, freeze::unfreeze(now)),
        };
        match dynamo.update(Table::Requests, freeze::FREEZE_PK, &update).await {
            Ok(_) => return Ok((change, before)),
            Err(WriteError::Conflict(_)) => {}
            Err(WriteError::Other(error)) => return Err(error.into()),
        }
    }
    Err(anyhow::anyhow!("others froze and unfroze at the same time too often: run this again").into())
}

pub(crate) async fn set_freeze(
    stop: &Stop,
    freeze: bool,
    place: &CommandContext<'_>,
) -> Result<FreezeResult, Failure> {
    let given = stop.aws.flags().into_iter().chain(stop.tables.flags());
    let flags = Flags::over(place.environment, given);
    let names = tables(flags.config())?;
    let command = flags.config().command()?;
    let sdk = place.aws(flags.config()).await?;
    let dynamo = Tables::new(&sdk, names);
    let operator = Operator::of(&sdk, stop.as_name.as_ref()).await?;

    let (change, before) = change(&dynamo, freeze, &operator, place.now).await?;
    let (changed, raced) = (change == Change::Made, change == Change::Raced);
    let (frozen_by, frozen_at): (Option<String>, Option<Timestamp>) = before.unzip();
    let event = match (freeze, raced) {
        (true, _) => AuditEvent::IssuingFrozen,
        (false, false) => AuditEvent::IssuingResumed,
        (false, true) => AuditEvent::IssuingResumeDenied,
    };
    let mut happened = operator.happened(event, [("changed", changed.to_string())]);
    happened.detail.extend(frozen_by.iter().map(|by| ("frozen_by".to_owned(), by.clone())));
    happened.detail.extend(frozen_at.iter().map(|at| ("frozen_at".to_owned(), at.rfc3339())));
    let chain = place.own_chain();
    let recorded = record_standalone_audit(&dynamo, &chain, place.now, happened).await;
    Ok(FreezeResult {
        frozen: freeze || raced,
        changed,
        raced,
        frozen_by,
        frozen_at,
        not_recorded: recorded.as_ref().err().map(|error| format!("{error:#}")),
        command,
        recorded_in: recorded.is_ok().then_some(chain),
    })
}
