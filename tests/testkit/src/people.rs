//! The workspace: its people and channels, and the names tests call them by.

use std::collections::BTreeSet;

use serde_json::{Value, json};

pub const TEAM: &str = "T0001";
/// Another workspace of the organisation, where the app is installed for one.
pub const SECOND_TEAM: &str = "T0002";
/// That organisation.
pub const ORGANISATION: &str = "E0001";
pub const APP: &str = "A0KEYVEND";
/// keyvend's own bot user.
pub const BOT: &str = "U0KEYVEND";
pub const APPROVALS: &str = "C0APPROVE";
pub const GENERAL: &str = "C0GENERAL";
/// The user group that alice_owner is in.
pub const TEAM_GROUP: &str = "S0TEAM";

pub const ALICE_OWNER: &str = "U0ALICE";
pub const BOB_APPROVER: &str = "U0BOB";
pub const CAROL_APPROVER: &str = "U0CAROL";
pub const DAVE_APPROVER: &str = "U0DAVE";
pub const MALLORY_OUTSIDER: &str = "U0MALLORY";
pub const GUS_GUEST: &str = "U0GUS";
pub const XENA_EXTERNAL: &str = "U0XENA";
pub const DORA_DELETED: &str = "U0DORA";
pub const BOTTY: &str = "U0BOTTY";

/// Somebody, as `users.info` tells.
#[derive(Clone, Debug)]
pub struct Person {
    pub id: String,
    pub team: String,
    pub name: String,
    pub email: Option<String>,
    pub email_confirmed: bool,
    pub tz: String,
    pub tz_offset: i64,
    pub deleted: bool,
    pub bot: bool,
    pub restricted: bool,
    pub ultra_restricted: bool,
    pub stranger: bool,
    /// On an organisation: the workspaces they are in. `team` is then the one they came from.
    pub teams: Option<Vec<String>>,
}

impl Person {
    pub fn new(id: &str, name: &str) -> Self {
        let first = name.split('_').next().unwrap();
        Self {
            id: id.to_owned(),
            team: TEAM.to_owned(),
            name: name.to_owned(),
            email: Some(format!("{first}@example.com")),
            email_confirmed: true,
            tz: "Europe/Amsterdam".to_owned(),
            tz_offset: 3600,
            deleted: false,
            bot: false,
            restricted: false,
            ultra_restricted: false,
            stranger: false,
            teams: None,
        }
    }

    /// The user object; a deactivated one has lost most of its fields.
    pub fn json(&self) -> Value {
        let Self { id, team, name, tz, tz_offset, deleted, bot, email_confirmed, .. } = self;
        let mut profile = json!({"real_name": name, "display_name": name, "team": team});
        if let Some(email) = &self.email {
            profile["email"] = json!(email);
        }
        let mut user = json!({
            "id": id, "team_id": team, "name": name, "deleted": deleted, "profile": profile, "is_bot": bot,
            "is_app_user": false, "updated": 1_700_000_000,
        });
        if !deleted {
            let more = json!({
                "real_name": name, "tz": tz, "tz_label": "Central European Time", "tz_offset": tz_offset,
                "is_admin": false, "is_owner": false, "is_primary_owner": false,
                "is_restricted": self.restricted, "is_ultra_restricted": self.ultra_restricted,
                "is_email_confirmed": email_confirmed, "who_can_share_contact_card": "EVERYONE",
            });
            user.as_object_mut().unwrap().append(&mut more.as_object().unwrap().clone());
        }
        if self.stranger {
            user["is_stranger"] = json!(true);
        }
        if let Some(teams) = &self.teams {
            user["enterprise_user"] = json!({
                "id": id, "enterprise_id": ORGANISATION, "enterprise_name": "Example", "is_admin": false,
                "is_owner": false, "teams": teams,
            });
        }
        user
    }
}

/// A channel, as `conversations.info` tells.
#[derive(Clone, Debug)]
pub struct Channel {
    pub id: String,
    pub name: String,
    pub private: bool,
    pub shared: bool,
    pub ext_shared: bool,
    pub org_shared: bool,
    pub archived: bool,
    pub members: BTreeSet<String>,
}
