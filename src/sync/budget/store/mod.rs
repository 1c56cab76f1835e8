//! The tables `file_out`, `room_count`, `storage_seen` and `storage_near`.

mod admit;
mod out;
mod usage;

pub(super) use admit::shrink;
pub use admit::{Admission, Wanted, admit, fits};
pub(in crate::sync) use out::forget;
pub use out::{bring, out_page, out_reason, rename_rule, unused, used};
pub(super) use out::{refill, rules_with_out};
pub(super) use usage::set_near;
pub use usage::{Held, Usage, near, saw, usage};
