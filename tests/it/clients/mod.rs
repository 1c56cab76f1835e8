//! The clients against small servers that answer, hang up and lie as told.

mod fastio;
mod openai;
pub mod server;
