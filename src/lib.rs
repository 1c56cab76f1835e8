//! Docket keeps an OpenAI vector store in line with the files in Fastio.
//!
//! Fastio posts a webhook; [`receive`] checks its signature and puts its bytes in the inbox before it answers.
//! The drain turns inbox rows into [`event`]s and each event into a job in the [`queue`]. A worker claims the job,
//! and [`sync`] asks [`fastio`] what the file is *now*, plans what differs from what [`openai`] holds, and applies
//! the plan one idempotent step at a time. A webhook is a hint, never the truth.
//!
//! Where a rule says so, [`run`] has a model look at each new version once it is indexed, checks every quote of the answer
//! against the document, and writes the result beside it. What Docket writes is recognised as its [`own`].

// In reading order.
pub mod app;
pub mod audit;
pub mod cli;
pub mod clock;
pub mod compute;
pub mod config;
pub mod contain;
pub mod dashboard;
pub mod database;
pub mod erase;
pub mod erasure;
pub mod event;
pub mod fastio;
pub mod feed;
pub mod govern;
mod hidden;
pub mod history;
pub mod http;
pub mod import;
pub mod job;
pub mod lenient;
pub mod listen;
pub mod notify;
pub mod openai;
pub mod operate;
pub mod outside;
pub mod own;
pub mod queue;
pub mod receive;
pub mod rehearse;
pub mod request_id;
pub mod result;
pub mod retention;
pub mod rule;
pub mod run;
mod setting_error;
pub mod sync;
pub mod telemetry;
