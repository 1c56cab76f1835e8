//! What this machine has to offer: a database, a secret, a port.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::Report;
use crate::config::Config;
use crate::database::{Database, Inspection, OpenError, ServerLock};
use crate::receive::signature::{Policy, Verifier};

/// Whether a server works on it, if that could be found out.
pub async fn database(report: &mut Report, config: &Config) -> io::Result<bool> {
    const CHECK: &str = "database";
    let url = &config.database.url;
    // The error names the path. The URL is not shown: one for another database may hold a password.
    let in_use = match ServerLock::holder(url) {
        Ok(holder) => holder.is_some(),
        Err(OpenError::Missing(_)) => false,
        Err(error) => {
            report.fail(CHECK, error.to_string())?;
            return Ok(false);
        }
    };
    match Database::inspect(url).await {
        Ok(seen) => judge(report, &seen, in_use)?,
        Err(OpenError::Missing(path)) => match Database::open(url).await {
            Ok(database) => {
                database.close().await;
                report.ok(CHECK, format!("made {}", path.display()))?;
            }
            Err(error) => report.fail(CHECK, error.to_string())?,
        },
        Err(error) => report.fail(CHECK, format!("{error}; look at database.url"))?,
    }
    Ok(in_use)
}

fn judge(report: &mut Report, seen: &Inspection, in_use: bool) -> io::Result<()> {
    const CHECK: &str = "database";
    let Inspection { sqlite, missing, unknown } = seen;
    let writable = format!("writable, SQLite {sqlite}");
    match (missing, unknown, in_use) {
        (_, 1.., _) => report.fail(
            CHECK,
            format!("a newer docket has changed its schema ({unknown} unknown migrations): run that version"),
        ),
        (0, _, false) => report.ok(CHECK, writable),
        (0, _, true) => report.ok(CHECK, format!("{writable}, in use by a running server")),
        (_, _, false) => report.ok(CHECK, format!("{writable}; the next start brings its schema up to date")),
        (_, _, true) => {
            report.ok(CHECK, format!("{writable}, in use by an older docket, whose schema is left as it is"))
        }
    }
}

pub fn secret(report: &mut Report, config: &Config) -> io::Result<()> {
    const CHECK: &str = "webhook secret";
    let policy: Policy = match config.receive.check() {
        Ok(policy) => policy,
        Err(error) => return report.fail(CHECK, error.to_string()),
    };
    let faults = config.webhook_faults();
    for fault in &faults {
        report.fail(CHECK, fault.to_string())?;
    }
    if !faults.is_empty() {
        return Ok(());
    }
    let secrets = &config.secrets.fastio_webhook;
    match Verifier::new(secrets, policy) {
        Ok(_) if secrets.len() == 1 => report.ok(CHECK, "one is set"),
        Ok(_) => {
            report.ok(CHECK, format!("{} are set; the first signs what `docket send` posts", secrets.len()))
        }
        Err(error) => report.fail(CHECK, error.to_string()),
    }
}

pub async fn listener(report: &mut Report, config: &Config, in_use: bool) -> io::Result<()> {
    free(report, ("public listener", "receive.listen", config.receive.listen), in_use).await
}

pub async fn operator(report: &mut Report, config: &Config, in_use: bool) -> io::Result<()> {
    const CHECK: &str = "operator listener";
    if let Err(error) = config.operate.check(config.secrets.admin_token.as_ref()) {
        return report.fail(CHECK, error.to_string());
    }
    match config.operate.listen.0 {
        Some(address) => free(report, (CHECK, "operate.listen", address), in_use).await,
        None => report.ok(CHECK, "off"),
    }
}

/// Whether a server could listen on `address`, which `setting` names.
async fn free(
    report: &mut Report,
    (check, setting, address): (&str, &str, SocketAddr),
    in_use: bool,
) -> io::Result<()> {
    match TcpListener::bind(address).await {
        Ok(_) => report.ok(check, format!("{address} is free")),
        Err(error) if error.kind() == ErrorKind::AddrInUse && in_use => {
            report.ok(check, format!("{address} is taken, by the running server as it seems"))
        }
        Err(error) if error.kind() == ErrorKind::AddrInUse => {
            let words =
                format!("another program listens on {address}: stop it, or set {setting} to a free port");
            report.fail(check, words)
        }
        Err(error) => report.fail(
            check,
            format!("cannot listen on {address}: {error}; set {setting} to an address of this machine"),
        ),
    }
}
