//! How changes are learnt: which of the ways besides webhooks Fastio lets us go.

use std::io;

use super::CheckReport;
use crate::fastio::{Client, Profile};
use crate::feed::Settings;
use crate::feed::ways::ways;

/// A feed that is refused is no failure while a sweep finds everything; it is said all the same. `profiles` are those that
/// can be read: of one that is not there, nothing more is to be said.
pub async fn learn(
    report: &mut CheckReport,
    client: &Client,
    profiles: &[Profile],
    settings: &Settings,
) -> io::Result<()> {
    for way in ways(client, profiles, settings).await {
        match (way.works, way.name) {
            (true, _) => report.ok(way.name, way.detail)?,
            (false, "sweep") => {
                report
                    .ok(way.name, format!("no inventory, so folders are listed instead: {}", way.detail))?;
            }
            (false, _) if settings.org_id.is_none() => {
                report
                    .ok(way.name, format!("not used: {}; changes come by webhook and sweep", way.detail))?;
            }
            (false, "change feed") => {
                report.warn(way.name, format!("refused, so events are searched instead: {}", way.detail))?;
            }
            (false, _) => {
                report.warn(
                    way.name,
                    format!("refused, so only webhooks and sweeps are left: {}", way.detail),
                )?;
            }
        }
    }
    Ok(())
}
