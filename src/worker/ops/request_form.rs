//! The form in which a key is requested, for one person: their IAM users, what is filled in, and why it was refused.

use serde_json::Value;

use crate::policy::IamUserRef;
use crate::render::modal::{self, FormChoices};
use crate::slack::command::{Prefill, TypedUser};
use crate::worker::authorize::account_named;
use crate::worker::context::Context;
use crate::worker::ops::ownership::Known;

/// What the form begins with.
#[derive(Clone, Debug, Default)]
pub(crate) struct FormContents {
    pub(crate) prefill: Prefill,
    /// Why what was submitted before was refused.
    pub(crate) refusal: Option<String>,
    /// What it carries where it edits a pending request.
    pub(crate) edits: Option<String>,
}

/// The form as it begins.
pub(crate) fn request_form(
    ctx: &Context,
    known: &Known,
    FormContents { prefill, refusal, edits }: FormContents,
) -> Value {
    // A chosen user goes by its account's alias.
    let chosen = prefill.user.as_ref().and_then(|user| own_user(ctx, &known.own, user));
    let user = chosen.map(TypedUser::from).or_else(|| prefill.user.clone());
    let several = ctx.config.accounts.len() > 1;
    let choices = FormChoices {
        own: known.own.clone(),
        max_days: ctx.config.max_key_days,
        prefill: Prefill { user, ..prefill },
        refusal,
        accounts: if edits.is_none() && several { ctx.config.accounts.clone() } else { Vec::new() },
        edits,
    };
    modal::ask(&choices, choices.prefill.use_case)
}

/// The one of the person's IAM users that a typed one is.
pub(crate) fn own_user<'a>(
    ctx: &Context,
    own: &'a [IamUserRef],
    typed: &TypedUser,
) -> Option<&'a IamUserRef> {
    let account = account_named(ctx, typed.account.as_ref()).ok()?;
    own.iter().find(|user| user.name == typed.user && user.account.id == account.id)
}
