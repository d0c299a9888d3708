//! A message with buttons, as Slack took it: kept with the request that it is about, so that it can be ended.

use serde::{Deserialize, Serialize};

use crate::domain::notification::RenderedMessage;
use crate::id::{ChannelId, MessageTs};

/// So many messages of one request are kept: the newest.
pub const MAX_POSTED: usize = 20;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PostedMessage {
    pub channel: ChannelId,
    pub ts: MessageTs,
    pub message: RenderedMessage,
}
