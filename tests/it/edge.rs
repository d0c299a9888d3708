//! The internet-facing edge as a whole: gateway events in, an answer and perhaps a queue message out.

mod properties;
mod receive;
mod refused;
mod requests;
mod vectors;
