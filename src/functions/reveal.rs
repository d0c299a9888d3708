//! The function that browsers call: one static page, and the claim of a ticket. It holds no secret and no right over
//! IAM; of the tables it may only read and update a ticket's attributes.

pub mod body;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::aws::item::{Table, number};
use crate::aws::{Sqs, TableNames, Tables, WriteError};
use crate::config::RevealConfig;
use crate::domain::ticket::claim::{self, Ack, Claim, ClaimOutcome, ClaimStep, StoredTicket, TicketWrite};
use crate::functions::gateway;
use crate::http::api_gateway::{Header, HttpRequest, HttpResponse};
use crate::id::TicketId;
use crate::queue::{ClaimEvent, ClaimMessage};
use crate::store::tickets::{READ, reveal_update};
use crate::time::Timestamp;

use crate::functions::reveal::body::Posted;

/// The page: the very bytes of the source.
pub const PAGE: &str = include_str!("../page/reveal.html");

/// How often a lost race is judged again.
const MAX_CONFLICT_RETRIES: usize = 4;

/// The `reveal` function.
pub struct Reveal {
    config: RevealConfig,
    dynamo: Tables,
    sqs: Sqs,
    page: HttpResponse,
}

impl Reveal {
    /// The function, from what it is told and the SDK's configuration.
    #[must_use]
    pub fn new(config: RevealConfig, sdk: &aws_config::SdkConfig) -> Self {
        let names = TableNames { tickets: config.tickets.clone(), ..TableNames::default() };
        Self { dynamo: Tables::new(sdk, names), sqs: Sqs::new(sdk), page: page(), config }
    }

    /// Answers one gateway event. Never fails: what cannot be done is a status.
    pub async fn handle(&self, event: Value, now: Timestamp) -> Value {
        let response = match HttpRequest::try_from(event) {
            Ok(request) => self.answer(&request, now).await,
            Err(error) => gateway::refusal(error),
        };
        response.into_event()
    }

    async fn answer(&self, request: &HttpRequest, now: Timestamp) -> HttpResponse {
        match (request.method(), request.path()) {
            // The same bytes for everybody; opening them does nothing.
            ("GET", "/reveal") => self.page.clone(),
            ("HEAD", "/reveal") => HttpResponse { body: String::new(), ..self.page.clone() },
            ("POST", "/reveal/claim") => match self.posted(request, body::claim) {
                Ok(posted) => self.claim(posted, now).await,
                Err(response) => response,
            },
            ("POST", "/reveal/ack") => match self.posted(request, body::ack) {
                Ok(posted) => self.acknowledge(posted, now).await,
                Err(response) => response,
            },
            (_, "/reveal") => error_response(405, "method-not-allowed").with_header("Allow", "GET, HEAD"),
            (_, "/reveal/claim" | "/reveal/ack") => {
                error_response(405, "method-not-allowed").with_header("Allow", "POST")
            }
            _ => error_response(404, "not-found"),
        }
    }

    /// What a tab of our own page posted; another site's page, and anything malformed, is turned away.
    fn posted<T>(
        &self,
        request: &HttpRequest,
        read: fn(&HttpRequest) -> Option<Posted<T>>,
    ) -> Result<Posted<T>, HttpResponse> {
        let ours = self.config.reveal_url.origin();
        if !matches!(request.header("origin"), Header::One(origin) if origin == ours) {
            return Err(error_response(403, "foreign-origin"));
        }
        if !matches!(request.header("sec-fetch-site"), Header::Absent | Header::One("same-origin")) {
            return Err(error_response(403, "foreign-origin"));
        }
        if !crate::http::form_urlencoded::is_media_type(
            request.header("content-type"),
            crate::http::form_urlencoded::JSON,
        ) {
            return Err(error_response(415, "not-json"));
        }
        read(request).ok_or_else(|| error_response(400, "bad-request"))
    }

    async fn claim(&self, posted: Posted<Claim>, now: Timestamp) -> HttpResponse {
        let Posted { tid, what } = posted;
        let answer = self.run(
            &tid,
            &what.proof_hash,
            now,
            |ticket| claim::claim(ticket, &what, now),
            |ticket, tries| claim::after_try(ticket, &what, tries, now),
        );
        self.render(&tid, answer.await).await
    }

