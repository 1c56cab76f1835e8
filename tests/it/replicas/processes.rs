//! Real servers, each a process of its own.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use docket_sandbox::Options;
use docket_sandbox::journal::Entry;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::TcpSocket;

use super::{Balancer, config, environment, new_database, sql, world};
use crate::harness::beside::{Beside, again};
use crate::harness::ending::left;
use crate::harness::program::{Place, Program};
use crate::harness::records::Records;
use crate::harness::{Dies, ONE_STORE, World, openai};
use crate::notify;
use crate::notify::receiver::{NO_ANSWER, Receiver};

/// Some servers, each at its own address, behind a balancer.
struct Fleet {
    world: World,
    database: String,
    environment: Vec<(&'static str, String)>,
    place: Place,
    ports: Vec<TcpSocket>,
    servers: Vec<Option<Program>>,
    _balancer: Balancer,
}

impl Fleet {
    /// So many servers, none of which runs yet.
    async fn of(servers: usize, options: Options) -> Fleet {
        let port = |_| {
            let port = TcpSocket::new_v4().unwrap();
            port.set_reuseaddr(true).unwrap();
            port.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            port
        };
        let ports: Vec<TcpSocket> = (0..servers).map(port).collect();
        let balancer = Balancer::before(ports.iter().map(address).collect()).await;
        let (world, database) = (world(balancer.address, options).await, new_database());
        let place = Place::new();
        place.write("docket.toml", ONE_STORE);
        let servers = ports.iter().map(|_| None).collect();
        let environment = environment(&world, &database);
        Fleet { world, database, environment, place, ports, servers, _balancer: balancer }
    }

    /// Starts one; it may not be ready yet.
    fn start(&mut self, number: usize) {
        let listen = address(&self.ports[number]).to_string();
        let environment = [self.environment(), vec![("DOCKET_RECEIVE__LISTEN", listen.as_str())]].concat();
        self.servers[number] = Some(self.place.with(&environment).start(&["serve"]));
    }

    /// Starts all at once, and waits until they are ready.
    fn start_all(&mut self) {
        (0..self.servers.len()).for_each(|number| self.start(number));
        self.ready();
    }

    fn ready(&mut self) {
        self.ready_from(0);
    }

    /// Waits until the server of this number and those after it are ready, if they run.
    fn ready_from(&mut self, first: usize) {
        self.servers[first..].iter_mut().flatten().for_each(|server| drop(server.ready()));
    }

    fn environment(&self) -> Vec<(&str, &str)> {
        self.environment.iter().map(|(name, value)| (*name, value.as_str())).collect()
    }

    fn server(&mut self, number: usize) -> &mut Program {
        self.servers[number].as_mut().expect("it was started")
    }

    fn kill(&mut self, number: usize) {
        self.servers[number].take().expect("it was started").kill();
    }

    /// Which server has each role, by its number; those of servers that were removed are nobody's.
    fn leaders(&mut self) -> Vec<(String, usize)> {
        let rows = sql(
            &self.database,
            "SELECT role, name FROM leader JOIN replica USING (replica_id) WHERE until = 'infinity' ORDER BY role",
        );
        let processes: Vec<Option<u32>> =
            self.servers.iter().map(|server| server.as_ref().map(Program::id)).collect();
        let number = |name: &str| {
            processes
                .iter()
                .position(|process| process.is_some_and(|id| name.starts_with(&format!("process {id} on "))))
        };
        rows.lines()
            .filter_map(|line| line.split_once('|'))
            .filter_map(|(role, name)| Some((role.to_owned(), number(name)?)))
            .collect()
    }

