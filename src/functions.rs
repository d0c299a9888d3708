//! The two functions that face the internet, and what all functions share with the Lambda runtime.

pub mod gateway;
pub mod reveal;
pub mod runtime;
pub mod slack;
