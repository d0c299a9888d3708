//! Leases of IAM users: the holder of one may create, activate or delete the keys of that user.

use crate::aws::Tables;
use crate::aws::item::{Item, Table, Update, Write, text, values};
use crate::domain::iam::Account;
use crate::domain::shard::shard;
use crate::id::IamUserName;
use crate::time::Timestamp;

fn lease_key(account: &Account, user: &IamUserName) -> String {
    // IAM does not distinguish names by case: both spellings are one user.
    format!("lease#{}/{}", account.id, user.as_str().to_ascii_lowercase())
}

/// Takes the lease of an IAM user: its holder may create, activate or delete its keys. The holder is what its own
/// timer finishes: a request's id, or the key of a key's item.
#[must_use]
pub fn take_lease(account: &Account, user: &IamUserName, holder: &str) -> Write {
    let update = Update {
        update: "SET holder = :me",
        condition: "attribute_not_exists(holder) OR holder = :me",
        values: values([(":me", holder.into())]),
    };
    Write::Update { table: Table::Requests, key: lease_key(account, user), update }
}

/// Gives the lease back; part of the write that ends the operation.
#[must_use]
pub fn release_lease(account: &Account, user: &IamUserName, holder: &str) -> Write {
    let update = Update {
        update: "REMOVE holder",
        condition: "holder = :me",
        values: values([(":me", holder.into())]),
    };
    Write::Update { table: Table::Requests, key: lease_key(account, user), update }
}

/// Holds only while nobody creates, activates or deletes a key of this IAM user.
#[must_use]
pub fn lease_is_free(account: &Account, user: &IamUserName) -> Write {
    let (key, condition) = (lease_key(account, user), "attribute_not_exists(holder)");
    Write::Check { table: Table::Requests, key, condition, values: Item::new() }
}

/// The lease of an IAM user as it is held by an operation that has no item of its own, with what is being done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeletionLease {
    pub holder: String,
    /// What is being deleted, as its module wrote it.
    pub work: String,
}

impl DeletionLease {
    /// Takes the lease of an IAM user, with what is being done under it and when its timer is to manage that.
    #[must_use]
    pub fn acquire(&self, account: &Account, user: &IamUserName, due_at: Timestamp) -> Write {
        let update = Update {
            update: "SET holder = :me, deletion = :work, due_at = :due, due_shard = :shard",
            condition: "attribute_not_exists(holder) OR holder = :me",
            values: values([
                (":me", self.holder.as_str().into()),
                (":work", self.work.as_str().into()),
                (":due", due_at.0.into()),
                (":shard", shard(user.as_str()).into()),
            ]),
        };
        Write::Update { table: Table::Requests, key: lease_key(account, user), update }
    }

    /// Gives it back: what was being done is done.
    #[must_use]
    pub fn release(&self, account: &Account, user: &IamUserName) -> Write {
        let update = Update {
            update: "REMOVE holder, deletion, due_at, due_shard",
            condition: "holder = :me",
            values: values([(":me", self.holder.as_str().into())]),
        };
        Write::Update { table: Table::Requests, key: lease_key(account, user), update }
    }

    /// Whether an item's key is a lease's.
    #[must_use]
    pub fn is_item(key: &str) -> bool {
        key.starts_with("lease#")
    }

    /// What is being done under a lease, by its item's key; nothing where it is free, or its holder has an item.
    pub async fn read(dynamo: &Tables, key: &str) -> anyhow::Result<Option<Self>> {
        let item = dynamo.get(Table::Requests, key, None).await?;
        let held = item.and_then(|item| {
            let (holder, work) = (text(&item, "holder").ok()?, text(&item, "deletion").ok()?);
            Some(Self { holder: holder.to_owned(), work: work.to_owned() })
        });
        Ok(held)
    }
}
