//! What can be said of a folder of policies before it is deployed: whether it is valid, whether its cases hold, and
//! which policies or requests make no sense although they are valid. A warning stands on what was seen or tried; that
//! there is none proves nothing.

pub mod coverage;
pub mod report;
pub mod simulation;
pub mod warning;

pub use crate::policy::lint::report::{Report, check};
pub use crate::policy::lint::warning::Warning;
