//! What can be asked of the policies: the nine actions, what each is done to and what each is asked with.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::domain::iam::{Account, IamUser, IamUserRef};
use crate::domain::key::IssuedKey;
use crate::domain::risk::RiskFlag;
use crate::domain::use_case::UseCase;
use crate::id::{AccessKeyId, PersonId};

/// The actions by the names that policies use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// To ask for a key.
    Request,
    /// That a key comes to life.
    Issue,
    /// To approve somebody's request.
    Approve,
    /// To see the keys.
    List,
    /// To replace a key by a new one; the new one is then an `issue` of its own.
    Rotate,
    /// To switch a key off.
    Deactivate,
    /// To switch a key on; that it comes to life is then an `issue` of its own.
    Activate,
    /// To delete a key.
    Delete,
    /// To stop all issuing in an account.
    Freeze,
}

impl Action {
    pub const ALL: [Self; 9] = [
        Self::Request,
        Self::Issue,
        Self::Approve,
        Self::List,
        Self::Rotate,
        Self::Deactivate,
        Self::Activate,
        Self::Delete,
        Self::Freeze,
    ];

    /// The name in `Action::"..."`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::Issue => "issue",
            Self::Approve => "approve",
            Self::List => "list",
            Self::Rotate => "rotate",
            Self::Deactivate => "deactivate",
            Self::Activate => "activate",
            Self::Delete => "delete",
            Self::Freeze => "freeze",
        }
    }
}

/// What a request asks for and what has come together for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestContext {
    /// Whose request it is: who acts, but in `approve`, and where an approver brings back somebody's key that
    /// there are concerns about. There it is the key's requester, and the approver who acts counts as one approval.
    pub requester: PersonId,
    /// What the key is for.
    pub use_case: UseCase,
    /// The lifetime asked for, or what remains of it, in days, begun ones counted whole.
    pub days: u32,
    /// How many people other than the requester have approved who still may: see [`crate::policy::Policies::approvals`].
    pub approvals: u32,
    /// How many keys the requester was issued today.
    pub issued_today: u32,
    /// The key that comes back to life or lives longer (activate, Undo, Extend, [I saved it]). None for a new one.
    pub key: Option<KeyFacts>,
}

/// A key that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyFacts {
    pub id: AccessKeyId,
    /// Who requested it; none where keyvend did not issue it.
    pub requester: Option<PersonId>,
    /// What speaks against activating it.
    pub concerns: BTreeSet<RiskFlag>,
}

impl From<&IssuedKey> for KeyFacts {
    fn from(issued: &IssuedKey) -> Self {
        Self {
            id: issued.key.clone(),
            requester: Some(issued.requester.clone()),
            concerns: issued.concerns(),
        }
    }
}

/// An action together with what it is asked with.
pub trait Act {
    const ACTION: Action;
    /// What it is done to.
    type On: Resource;
    /// What it is asked with.
    fn context(&self) -> Context<'_>;
}

/// What an action is done to.
pub trait Resource {
    /// What of it outlives the facts.
    type At: Clone + fmt::Debug;
    fn at(&self) -> Self::At;
    fn on(&self) -> On<'_>;
}

/// One of the two resources.
#[derive(Clone, Copy, Debug)]
pub enum On<'a> {
    /// Of all actions but `freeze`.
    IamUser(&'a IamUser),
    /// Of `freeze`.
    Account(&'a Account),
}

/// What an action is asked with beside who and what.
#[derive(Clone, Copy, Debug)]
pub enum Context<'a> {
    /// `list`, `freeze`.
    Nothing,
    /// `request`, `issue`, `approve`.
    RequestContext(&'a RequestContext),
    /// `rotate`, `deactivate`, `activate`, `delete`.
    Key(&'a KeyFacts),
}

impl Resource for IamUser {
    type At = IamUserRef;
    fn at(&self) -> IamUserRef {
        IamUserRef { account: self.account.clone(), name: self.name.clone() }
    }
    fn on(&self) -> On<'_> {
        On::IamUser(self)
    }
}

impl Resource for Account {
    type At = Self;
    fn at(&self) -> Self {
        self.clone()
    }
    fn on(&self) -> On<'_> {
        On::Account(self)
    }
}

macro_rules! act {
    ($(#[$doc:meta])* $name:ident $(($held:ident))?, $on:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $name $((
            /// What it is asked with.
            pub $held
        ))?;

        impl Act for $name {
            const ACTION: Action = Action::$name;
            type On = $on;
            fn context(&self) -> Context<'_> {
                act!(@context self $($held)?)
            }
        }
    };
    (@context $act:ident) => { Context::Nothing };
    (@context $act:ident RequestContext) => { Context::RequestContext(&$act.0) };
    (@context $act:ident KeyFacts) => { Context::Key(&$act.0) };
}

act!(
    /// To ask for a key.
    Request(RequestContext), IamUser
);
act!(
    /// That a key comes to life, new or again.
    Issue(RequestContext), IamUser
);
act!(Approve(RequestContext), IamUser);
act!(
    /// To see the keys.
    List, IamUser
);
act!(
    /// To replace this key.
    Rotate(KeyFacts), IamUser
);
act!(
    /// To switch this key off.
    Deactivate(KeyFacts), IamUser
);
act!(
    /// To switch this key on.
    Activate(KeyFacts), IamUser
);
act!(
    /// To delete this key.
    Delete(KeyFacts), IamUser
);
act!(
    /// To stop all issuing.
    Freeze, Account
);
