//! The policies of an IAM user, read and judged document by document, and the digest of them all.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::{try_join, try_join_all};

use crate::aws::{AttachedPolicy, Iam, IamError, UserDetail};
use crate::domain::privilege::is_privileged;
use crate::id::Digest256;

/// A policy that counts, and where its document is.
pub(crate) enum Document {
    Attached(AttachedPolicy),
    InlineOfUser(String),
    InlineOfGroup(String, String),
}

pub(crate) async fn documents_of_group(
    iam: &Iam,
    group: &str,
) -> Result<Vec<(Option<String>, Document)>, IamError> {
    let (attached, inline) =
        try_join(iam.list_attached_group_policies(group), iam.list_inline_group_policies(group)).await?;
    let inline = inline.into_iter().map(|policy| Document::InlineOfGroup(group.to_owned(), policy));
    let all = attached.into_iter().map(Document::Attached).chain(inline);
    Ok(all.map(|document| (Some(group.to_owned()), document)).collect())
}

/// Each policy's name as the card shows it, where it is from, its document's digest, whether it makes privileged, and
/// whether it is AWS's quarantine.
#[derive(Clone)]
pub(crate) struct EvaluatedPolicy {
    pub(crate) name: String,
    pub(crate) source: String,
    pub(crate) document: Digest256,
    pub(crate) privileged: bool,
    pub(crate) quarantine: bool,
}

pub(crate) async fn judge(
    iam: &Iam,
    user: &UserDetail,
    documents: Vec<(Option<String>, Document)>,
    versions: &BTreeMap<String, String>,
) -> Result<Vec<EvaluatedPolicy>, IamError> {
    try_join_all(documents.into_iter().map(|(group, document)| async move {
        let prefix = group.map(|group| format!("{group}: ")).unwrap_or_default();
        let (name, source, text, quarantine) = match document {
            Document::Attached(policy) => {
                let quarantine = policy.is_quarantine();
                let text = match versions.get(&policy.arn) {
                    Some(version) => iam.policy_document(&policy.arn, version).await?,
                    // Attached a moment ago, or listed late: not shown to be ordinary.
                    None => String::new(),
                };
                (format!("{prefix}{}", policy.name), policy.arn, text, quarantine)
            }
            Document::InlineOfUser(policy) => {
                let text = iam.inline_document(&user.name, &policy).await?;
                (format!("{policy} (inline)"), "user".to_owned(), text, false)
            }
            Document::InlineOfGroup(group, policy) => {
                let text = iam.inline_group_document(&group, &policy).await?;
                (format!("{prefix}{policy} (inline)"), "group".to_owned(), text, false)
            }
        };
        let privileged = is_privileged(&text, &user.arn);
        Ok(EvaluatedPolicy { name, source, document: Digest256::of(text.as_bytes()), privileged, quarantine })
    }))
    .await
}

/// The digest of the permissions boundary's document. Approvers see that there is one, and may count on it. It is seldom
/// among the attached policies, of which the default versions are known.
pub(crate) async fn boundary(
    iam: &Iam,
    user: &UserDetail,
    versions: &BTreeMap<String, String>,
) -> Result<Option<Digest256>, IamError> {
    let Some(arn) = &user.boundary else { return Ok(None) };
    let text = async {
        match versions.get(arn) {
            Some(version) => iam.policy_document(arn, version).await,
            None => iam.policy_document(arn, &iam.default_version(arn).await?).await,
        }
    };
    let text = match text.await {
        Ok(text) => text,
        // It is the policy that is gone, not the user.
        Err(IamError::NoSuchEntity) => String::new(),
        Err(error) => return Err(error),
    };
    Ok(Some(Digest256::of(text.as_bytes())))
}

/// Changes whenever a policy or the boundary, or the document of one, does, whatever order they are listed in.
pub(crate) fn digest(judged: &[EvaluatedPolicy], boundary: Option<(&str, &Digest256)>) -> Digest256 {
    let policies: BTreeSet<_> =
        judged.iter().map(|policy| (&policy.name, &policy.source, policy.document.as_str())).collect();
    Digest256::of(serde_json::json!([policies, boundary]).to_string().as_bytes())
}
