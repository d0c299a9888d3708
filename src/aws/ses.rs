//! Mailing a code: text only, to one address.

use aws_sdk_ses::operation::send_email::SendEmailError;
use aws_sdk_ses::types::{Body, Content, Destination, Message};

use crate::aws::error::aws_error;

#[derive(Clone, Debug)]
pub struct Ses(aws_sdk_ses::Client);

/// Why a mail was not accepted.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// SES refused this mail: it will not be accepted however often it is sent.
    #[error("ses:SendEmail: AWS answered {code}: {0}", code = .0.code())]
    Refused(MailRefusal),
    #[error(transparent)]
    Other(#[from] anyhow::Error),
}

/// Why SES refuses a mail. Its own words name the address, so they are not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MailRefusal {
    /// <https://docs.aws.amazon.com/ses/latest/dg/request-production-access.html>
    #[error(
        "an address is not verified: the account is in the SES sandbox of this region, or the address of \
         KEYVEND_MAIL_FROM is no verified identity there"
    )]
    Unverified,
    #[error("SES rejected the message")]
    Rejected,
    #[error("the custom MAIL FROM domain of the sending identity is not verified")]
    MailFromDomain,
    #[error("the configuration set of the sending identity does not exist")]
    ConfigurationSet,
    #[error("sending is paused for the account")]
    AccountPaused,
    #[error("sending is paused for the configuration set of the sending identity")]
    ConfigurationSetPaused,
}

impl MailRefusal {
    /// AWS's error code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Unverified | Self::Rejected => "MessageRejected",
            Self::MailFromDomain => "MailFromDomainNotVerifiedException",
            Self::ConfigurationSet => "ConfigurationSetDoesNotExist",
            Self::AccountPaused => "AccountSendingPausedException",
            Self::ConfigurationSetPaused => "ConfigurationSetSendingPausedException",
        }
    }

    /// What an error of the call is, if a refusal.
    fn of(error: &SendEmailError) -> Option<Self> {
        match error {
            SendEmailError::MessageRejected(rejected) => {
                let unverified = rejected.message().is_some_and(|text| text.contains("not verified"));
                Some(if unverified { Self::Unverified } else { Self::Rejected })
            }
            SendEmailError::MailFromDomainNotVerifiedException(_) => Some(Self::MailFromDomain),
            SendEmailError::ConfigurationSetDoesNotExistException(_) => Some(Self::ConfigurationSet),
            SendEmailError::AccountSendingPausedException(_) => Some(Self::AccountPaused),
            SendEmailError::ConfigurationSetSendingPausedException(_) => Some(Self::ConfigurationSetPaused),
            _ => None,
        }
    }
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
            Err(error) => match error.as_service_error().and_then(MailRefusal::of) {
                Some(refusal) => Err(MailError::Refused(refusal)),
                None => Err(aws_error("ses:SendEmail", &error).into()),
            },
        }
    }
}
