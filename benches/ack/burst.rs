//! Bursts: as fast as it goes for some seconds, and then a SIGKILL; alone, and beside workers that have much to do.

use super::peers::Peers;
use super::{Ack, KINDS, Measured, UNCOVERED, median, start_bare};
use crate::database::Kept;
use crate::load::{self, Load};
use crate::process::Process;
use crate::server::Place;

/// What a burst is to reach, as a part of the ceiling, and what each acknowledgement may cost of the processor.
const PART_OF_CEILING: f64 = 0.70;
const CPU_MS_EACH: f64 = 0.03;

/// What is to be left of a burst's rate while the workers are busy.
const PART_BESIDE_WORK: f64 = 0.80;

impl Ack {
    /// Bursts of both kinds, each right after one on the bare server.
    pub(super) fn bursts(&mut self) -> anyhow::Result<()> {
        let mut found: [Vec<Measured>; 2] = Default::default();
        let mut peers = self.options.peers.then(|| Peers::open(self));
        for _ in 0..self.options.rounds {
            for ((what, workspace), found) in KINDS.into_iter().zip(&mut found) {
                let bare = self.bare_burst()?;
                let place = Place::new(&self.base, &self.stands)?;
                let server = place.serve()?;
                let measured = self.burst(what, workspace, &place, server)?;
                let measured = Measured { bare: Some(bare), ..measured };
                self.show(&measured);
                found.push(measured);
            }
            if let Some(peers) = &mut peers {
                peers.bursts(self)?;
            }
        }
        for ((what, _), found) in KINDS.into_iter().zip(&found) {
            let ratio = median(found.iter().filter_map(Measured::ratio));
            let cpu = median(found.iter().map(|one| one.cpu_per_1000)) / 1000.0;
            let measured = format!("{:.1} %", 100.0 * ratio);
            self.judge(what, "at least 70 % of the bare server", measured, ratio >= PART_OF_CEILING);
            let measured = format!("{cpu:.3} ms");
            self.judge(&format!("{what}, CPU each"), "at most 0.03 ms", measured, cpu <= CPU_MS_EACH);
        }
        if let Some(peers) = peers {
            let rates = found.iter().map(|found| median(found.iter().map(|one| one.rate)));
            peers.judge(self, rates.fold(f64::INFINITY, f64::min));
        }
        Ok(())
    }

    /// A burst on the bare server. Answers its rate.
    pub(super) fn bare_burst(&mut self) -> anyhow::Result<f64> {
        let (mut process, address) = start_bare()?;
        let load = self.closed(address);
        let (_, deliveries) = self.sign(UNCOVERED, self.options.seconds);
        let before = process.usage()?;
        let (outcome, after) = load::run(&load, deliveries, || {
            let used = process.usage()?;
            process.kill()?;
            Ok(used)
        })?;
        let measured = Measured::of("bare server", &load, &outcome, (before, after));
        self.show(&measured);
        self.bare.push(measured.rate);
        Ok(measured.rate)
    }

    /// A burst on a server that is ready, which is killed at its end.
    pub(super) fn burst(
        &mut self,
        what: &str,
        workspace: &str,
        place: &Place,
        server: Process,
    ) -> anyhow::Result<Measured> {
        let load = self.closed(place.address);
        let (name, deliveries) = self.sign(workspace, self.options.seconds);
        let on = On { what, name: &name, place, load: &load };
        self.load_and_kill(&on, deliveries, server)
    }

    /// Puts the load on the server, kills it while deliveries are under way, and counts what is in its database.
    pub(super) fn load_and_kill(
        &mut self,
        on: &On<'_>,
        deliveries: load::Deliveries,
        mut server: Process,
    ) -> anyhow::Result<Measured> {
        let signed = deliveries.len();
        let before = server.usage()?;
        let (outcome, after) = load::run(on.load, deliveries, || {
            let used = server.usage()?;
            server.kill()?;
            Ok(used)
        })?;
        let kept = Kept::find(on.place.path(), on.name, signed)?;
        self.acknowledged += outcome.answered.len();
        self.lost += outcome.answered.iter().filter(|one| !kept.has(one.number)).count();
        self.doubled += kept.more_than_once();
        let mut measured = Measured::of(on.what, on.load, &outcome, (before, after));
        measured.inbox = kept.waiting;
        Ok(measured)
    }

    /// A burst on a server that has nothing else to do, and one on a server whose workers have many jobs due.
    pub(super) fn busy(&mut self) -> anyhow::Result<()> {
        let jobs = self.options.jobs;
        self.stands.generate(jobs)?;
        let mut ratios = Vec::new();
        for _ in 0..self.options.rounds {
            let place = Place::new(&self.base, &self.stands)?;
            let server = place.serve()?;
            let idle = self.burst("burst, workers idle", UNCOVERED, &place, server)?;
            self.show(&idle);
            let place = Place::new(&self.base, &self.stands)?;
            // Queues a job for each file that Fastio has.
            place.docket(&["sweep"])?;
            let server = place.serve()?;
            let what = format!("burst, {jobs} jobs due");
            let busy = self.burst(&what, UNCOVERED, &place, server)?;
            self.show(&busy);
            ratios.push(busy.rate / idle.rate);
        }
        let ratio = median(ratios);
        let (goal, measured) = ("at least 80 % of the same without", format!("{:.1} %", 100.0 * ratio));
        self.judge("burst beside due jobs", goal, measured, ratio >= PART_BESIDE_WORK);
        Ok(())
    }
}

/// What a load is put on, and what it is called.
pub(super) struct On<'a> {
    pub what: &'a str,
    /// The deliveries' name.
    pub name: &'a str,
    pub place: &'a Place,
    pub load: &'a Load,
}
