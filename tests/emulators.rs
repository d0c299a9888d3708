//! The test world is as AWS and Slack are, wherever keyvend could tell the difference.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what goes wrong in a helper fails its test"
)]

mod world;

#[path = "emulators/dynamo.rs"]
mod dynamo;
#[path = "emulators/dynamo_index.rs"]
mod dynamo_index;
#[path = "emulators/iam.rs"]
mod iam;
#[path = "emulators/net.rs"]
mod net;
#[path = "emulators/services.rs"]
mod services;
#[path = "emulators/slack.rs"]
mod slack;
#[path = "emulators/sqs.rs"]
mod sqs;