    async fn acknowledge(&self, posted: Posted<Ack>, now: Timestamp) -> HttpResponse {
        let Posted { tid, what } = posted;
        let answer = self.run(
            &tid,
            &what.proof_hash,
            now,
            |ticket| claim::acknowledge(ticket, &what, now),
            |_, _| ClaimStep::Answer(ClaimOutcome::NotFound),
        );
        self.render(&tid, answer.await).await
    }

    /// Reads, judges, writes; a lost race is judged again on what is there then.
    async fn run(
        &self,
        tid: &TicketId,
        proof_hash: &[u8; 32],
        now: Timestamp,
        judge: impl Fn(&StoredTicket) -> ClaimStep,
        after_try: impl Fn(&StoredTicket, i64) -> ClaimStep,
    ) -> anyhow::Result<ClaimOutcome> {
        for _ in 0..MAX_CONFLICT_RETRIES {
            let Some(item) = self.dynamo.get(Table::Tickets, tid.as_str(), Some(READ)).await? else {
                return Ok(ClaimOutcome::NotFound);
            };
            let ticket = StoredTicket::try_from(&item)?;
            let mut step = judge(&ticket);
            if let ClaimStep::CountAttempt(write) = &step {
                match self.dynamo.update(Table::Tickets, tid.as_str(), &reveal_update(write)).await {
                    Ok(written) => step = after_try(&ticket, number(&written, "tries")?),
                    Err(WriteError::Conflict(_)) => continue,
                    Err(WriteError::Other(error)) => return Err(error),
                }
            }
            let answer = match step {
                ClaimStep::Answer(answer) => answer,
                ClaimStep::CountAttempt(_) => continue,
                ClaimStep::Write(write, answer) => {
                    match self.dynamo.update(Table::Tickets, tid.as_str(), &reveal_update(&write)).await {
                        Ok(_) => answer,
                        Err(WriteError::Conflict(_)) => continue,
                        Err(WriteError::Other(error)) => return Err(error),
                    }
                }
            };
            if answer == ClaimOutcome::Used {
                let misused = reveal_update(&TicketWrite::RecordMisuse { proof_hash: *proof_hash, now });
                match self.dynamo.update(Table::Tickets, tid.as_str(), &misused).await {
                    Ok(_) | Err(WriteError::Conflict(_)) => {}
                    Err(WriteError::Other(error)) => return Err(error),
                }
            }
            return Ok(answer);
        }
        anyhow::bail!("a ticket changed too often")
    }

    /// Queues what the worker must hear, and answers.
    async fn render(&self, tid: &TicketId, answer: anyhow::Result<ClaimOutcome>) -> HttpResponse {
        let queued = async {
            let answer = answer?;
            let event = match answer {
                ClaimOutcome::Working { attempt } => Some((ClaimEvent::Claimed, attempt)),
                ClaimOutcome::Confirmed => Some((ClaimEvent::Confirmed, 0)),
                ClaimOutcome::Used | ClaimOutcome::Locked => Some((ClaimEvent::Misused, 0)),
                ClaimOutcome::NotFound
                | ClaimOutcome::Sealed { .. }
                | ClaimOutcome::CodeWanted { .. }
                | ClaimOutcome::CodeWrong { .. }
                | ClaimOutcome::Expired
                | ClaimOutcome::Void
                | ClaimOutcome::Failed
                | ClaimOutcome::AlreadyConfirmed
                | ClaimOutcome::Unconfirmed
                | ClaimOutcome::WrongReceipt => None,
            };
            if let Some((event, attempt)) = event {
                self.queue(tid, event, attempt).await?;
            }
            anyhow::Ok(answer)
        };
        match queued.await {
            Ok(answer) => response(answer),
            Err(error) => {
                tracing::error!(error = format!("{error:#}"), "claim request failed");
                error_response(503, "try-again").with_header("Retry-After", "1")
            }
        }
    }

