//! What becomes of a one-time link.

use super::{Scenario, both, scenarios, told};
use testkit::deployed::{Deployed, Tab};

const MAIL: [(&str, &str); 2] =
    [("KEYVEND_MAIL_FROM", "keys@example.com"), ("KEYVEND_MAIL_DOMAINS", "example.com")];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum AboutLink {
    /// Opened with the code that was mailed.
    Collect,
    /// Five wrong codes.
    Guess,
    /// A second tab opens the link while the first shows its key.
    SecondTab,
    /// Nobody opens it.
    Expire,
    /// Its tab shows the key and is never heard of again.
    NeverConfirmed,
}

impl Scenario for AboutLink {
    type About = Option<Tab>;

    fn variables(self) -> &'static [(&'static str, &'static str)] {
        if matches!(self, Self::Collect | Self::Guess) { &MAIL } else { &[] }
    }

    async fn begin(self, keyvend: &Deployed) -> Option<Tab> {
        // What comes daily has come.
        Box::pin(keyvend.minute(1)).await;
        match self {
            Self::Collect => {
                keyvend.approved().await;
                None
            }
            Self::Guess => Some(keyvend.linked().await),
            Self::SecondTab => {
                let tab = keyvend.linked().await;
                keyvend.reveals(&tab).await;
                Some(tab)
            }
            Self::Expire => {
                let tab = keyvend.linked().await;
                keyvend.world.clock.advance(std::time::Duration::from_secs(3_600));
                Some(tab)
            }
            Self::NeverConfirmed => {
                let tab = keyvend.linked().await;
                keyvend.reveals(&tab).await;
                keyvend.world.clock.advance(std::time::Duration::from_secs(600));
                Some(tab)
            }
        }
    }

    async fn attempt(self, keyvend: &Deployed, tab: &Option<Tab>) {
        match (self, tab) {
            (Self::Collect, _) => drop(Box::pin(keyvend.persists()).await),
            (Self::Guess, Some(tab)) => {
                for number in 0..6 {
                    let wrong = keyvend::encoding::base64url(&[number; 32]);
                    if keyvend.post("/reveal/claim", &tab.claim(Some(&wrong))).await.0 == 423 {
                        break;
                    }
                }
                Box::pin(keyvend.outlives()).await;
            }
            (Self::SecondTab, Some(tab)) => {
                let (status, body) = keyvend.post("/reveal/claim", &keyvend.opens().claim(None)).await;
                assert!([409, 502, 503].contains(&status), "the second tab got {status} {body}");
                Box::pin(keyvend.outlives()).await;
                if let (200, body) = keyvend.post("/reveal/claim", &tab.claim(None)).await {
                    keyvend.post("/reveal/ack", &tab.ack(&tab.unseal(&body))).await;
                    Box::pin(keyvend.outlives()).await;
                }
            }
            _ => Box::pin(keyvend.minute(60)).await,
        }
    }

    async fn is_done(self, keyvend: &Deployed, tab: &Option<Tab>) -> bool {
        let key = keyvend.key_ids().pop().unwrap_or_default();
        match self {
            Self::Collect => both(keyvend, &key).await == ("Active".into(), "CONFIRMED".into()),
            Self::Guess => {
                let Some(tab) = tab else { return false };
                keyvend.ticket_stands(tab).await == "LOCKED" && told(keyvend, "Five wrong codes")
            }
            Self::SecondTab => {
                told(keyvend, "again in another browser tab")
                    && both(keyvend, &key).await == ("Active".into(), "CONFIRMED".into())
            }
            Self::Expire => told(keyvend, "expired unused"),
            Self::NeverConfirmed => {
                both(keyvend, &key).await == ("Inactive".into(), "INACTIVE".into())
                    && keyvend.offer("I saved it").is_some()
            }
        }
    }
}

scenarios! {
    opening_a_link_with_its_code: AboutLink::Collect;
    guessing_codes: AboutLink::Guess;
    second_claim: AboutLink::SecondTab;
    unopened_link: AboutLink::Expire;
    unconfirmed_key: AboutLink::NeverConfirmed;
}
