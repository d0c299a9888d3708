//! Every sentence the product says to a person, in one place. Whatever somebody typed is escaped and cut before it is
//! said back.

/// No gateway event: somebody invoked the function by other means.
pub const NOT_A_REQUEST: &str = "This is not a request that the gateway would send.";
/// The body is over the limit.
pub const TOO_LARGE: &str = "This request is too large.";
/// The signing secret is empty.
pub const SIGNING_SECRET_EMPTY: &str =
    "The Slack signing secret is empty. Copy it from Basic Information on your app's page at api.slack.com.";
/// The signing secret has white space around it.
pub const SIGNING_SECRET_BLANKS: &str = "The Slack signing secret begins or ends with white space, \
    most likely a line end that was pasted with it. Store it again without.";
