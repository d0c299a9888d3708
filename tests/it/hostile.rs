//! Whatever arrives at the functions is answered, and what nobody proved changes nothing.

mod browsers;
mod corpus;
mod messages;
mod strangers;
