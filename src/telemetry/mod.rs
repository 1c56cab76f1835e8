//! What is measured while it happens, for those who watch from outside: [`Meters`] for a scraper of `/metrics`, and spans for a
//! collector of traces ([`trace`]).
//!
//! What the database knows is not counted again here: the page of `/metrics` (`operate/metrics`) reads it. No label holds what others
//! chose: no path, no name, no id, no address.

mod calls;
mod meters;
pub mod trace;

pub use calls::{Call, Calls};
pub use meters::{Labels, Meters, seconds};
