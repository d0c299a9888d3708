//! Looking up facts, afresh for every decision. A look-up that fails is a fault and so a no; it never turns into an
//! empty set. The read-only session is the one thing kept, for as long as it lasts.

pub mod iam;
pub mod lookup;
pub mod memberships;
pub mod owners;
pub mod policy_documents;
pub mod slack;

pub use crate::facts::iam::{KeyLocation, ListedUser, Listing, NoSuchUser, OwnedUser};
pub use crate::facts::lookup::Lookup;
pub use crate::facts::memberships::{ApproverSet, Memberships};
pub use crate::facts::slack::ApprovalsChannelError;
