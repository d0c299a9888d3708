//! `freeze` and `unfreeze`: all issuing stopped, and let go on, by the same conditional write as from Slack, but by
//! whoever may write the table.

use serde::Serialize;

use super::operator::{Flags, Operator, record_alone, tables};
use super::typed::Stop;
use super::{Answer, Ending, Failure, Place};
use crate::aws::{Dynamo, WriteError};
use crate::id::RequestId;
use crate::item::Table;
use crate::store;
use crate::time::Timestamp;
use crate::words::operator as words;

/// What came of it.
#[derive(Debug, Serialize)]
pub struct Stopped {
    /// Whether all issuing is stopped now.
    pub frozen: bool,
    /// Whether that is of this run's doing.
    pub changed: bool,
    /// Who had stopped it, as stored: before `unfreeze`, or before a `freeze` that came second.
    pub frozen_by: Option<String>,
    /// Since when.
    pub frozen_at: Option<Timestamp>,
    /// The audit chain in which this is recorded; none where that failed.
    pub recorded_in: Option<RequestId>,
    /// Why it is not recorded.
    pub not_recorded: Option<String>,
}

impl Answer for Stopped {
    fn text(&self) -> String {
        words::stopped(self)
    }

    fn ending(&self) -> Ending {
        if self.recorded_in.is_some() { Ending::Done } else { Ending::Failed }
    }
}

pub(super) async fn stop(stop: &Stop, freeze: bool, place: &Place<'_>) -> Result<Stopped, Failure> {
    let given = stop.aws.flags().into_iter().chain(stop.tables.flags());
    let flags = Flags::over(place.environment, given);
    let names = tables(flags.config())?;
    let sdk = place.aws(flags.config()).await?;
    let dynamo = Dynamo::new(&sdk, names);
    let operator = Operator::of(&sdk, stop.as_name.as_ref()).await?;

    let before = store::frozen(&dynamo).await?;
    let update = if freeze { store::freeze(operator.actor(), place.now) } else { store::unfreeze() };
    let (changed, before) = match dynamo.update(Table::Requests, store::FREEZE, &update).await {
        Ok(_) => (true, before),
        Err(WriteError::Lost(_)) => (false, store::frozen(&dynamo).await?),
        Err(WriteError::Fault(fault)) => return Err(fault.into()),
    };
    let (frozen_by, frozen_at): (Option<String>, Option<Timestamp>) = before.unzip();
    let event = if freeze { "frozen" } else { "unfrozen" };
    let mut happened = operator.happened(event, [("changed", changed.to_string())]);
    happened.detail.extend(frozen_by.iter().map(|by| ("frozen_by".to_owned(), by.clone())));
    happened.detail.extend(frozen_at.iter().map(|at| ("frozen_at".to_owned(), at.rfc3339())));
    let chain = place.own_chain();
    let recorded = record_alone(&dynamo, &chain, place.now, happened).await;
    Ok(Stopped {
        frozen: freeze,
        changed,
        frozen_by,
        frozen_at,
        not_recorded: recorded.as_ref().err().map(|fault| format!("{fault:#}")),
        recorded_in: recorded.is_ok().then_some(chain),
    })
}
