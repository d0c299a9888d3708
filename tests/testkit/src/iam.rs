//! IAM, one winterbaume an account (winterbaume itself knows one account only; the caller's session says which).
//! The access keys are modelled here, because keyvend's promises hang on what winterbaume lacks: creation dates
//! on the world's clock, ids that repeat from run to run, last use, and a list that lags behind.
//! The caller is judged by its session policy and by the issuer role, as the design grants it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::clock::Clock;
use crate::iam_account::Account;
use crate::iam_rights;
use crate::iam_xml::{XMLNS, encode_documents, members, no_such_user, result};
use crate::net::{Call, Reply, Request, escape};
use crate::sts::Sts;

pub use crate::iam_account::Key;

const OWNERS: &str = "keyvend:owners";

/// What the issuer role may read.
const READS: [&str; 16] = [
    "GetUser",
    "ListUsers",
    "ListUserTags",
    "ListAccessKeys",
    "GetAccessKeyLastUsed",
    "ListGroupsForUser",
    "ListAttachedUserPolicies",
    "ListUserPolicies",
    "GetUserPolicy",
    "ListAttachedGroupPolicies",
    "ListGroupPolicies",
    "GetGroupPolicy",
    "GetPolicy",
    "GetPolicyVersion",
    "ListPolicies",
    "GetAccountAuthorizationDetails",
];
/// What it may do, to users that carry the owner tag.
const KEY_ACTIONS: [&str; 5] =
    ["CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "TagUser", "UntagUser"];

/// The model.
pub struct Iam {
    clock: Clock,
    accounts: Mutex<BTreeMap<String, Arc<Account>>>,
    made: AtomicUsize,
    hide: AtomicU32,
    lag: AtomicU32,
    page: AtomicUsize,
}

impl Iam {
    pub fn new(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            accounts: Mutex::default(),
            made: AtomicUsize::new(0),
            hide: AtomicU32::new(0),
            lag: AtomicU32::new(0),
            page: AtomicUsize::new(100),
        }
    }

    /// The same accounts, on another clock.
    pub async fn fork(&self, clock: &Clock) -> Self {
        let accounts: Vec<Arc<Account>> = self.accounts.lock().unwrap().values().cloned().collect();
        let mut forked = BTreeMap::new();
        for account in accounts {
            forked.insert(account.id.clone(), Arc::new(account.fork().await));
        }
        Self {
            clock: clock.clone(),
            accounts: Mutex::new(forked),
            made: AtomicUsize::new(self.made.load(Ordering::SeqCst)),
            hide: AtomicU32::new(self.hide.load(Ordering::SeqCst)),
            lag: AtomicU32::new(self.lag.load(Ordering::SeqCst)),
            page: AtomicUsize::new(self.page.load(Ordering::SeqCst)),
        }
    }

    /// Makes an account, with AWS's own policies in it.
    pub async fn open_account(&self, id: &str) {
        let account = Account::open(id).await;
        self.accounts.lock().unwrap().insert(id.to_owned(), Arc::new(account));
    }

    /// A user's keys, hidden ones too, oldest first.
    pub fn keys(&self, account: &str, user: &str) -> Vec<Key> {
        let account = self.account(account).unwrap();
        let keys = account.keys.lock().unwrap();
        keys.iter().filter(|key| key.user == user).cloned().collect()
    }

    /// Every key of every account.
    pub fn all_keys(&self) -> Vec<Key> {
        let accounts = self.accounts.lock().unwrap();
        accounts.values().flat_map(|account| account.keys.lock().unwrap().clone()).collect()
    }

    /// The names of an account's users.
    pub async fn users(&self, account: &str) -> Vec<String> {
        let mut names: Vec<String> =
            self.account(account).unwrap().view().await.users.keys().cloned().collect();
        names.sort();
        names
    }

    /// A user's tags.
    pub async fn tags(&self, account: &str, user: &str) -> BTreeMap<String, String> {
        self.account(account).unwrap().user(user).await.unwrap().tags.into_iter().collect()
    }

    /// Keys created from now on are missing from this many lists: IAM is eventually consistent.
    pub fn hide_new_keys(&self, lists: u32) {
        self.hide.store(lists, Ordering::SeqCst);
    }

    /// The next so many changes of each key created from now on are answered NoSuchEntity: IAM is eventually consistent.
    pub fn lag_new_keys(&self, changes: u32) {
        self.lag.store(changes, Ordering::SeqCst);
    }

    /// From now on IAM finds every key again.
    pub fn catch_up(&self) {
        self.lag.store(0, Ordering::SeqCst);
        for account in self.accounts.lock().unwrap().values() {
            account.keys.lock().unwrap().iter_mut().for_each(|key| key.unknown = 0);
        }
    }

    /// Somebody renames the user or moves it, outside keyvend; its keys go with it.
    pub async fn rename(&self, account: &str, user: &str, to: &str, path: &str) {
        let account = self.account(account).unwrap();
        account.rename(user, to, path).await;
        account.keys.lock().unwrap().iter_mut().filter(|key| key.user == user).for_each(|key| {
            to.clone_into(&mut key.user);
        });
    }

    /// Somebody deletes the key, outside keyvend.
    pub fn delete_key(&self, id: &str) {
        for account in self.accounts.lock().unwrap().values() {
            account.keys.lock().unwrap().retain(|key| key.id != id);
        }
    }

    /// At most this many members in any list, whatever the caller asks for: IAM may always return fewer.
    pub fn page(&self, members: usize) {
        self.page.store(members, Ordering::SeqCst);
    }

    /// Somebody uses the key now.
    pub fn use_key(&self, id: &str, service: &str, region: &str) {
        let now = self.clock.now();
        let accounts = self.accounts.lock().unwrap();
        for account in accounts.values() {
            for key in account.keys.lock().unwrap().iter_mut().filter(|key| key.id == id) {
                assert_eq!(key.status, "Active", "an inactive key works for nobody");
                key.last_used = Some((now, service.to_owned(), region.to_owned()));
            }
        }
    }

    /// IAM shows the key with this status from now on.
    pub fn set_status(&self, id: &str, status: &str) {
        let accounts = self.accounts.lock().unwrap();
        for account in accounts.values() {
            for key in account.keys.lock().unwrap().iter_mut().filter(|key| key.id == id) {
                status.clone_into(&mut key.status);
            }
        }
    }

    /// Whether this account has the role of this ARN.
    pub async fn has_role(&self, account: &str, arn: &str) -> bool {
        match self.account(account) {
            Some(account) => account.view().await.roles.values().any(|role| account.own(&role.arn) == arn),
            None => false,
        }
    }

    fn account(&self, id: &str) -> Option<Arc<Account>> {
        self.accounts.lock().unwrap().get(id).cloned()
    }

    pub async fn answer(&self, request: &Request, call: &Call, sts: &Sts) -> Reply {
        let account = match self.authorize(call, sts).await {
            Ok(account) => account,
            Err(denied) => return denied,
        };
        let (request, call) = &account.spelled(request, call).await;
        let reply = match call.operation.as_str() {
            "GetUser" => account.get_user(call).await,
            "GetAccountAuthorizationDetails" => account.authorization_details().await,
            "ListPolicies" => account.list_policies(call).await,
            "GetAccessKeyLastUsed" => account.last_used(call),
            "CreateAccessKey" | "ListAccessKeys" | "UpdateAccessKey" | "DeleteAccessKey" => {
                let user = call.parameters["UserName"].as_str().unwrap_or_default();
                if account.user(user).await.is_none() {
                    no_such_user(user)
                } else {
                    self.on_keys(&account, user, call)
                }
            }
            _ => account.winterbaume(request, call).await,
        };
        // AWS deletes no user that has keys: whoever deletes one has deleted those.
        if call.operation == "DeleteUser" && reply.status == 200 {
            let user = call.parameters["UserName"].as_str().unwrap_or_default();
            account.keys.lock().unwrap().retain(|key| key.user != user);
        }
        let reply = encode_documents(reply);
        let listing =
            call.operation.starts_with("List") || call.operation == "GetAccountAuthorizationDetails";
        if listing && reply.status == 200 { self.paged(reply, call) } else { reply }
    }

    /// Which account the caller is in, and whether it may do this there.
    async fn authorize(&self, call: &Call, sts: &Sts) -> Result<Arc<Account>, Reply> {
        let action = format!("iam:{}", call.operation);
        let denied = |why: &str| {
            Err(Reply::xml_error(
                403,
                "AccessDenied",
                &format!("not authorized to perform: {action} ({why})"),
            ))
        };
        if let Some(account) = iam_rights::account_of_admin(&call.access_key) {
            return Ok(self.account(account).unwrap());
        }
        let Some(session) = sts.session(&call.access_key) else {
            return denied("no session of the issuer role");
        };
        if session.expires <= self.clock.now() {
            return Err(Reply::xml_error(
                403,
                "ExpiredToken",
                "The security token included in the request is expired",
            ));
        }
        let account = self.account(&session.account).unwrap();
        let resource = account.resource(call).await;
        let tag_keys = tag_keys(call);
        if !session.allows(&action, &resource, &tag_keys) {
            return denied(&format!("no session policy allows it on resource {resource}"));
        }
        if READS.contains(&call.operation.as_str()) {
            return Ok(account);
        }
        if !KEY_ACTIONS.contains(&call.operation.as_str()) {
            return denied("the issuer role may not");
        }
        let user = call.parameters["UserName"].as_str().unwrap_or_default();
        let tagged = account.user(user).await.is_some_and(|user| user.tags.contains_key(OWNERS));
        let tags = ["TagUser", "UntagUser"].contains(&call.operation.as_str());
        let tags_keys_only =
            tag_keys.iter().all(|key| key.starts_with("AKIA")) && tags != tag_keys.is_empty();
        match (tagged, tags_keys_only) {
            (true, true) => Ok(account),
            (false, _) => denied("the user carries no owner tag"),
            (true, false) => denied("only tags named by a key id"),
        }
    }

    fn on_keys(&self, account: &Account, user: &str, call: &Call) -> Reply {
        let text = |name: &str| call.parameters[name].as_str().unwrap_or_default();
        let mut keys = account.keys.lock().unwrap();
        let own = |key: &&mut Key| key.user == user;
        if call.operation == "ListAccessKeys" {
            let mut members = String::new();
            for key in keys.iter_mut().filter(own) {
                if key.hidden > 0 {
                    key.hidden -= 1;
                    continue;
                }
                let Key { id, status, created, .. } = key;
                members += &format!(
                    "<member><UserName>{}</UserName><AccessKeyId>{id}</AccessKeyId><Status>{status}</Status>\
                     <CreateDate>{}</CreateDate></member>",
                    escape(user),
                    created.rfc3339()
                );
            }
            return result("ListAccessKeys", &format!("<AccessKeyMetadata>{members}</AccessKeyMetadata>"));
        }
        if call.operation == "CreateAccessKey" {
            if keys.iter_mut().filter(own).count() >= 2 {
                return Reply::xml_error(
                    409,
                    "LimitExceeded",
                    "Cannot exceed quota for AccessKeysPerUser: 2",
                );
            }
            let id = format!("AKIAWORLD{:011}", self.made.fetch_add(1, Ordering::SeqCst));
            let secret: String = STANDARD.encode(Sha256::digest(&id)).chars().take(40).collect();
            let created = self.clock.now();
            let hidden = self.hide.load(Ordering::SeqCst);
            let unknown = self.lag.load(Ordering::SeqCst);
            let reply = result(
                "CreateAccessKey",
                &format!(
                    "<AccessKey><UserName>{}</UserName><AccessKeyId>{id}</AccessKeyId><Status>Active</Status>\
                     <SecretAccessKey>{secret}</SecretAccessKey><CreateDate>{}</CreateDate></AccessKey>",
                    escape(user),
                    created.rfc3339()
                ),
            );
            let (user, status) = (user.to_owned(), "Active".to_owned());
            keys.push(Key { user, id, secret, status, created, last_used: None, hidden, unknown });
            return reply;
        }
        let id = text("AccessKeyId");
        let Some(index) = keys.iter().position(|key| key.user == user && key.id == id) else {
            return Reply::xml_error(
                404,
                "NoSuchEntity",
                &format!("The Access Key with id {id} cannot be found."),
            );
        };
        if keys[index].unknown > 0 {
            keys[index].unknown -= 1;
            return Reply::xml_error(
                404,
                "NoSuchEntity",
                &format!("The Access Key with id {id} cannot be found."),
            );
        }
        if call.operation == "DeleteAccessKey" {
            keys.remove(index);
        } else {
            let status = text("Status");
            if !["Active", "Inactive"].contains(&status) {
                return Reply::xml_error(
                    400,
                    "ValidationError",
                    "Value at 'status' must be Active or Inactive",
                );
            }
            keys[index].status = status.to_owned();
        }
        Reply::xml(200, format!("<{0}Response xmlns=\"{XMLNS}\"/>", call.operation))
    }

    /// IAM's lists come in pages: `MaxItems` at most, fewer if IAM likes, then `Marker`.
    fn paged(&self, mut reply: Reply, call: &Call) -> Reply {
        let number = |name: &str| call.parameters[name].as_str().map(|text| text.parse::<usize>().unwrap());
        let size = number("MaxItems").unwrap_or(100).min(self.page.load(Ordering::SeqCst));
        let from = number("Marker").unwrap_or(0);
        let (start, end, mut all) = members(&reply.body);
        // winterbaume lists out of hash maps; IAM's order is stable.
        if call.operation != "ListAccessKeys" {
            all.sort();
        }
        let more = all.len() > from + size;
        let page: String = all.into_iter().skip(from).take(size).collect();
        reply.body.replace_range(start..end, &page);
        let body = reply.body.replace("<IsTruncated>false</IsTruncated>", "");
        let truncated = match more {
            true => format!("<IsTruncated>true</IsTruncated><Marker>{}</Marker>", from + size),
            false => "<IsTruncated>false</IsTruncated>".to_owned(),
        };
        let open = format!("<{}Result>", call.operation);
        reply.body = body.replacen(&open, &format!("{open}{truncated}"), 1);
        reply
    }
}

/// `aws:TagKeys` of a call that tags or untags.
fn tag_keys(call: &Call) -> Vec<String> {
    let fields = call.parameters.as_object().unwrap();
    let keys = fields.iter().filter(|(name, _)| {
        name.starts_with("Tags.member.") && name.ends_with(".Key") || name.starts_with("TagKeys.member.")
    });
    keys.map(|(_, key)| key.as_str().unwrap().to_owned()).collect()
}
