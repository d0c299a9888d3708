//! Mailing a code: text only, to one address.

use aws_sdk_ses::types::{Body, Content, Destination, Message};

use crate::aws::error::aws_error;

#[derive(Clone, Debug)]
pub struct Ses(aws_sdk_ses::Client);

/// Why a mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// SES refused this mail: it will not be accepted however often it is sent.
    #[error("SES refused the mail")]
    Refused,
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

impl Ses {
    #[must_use]
    pub fn new(config: &aws_config::SdkConfig) -> Self {
        Self(aws_sdk_ses::Client::new(config))
    }

    /// Sends one mail (<https://docs.aws.amazon.com/ses/latest/APIReference/API_SendEmail.html>).
    ///
    /// # Errors
    /// [`MailError`].
    pub async fn send(&self, from: &str, to: &str, subject: &str, text: &str) -> Result<(), MailError> {
        let content = |data: &str| Content::builder().data(data).charset("UTF-8").build();
        let built = (|| {
            let body = Body::builder().text(content(text)?).build();
            Ok::<_, aws_smithy_types::error::operation::BuildError>(
                Message::builder().subject(content(subject)?).body(body).build(),
            )
        })();
        let message = built.map_err(|_| anyhow::anyhow!("ses:SendEmail: the mail could not be built"))?;
        let sent = self
            .0
            .send_email()
            .source(from)
            .destination(Destination::builder().to_addresses(to).build())
            .message(message)
            .send()
            .await;
        match sent {
            Ok(_) => Ok(()),
            Err(error) => match error.as_service_error() {
                Some(refused)
                    if refused.is_message_rejected()
                        || refused.is_mail_from_domain_not_verified_exception()
                        || refused.is_account_sending_paused_exception() =>
                {
                    Err(MailError::Refused)
                }
                _ => Err(aws_error("ses:SendEmail", &error).into()),
            },
        }
    }
}
