//! `docket check --ready`: would a webhook sent now be kept? For the health check of a container that holds nothing else
//! which could ask.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use url::Url;

use super::super::text::{head, prose};
use super::CheckReport;
use crate::config::Config;
use crate::http::{self, Base};

/// A commit takes milliseconds. A server that needs longer to say whether it is ready is not.
const LIMIT: Duration = Duration::from_secs(3);

/// A problem document of ours is shorter; another program's answer may be anything.
const SHOWN_CHARS: usize = 300;

pub async fn ask(report: &mut CheckReport, config: &Config) -> io::Result<()> {
    const CHECK: &str = "server";
    let address = from_here(config.receive.listen);
    match answer(address).await {
        Ok((true, _)) => report.ok(CHECK, format!("{address} is ready")),
        Ok((false, text)) => report.fail(CHECK, format!("{address} is not ready: {text}")),
        Err(why) => report.fail(CHECK, format!("{address} does not answer: {why}")),
    }
}

async fn answer(address: SocketAddr) -> Result<(bool, String), String> {
    let url = Url::parse(&format!("http://{address}/readyz")).expect("an address and a path make a URL");
    let base = Base::new(&url).map_err(|error| error.to_string())?;
    let client = http::client(&base).map_err(|failure| failure.detail)?;
    let unanswered = |error: reqwest::Error| {
        let why = if error.is_connect() { "nothing listens there" } else { "no answer came in time" };
        why.to_owned()
    };
    let answer = client.get(url).timeout(LIMIT).send().await.map_err(unanswered)?;
    let ready = answer.status().is_success();
    let text = answer.text().await.map_err(unanswered)?;
    Ok((ready, head(&prose(&text), SHOWN_CHARS)))
}

/// Where this machine reaches a server that listens there: everywhere includes here.
fn from_here(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_listens_everywhere_is_asked_here() {
        let asked = |listen: &str| from_here(listen.parse().unwrap()).to_string();
        assert_eq!(asked("0.0.0.0:8080"), "127.0.0.1:8080");
        assert_eq!(asked("[::]:80"), "[::1]:80");
        assert_eq!(asked("10.0.0.7:8080"), "10.0.0.7:8080");
    }
}