    /// Waits until the work is done, and demands that both sides agree and nothing is left.
    async fn agrees(&self) {
        let beside = Beside::of(&self.database).await;
        let mut nothing_left = 0;
        beside
            .until(async |records| {
                self.world.sandbox.flush_webhooks().await;
                let (waiting, jobs) = (records.waiting().await, records.jobs().await);
                let dead: Vec<_> = jobs.iter().filter(|job| job.state == "dead").collect();
                assert!(dead.is_empty(), "{dead:#?}");
                nothing_left = if waiting == 0 && jobs.is_empty() { nothing_left + 1 } else { 0 };
                (nothing_left == 2).then_some(())
            })
            .await;
        let folder = TempDir::new().unwrap();
        let rules = config(&folder, &self.environment, ONE_STORE).rules().unwrap();
        let records = Records::of(&self.database).await;
        assert_eq!(left(&self.world, &records, &rules).await, [""; 0]);
        records.close().await;
    }

    /// Stops all in order.
    fn stop(mut self) {
        for server in self.servers.iter_mut().flatten() {
            assert_eq!(server.stop(), 0, "{}", server.err.rest());
        }
    }
}

fn address(port: &TcpSocket) -> SocketAddr {
    port.local_addr().unwrap()
}

/// What a request makes that must not be made twice at once: a File object of this name and these bytes, or its place in a store.
fn made(entry: &Entry) -> Option<String> {
    let parts = || serde_json::to_value(&entry.parts).unwrap();
    match (entry.method.as_str(), entry.path.as_str()) {
        ("POST", "/v1/files") => Some(format!("upload {}", named(&parts())?)),
        ("POST", path) if path.ends_with("/files") => {
            Some(format!("attach {}", entry.json.as_ref()?["file_id"].as_str()?))
        }
        _ => None,
    }
}

fn named(parts: &Value) -> Option<String> {
    let file = parts.as_array()?.iter().find(|part| part["filename"].is_string())?;
    Some(format!("{} {}", file["filename"], file["sha256"]))
}

/// Demands that nothing was made twice at the same time.
fn nothing_was_made_twice_at_once(world: &World) {
    let mut made: Vec<(String, i64, i64)> = world
        .sandbox
        .openai_core()
        .journal
        .requests()
        .iter()
        .filter_map(|entry| {
            let took = i64::try_from(entry.duration_ms).unwrap();
            Some((made(entry)?, entry.at_ms, entry.at_ms + took))
        })
        .collect();
    made.sort();
    assert!(made.len() > 1);
    for pair in made.windows(2) {
        assert!(pair[0].0 != pair[1].0 || pair[0].2 <= pair[1].1, "twice at once: {pair:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_servers_share_the_work_while_one_after_the_other_is_killed() {
    let options = Options { index_delay: Duration::from_millis(20), ..Options::default() };
    let mut fleet = Fleet::of(3, options).await;
    fleet.start_all();
    assert_eq!(sql(&fleet.database, "SELECT count(*) FROM replica"), "3");
    for number in 0..300 {
        fleet.world.put(&format!("/{number}.txt"), &format!("clause {number}")).await;
        match number {
            60 | 130 | 200 => fleet.kill(number % 3),
            90 | 160 | 230 => fleet.start((number - 30) % 3),
            _ => {}
        }
        if number % 3 == 0 {
            fleet.world.put(&format!("/{}.txt", number / 2), &format!("edited {number}")).await;
        }
        if number % 7 == 6 {
            fleet.world.trash(&format!("/{}.txt", number - 3)).await;
        }
    }
    fleet.agrees().await;
    nothing_was_made_twice_at_once(&fleet.world);
    assert_eq!(fleet.world.asked("POST", "/v1/vector_stores"), 1, "each made one for the rule");
    let status = fleet.place.with(&fleet.environment()).docket(&["status"]);
    assert_eq!((status.code, status.out.matches("process ").count()), (0, 3), "{status:?}");
    fleet.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_told_once_and_twice_with_one_id_where_its_sender_is_killed() {
    let (receiver, url) = Receiver::start().await;
    let mut fleet = Fleet::of(3, Options::default()).await;
    let database = fleet.database.clone();
    let told = notify::settings(&url, "kinds = ['sweep_stopped']\nevery_seconds = 1");
    fleet.place.write("docket.toml", &format!("{ONE_STORE}{told}"));
    fleet.environment.push(("NOTIFY_SECRET", notify::receiver::SECRET.to_owned()));
    fleet.start_all();
    let stops = |sweep: &str| {
        let add = "INSERT INTO sweep (sweep, started_at, ended_at, dry_run, outcome, report) VALUES";
        sql(&database, &format!("{add} ('{sweep}', 1, 2, 0, 'stopped', '{{}}')"));
    };
    let came = async |messages: usize| {
        again(async || Some(receiver.came()).filter(|came| came.len() >= messages)).await
    };
    stops("first");
    came(1).await;
    receiver.answers(&[(NO_ANSWER, None)]);
    stops("second");
    came(2).await;
    let leaders = fleet.leaders();
    let (_, sender) = leaders.iter().find(|(role, _)| role == "notifications").expect("one of them tells");
    let process = fleet.server(*sender).id();
    fleet.kill(*sender);
    // As the others do when they have not heard of it for some seconds.
    sql(&fleet.database, &format!("DELETE FROM replica WHERE name LIKE 'process {process} on %'"));
    let messages = came(3).await;
    let told: Vec<(&str, Value)> =
        messages.iter().map(|came| (came.proven().id(), came.json()["data"].clone())).collect();
    assert_eq!(told[1], told[2], "the same message, by another server");
    assert_ne!(told[0], told[1]);
    assert!(told.iter().all(|(_, data)| data["count"] == 1), "{told:?}");
    again(async || (sql(&database, "SELECT count(*) FROM news") == "0").then_some(())).await;
    fleet.stop();
    assert_eq!(receiver.came().len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_slept_for_longer_than_its_lease_is_followed_and_ends() {
    let mut fleet = Fleet::of(2, Options::default()).await;
    fleet.start(0);
    fleet.ready();
    let held = fleet.world.hold(&openai("POST", "/v1/files"), Dies::Before);
    fleet.world.put("/a.txt", "clause one").await;
    held.await;
    let sleeper = sql(&fleet.database, "SELECT replica_id FROM replica");
    fleet.server(0).signal("STOP");
    fleet.start(1);
    fleet.world.put("/b.txt", "clause two").await;
    fleet.agrees().await;
    assert_eq!(
        sql(&fleet.database, &format!("SELECT count(*) FROM replica WHERE replica_id = {sleeper}")),
        "0"
    );
    fleet.server(0).signal("CONT");
    let mut sleeper = fleet.servers[0].take().unwrap();
    assert_eq!(sleeper.wait(), 1);
    assert!(sleeper.err.rest().contains("taken over"), "{}", sleeper.err.rest());
    fleet.agrees().await;
    fleet.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_is_one_servers_and_another_ones_within_five_seconds_after_a_kill() {
    let mut fleet = Fleet::of(3, Options::default()).await;
    fleet.start(0);
    fleet.ready();
    fleet.start(1);
    fleet.start(2);
    let all = ["change feed", "drain", "retention", "rotation", "sweep"];
    let first: Vec<usize> = again(async || {
        let leaders = fleet.leaders();
        (leaders.len() == all.len()).then(|| leaders.into_iter().map(|(_, number)| number).collect())
    })
    .await;
    assert_eq!(first, [0; 5], "the others wait for it");
    fleet.ready_from(1);
    // They have been there for long enough to judge.
    again(async || {
        let since =
            "SELECT extract(epoch FROM clock_timestamp())::bigint - max(began_at) / 1000 > 5 FROM replica";
        (sql(&fleet.database, since) == "t").then_some(())
    })
    .await;
    fleet.kill(0);
    let killed = Instant::now();
    again(async || {
        let leaders = fleet.leaders();
        (leaders.len() == all.len()).then_some(())
    })
    .await;
    let took = killed.elapsed();
    assert!(took < Duration::from_secs(5), "{took:?}");
    fleet.world.put("/a.txt", "clause one").await;
    fleet.agrees().await;
    // In order, it takes no wait for a lease.
    let leader = fleet.leaders()[0].1;
    let mut stopped = fleet.servers[leader].take().unwrap();
    assert_eq!(stopped.stop(), 0);
    let began = Instant::now();
    again(async || (fleet.leaders().len() == all.len()).then_some(())).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    fleet.stop();
}
