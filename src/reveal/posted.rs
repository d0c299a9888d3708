//! Reading what the page posts: exactly these fields, each of its own length, or nothing.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::claim::{Ack, Claim};
use crate::gateway::{Header, HttpRequest};
use crate::id::{ClaimId, TicketId};
use crate::seal::ClaimKey;
use crate::ticket::hash;

/// A body's ticket, and what is wanted of it.
#[derive(Debug)]
pub struct Posted<T> {
    /// The ticket.
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

/// "Firefox on Windows": enough for a person to know whether it was theirs. Nothing of the header's own text is kept.
fn browser(user_agent: Header<'_>) -> String {
    let Header::One(text) = user_agent else { return "an unnamed browser".to_owned() };
    let first = |names: &[(&str, &'static str)]| {
        names.iter().find(|(mark, _)| text.contains(mark)).map(|(_, name)| *name)
    };
    // Order matters: everybody says Safari, and Edge and Opera say Chrome.
    let browser = first(&[
        ("Edg", "Edge"),
        ("OPR/", "Opera"),
        ("Firefox/", "Firefox"),
        ("FxiOS", "Firefox"),
        ("Chrome/", "Chrome"),
        ("CriOS", "Chrome"),
        ("Safari/", "Safari"),
    ]);
    let system = first(&[
        ("Android", "Android"),
        ("iPhone", "iPhone"),
        ("iPad", "iPad"),
        ("Windows", "Windows"),
        ("CrOS", "ChromeOS"),
        ("Mac OS X", "macOS"),
        ("Linux", "Linux"),
    ]);
    match (browser, system) {
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(browser), None) => browser.to_owned(),
        (None, Some(system)) => format!("an unnamed browser on {system}"),
        (None, None) => "an unnamed browser".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_browser_is_named_by_a_few_fixed_words() {
        let cases = [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
                "Firefox on Windows",
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
                "Safari on macOS",
            ),
            (
                "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36",
                "Chrome on Linux",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 Chrome/140 Safari/537.36 Edg/140",
                "Edge on Windows",
            ),
            ("curl/8.0 <script>", "an unnamed browser"),
        ];
        for (text, expected) in cases {
            assert_eq!(browser(Header::One(text)), expected, "{text}");
        }
        assert_eq!(browser(Header::Absent), "an unnamed browser");
    }
}
