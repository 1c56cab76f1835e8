//! A process under measurement: what it used of the processor and of memory, with all that it started itself.

use std::collections::HashMap;
use std::fs;
use std::process::{Child, Command};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// Ticks in a second, as Linux counts processor time for /proc on every platform.
const TICKS: u64 = 100;

/// A process that does not outlive its handle.
pub struct Process {
    child: Child,
}

/// What a process and its children have used since they began.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub cpu_ms: u64,
    pub resident_kb: u64,
    /// The most that was resident at once, added up over the processes.
    pub peak_kb: u64,
}

impl std::ops::Add for Usage {
    type Output = Usage;

    fn add(self, other: Usage) -> Usage {
        Usage {
            cpu_ms: self.cpu_ms + other.cpu_ms,
            resident_kb: self.resident_kb + other.resident_kb,
            peak_kb: self.peak_kb + other.peak_kb,
        }
    }
}

impl Process {
    pub fn start(command: &mut Command) -> anyhow::Result<Process> {
        let name = command.get_program().to_owned();
        let child = command.spawn().with_context(|| format!("cannot start {}", name.display()))?;
        Ok(Process { child })
    }

    pub fn stdout(&mut self) -> anyhow::Result<std::process::ChildStdout> {
        self.child.stdout.take().context("its output is not piped")
    }

    /// An error when it has ended.
    pub fn lives(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            None => Ok(()),
            Some(status) => anyhow::bail!("it ended: {status}"),
        }
    }

    pub fn usage(&self) -> anyhow::Result<Usage> {
        let mut total = Usage::default();
        for pid in family(self.child.id())? {
            // One that has just ended is no longer counted; servers keep their processes.
            if let Some(usage) = usage(pid) {
                total = total + usage;
            }
        }
        Ok(total)
    }

    /// SIGKILL, for what it started too; returns when the process is gone.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        let started = family(self.child.id())?;
        self.child.kill()?;
        for pid in started.into_iter().skip(1).filter_map(|pid| Pid::from_raw(pid.try_into().ok()?)) {
            // It may have ended with its parent.
            let _ = kill_process(pid, Signal::KILL);
        }
        self.child.wait()?;
        Ok(())
    }

    /// SIGTERM, and whether it ended well.
    pub fn stop(&mut self) -> anyhow::Result<bool> {
        Command::new("/bin/kill").args(["-TERM", &self.child.id().to_string()]).status()?;
        Ok(self.child.wait()?.success())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already, and its number may be another's by now: only what is there is killed.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.kill();
        }
    }
}

/// The process and everything that it started, directly or not.
fn family(root: u32) -> anyhow::Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if let Some(parent) = stat(pid).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    Ok(found)
}

/// The fields of /proc/PID/stat after the name, which may hold anything; the first is the state.
fn stat(pid: u32) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = text.rsplit_once(')')?;
    Some(rest.split_whitespace().map(str::to_owned).collect())
}

/// What one process used, if there is one of that number.
pub fn usage(pid: u32) -> Option<Usage> {
    let fields = stat(pid)?;
    let ticks = |place: usize| fields.get(place).and_then(|ticks| ticks.parse::<u64>().ok());
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kb = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Usage {
        cpu_ms: (ticks(11)? + ticks(12)?) * 1000 / TICKS,
        resident_kb: kb("VmRSS:")?,
        peak_kb: kb("VmHWM:")?,
    })
}
