//! Results: whether an answer fits its schema, whether its quotes stand in the document, and the files that people read.
//!
//! A library of pure functions: the same answer and the same document make the same bytes, and hostile text in either does
//! nothing. It knows of no run, database or service.

pub mod answer;
pub mod harmless;
pub mod judgement;
pub mod name;
pub mod plain;
pub mod quote;
pub mod render;
pub mod schema;
