//! The answer to an event that is no HTTP request, in words.

use crate::http::api_gateway::{GatewayEventError, HttpResponse};
use crate::render::text;

#[must_use]
pub fn refusal(error: GatewayEventError) -> HttpResponse {
    match error {
        GatewayEventError::Malformed(_) => HttpResponse::text(400, text::NOT_A_REQUEST),
        GatewayEventError::TooLarge => HttpResponse::text(413, text::TOO_LARGE),
    }
}
