//! Keeps what this process knows out of core dumps: its memory holds the keys.

use std::io;

use rustix::process::{Resource, Rlimit, setrlimit};

/// No core is dumped from now on, and no other process of this user reads the memory.
///
/// # Errors
/// The operating system refuses.
pub fn keep_to_itself() -> io::Result<()> {
    setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) })?;
    // A program that collects dumps gets them whatever the limit says.
    #[cfg(target_os = "linux")]
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)?;
    Ok(())
}
