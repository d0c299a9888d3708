//! The test world is as AWS and Slack are, wherever keyvend could tell the difference.

mod dynamo;
mod dynamo_index;
mod iam;
mod net;
mod services;
mod slack;
mod sqs;
