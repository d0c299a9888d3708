//! The output of `key deactivate`.

use crate::cli::answer::{Answer, ExitStatus};
use crate::cli::deactivate::{Deactivated, Outcome};
use crate::cli::output::text::{account, plain, rows};
use crate::id::{AccessKeyId, IamUserName};
use crate::time::Timestamp;

impl Answer for Deactivated {
    fn text(&self) -> String {
        deactivated(self)
    }

    fn ending(&self) -> ExitStatus {
        let steps = [&self.marked, &self.inactive, &self.recorded];
        if steps.into_iter().all(Outcome::is_in_order) { ExitStatus::Done } else { ExitStatus::Failed }
    }
}

fn deactivated(done: &Deactivated) -> String {
    let Deactivated { key, user, .. } = done;
    let at = done.account.as_ref().map(|at| format!(" in {}", account(at))).unwrap_or_default();
    let off = match &done.inactive {
        Outcome::Done | Outcome::Already => format!("{key} of {user}{at} is inactive."),
        Outcome::Nothing => format!("{key} of {user}{at} does not exist in IAM any more."),
        Outcome::Failed(_) | Outcome::NotTried => format!("{key} of {user}{at} is NOT inactive."),
    };
    let issued = match (&done.request, &done.requester) {
        (Some(request), Some(requester)) => format!(", issued to {requester} by request {request}"),
        _ => String::new(),
    };
    let marked = match &done.marked {
        Outcome::Done => format!("marked, so that nothing activates it again{issued}"),
        Outcome::Already => format!("was already marked{issued}"),
        Outcome::Nothing => "not issued by keyvend: nothing to mark".to_owned(),
        other => failed(other),
    };
    let inactive = match &done.inactive {
        Outcome::Done | Outcome::Already => "inactive".to_owned(),
        Outcome::Nothing => "does not exist".to_owned(),
        other => failed(other),
    };
    let recorded = match &done.recorded {
        Outcome::Done | Outcome::Already | Outcome::Nothing => format!("recorded in {}", done.recorded_in),
        other => failed(other),
    };
    let told = if done.request.is_some() && done.recorded == Outcome::Done {
        vec![("people", "the requester and the approvers are notified within two minutes".to_owned())]
    } else {
        Vec::new()
    };
    let steps = [("keyvend", marked), ("IAM", inactive), ("audit trail", recorded)];
    let steps: Vec<(&str, String)> = steps.into_iter().chain(told).collect();
    let failed = [&done.marked, &done.inactive, &done.recorded]
        .into_iter()
        .any(|step| matches!(step, Outcome::Failed(_) | Outcome::NotTried));
    let again = if failed {
        "\nSome steps failed. Correct the cause and run the same command again; completed steps are not repeated.\n"
    } else {
        ""
    };
    format!("{off}\n\n{}{again}\n{}", rows(&steps), next_after(key, user, done.at))
}

fn failed(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Failed(why) => format!("FAILED: {}", plain(why)),
        Outcome::NotTried => "skipped, because the key is not inactive".to_owned(),
        Outcome::Done | Outcome::Already | Outcome::Nothing => "done".to_owned(),
    }
}

fn next_after(key: &AccessKeyId, user: &IamUserName, at: Timestamp) -> String {
    let document = format!(
        "{{\"Version\":\"2012-10-17\",\"Statement\":[{{\"Effect\":\"Deny\",\"Action\":\"*\",\"Resource\":\"*\",\
         \"Condition\":{{\"DateLessThan\":{{\"aws:TokenIssueTime\":\"{}\"}}}}}}]}}",
        at.rfc3339()
    );
    format!(
        "Next\n\n  \
         1. Sessions created with the key remain valid for up to 36 hours. Revoke them:\n     \
         aws iam put-user-policy --user-name {user} --policy-name keyvend-sessions-ended \\\n       \
         --policy-document '{document}'\n  \
         2. Check what it was used for, in every region that you use:\n     \
         aws cloudtrail lookup-events --lookup-attributes AttributeKey=AccessKeyId,AttributeValue={key}\n     \
         For every role that it assumed, revoke the sessions as well (IAM, the role, Revoke sessions).\n  \
         3. When nothing needs the key any more, delete it:\n     \
         aws iam delete-access-key --user-name {user} --access-key-id {key}\n"
    )
}
