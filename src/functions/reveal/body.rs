//! Reading what the page posts: exactly these fields, each of its own length, or nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::domain::browser::Browser;
use crate::domain::ticket::claim::{Ack, Claim};
use crate::domain::ticket::hash;
use crate::domain::ticket::seal::ClaimKey;
use crate::http::api_gateway::{Header, HttpRequest};
use crate::id::{ClaimId, TicketId};

/// A body's ticket, and what is wanted of it.
#[derive(Debug)]
pub struct Posted<T> {
    pub tid: TicketId,
    /// The claim or confirmation.
    pub what: T,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClaimBody {
    tid: TicketId,
    proof: String,
    code: Option<String>,
    cid: ClaimId,
    #[serde(rename = "pub")]
    public: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AckBody {
    tid: TicketId,
    proof: String,
    cid: ClaimId,
    receipt: String,
}

fn bytes<const N: usize>(text: &str) -> Option<[u8; N]> {
    URL_SAFE_NO_PAD.decode(text).ok()?.try_into().ok()
}

/// `POST /reveal/claim`
pub fn claim(request: &HttpRequest) -> Option<Posted<Claim>> {
    let body: ClaimBody = serde_json::from_slice(request.body()).ok()?;
    let code_hash = match &body.code {
        None => None,
        Some(code) => Some(hash(&bytes::<32>(code)?)),
    };
    let what = Claim {
        proof_hash: hash(&bytes::<32>(&body.proof)?),
        code_hash,
        cid: body.cid,
        key: ClaimKey::try_from(URL_SAFE_NO_PAD.decode(&body.public).ok()?).ok()?,
        browser: browser(request.header("user-agent")),
    };
    Some(Posted { tid: body.tid, what })
}

/// `POST /reveal/ack`
pub fn ack(request: &HttpRequest) -> Option<Posted<Ack>> {
    let body: AckBody = serde_json::from_slice(request.body()).ok()?;
    let what = Ack {
        proof_hash: hash(&bytes::<32>(&body.proof)?),
        cid: body.cid,
        receipt_hash: hash(&bytes::<16>(&body.receipt)?),
    };
    Some(Posted { tid: body.tid, what })
}

fn browser(user_agent: Header<'_>) -> Browser {
    match user_agent {
        Header::One(text) => Browser::of_user_agent(text),
        _ => Browser::UNKNOWN,
    }
}
