//! HTTP as API Gateway delivers it.

pub mod api_gateway;
pub mod form_urlencoded;
