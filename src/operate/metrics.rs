//! `GET /metrics`, for Prometheus. What happened in this server is in its meters; what is, the database knows, and it is read
//! when it is asked for, at most once a second. So what several servers share each of them says alike.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::{Duration, Instant};

use prometheus_client::encoding::prometheus_text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::sync::Mutex;

use super::headroom::{Headroom, Remaining, Whose};
use super::status::{About, COPY_STATES, FILE_STATES, RUN_STATES, Status, of};
use super::verdict::Verdict;
use crate::clock::Clock;
use crate::database::{Connection, Database, Error};
use crate::notify::{self, Channel};
use crate::receive::{Counters, Level};
use crate::sync::budget::store::Held;
use crate::sync::budget::{Amount, Of};
use crate::sync::freshness::{Freshness, freshness};
use crate::telemetry::Meters;
use crate::{queue, receive};

/// How old an answer may be.
const FRESH: Duration = Duration::from_secs(1);

/// What the page is made of.
#[derive(Debug)]
pub struct Sources {
    pub database: Database,
    pub clock: Clock,
    pub headroom: Headroom,
    pub meters: Meters,
    pub counters: Arc<Counters>,
    pub inbox: Arc<Level>,
    pub about: About,
}

/// The page. Clones share it.
#[derive(Debug, Clone)]
pub struct Metrics(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    sources: Sources,
    measured: Registry,
    last: Mutex<Option<(Instant, Arc<str>)>>,
}

/// What is read beside the status.
struct Beside {
    freshness: Freshness,
    depths: Vec<(String, String, i64)>,
    oldest: Vec<(String, i64)>,
    channels: Vec<Channel>,
}

impl Metrics {
    pub fn new(sources: Sources) -> Metrics {
        let mut measured = Registry::default();
        sources.meters.register(&mut measured);
        measured.register(
            "docket_acknowledgement_seconds",
            "How long deliveries of Fastio's took until they were on disk and acknowledged",
            sources.counters.acknowledgements(),
        );
        measured.register(
            "docket_inbox_commits",
            "Commits that put deliveries on disk; those that come together share one",
            sources.inbox.commits(),
        );
        for (lane, waits) in sources.database.waits() {
            measured.sub_registry_with_label(("lane".into(), lane.into())).register(
                "docket_database_wait_seconds",
                "How long statements waited for a connection, by what it is for",
                waits,
            );
        }
        Metrics(Arc::new(Inner { sources, measured, last: Mutex::default() }))
    }

