//! Every line that names an `aws_sdk_*` crate is in this folder. One method is one API call and the mapping of its
//! errors: what the caller must tell apart is a variant, all else is a fault. Of a failed call it has its name and
//! AWS's error code ([`AwsError`](error::AwsError)), never a request, a response or an SDK's debug text.

#[cfg(feature = "cli")]
pub mod cli_config;
pub mod config;
pub mod dynamodb;
pub mod error;
pub mod https;
pub mod iam;
pub mod item;
pub mod queue_url;
pub mod secrets;
pub mod ses;
pub mod session_policy;
pub mod sqs;
pub mod sts;
pub mod trust;
pub mod warm_up;

#[cfg(feature = "cli")]
pub use crate::aws::cli_config::{NoAccess, operators_config};
pub use crate::aws::config::sdk_config;
#[cfg(feature = "cli")]
pub use crate::aws::dynamodb::audit_scan::{KnownEnd, Page, Position, UnreadableRecord};
pub use crate::aws::dynamodb::tables::{Conflict, TableNames, Tables, WriteError};
pub use crate::aws::https::https_connector;
pub use crate::aws::iam::client::Iam;
pub use crate::aws::iam::error::{CreateError, IamError, KeyError, TagError};
pub use crate::aws::iam::keys::KeyUse;
pub use crate::aws::iam::policies::AttachedPolicy;
pub use crate::aws::iam::users::{TaggedUser, UserDetail, UserPage};
pub use crate::aws::secrets::{SecretVersion, Secrets, VersionStage};
pub use crate::aws::ses::{MailError, Ses};
pub use crate::aws::sqs::{MAX_BATCH, Outgoing, ReceiptHandle, Sqs};
#[cfg(feature = "cli")]
pub use crate::aws::sts::Caller;
pub use crate::aws::sts::Sts;
pub use crate::aws::trust::Trust;
