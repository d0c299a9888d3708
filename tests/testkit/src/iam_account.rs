//! One account of IAM: what is read of its users, groups and policies, as AWS answers where winterbaume does not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use keyvend::time::Timestamp;
use winterbaume_core::StatefulService as _;
use winterbaume_iam::IamService;
use winterbaume_iam::views::{IamStateView, ManagedPolicyView, PolicyVersionView, UserView};

use crate::form;
use crate::iam_xml::{no_such_user, result};
use crate::net::{Call, HOME, Reply, Request, escape, winterbaume};

const CREATED: &str = "2024-01-01T00:00:00Z";

const QUARANTINE: &str = r#"{"Effect":"Deny","Action":["iam:CreateUser","ec2:RunInstances"],"Resource":"*"}"#;

/// AWS's own policies that the world knows, with what matters of their documents.
const AWS_MANAGED: [(&str, &str); 6] = [
    ("AdministratorAccess", r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#),
    (
        "ReadOnlyAccess",
        r#"{"Effect":"Allow","Action":["s3:Get*","s3:List*","ec2:Describe*"],"Resource":"*"}"#,
    ),
    ("AmazonS3ReadOnlyAccess", r#"{"Effect":"Allow","Action":["s3:Get*","s3:List*"],"Resource":"*"}"#),
    ("AWSCompromisedKeyQuarantine", QUARANTINE),
    ("AWSCompromisedKeyQuarantineV2", QUARANTINE),
    ("AWSCompromisedKeyQuarantineV3", QUARANTINE),
];

/// An access key.
#[derive(Clone, Debug)]
pub struct Key {
    pub user: String,
    pub id: String,
    pub secret: String,
    /// `Active`, `Inactive` or `Expired`.
    pub status: String,
    pub created: Timestamp,
    /// When, with which service, in which region.
    pub last_used: Option<(Timestamp, String, String)>,
    /// From how many more lists it is missing.
    pub hidden: u32,
    /// How many more changes of it are answered NoSuchEntity.
    pub unknown: u32,
}

/// One account: winterbaume, and the keys.
pub struct Account {
    pub id: String,
    service: IamService,
    /// winterbaume's state as it was last read, until something is done there: whatever is asked, it copies all of it.
    read: Mutex<Option<Arc<IamStateView>>>,
    /// The policies that were there when it was forked: winterbaume does not hand on how many versions each has had.
    unnumbered: BTreeSet<String>,
    pub keys: Mutex<Vec<Key>>,
}

impl Account {
    pub async fn open(id: &str) -> Self {
        let service = IamService::new();
        let mut view = IamStateView::default();
        for (name, statement) in AWS_MANAGED {
            let policy = aws_managed(name, statement);
            view.policies.insert(policy.arn.clone(), policy);
        }
        service.merge(HOME, "us-east-1", view).await.unwrap();
        Self {
            id: id.to_owned(),
            service,
            read: Mutex::default(),
            unnumbered: BTreeSet::new(),
            keys: Mutex::default(),
        }
    }

    /// The same account; what happens in one is not seen in the other.
    pub async fn fork(&self) -> Self {
        let service = IamService::new();
        let view = self.view().await;
        service.restore(HOME, "us-east-1", (*view).clone()).await.unwrap();
        let keys = Mutex::new(self.keys.lock().unwrap().clone());
        let unnumbered = view.policies.keys().cloned().collect();
        Self { id: self.id.clone(), service, read: Mutex::new(Some(view)), unnumbered, keys }
    }

    pub async fn view(&self) -> Arc<IamStateView> {
        if let Some(view) = &*self.read.lock().unwrap() {
            return Arc::clone(view);
        }
        let view = Arc::new(self.service.snapshot(HOME, "us-east-1").await);
        *self.read.lock().unwrap() = Some(Arc::clone(&view));
        view
    }

    /// "Names are not distinguished by case", says "IAM and AWS STS quotas" of users, groups, roles and policies. Whether
    /// GetUser answers for another spelling is not said; here it does, which asks more of keyvend.
    pub async fn user(&self, name: &str) -> Option<UserView> {
        let view = self.view().await;
        view.users.values().find(|user| user.name.eq_ignore_ascii_case(name)).cloned()
    }

    /// The same call with its user's name as it was given when the user was created.
    pub async fn spelled(&self, request: &Request, call: &Call) -> (Request, Call) {
        let (mut body, mut call) = (request.text(), call.clone());
        let given = call.parameters["UserName"].as_str().unwrap_or_default().to_owned();
        if let Some(user) = self.user(&given).await.filter(|user| user.name != given) {
            let field = |name: &str| format!("UserName={}", form::percent(name));
            body = body.replace(&field(&given), &field(&user.name));
            call.parameters["UserName"] = user.name.into();
        }
        let (method, url, headers) = (request.method.clone(), request.url.clone(), request.headers.clone());
        (Request { method, url, headers, body: body.into_bytes() }, call)
    }

    /// The user under another name and path, with all that it has.
    pub async fn rename(&self, user: &str, to: &str, path: &str) {
        let mut view = (*self.view().await).clone();
        let mut moved = view.users.remove(user).unwrap();
        to.clone_into(&mut moved.name);
        path.clone_into(&mut moved.path);
        moved.arn = format!("arn:aws:iam::{HOME}:user{path}{to}");
        view.users.insert(to.to_owned(), moved);
        for member in view.groups.values_mut().flat_map(|group| &mut group.members) {
            if *member == user {
                to.clone_into(member);
            }
        }
        self.service.restore(HOME, "us-east-1", view).await.unwrap();
        *self.read.lock().unwrap() = None;
    }

    /// A text of winterbaume's one account, in this account.
    pub fn own(&self, text: &str) -> String {
        text.replace(HOME, &self.id)
    }

    /// winterbaume's answer, but none that would be wrong in a fork.
    pub async fn winterbaume(&self, request: &Request, call: &Call) -> Reply {
        let arn = call.parameters["PolicyArn"].as_str().unwrap_or_default();
        let unnumbered = call.operation == "CreatePolicyVersion" && self.unnumbered.contains(arn);
        assert!(
            !unnumbered,
            "{arn} is older than this fork of the world: begin the world with `World::beginning`"
        );
        let request = Request {
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.text().replace(&self.id, HOME).into_bytes(),
        };
        let mut reply = winterbaume(&self.service, &request).await;
        if !["Get", "List"].iter().any(|reads| call.operation.starts_with(reads)) {
            *self.read.lock().unwrap() = None;
        }
        reply.body = self.own(&reply.body);
        reply
    }

    /// The resource that a policy must name for this call, as the service authorization reference has it.
    pub async fn resource(&self, call: &Call) -> String {
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
            let found = self.view().await.groups.get(name).map(|group| self.own(&group.arn));
            return found.unwrap_or(format!("arn:aws:iam::{}:group/{name}", self.id));
        }
        text("PolicyArn").unwrap_or("*").to_owned()
    }

    /// winterbaume leaves the tags and the permissions boundary out, AWS returns both.
    pub async fn get_user(&self, call: &Call) -> Reply {
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
    pub async fn authorization_details(&self) -> Reply {
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
    pub async fn list_policies(&self, call: &Call) -> Reply {
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

    pub fn last_used(&self, call: &Call) -> Reply {
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
