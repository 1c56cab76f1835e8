//! How many connections the operating system lets this process have. Each is an open file, and a process that runs out of
//! them can neither accept a connection nor open its own database.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::Limits;

/// Open files that are not the public listener's connections: the database and its readers, the operator listener's 128
/// connections, and what the workers hold at Fastio and OpenAI.
const OTHERS: usize = 320;

/// As much of `limits` as there can be. Raises the limit of open files as far as this process may.
pub fn fitting(limits: Limits) -> Limits {
    let open = raise();
    let room = open.saturating_sub(OTHERS).max(open / 2).max(2);
    if limits.connections + limits.waiting <= room {
        return limits;
    }
    // Fewer that wait cost the strangers among them; fewer that are served cost all senders.
    let connections = limits.connections.min(room * 3 / 4);
    if connections < limits.connections {
        tracing::warn!(
            limit = open,
            needed = limits.connections * 4 / 3 + OTHERS,
            connections,
            "the limit of open files is too low for receive.max_connections: fewer are served at once; raise it \
             (`ulimit -Hn`, systemd's LimitNOFILE, a container's ulimit nofile)"
        );
    }
    Limits { connections, waiting: room - connections, ..limits }
}

/// The soft limit, raised to the hard one. No limit at all is as good as the largest.
fn raise() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum });
    // Some systems accept less than the hard limit says; then what there was has to do.
    let limit = if raised.is_ok() { maximum } else { current };
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}
