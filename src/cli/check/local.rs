//! What this machine has to offer: a database, a secret, a port.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::path::Path;

use rustix::fs::Access;
use tokio::net::TcpListener;

use super::{CheckReport, durability};
use crate::config::{Config, permissions};
use crate::database::{Database, Inspection, OpenError, ServerLock, Standing};
use crate::receive::signature::{Policy, Verifier};

/// What there is for a database.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    /// A server works on it.
    pub in_use: bool,
    pub schema: Schema,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// There is no database, or none that can be looked into.
    None,
    Ours,
    /// That of an older or a newer docket.
    Another,
}

/// Settings that cannot work, whatever else is right; and files that others can read.
pub fn settings(report: &mut CheckReport, config: &Config) -> io::Result<()> {
    const CHECK: &str = "settings";
    let unusable = config.unusable();
    for wrong in &unusable {
        report.fail(CHECK, wrong)?;
    }
    if unusable.is_empty() {
        report.ok(CHECK, "each number is one that can work")?;
    }
    match &config.endpoints {
        Ok(endpoints) => {
            for endpoint in endpoints {
                let (name, host) = (&endpoint.name, endpoint.host());
                let test = "docket notify test says whether it takes messages";
                report.ok(
                    "notify",
                    format!("{name}: {} kinds of news go to {host}; {test}", endpoint.kinds.len()),
                )?;
            }
        }
        Err(error) => report.fail("notify", error.to_string())?,
    }
    for finding in permissions::findings(config) {
        report.warn("rights", finding)?;
    }
    Ok(())
}

/// Looks at the database and makes none: the server that makes it may be another user's.
pub async fn database(report: &mut CheckReport, config: &Config) -> io::Result<Place> {
    const CHECK: &str = "database";
    let nothing = Place { in_use: false, schema: Schema::None };
    let in_use = match ServerLock::holder(&config.database).await {
        Ok(holder) => holder.is_some(),
        Err(OpenError::Missing(path)) => {
            missing(report, &path)?;
            return Ok(nothing);
        }
        Err(error) => {
            report.fail(CHECK, error.to_string())?;
            return Ok(nothing);
        }
    };
    match Database::inspect(&config.database).await {
        Ok(seen) => {
            judge(report, &seen, in_use)?;
            if let Some(kept) = &seen.durability {
                durability::judge(report, kept)?;
            }
            let is_ours = seen.schema.standing == Standing::Usable;
            let schema = if is_ours { Schema::Ours } else { Schema::Another };
            Ok(Place { in_use, schema })
        }
        Err(error) => {
            report.fail(CHECK, error.to_string())?;
            Ok(Place { in_use, schema: Schema::None })
        }
    }
}

fn missing(report: &mut CheckReport, path: &Path) -> io::Result<()> {
    const CHECK: &str = "database";
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let shown = path.display();
    if !folder.is_dir() {
        let words = format!(
            "there is no folder {} for {shown}: make it, or put database.url where this user can write",
            folder.display()
        );
        return report.fail(CHECK, words);
    }
    match rustix::fs::access(folder, Access::WRITE_OK | Access::EXEC_OK) {
        Ok(()) => report.ok(CHECK, format!("{shown} is not there yet; the server makes it")),
        Err(error) => report.fail(
            CHECK,
            format!(
                "{} cannot be written ({error}): put database.url where this user can write",
                folder.display()
            ),
        ),
    }
}

fn judge(report: &mut CheckReport, seen: &Inspection, in_use: bool) -> io::Result<()> {
    const CHECK: &str = "database";
    let Inspection { engine, schema, .. } = seen;
    let writable = format!("writable, {engine}");
    let newer = match schema.unknown {
        0 => "",
        _ => "; a newer docket has changed its schema, and this version can work beside it",
    };
    match (schema.standing, in_use) {
        (Standing::Beyond, _) => {
            let unknown = schema.unknown;
            report.fail(
                CHECK,
                format!(
                    "a newer docket has changed its schema ({unknown} unknown migrations): run that version"
                ),
            )
        }
        (Standing::Unfinished, _) => report.fail(
            CHECK,
            "it holds a part of another database: `docket database copy` was interrupted, or what it copied was not the same; run it \
             again",
        ),
        (Standing::Usable, false) => report.ok(CHECK, format!("{writable}{newer}")),
        (Standing::Usable, true) => report.ok(CHECK, format!("{writable}, in use by a running server{newer}")),
        (Standing::None | Standing::Behind, false) => {
            report.ok(CHECK, format!("{writable}; the next start brings its schema up to date"))
        }
        (Standing::None | Standing::Behind, true) => {
            report.ok(CHECK, format!("{writable}, in use by an older docket, whose schema is left as it is"))
        }
    }
}

pub fn secret(report: &mut CheckReport, config: &Config) -> io::Result<()> {
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

pub async fn listener(report: &mut CheckReport, config: &Config, in_use: bool) -> io::Result<()> {
    let (setting, address) = ("receive.listen", config.receive.listen);
    free(report, &Listener { check: "public listener", setting, address }, in_use).await
}

pub async fn operator(report: &mut CheckReport, config: &Config, in_use: bool) -> io::Result<()> {
    const CHECK: &str = "operator listener";
    if let Some(fault) = config.token_fault() {
        return report.fail(CHECK, fault.to_string());
    }
    if let Err(error) = config.operate.check(&config.secrets.tokens) {
        return report.fail(CHECK, error.to_string());
    }
    match config.operate.listen.0 {
        Some(address) => {
            free(report, &Listener { check: CHECK, setting: "operate.listen", address }, in_use).await
        }
        None => report.ok(CHECK, "off"),
    }
}

/// Where a server is to listen.
struct Listener {
    check: &'static str,
    /// Names the address.
    setting: &'static str,
    address: SocketAddr,
}

/// Whether a server could listen there.
async fn free(report: &mut CheckReport, listener: &Listener, in_use: bool) -> io::Result<()> {
    let Listener { check, setting, address } = *listener;
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
