//! What a run did and found, for a person or a program.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::check::Broken;
use crate::faults::Struck;
use crate::kill::Recovery;
use crate::options::Options;

pub struct Report {
    pub command: String,
    pub binary: String,
    pub seconds: f64,
    pub settle_seconds: f64,
    pub kills: usize,
    pub early_kills: usize,
    pub recoveries: Vec<Recovery>,
    /// The longest time until every server of several was ready again, in seconds.
    pub whole: f64,
    /// How often a server was killed or paused.
    pub stops: usize,
    pub failovers: usize,
    /// Acknowledged events that a failover lost, as `docket check` had said.
    pub lost_to_failovers: usize,
    /// File objects that a person had to delete after that.
    pub tidied: usize,
    /// How often a server ended by itself because what it needs was away.
    pub ended: usize,
    /// Different events that were acknowledged, by whatever delivery.
    pub events: usize,
    /// Answers of 202, repeats included.
    pub answers: u64,
    pub tries_in_vain: u64,
    pub acknowledged_by_stand_in: u64,
    pub changes: u64,
    pub files: usize,
    /// Files that were never gone, and found from their first copy to the end.
    pub always_found: usize,
    pub found_by_sweep: Value,
    pub runs: usize,
    /// To Fastio and to OpenAI.
    pub requests: (u64, u64),
    pub struck: Struck,
    pub broken: Vec<Broken>,
}

impl Report {
    pub fn holds(&self) -> bool {
        self.broken.is_empty()
    }

    fn longest(&self, of: impl Fn(&Recovery) -> f64) -> f64 {
        self.recoveries.iter().map(of).fold(0.0, f64::max)
    }

    fn median(&self) -> f64 {
        median(self.recoveries.iter())
    }

    /// Each harm with how often it came, and the median and the longest of the recoveries.
    fn by_harm(&self) -> Vec<(&'static str, usize, f64, f64)> {
        let mut harms: BTreeMap<&str, Vec<&Recovery>> = BTreeMap::new();
        for recovery in &self.recoveries {
            harms.entry(recovery.after).or_default().push(recovery);
        }
        let longest = |all: &[&Recovery]| all.iter().map(|one| one.seconds()).fold(0.0, f64::max);
        let told = |(after, all): (_, Vec<&Recovery>)| {
            (after, all.len(), median(all.iter().copied()), longest(&all))
        };
        harms.into_iter().map(told).collect()
    }

    fn cluster_words(&self) -> String {
        let mut words = String::new();
        for (after, times, median, longest) in self.by_harm() {
            words += &format!(
                "  {times:>6} {after}: back within {longest:.2} s, half of them within {median:.2} s\n"
            );
        }
        words
            + &format!(
                "all servers were ready within {:.2} s; {} ended by themselves while something was away; {} acknowledged events were \
             lost to {} failovers, and {} File objects had to be deleted by a person\n",
                self.whole, self.ended, self.lost_to_failovers, self.failovers, self.tidied
            )
    }

    pub fn print(&self, options: &Options) {
        if options.json {
            println!("{}", self.json());
        } else {
            print!("{}", self.words());
        }
    }

    fn json(&self) -> Value {
        json!({
            "holds": self.holds(),
            "broken": self.broken,
            "command": self.command,
            "binary": self.binary,
            "seconds": round(self.seconds),
            "settle_seconds": round(self.settle_seconds),
            "kills": self.kills,
            "kills_during_start": self.early_kills,
            "recoveries": self.recoveries.len(),
            "longest_recovery_seconds": round(self.longest(Recovery::seconds)),
            "median_recovery_seconds": round(self.median()),
            "longest_until_acknowledging_seconds": round(self.longest(|one| one.acknowledges)),
            "recoveries_by_harm": self.by_harm().into_iter().map(|(after, times, median, longest)| {
                json!({"after": after, "times": times, "median_seconds": round(median), "longest_seconds": round(longest)})
            }).collect::<Vec<_>>(),
            "longest_until_all_ready_seconds": round(self.whole),
            "servers_stopped": self.stops,
            "servers_ended_by_themselves": self.ended,
            "failovers": self.failovers,
            "events_lost_to_failovers": self.lost_to_failovers,
            "file_objects_deleted_by_a_person": self.tidied,
            "jobs_in_hand_at_kills": self.recoveries.iter().map(|one| one.in_hand).sum::<usize>(),
            "events": self.events,
            "acknowledgements": self.answers,
            "acknowledgements_to_the_stand_in": self.acknowledged_by_stand_in,
            "deliveries_in_vain": self.tries_in_vain,
            "changes": self.changes,
            "files": self.files,
            "files_never_unsearchable": self.always_found,
            "found_by_sweep": self.found_by_sweep,
            "runs": self.runs,
            "requests_to_fastio": self.requests.0,
            "requests_to_openai": self.requests.1,
            "faults": self.struck.values().sum::<u64>(),
            "faults_by_kind": self.struck,
        })
    }

    fn words(&self) -> String {
        let faults: u64 = self.struck.values().sum();
        let mut words = format!(
            "{} kills ({} during a start), {} events acknowledged ({} acknowledgements), {} changes, {} faults, {} runs\n",
            self.kills, self.early_kills, self.events, self.answers, self.changes, faults, self.runs
        );
        words += &format!(
            "{} recoveries: the longest {:.2} s, half of them within {:.2} s; acknowledging again within {:.2} s; \
             {} jobs were in hand when it died\n",
            self.recoveries.len(),
            self.longest(Recovery::seconds),
            self.median(),
            self.longest(|one| one.acknowledges),
            self.recoveries.iter().map(|one| one.in_hand).sum::<usize>(),
        );
        if self.whole > 0.0 {
            words += &self.cluster_words();
        }
        words += &format!(
            "{} files at the end, {} of them there all the time and found all the time; {} requests to Fastio, {} to OpenAI\n",
            self.files, self.always_found, self.requests.0, self.requests.1
        );
        words += &format!(
            "{:.0} s of kills and faults, {:.0} s until all was settled; {} binary\n",
            self.seconds, self.settle_seconds, self.binary
        );
        for (kind, hits) in &self.struck {
            words += &format!("  {hits:>6} {kind}\n");
        }
        for broken in &self.broken {
            words += &format!("BROKEN: {} ({} times)\n", broken.promise, broken.times);
            for example in &broken.examples {
                words += &format!("    {example}\n");
            }
        }
        match self.holds() {
            true => words + "holds\n",
            false => format!("{words}DOES NOT HOLD. To run it again: {}\n", self.command),
        }
    }
}

fn median<'a>(of: impl Iterator<Item = &'a Recovery>) -> f64 {
    let mut all: Vec<f64> = of.map(Recovery::seconds).collect();
    all.sort_unstable_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(0.0)
}

fn round(seconds: f64) -> f64 {
    (seconds * 1000.0).round() / 1000.0
}
