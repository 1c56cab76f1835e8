//! The machine that a table was made on, so that no number stands without it.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

pub struct Machine {
    processor: String,
    cores: usize,
    memory_gb: u64,
    kernel: String,
    /// The file system that databases lie on, and its device.
    disk: String,
    /// How many processes wanted to run when this began, as an average over a minute.
    busy: f64,
}

impl Machine {
    /// The machine as it is now, and the disk under `folder`.
    pub fn now(folder: &Path) -> Machine {
        let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let field = |text: &str, name: &str| {
            let line = text.lines().find(|line| line.starts_with(name));
            line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned())
        };
        let memory = field(&read("/proc/meminfo"), "MemTotal").unwrap_or_default();
        let kb: u64 = memory.split(' ').next().and_then(|kb| kb.parse().ok()).unwrap_or_default();
        Machine {
            processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(0, Into::into),
            memory_gb: kb.div_ceil(1024 * 1024),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            disk: disk(folder, &read("/proc/self/mounts")),
            busy: read("/proc/loadavg").split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "processor": self.processor, "cores": self.cores, "memory_gb": self.memory_gb,
            "kernel": self.kernel, "disk": self.disk, "load_before": self.busy,
        })
    }
}

impl std::fmt::Display for Machine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Machine { processor, cores, memory_gb, kernel, disk, busy } = self;
        write!(f, "{processor}, {cores} cores, {memory_gb} GB, Linux {kernel}, {disk}; load before: {busy}")
    }
}

/// The mount that `folder` is under.
fn disk(folder: &Path, mounts: &str) -> String {
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
    let mounts = mounts.lines().filter_map(|line| {
        let mut fields = line.split(' ');
        let (device, at, kind) = (fields.next()?, fields.next()?, fields.next()?);
        folder.starts_with(at).then_some((at.len(), format!("{kind} on {device}")))
    });
    mounts.max_by_key(|(length, _)| *length).map_or_else(|| "unknown".to_owned(), |(_, disk)| disk)
}
