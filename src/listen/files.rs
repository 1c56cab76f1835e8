//! How many connections the operating system lets this process have. Each is an open file, and a process that runs out of
//! them can neither accept a connection nor open its own database.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Open files that are not the public listener's connections: the database and its readers, the operator listener's 64
/// connections, and what the workers hold at Fastio and OpenAI.
const OTHERS: u64 = 256;

/// As many of the `wanted` connections as there can be. Raises the limit as far as this process may.
pub fn connections_for(wanted: usize) -> usize {
    let needed = (wanted as u64).saturating_add(OTHERS);
    let limit = raise();
    if limit >= needed {
        return wanted;
    }
    let connections = limit.saturating_sub(OTHERS).max(limit / 2).max(1);
    tracing::warn!(
        limit,
        needed,
        connections,
        "the limit of open files is too low for receive.max_connections: fewer are served at once; raise it \
         (`ulimit -Hn`, systemd's LimitNOFILE, a container's ulimit nofile)"
    );
    usize::try_from(connections).unwrap_or(wanted).min(wanted)
}

/// The soft limit, raised to the hard one. No limit at all is as good as the largest.
fn raise() -> u64 {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    // Some systems accept less than the hard limit says; then what there was has to do.
    if raised.is_ok() { maximum } else { current }.unwrap_or(u64::MAX)
}
