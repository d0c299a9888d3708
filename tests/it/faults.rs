//! Every single fault at every call of the path and of other things that people do, pairs of them where a key is created, and
//! races: afterwards, always, nothing is lost and nothing is left behind.

mod fault;
mod matrix;
mod races;
mod scenarios;