    /// All of it as Prometheus' text.
    ///
    /// # Errors
    /// The database's.
    pub async fn text(&self) -> Result<Arc<str>, Error> {
        // Whoever asks meanwhile waits and gets the same.
        let mut last = self.0.last.lock().await;
        if let Some((_, text)) = last.as_ref().filter(|(at, _)| at.elapsed() < FRESH) {
            return Ok(text.clone());
        }
        let text: Arc<str> = self.0.read().await?.into();
        *last = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

impl Inner {
    async fn read(&self) -> Result<String, Error> {
        let Sources { database, clock, headroom, about, .. } = &self.sources;
        let delivered = database.read_inbox(receive::waiting_since).await?;
        let beside = database.observe(|connection: &mut Connection| {
            Ok(Beside {
                freshness: freshness(connection)?,
                depths: queue::presence::depths(connection)?,
                oldest: queue::presence::oldest_by_kind(connection)?,
                channels: notify::channels(connection)?,
            })
        });
        let beside = beside.await?;
        let seen = Status::read(database).await?;
        let mut sheet = Sheet { registry: Registry::default(), now: clock.now() };
        sheet.server(about, &seen);
        sheet.deliveries(&seen, delivered);
        sheet.work(&seen, beside, about);
        sheet.held(&seen);
        sheet.limits(&headroom.remaining().await?);
        sheet.runs(&seen);
        sheet.storage(&seen, about);
        sheet.process();
        let mut text = String::new();
        let written = [&self.measured, &sheet.registry]
            .into_iter()
            .try_for_each(|registry| prometheus_text::encode(&mut text, registry));
        written.expect("a text takes all that is written to it");
        Ok(text)
    }
}

/// Numbers as of now.
struct Sheet {
    registry: Registry,
    now: i64,
}

type Series = Vec<(&'static str, String)>;

fn series<const N: usize>(labels: [(&'static str, &str); N]) -> Series {
    labels.into_iter().map(|(name, value)| (name, value.to_owned())).collect()
}

impl Sheet {
    fn gauges(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Series, f64)>) {
        let family = Family::<Series, Gauge<f64, AtomicU64>>::default();
        for (labels, value) in samples {
            family.get_or_create(&labels).inc_by(value);
        }
        self.registry.register(name, help, family);
    }

    fn gauge(&mut self, name: &str, help: &str, value: f64) {
        let gauge = Gauge::<f64, AtomicU64>::default();
        gauge.set(value);
        self.registry.register(name, help, gauge);
    }

    /// What the database counts, and goes on counting when another server is started on it.
    fn counters(&mut self, name: &str, help: &str, samples: impl IntoIterator<Item = (Series, i64)>) {
        let family = Family::<Series, Counter>::default();
        for (labels, value) in samples {
            family.get_or_create(&labels).inc_by(u64::try_from(value).unwrap_or_default());
        }
        self.registry.register(name, help, family);
    }

    /// Seconds since then; 0 where there is nothing.
    fn age(&self, since: Option<i64>) -> f64 {
        since.map_or(0.0, |since| (self.now - since).max(0) as f64 / 1_000.0)
    }

    fn server(&mut self, about: &About, seen: &Status) {
        let version = series([("version", &about.version)]);
        self.gauges("docket_build_info", "Always 1; the version is a label", [(version, 1.0)]);
        let servers = seen.servers.len().max(1) as f64;
        self.gauge("docket_servers", "Servers that work on this database", servers);
        let Verdict { reasons, .. } = Verdict::of(seen, true);
        let help = "Reasons for which a person is needed: docket status says them in words";
        self.gauge("docket_needs_person", help, reasons.len() as f64);
    }

    fn deliveries(&mut self, seen: &Status, delivered: Option<i64>) {
        let named = |wanted: &'static [&'static str]| {
            seen.received.iter().filter(move |(name, ..)| wanted.contains(&name.as_str()))
        };
        let help = "Deliveries by how they were answered, and why they were not taken";
        let deliveries = named(&["accepted", "rejected", "unavailable", "hung_up"])
            .map(|(name, label, value)| (series([("outcome", name), ("reason", label)]), *value))
            .collect::<Vec<_>>();
        self.counters("docket_deliveries", help, deliveries);
        let events = named(&["new", "duplicate"])
            .map(|(name, _, value)| (series([("told", name)]), *value))
            .collect::<Vec<_>>();
        self.counters("docket_events", "Events in what was taken: new ones, and those told again", events);
        self.gauge("docket_inbox_rows", "Deliveries that are no jobs yet", seen.inbox as f64);
        let help = "Age of the oldest delivery that is no job yet; 0 where there is none";
        self.gauge("docket_inbox_oldest_seconds", help, self.age(delivered));
    }

    fn work(&mut self, seen: &Status, beside: Beside, about: &About) {
        let Beside { freshness, depths, oldest, channels } = beside;
        let age = self.age(seen.oldest.as_ref().map(|oldest| oldest.since));
        self.gauge(
            "docket_oldest_change_seconds",
            "Age of the oldest change that cannot be searched yet; 0 where all can",
            age,
        );
        let rules: Vec<_> = about
            .rules
            .iter()
            // Of what was not looked at nothing is said.
            .filter(|rule| freshness.is_whole || freshness.rules.contains_key(*rule))
            .map(|rule| (series([("rule", rule)]), self.age(freshness.rules.get(rule).copied())))
            .collect();
        let help =
            "Age of the oldest change of a file of this rule that cannot be searched yet; 0 where all can";
        self.gauges("docket_freshness_seconds", help, rules);
        let depths = depths
            .iter()
            .map(|(kind, state, jobs)| (series([("kind", kind), ("state", state)]), *jobs as f64));
        self.gauges("docket_jobs", "Jobs by kind and state", depths);
        let oldest: Vec<_> =
            oldest.iter().map(|(kind, since)| (series([("kind", kind)]), self.age(Some(*since)))).collect();
        self.gauges("docket_job_oldest_seconds", "Age of the oldest job of a kind that is not dead", oldest);
        // A family adds up what has the same labels.
        let told = |number: fn(&Channel) -> i64| {
            let one = |channel: &Channel| (series([("endpoint", &channel.endpoint)]), number(channel) as f64);
            channels.iter().map(one).collect::<Vec<_>>()
        };
        let help = "News that wait for those who are told, up to a thousand of a kind";
        self.gauges("docket_notifications_waiting", help, told(|channel| channel.waiting));
        let help = "Kinds of news that an endpoint takes no more, because it said that it is gone";
        self.gauges("docket_notifications_closed", help, told(|channel| channel.closed));
        let states = |states: &[&'static str], counts: &[(String, i64)]| {
            let state = |state: &&'static str| (series([("state", *state)]), of(counts, state) as f64);
            states.iter().map(state).collect::<Vec<_>>()
        };
        self.gauges("docket_files", "Files by state", states(&FILE_STATES, &seen.files));
        self.gauges("docket_copies", "Copies at OpenAI by state", states(&COPY_STATES, &seen.copies));
        self.gauges("docket_runs", "Runs by state", states(&RUN_STATES, &seen.runs));
        self.gauge(
            "docket_unread_files",
            "Files in which OpenAI can read nothing, or next to nothing",
            seen.unread as f64,
        );
        let left = [
            (series([("what", "left")]), seen.leftovers.0 as f64),
            (series([("what", "unanswered")]), seen.leftovers.1 as f64),
        ];
        self.gauges(
            "docket_leftovers",
            "What runs left elsewhere, and what may be there and cannot be found",
            left,
        );
        if let Some(sweep) = &seen.sweep {
            self.gauge(
                "docket_sweep_age_seconds",
                "Since the last sweep ended",
                self.age(Some(sweep.ended_at)),
            );
            let stopped = f64::from(u8::from(sweep.waits()));
            self.gauge(
                "docket_sweep_stopped",
                "1 where the last sweep stopped and waits for a person",
                stopped,
            );
        }
        let feed = seen.feed.iter().map(|feed| (series([("way", &feed.way)]), 1.0));
        self.gauges("docket_feed", "1 at the way by which changes without webhooks are found", feed);
    }

    fn held(&mut self, seen: &Status) {
        let causes: Vec<_> = ["refusal", "outage"]
            .into_iter()
            .flat_map(|kind| {
                ["fastio", "openai"].map(|service| (series([("kind", kind), ("service", service)]), 0.0))
            })
            .chain(seen.pauses.iter().filter(|pause| pause.allowed.is_none()).map(|pause| {
                // What stands behind the service names a workspace, a vector store or a model.
                let service = pause.target.split(['/', ':']).next().unwrap_or_default();
                (series([("kind", &pause.kind), ("service", service)]), 1.0)
            }))
            .collect();
        self.gauges("docket_causes_open", "What holds work now: a service that refuses, or is down", causes);
        let stores = seen.full_stores.len() as f64;
        self.gauge(
            "docket_full_stores",
            "Vector stores that have been full and continue in another one",
            stores,
        );
        self.gauge("docket_paced_models", "Models whose runs begin a few at a time", seen.paced.len() as f64);
    }

    fn limits(&mut self, remaining: &[Remaining]) {
        let series = |Remaining { limit, whose, .. }: &Remaining| match whose {
            Whose::Account => vec![series([("limit", limit)])],
            Whose::Rules(rules) => {
                rules.iter().map(|rule| series([("limit", limit), ("rule", rule)])).collect()
            }
            Whose::Model(model) => vec![series([("limit", limit), ("model", model)])],
        };
        let all = |number: fn(&Remaining) -> u64| {
            let one = move |limit: &Remaining| {
                let number = number(limit) as f64;
                series(limit).into_iter().map(move |series| (series, number)).collect::<Vec<_>>()
            };
            remaining.iter().flat_map(one).collect::<Vec<_>>()
        };
        let help = "What may be done in a minute: by the account, in a rule's vector store, with a model";
        self.gauges("docket_limit", help, all(|limit| limit.most));
        self.gauges("docket_limit_left", "What of it is left now", all(|limit| limit.left));
    }

    fn runs(&mut self, seen: &Status) {
        let tokens = seen.spent.iter().flat_map(|sum| {
            [("input", sum.input_tokens), ("output", sum.output_tokens)]
                .map(|(way, tokens)| (series([("rule", &sum.rule), ("way", way)]), tokens as f64))
        });
        self.gauges("docket_run_tokens_day", "Tokens of the runs of the last 24 hours", tokens);
        let dollars = seen.spent.iter().map(|sum| (series([("rule", &sum.rule)]), sum.cost as f64 / 1e6));
        let help = "What the runs of the last 24 hours cost in US dollars, by the prices in the settings";
        self.gauges("docket_cost_day_dollars", help, dollars);
        let responses = seen.spent.iter().map(|sum| (series([("rule", &sum.rule)]), sum.responses as f64));
        self.gauges("docket_run_responses_day", "Responses that were begun in the last 24 hours", responses);
    }

    /// What OpenAI holds for each rule, what is out, and of what.
    fn storage(&mut self, seen: &Status, about: &About) {
        let places = |number: fn(&Amount) -> i64| {
            let of_rule = |(rule, held): (&String, &Held)| {
                let places = [
                    ("in", held.staying),
                    ("leaving", held.leaving),
                    ("out", held.out),
                    ("kept_out", held.wanted),
                ];
                places.map(|(place, amount)| {
                    (series([("rule", rule), ("place", place)]), number(&amount) as f64)
                })
            };
            seen.usage.rules.iter().flat_map(of_rule).collect::<Vec<_>>()
        };
        let help =
            "Files by rule: at OpenAI, leaving it, out by a budget, and kept out although they are wanted";
        self.gauges("docket_storage_files", help, places(|amount| amount.files));
        let help = "Bytes of these files, as they are or were uploaded";
        self.gauges("docket_storage_bytes", help, places(|amount| amount.bytes));
        let standings = about.storage.standings(&seen.usage);
        let used =
            standings.iter().map(|one| (series([("of", &one.scope.whose())]), one.percent() as f64 / 100.0));
        let help = "How much of a budget is used; 1 is full, and then what is used least leaves";
        self.gauges("docket_budget_used_ratio", help, used);
        let project = standings.iter().find(|one| one.scope.of == Of::Project);
        let bytes = project.map_or(0.0, |one| one.held.held().bytes as f64);
        let help = "Bytes of File objects in the project at OpenAI: Docket's, and others' as the last whole sweep saw them";
        self.gauge("docket_project_bytes", help, bytes);
        let help = "1 where these are near to what OpenAI lets the project hold";
        self.gauge("docket_storage_near", help, f64::from(u8::from(seen.storage_near.is_some())));
        let cost = project.map_or(0.0, |one| one.cost as f64 / 1e6);
        let help = "What Docket's copies in vector stores cost a day in US dollars, by the price in the settings, without what is free";
        self.gauge("docket_storage_day_dollars", help, cost);
    }

    /// Under the names that Prometheus' own clients use. Linux says it; elsewhere there is none.
    fn process(&mut self) {
        let Ok(status) = std::fs::read_to_string("/proc/self/status") else { return };
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kilobytes = resident.and_then(|text| text.split_whitespace().next()?.parse::<f64>().ok());
        if let Some(kilobytes) = kilobytes {
            self.gauge("process_resident_memory_bytes", "Memory that is in use", kilobytes * 1024.0);
        }
    }
}
