//! IAM, one winterbaume an account (winterbaume itself knows one account only; the caller's session says which).
//! The access keys are modelled here, because keyvend's promises hang on what winterbaume lacks: creation dates
//! on the world's clock, ids that repeat from run to run, last use, and a list that lags behind.
//! The caller is judged by its session policy and by the issuer role, as the design grants it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use keyvend::time::Timestamp;
use sha2::{Digest as _, Sha256};
use winterbaume_core::StatefulService as _;
use winterbaume_iam::IamService;
use winterbaume_iam::views::{IamStateView, ManagedPolicyView, PolicyVersionView, UserView};

use super::clock::Clock;
use super::form;
use super::net::{Call, HOME, Reply, Request, escape, winterbaume};
use super::rights;
use super::sts::Sts;

const OWNERS: &str = "keyvend:owners";
const CREATED: &str = "2024-01-01T00:00:00Z";
const XMLNS: &str = "https://iam.amazonaws.com/doc/2010-05-08/";

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
const KEY_ACTIONS: [&str; 4] = ["CreateAccessKey", "UpdateAccessKey", "DeleteAccessKey", "TagUser"];

/// AWS's own policies that the world knows, with what matters of their documents.
const AWS_MANAGED: [(&str, &str); 4] = [
    ("AdministratorAccess", r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#),
    (
        "ReadOnlyAccess",
        r#"{"Effect":"Allow","Action":["s3:Get*","s3:List*","ec2:Describe*"],"Resource":"*"}"#,
    ),
    ("AmazonS3ReadOnlyAccess", r#"{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}"#),
    (
        "AWSCompromisedKeyQuarantineV3",
        r#"{"Effect":"Deny","Action":["iam:CreateUser","ec2:RunInstances"],"Resource":"*"}"#,
    ),
];

/// An access key.
#[derive(Clone, Debug)]
pub struct Key {
    pub user: String,
    pub id: String,
    pub secret: String,
    /// `Active` or `Inactive`.
    pub status: String,
    pub created: Timestamp,
    /// When, with which service, in which region.
    pub last_used: Option<(Timestamp, String, String)>,
    /// From how many more lists it is missing.
    hidden: u32,
}

struct Account {
    id: String,
    service: IamService,
    keys: Mutex<Vec<Key>>,
}

/// The model.
pub struct Iam {
    clock: Clock,
    accounts: Mutex<BTreeMap<String, Arc<Account>>>,
    made: AtomicUsize,
    hide: AtomicU32,
    page: AtomicUsize,
}

impl Iam {
    pub fn new(clock: &Clock) -> Self {
        Self {
            clock: clock.clone(),
            accounts: Mutex::default(),
            made: AtomicUsize::new(0),
            hide: AtomicU32::new(0),
            page: AtomicUsize::new(100),
        }
    }

    /// Makes an account, with AWS's own policies in it.
    pub async fn open_account(&self, id: &str) {
        let service = IamService::new();
        let mut view = IamStateView::default();
        for (name, statement) in AWS_MANAGED {
            let policy = aws_managed(name, statement);
            view.policies.insert(policy.arn.clone(), policy);
        }
        service.merge(HOME, "us-east-1", view).await.unwrap();
        let account = Account { id: id.to_owned(), service, keys: Mutex::default() };
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
        let mut names: Vec<String> = self.account(account).unwrap().view().await.users.into_keys().collect();
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
            _ => account.winterbaume(request).await,
        };
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
        if let Some(account) = rights::account_of_admin(&call.access_key) {
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
        let tags_keys_only = tag_keys.iter().all(|key| key.starts_with("AKIA"));
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
            keys.push(Key { user, id, secret, status, created, last_used: None, hidden });
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

impl Account {
    async fn view(&self) -> IamStateView {
        self.service.snapshot(HOME, "us-east-1").await
    }

    async fn user(&self, name: &str) -> Option<UserView> {
        self.view().await.users.remove(name)
    }

    /// A text of winterbaume's one account, in this account.
    fn own(&self, text: &str) -> String {
        text.replace(HOME, &self.id)
    }

    async fn winterbaume(&self, request: &Request) -> Reply {
        let request = Request {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.text().replace(&self.id, HOME).into_bytes(),
        };
        let mut reply = winterbaume(&self.service, &request).await;
        reply.body = self.own(&reply.body);
        reply
    }

    /// The resource that a policy must name for this call, as the service authorization reference has it.
    async fn resource(&self, call: &Call) -> String {
        let text = |name: &str| call.parameters[name].as_str();
        let user = match text("AccessKeyId") {
            Some(id) if call.operation == "GetAccessKeyLastUsed" => {
                self.keys.lock().unwrap().iter().find(|key| key.id == id).map(|key| key.user.clone())
            }
            _ => text("UserName").map(str::to_owned),
        };
        if let Some(name) = user {
            let found = self.user(&name).await.map(|user| self.own(&user.arn));
            return found.unwrap_or(format!("arn:aws:iam::{}:user/{name}", self.id));
        }
        if let Some(name) = text("GroupName") {
            let found = self.view().await.groups.remove(name).map(|group| self.own(&group.arn));
            return found.unwrap_or(format!("arn:aws:iam::{}:group/{name}", self.id));
        }
        text("PolicyArn").unwrap_or("*").to_owned()
    }

    /// winterbaume leaves the tags and the permissions boundary out, AWS returns both.
    async fn get_user(&self, call: &Call) -> Reply {
        let name = call.parameters["UserName"].as_str().unwrap_or_default();
        match self.user(name).await {
            Some(user) => result("GetUser", &format!("<User>{}</User>", self.user_parts(&user))),
            None => no_such_user(name),
        }
    }

    fn user_parts(&self, user: &UserView) -> String {
        let UserView { path, name, user_id, create_date, .. } = user;
        let date = create_date.as_deref().unwrap_or(CREATED);
        let boundary = user.permissions_boundary.as_ref().map_or(String::new(), |arn| {
            format!(
                "<PermissionsBoundary><PermissionsBoundaryType>Policy</PermissionsBoundaryType>\
                 <PermissionsBoundaryArn>{}</PermissionsBoundaryArn></PermissionsBoundary>",
                escape(&self.own(arn))
            )
        });
        let tags: BTreeMap<_, _> = user.tags.iter().collect();
        let tags: String = tags
            .into_iter()
            .map(|(key, value)| {
                format!("<member><Key>{}</Key><Value>{}</Value></member>", escape(key), escape(value))
            })
            .collect();
        format!(
            "<Path>{}</Path><UserName>{}</UserName><UserId>{user_id}</UserId><Arn>{}</Arn>\
             <CreateDate>{date}</CreateDate>{boundary}<Tags>{tags}</Tags>",
            escape(path),
            escape(name),
            escape(&self.own(&user.arn)),
        )
    }

    /// The users of the account with their tags, groups and policies, which is what keyvend reads of it.
    async fn authorization_details(&self) -> Reply {
        let view = self.view().await;
        let mut users = String::new();
        for user in view.users.values() {
            let groups: String = view
                .groups
                .values()
                .filter(|group| group.members.contains(&user.name))
                .map(|group| format!("<member>{}</member>", escape(&group.name)))
                .collect();
            let attached: String = user
                .attached_policies
                .iter()
                .map(|policy| {
                    let (name, arn) = (escape(&policy.policy_name), escape(&self.own(&policy.policy_arn)));
                    format!("<member><PolicyName>{name}</PolicyName><PolicyArn>{arn}</PolicyArn></member>")
                })
                .collect();
            let inline: String = user
                .inline_policies
                .iter()
                .map(|policy| {
                    let (name, document) = (escape(&policy.policy_name), escape(&policy.policy_document));
                    format!("<member><PolicyName>{name}</PolicyName><PolicyDocument>{document}</PolicyDocument></member>")
                })
                .collect();
            users += &format!(
                "<member>{}<GroupList>{groups}</GroupList><AttachedManagedPolicies>{attached}\
                 </AttachedManagedPolicies><UserPolicyList>{inline}</UserPolicyList></member>",
                self.user_parts(user)
            );
        }
        result("GetAccountAuthorizationDetails", &format!("<UserDetailList>{users}</UserDetailList>"))
    }

    /// winterbaume ignores `OnlyAttached` and `Scope`.
    async fn list_policies(&self, call: &Call) -> Reply {
        let view = self.view().await;
        let attached = view
            .users
            .values()
            .flat_map(|user| &user.attached_policies)
            .chain(view.groups.values().flat_map(|group| &group.attached_policies))
            .chain(view.roles.values().flat_map(|role| &role.attached_policies));
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for policy in attached {
            *counts.entry(&policy.policy_arn).or_default() += 1;
        }
        let only_attached = call.parameters["OnlyAttached"] == "true";
        let in_scope = |arn: &str| match call.parameters["Scope"].as_str() {
            Some("AWS") => arn.starts_with("arn:aws:iam::aws:"),
            Some("Local") => !arn.starts_with("arn:aws:iam::aws:"),
            _ => true,
        };
        let mut members = String::new();
        for policy in view.policies.values().filter(|policy| in_scope(&policy.arn)) {
            let count = counts.get(policy.arn.as_str()).copied().unwrap_or(0);
            if only_attached && count == 0 {
                continue;
            }
            let ManagedPolicyView { policy_name, policy_id, path, default_version_id, .. } = policy;
            members += &format!(
                "<member><PolicyName>{}</PolicyName><PolicyId>{policy_id}</PolicyId><Arn>{}</Arn><Path>{}</Path>\
                 <DefaultVersionId>{default_version_id}</DefaultVersionId><AttachmentCount>{count}</AttachmentCount>\
                 <IsAttachable>true</IsAttachable></member>",
                escape(policy_name),
                escape(&self.own(&policy.arn)),
                escape(path)
            );
        }
        result("ListPolicies", &format!("<Policies>{members}</Policies>"))
    }

    fn last_used(&self, call: &Call) -> Reply {
        let id = call.parameters["AccessKeyId"].as_str().unwrap_or_default();
        let keys = self.keys.lock().unwrap();
        let Some(key) = keys.iter().find(|key| key.id == id) else {
            // Not NoSuchEntity: AWS does not say whether such a key exists.
            return Reply::xml_error(
                403,
                "AccessDenied",
                &format!("not authorized on resource: access key {id}"),
            );
        };
        let used = match &key.last_used {
            Some((at, service, region)) => {
                let at = at.rfc3339();
                format!(
                    "<LastUsedDate>{at}</LastUsedDate><ServiceName>{service}</ServiceName><Region>{region}</Region>"
                )
            }
            None => "<ServiceName>N/A</ServiceName><Region>N/A</Region>".to_owned(),
        };
        let user = escape(&key.user);
        result(
            "GetAccessKeyLastUsed",
            &format!("<UserName>{user}</UserName><AccessKeyLastUsed>{used}</AccessKeyLastUsed>"),
        )
    }
}

/// `aws:TagKeys` of a call that tags.
fn tag_keys(call: &Call) -> Vec<String> {
    let fields = call.parameters.as_object().unwrap();
    let keys = fields.iter().filter(|(name, _)| name.starts_with("Tags.member.") && name.ends_with(".Key"));
    keys.map(|(_, key)| key.as_str().unwrap().to_owned()).collect()
}

fn no_such_user(name: &str) -> Reply {
    Reply::xml_error(404, "NoSuchEntity", &format!("The user with name {name} cannot be found."))
}

fn result(operation: &str, content: &str) -> Reply {
    Reply::xml(
        200,
        format!(
            "<{operation}Response xmlns=\"{XMLNS}\"><{operation}Result>{content}</{operation}Result>\
             </{operation}Response>"
        ),
    )
}

fn aws_managed(name: &str, statement: &str) -> ManagedPolicyView {
    let document = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
    let version = PolicyVersionView {
        version_id: "v1".to_owned(),
        document: document.clone(),
        is_default_version: true,
        create_date: Some(CREATED.to_owned()),
    };
    ManagedPolicyView {
        policy_name: name.to_owned(),
        policy_id: format!("ANPAWORLD{name}"),
        arn: format!("arn:aws:iam::aws:policy/{name}"),
        path: "/".to_owned(),
        default_version_id: "v1".to_owned(),
        description: String::new(),
        create_date: Some(CREATED.to_owned()),
        update_date: Some(CREATED.to_owned()),
        is_attachable: true,
        document,
        versions: vec![version],
        tags: Default::default(),
        attachment_count: 0,
    }
}

/// IAM returns policy documents percent-encoded (RFC 3986), winterbaume as they are.
fn encode_documents(mut reply: Reply) -> Reply {
    for tag in ["PolicyDocument", "Document"] {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        let mut from = 0;
        while let Some(at) = reply.body[from..].find(&open) {
            let start = from + at + open.len();
            let end = start + reply.body[start..].find(&close).unwrap();
            let text = reply.body[start..end]
                .replace("&quot;", "\"")
                .replace("&lt;", "<")
                .replace("&gt;", ">")
                .replace("&apos;", "'")
                .replace("&amp;", "&");
            let encoded = form::percent(&text);
            reply.body.replace_range(start..end, &encoded);
            from = start + encoded.len();
        }
    }
    reply
}

/// Where the outermost `<member>` elements of a list stand, and each of them.
fn members(xml: &str) -> (usize, usize, Vec<String>) {
    const OPEN: &str = "<member>";
    const CLOSE: &str = "</member>";
    let Some(start) = xml.find(OPEN) else { return (0, 0, Vec::new()) };
    let (mut all, mut depth, mut at, mut from, mut end) = (Vec::new(), 0, start, start, start);
    while let Some(next) = xml[at..].find("member>") {
        let here = at + next;
        at = here + "member>".len();
        if xml[..here].ends_with("</") {
            depth -= 1;
            if depth == 0 {
                all.push(xml[from..at].to_owned());
                end = at;
            }
        } else if xml[..here].ends_with('<') {
            if depth == 0 {
                from = here - 1;
            }
            depth += 1;
        }
    }
    debug_assert!(xml[..end].ends_with(CLOSE));
    (start, end, all)
}
