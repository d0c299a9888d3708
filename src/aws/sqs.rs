//! Sending to the FIFO queues, and putting a received message back for later.

use std::time::Duration;

use aws_sdk_sqs::types::SendMessageBatchRequestEntry;

use crate::aws::error::aws_error;
use crate::aws::queue_url::QueueUrl;

#[derive(Clone, Debug)]
pub struct Sqs(aws_sdk_sqs::Client);

/// A message to be sent: its body, the group whose order it keeps, and what it is sent once by.
#[derive(Clone, Debug)]
pub struct Outgoing {
    pub body: String,
    pub group: String,
    pub deduplication: String,
}

/// How many messages one call sends at most.
pub const MAX_BATCH: usize = 10;

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

    /// Sends up to [`MAX_BATCH`] bodies in one call, each as [`Self::send`] does
    /// (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html>).
    ///
    /// # Errors
    /// A fault, also where the queue did not take some of them; the others were sent, and all may be sent again.
    pub async fn send_batch(&self, queue: &QueueUrl, messages: Vec<Outgoing>) -> anyhow::Result<()> {
        let entries = messages.into_iter().enumerate().map(|(number, message)| {
            SendMessageBatchRequestEntry::builder()
                .id(number.to_string())
                .message_body(message.body)
                .message_group_id(message.group)
                .message_deduplication_id(message.deduplication)
                .build()
                .map_err(|_| anyhow::anyhow!("sqs:SendMessageBatch: an entry could not be built"))
        });
        let entries = entries.collect::<anyhow::Result<Vec<_>>>()?;
        let sent = self.0.send_message_batch().queue_url(queue.as_str()).set_entries(Some(entries)).send();
        let answer = sent.await.map_err(|error| aws_error("sqs:SendMessageBatch", &error))?;
        match answer.failed() {
            [] => Ok(()),
            [first, ..] => {
                let (count, code) = (answer.failed().len(), first.code());
                anyhow::bail!("sqs:SendMessageBatch: {count} messages not taken: {code}")
            }
        }
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
