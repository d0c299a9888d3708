//! The words of the command line itself: the end of its help, and what would have been a right value.

/// The end of the help.
pub const EXIT_STATUS: &str = "Exit status:\n  0  success; yes; valid\n  1  no; invalid\n  \
    2  the command line is invalid\n  3  failed or partially failed";

/// Not a moment.
pub const NOT_A_MOMENT: &str = "use a day, 2026-01-31, or a time with its zone, 2026-01-31T09:00:00Z";
/// Not a hash.
pub const NOT_A_HASH: &str = "a checkpoint's hash has 64 hexadecimal digits";
/// Not a person.
pub const NOT_A_PERSON: &str = "use a Slack user ID, U024BE7LH, or with its workspace, T012AB3CD.U024BE7LH";
/// Not an account.
pub const NOT_AN_ACCOUNT: &str = "use an alias from KEYVEND_ACCOUNTS or the 12-digit account ID";
/// Not an IAM user.
pub const NOT_AN_IAM_USER: &str = "use the IAM user's name, optionally with `@` and its account";
/// Not a name for the trail.
pub const NOT_A_NAME: &str = "use a name of up to 64 letters, digits, spaces and .,@_+- that is not a Slack ID and \
    does not begin with keyvend";
/// Not one of the values that are listed.
pub const NOT_ONE_OF_THESE: &str = "not one of these";
