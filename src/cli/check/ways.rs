//! How changes are learnt: which of the ways besides webhooks Fastio lets us go.

use std::io;

use super::Report;
use crate::fastio::Client;
use crate::feed::Settings;
use crate::feed::ways::ways;
use crate::sync::Rules;

/// A feed that is refused is no failure while a sweep finds everything; it is said all the same.
pub async fn learn(
    report: &mut Report,
    client: &Client,
    rules: &Option<Rules>,
    settings: &Settings,
) -> io::Result<()> {
    let Some(rules) = rules else { return Ok(()) };
    for way in ways(client, rules, settings).await {
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
                report.ok(way.name, format!("refused, so events are searched instead: {}", way.detail))?;
            }
            (false, _) => {
                report
                    .ok(way.name, format!("refused, so only webhooks and sweeps are left: {}", way.detail))?;
            }
        }
    }
    Ok(())
}