    async fn queue(&self, tid: &TicketId, event: ClaimEvent, attempt: i64) -> anyhow::Result<()> {
        let message = ClaimMessage { tid: tid.clone(), event, attempt };
        let deduplication = match event {
            ClaimEvent::Claimed => format!("{tid}.{}.{attempt}", event.as_str()),
            ClaimEvent::Confirmed | ClaimEvent::Misused => format!("{tid}.{}", event.as_str()),
        };
        self.sqs
            .send(&self.config.queue, serde_json::to_string(&message)?, tid.as_str(), &deduplication)
            .await
    }
}

fn response(answer: ClaimOutcome) -> HttpResponse {
    let encode = crate::encoding::base64url;
    let code =
        |what: &str, tries_left: i64| json_response(401, &json!({"error": what, "tries_left": tries_left}));
    match answer {
        ClaimOutcome::NotFound => error_response(404, "not-found"),
        ClaimOutcome::Sealed { enc, ct, aad } => {
            json_response(200, &json!({"enc": encode(&enc), "ct": encode(&ct), "aad": encode(&aad)}))
        }
        ClaimOutcome::Working { .. } => json_response(202, &json!({})),
        ClaimOutcome::Confirmed => json_response(200, &json!({})),
        ClaimOutcome::CodeWanted { tries_left } => code("code-wanted", tries_left),
        ClaimOutcome::CodeWrong { tries_left } => code("code-wrong", tries_left),
        ClaimOutcome::Used => error_response(409, "used"),
        ClaimOutcome::Expired => error_response(410, "expired"),
        ClaimOutcome::Void => error_response(410, "void"),
        ClaimOutcome::Failed => error_response(410, "failed"),
        ClaimOutcome::AlreadyConfirmed => error_response(410, "confirmed"),
        ClaimOutcome::Unconfirmed => error_response(410, "unconfirmed"),
        ClaimOutcome::Locked => error_response(423, "locked"),
        ClaimOutcome::WrongReceipt => error_response(400, "bad-request"),
    }
}

fn error_response(status: u16, what: &str) -> HttpResponse {
    json_response(status, &json!({"error": what}))
}

fn json_response(status: u16, body: &Value) -> HttpResponse {
    let mut response = HttpResponse::json(body);
    response.status = status;
    response.with_header("Cache-Control", "no-store").with_header("X-Content-Type-Options", "nosniff")
}

/// The page with its headers: nothing but its own two scripts and style may run, and nobody may keep, frame or read it.
fn page() -> HttpResponse {
    let scripts: Vec<String> = inline("script").map(|text| format!("'sha256-{text}'")).collect();
    let styles: Vec<String> = inline("style").map(|text| format!("'sha256-{text}'")).collect();
    let policy = format!(
        "default-src 'none'; script-src {}; style-src {}; connect-src 'self'; img-src data:; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        scripts.join(" "),
        styles.join(" ")
    );
    let mut response = HttpResponse::empty(200);
    response.body = PAGE.to_owned();
    [
        ("Content-Type", "text/html; charset=utf-8"),
        ("Content-Security-Policy", &policy),
        ("Cache-Control", "no-store"),
        ("Referrer-Policy", "no-referrer"),
        ("X-Content-Type-Options", "nosniff"),
        ("X-Frame-Options", "DENY"),
        ("X-Robots-Tag", "noindex, nofollow"),
        ("Strict-Transport-Security", "max-age=63072000; includeSubDomains"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Cross-Origin-Embedder-Policy", "require-corp"),
        ("Cross-Origin-Resource-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=()"),
    ]
    .into_iter()
    .fold(response, |response, (name, value)| response.with_header(name, value))
}

/// The hashes of the page's inline elements of one kind, base64.
fn inline(element: &str) -> impl Iterator<Item = String> {
    let (open, close) = (format!("<{element}>"), format!("</{element}>"));
    PAGE.split(open.as_str())
        .skip(1)
        .filter_map(move |rest| {
            rest.split(close.as_str()).next().map(|text| STANDARD.encode(Sha256::digest(text)))
        })
        .collect::<Vec<_>>()
        .into_iter()
}
