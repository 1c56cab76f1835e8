//! Bursts of deliveries on Docket, and beside each a client that does nothing but insert rows of the same size in the same batches: as
//! many a commit as Docket put into one on average. And bursts on two servers of one database, beside those on one.

use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::json;
use tokio_postgres::NoTls;

use super::Run;
use crate::ack::median;
use crate::http;
use crate::load::{self, Deliveries, Load, Pace};
use crate::server::{Place, UNCOVERED};
use crate::stands::Stands;

const PART: f64 = 0.80;

/// More a second than any server of this shape was measured to take on two cores.
const MOST: usize = 60_000;

impl Run {
    pub(super) fn acks(&mut self) -> anyhow::Result<()> {
        let stands = Stands::start(&self.base, &[])?;
        self.report
            .say("acknowledgements           a second  a commit  only inserted   ratio  p50 ms  p99 ms");
        let mut ratios = Vec::new();
        for round in 0..self.options.rounds {
            let Burst { rate, p50, p99, batch, body_bytes } =
                self.burst(&stands, &format!("evt_pg{round:04}"), 1)?;
            let bare = self.inserts(batch, body_bytes)?;
            let ratio = rate / bare;
            ratios.push(ratio);
            self.report.row(
                &format!(
                    "burst, uncovered           {rate:>8.0} {batch:>9} {bare:>14.0} {:>6.1}% {p50:>7.2} {p99:>7.2}",
                    100.0 * ratio
                ),
                json!({"what": "burst", "acks_per_second": rate, "acks_per_commit": batch, "inserts_per_second": bare,
                       "ratio": ratio, "p50_ms": p50, "p99_ms": p99}),
            );
        }
        let ratio = median(ratios);
        let measured = format!("{:.1} %", 100.0 * ratio);
        self.judge(
            "acknowledgements",
            "at least 80 % of a client that only inserts",
            measured,
            ratio >= PART,
        );
        Ok(())
    }

    /// Bursts on one server and on two of one database, in turn.
    pub(super) fn acks_of_two(&mut self) -> anyhow::Result<f64> {
        let stands = Stands::start(&self.base, &[])?;
        let mut ratios = Vec::new();
        for round in 0..self.options.rounds {
            let one = self.burst(&stands, &format!("evt_one{round:04}"), 1)?.rate;
            let two = self.burst(&stands, &format!("evt_two{round:04}"), 2)?.rate;
            ratios.push(self.tell_two("acknowledgements", one, two));
        }
        Ok(median(ratios))
    }

    /// A burst on so many servers of its own on a database of its own, which are killed at its end; all that they acknowledged has to be
    /// there.
    fn burst(&mut self, stands: &Stands, name: &str, servers: usize) -> anyhow::Result<Burst> {
        let (database, url) = self.server.database()?;
        let (mut places, mut running) = (Vec::new(), Vec::new());
        for _ in 0..servers {
            let place = Place::on(&self.base, stands, &url)?;
            running.push(place.serve()?);
            places.push(place);
        }
        let seconds = self.options.seconds;
        let deliveries = Deliveries::sign(name, UNCOVERED, MOST * usize::try_from(seconds)?);
        let (signed, body_bytes) = (deliveries.len(), deliveries.body_bytes());
        let (connections, duration) = (self.options.connections, Duration::from_secs(seconds));
        let addresses = places.iter().map(|place| place.address).collect();
        let load = Load { addresses, connections, duration, pace: Pace::Closed };
        let (outcome, batch) = load::run(&load, deliveries, || {
            let metrics: Vec<String> = places
                .iter()
                .map(|place| http::must(place.operator, "GET", "/metrics", ""))
                .collect::<anyhow::Result<_>>()?;
            running.iter_mut().try_for_each(|server| server.kill())?;
            a_commit(&metrics)
        })?;
        anyhow::ensure!(!outcome.ran_out, "no signed delivery was left");
        let lost = outcome.lost(&self.server.kept(&database, KEPT, (name, signed))?);
        anyhow::ensure!(lost == 0, "{lost} deliveries were acknowledged and are not there");
        let latencies = outcome.latencies(duration);
        Ok(Burst {
            rate: outcome.rate(Duration::ZERO, duration),
            p50: latencies.ms(0.5),
            p99: latencies.ms(0.99),
            batch,
            body_bytes,
        })
    }

    /// How many rows a second a client inserts that does nothing else.
    fn inserts(&mut self, batch: usize, body_bytes: usize) -> anyhow::Result<f64> {
        let (_, url) = self.server.database()?;
        let seconds = Duration::from_secs(self.options.seconds);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
            tokio::spawn(connection);
            client.batch_execute(INBOX).await?;
            let insert = client.prepare(INSERT).await?;
            let number = vec![1_764_000_000_000_i64; batch];
            let (text, body) = (vec!["fastio_v1_base64"; batch], vec![vec![b'x'; body_bytes]; batch]);
            let (began, mut rows) = (Instant::now(), 0);
            while began.elapsed() < seconds {
                client.execute(&insert, &[&number, &number, &text, &number, &text, &body, &text]).await?;
                rows += batch;
            }
            Ok(rows as f64 / began.elapsed().as_secs_f64())
        })
    }
}

/// What came of a burst.
struct Burst {
    /// Acknowledgements a second.
    rate: f64,
    /// Milliseconds that one took.
    p50: f64,
    p99: f64,
    /// How many came into one commit.
    batch: usize,
    /// How long a body was.
    body_bytes: usize,
}

/// How many deliveries came into one commit, by what each server counts.
fn a_commit(servers: &[String]) -> anyhow::Result<usize> {
    let counted = |name: &str| -> anyhow::Result<f64> {
        let mut all = 0.0;
        for metrics in servers {
            let value = metrics.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            all += value.with_context(|| format!("no {name} in the metrics"))?.parse::<f64>()?;
        }
        Ok(all)
    };
    let mean = counted("docket_acknowledgement_seconds_count")? / counted("docket_inbox_commits_total")?;
    Ok(mean.round().max(1.0) as usize)
}

/// The ids of all events that are there, be they drained or not.
const KEPT: &str = "
    SELECT event_id FROM event UNION ALL SELECT convert_from(body, 'UTF8')::json ->> 'event_id' FROM inbox";

/// The columns of Docket's inbox.
const INBOX: &str = "
    CREATE TABLE inbox (inbox_id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, received_at BIGINT NOT NULL, signed_at BIGINT,
                        scheme TEXT NOT NULL, secret_index BIGINT NOT NULL, headers TEXT NOT NULL, body BYTEA NOT NULL, request_id TEXT)";

const INSERT: &str = "
    INSERT INTO inbox (received_at, signed_at, scheme, secret_index, headers, body, request_id)
    SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::bigint[], $5::text[], $6::bytea[], $7::text[])";
