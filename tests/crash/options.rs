//! What is asked of a crash test, and the words that explain it.

use clap::{Parser, ValueEnum};

/// Kills the server with SIGKILL at random moments while files change and Fastio and OpenAI misbehave, and checks at the
/// end that nothing was lost, nothing leaked, and no file that was there all the time was ever not found.
///
/// The server is the real binary; Fastio and OpenAI are `docket sandbox` in another process. It prints what it did and found,
/// and exits 1 when a promise does not hold, 2 when it is asked for something that makes no sense.
#[derive(Debug, Clone, Parser)]
#[command(name = "crash-test")]
pub struct Options {
    /// How often the server is killed
    #[arg(long, value_name = "N", default_value_t = 200)]
    pub kills: usize,
    /// How many different events the server has to acknowledge
    #[arg(long, value_name = "N", default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(100..))]
    pub events: u64,
    /// What changes, which faults strike and when it is killed follow from it
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub seed: u64,
    /// Several servers on one PostgreSQL: those, it and all between them are harmed
    #[arg(long)]
    pub cluster: bool,
    /// How many servers a cluster has
    #[arg(long, value_name = "N", default_value_t = 3, requires = "cluster", value_parser = clap::value_parser!(u8).range(1..=9))]
    pub replicas: u8,
    /// How many files there are; by default one for every fifty events, at least 60
    #[arg(long, value_name = "N")]
    pub files: Option<usize>,
    /// How changes are not learnt in this run, or what it goes without
    #[arg(long, value_name = "WHAT", value_enum)]
    pub without: Vec<Way>,
    /// Let the server sweep every minute as well; then nothing is judged before a sweep
    #[arg(long)]
    pub sweeps: bool,
    /// How many events a second are aimed at; by default a kill comes every four seconds
    #[arg(long, value_name = "N")]
    pub rate: Option<f64>,
    /// How long the server may take to be back after a kill
    #[arg(long, value_name = "SECONDS", default_value_t = 5.0)]
    pub recovery: f64,
    /// How long everything may take to settle once the faults are off
    #[arg(long, value_name = "SECONDS", default_value_t = 900)]
    pub patience: u64,
    /// Keep the folder with database, settings and logs even when all is well
    #[arg(long)]
    pub keep: bool,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Way {
    Webhooks,
    Feed,
    /// Texts that are cut
    Segments,
    /// What texts stand for: images, old mail, workbooks, links; and notes
    Texts,
    /// What Fastio fetches itself
    Imports,
    /// Runs that Fastio's AI is asked for first
    Fastio,
    /// Files of which there is no room for all
    Room,
}

/// Seconds between kills, on average: long enough for work to be under way, short enough for 200 in a quarter of an hour.
const SECONDS_PER_KILL: f64 = 4.0;

/// The same in a cluster, in which a lease has to run out first, and a database to come up.
const SECONDS_PER_HARM: f64 = 10.0;

impl Options {
    pub fn has(&self, way: Way) -> bool {
        !self.without.contains(&way)
    }

    pub fn files(&self) -> usize {
        let by_events = usize::try_from(self.events / 50).unwrap_or(usize::MAX);
        self.files.unwrap_or(by_events.max(60))
    }

    /// Whether the server sweeps while it is killed: on request, and where nothing else would find a change.
    pub fn sweeps(&self) -> bool {
        self.sweeps || !(self.has(Way::Webhooks) || self.has(Way::Feed))
    }

    /// Events a second.
    pub fn rate(&self) -> f64 {
        let kills = self.kills.max(5) as f64;
        let seconds = if self.cluster { SECONDS_PER_HARM } else { SECONDS_PER_KILL };
        self.rate.unwrap_or(self.events as f64 / (kills * seconds))
    }

    /// Which binary is tested.
    pub fn binary(&self) -> String {
        let own = if cfg!(debug_assertions) { "debug" } else { "release" };
        std::env::var("CRASH_TEST_BINARY").unwrap_or_else(|_| own.to_owned())
    }

    /// What starts the same run again.
    pub fn command(&self) -> String {
        let mut command = format!(
            "scripts/crash-test --kills {} --events {} --seed {}",
            self.kills, self.events, self.seed
        );
        if self.cluster {
            command += &format!(" --cluster --replicas {}", self.replicas);
        }
        if let Some(files) = self.files {
            command += &format!(" --files {files}");
        }
        if let Some(rate) = self.rate {
            command += &format!(" --rate {rate}");
        }
        if self.sweeps {
            command += " --sweeps";
        }
        for way in &self.without {
            command += &format!(" --without {}", format!("{way:?}").to_lowercase());
        }
        command
    }
}
