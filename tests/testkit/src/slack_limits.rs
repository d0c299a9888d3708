//! Slack's rate limits as documented, which last: one message a second for each channel, and for every other method so many calls
//! a minute as its tier allows (<https://docs.slack.dev/apis/web-api/rate-limits>). What is over a limit is answered 429, with
//! the seconds after which there is room again.

use std::collections::{BTreeMap, VecDeque};

use keyvend::time::Timestamp;

use crate::slack::direct;

/// The tiers of the methods that keyvend calls, in calls a minute, as their reference pages say.
const TIERS: [(&str, usize); 11] = [
    ("usergroups.users.list", 20),
    ("conversations.info", 50),
    ("conversations.open", 50),
    ("chat.update", 50),
    ("chat.delete", 50),
    ("users.info", 100),
    ("conversations.members", 100),
    ("chat.postEphemeral", 100),
    ("views.open", 100),
    ("views.update", 100),
    ("views.publish", 100),
];

/// A method that takes nothing for a channel, or for all of them, until then; and what Slack says to wait at most.
#[derive(Clone, Debug)]
struct Closed {
    method: String,
    channel: Option<String>,
    until: Timestamp,
    retry_after: i64,
}

/// When calls were taken, by what is limited.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    documented: bool,
    taken: BTreeMap<String, VecDeque<Timestamp>>,
    closed: Vec<Closed>,
}

impl Limits {
    pub fn document(&mut self) {
        self.documented = true;
    }

    pub fn close(&mut self, method: &str, channel: Option<&str>, until: Timestamp, retry_after: i64) {
        let (method, channel) = (method.to_owned(), channel.map(str::to_owned));
        self.closed.push(Closed { method, channel, until, retry_after });
    }

    /// After how many seconds a call may come again that is over a limit. One that is not is counted.
    pub fn exceeded(&mut self, method: &str, channel: Option<&str>, now: Timestamp) -> Option<i64> {
        let channel = channel.map(|id| if id.starts_with('U') { direct(id) } else { id.to_owned() });
        let closed = self.closed.iter().find(|closed| {
            let here = closed.channel.is_none() || closed.channel == channel;
            closed.method == method && here && now < closed.until
        });
        if let Some(closed) = closed {
            return Some(closed.until.since(now).min(closed.retry_after));
        }
        if !self.documented {
            return None;
        }
        let (limited, most, seconds) = match TIERS.iter().find(|(name, _)| *name == method) {
            Some((_, most)) => (method.to_owned(), *most, 60),
            None if method == "chat.postMessage" => {
                (format!("{method} {}", channel.unwrap_or_default()), 1, 1)
            }
            None => return None,
        };
        let taken = self.taken.entry(limited).or_default();
        taken.retain(|at| now.since(*at) < seconds);
        if taken.len() >= most {
            return taken.front().map(|first| seconds - now.since(*first));
        }
        taken.push_back(now);
        None
    }
}
