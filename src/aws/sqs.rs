//! Sending to the FIFO queues, and putting a received message back for later.

use std::time::Duration;

use crate::aws::error::aws_error;
use crate::aws::queue_url::QueueUrl;

#[derive(Clone, Debug)]
pub struct Sqs(aws_sdk_sqs::Client);

/// What a received message is put back by.
#[derive(Clone, Debug)]
pub struct ReceiptHandle(pub String);

impl Sqs {
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_sqs::Client::new(config))
    }

    /// Sends a body within its group; a second one with the same deduplication id within five minutes is dropped
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessage.html>).
    ///
    /// # Errors
    /// A fault; the message may have been sent.
    pub async fn send(
        &self,
        queue: &QueueUrl,
        body: String,
        group: &str,
        deduplication: &str,
    ) -> anyhow::Result<()> {
        self.0
            .send_message()
            .queue_url(queue.as_str())
            .message_body(body)
            .message_group_id(group)
            .message_deduplication_id(deduplication)
            .send()
            .await
            .map(drop)
            .map_err(|error| aws_error("sqs:SendMessage", &error))
    }

    /// Lets a received message be seen again after `delay`, at most 12 hours.
    ///
    /// # Errors
    /// A fault; the message then comes back after the queue's own time-out.
    pub async fn change_visibility(
        &self,
        queue: &QueueUrl,
        receipt: &ReceiptHandle,
        delay: Duration,
    ) -> anyhow::Result<()> {
        let seconds = i32::try_from(delay.as_secs().min(43_200)).unwrap_or(43_200);
        self.0
            .change_message_visibility()
            .queue_url(queue.as_str())
            .receipt_handle(&receipt.0)
            .visibility_timeout(seconds)
            .send()
            .await
            .map(drop)
            .map_err(|error| aws_error("sqs:ChangeMessageVisibility", &error))
    }
}
