//! What rests on one writer in SQLite, and here on the database; and what a server that goes away, hangs or is another one means.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::replica::{Company, Replica, Timed, remove};
use super::server::Server;
use super::testing;
use super::turn::transaction;
use crate::database::error::Error;
use crate::database::lane::{Access, Manner};
use crate::database::sqlite::kept;
use crate::database::statement::Sql;
use crate::database::{Connection, Database, OpenError, ServerLock, Settings, params};

const ADD: Sql = Sql::listed("INSERT INTO receive_count (name, label, count) VALUES ($1, $2, $3)");
const SUM: Sql = Sql::listed("SELECT coalesce(sum(count), 0) FROM receive_count");
const COUNT: Sql = Sql::listed("SELECT count(*) FROM receive_count");
const SLEEP: Sql = Sql::listed("SELECT 1 FROM pg_sleep(600)");
const LOCK: Sql = Sql::listed("LOCK TABLE event IN ACCESS EXCLUSIVE MODE");
const EVENTS: Sql = Sql::listed("SELECT count(*) FROM event");
const PLANS: Sql = Sql::listed("SELECT current_setting('plan_cache_mode')");

async fn open() -> (String, Database) {
    let url = testing::url();
    let database = Database::open(&url).await.unwrap();
    (url, database)
}

/// Each adds what it finds there already and one more, which is right only for who is alone.
fn add(connection: &mut Connection, label: &str) -> Result<(), Error> {
    let sum: i64 = connection.one(SUM, params![])?;
    connection.run(ADD, params!["n", label, sum + 1]).map(drop)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_is_written_at_the_same_time_is_as_if_it_were_written_one_after_another() {
    let (_, database) = open().await;
    let begun = Arc::new(AtomicU32::new(0));
    let writes = (0..12).map(|number| {
        let begun = begun.clone();
        database.write(move |tx| {
            begun.fetch_add(1, Ordering::Relaxed);
            add(tx, &number.to_string())
        })
    });
    for written in futures_util::future::join_all(writes).await {
        written.unwrap();
    }
    // 1, 2, 4, …: each saw all before it.
    let sum: i64 = database.read(|c| c.one(SUM, params![])).await.unwrap();
    assert_eq!(sum, (1 << 12) - 1);
    assert!(begun.load(Ordering::Relaxed) > 12, "none was in another's way, so nothing was tried");
}

#[tokio::test]
async fn what_fails_takes_back_its_rows_also_where_the_failure_is_passed_over() {
    let (_, database) = open().await;
    database.write(|tx| add(tx, "a")).await.unwrap();
    let ignored = database.write(|tx| {
        tx.run(ADD, params!["n", "b", 1])?;
        // There already.
        let _ = tx.run(ADD, params!["n", "a", 1]);
        Ok(())
    });
    assert!(matches!(ignored.await, Err(Error::Conflict(_))), "it was told that it is written");
    let refused = database.read(|c| c.run(ADD, params!["n", "c", 1])).await;
    assert!(matches!(refused, Err(Error::Bug(_))), "{refused:?}");
    assert_eq!(database.read(|c| c.one::<i64>(COUNT, params![])).await.unwrap(), 1);
}

/// What a server is told of the time, which it does not go by here.
struct NoClock;

impl Timed for NoClock {
    fn passed(&self) -> i64 {
        0
    }

    fn told(&self, _: (i64, i64), said: i64) {
        assert!((jiff::Timestamp::now().as_millisecond() - said).abs() < 60_000, "{said}");
    }
}

/// On a thread that drives no tasks, as the server has one for it.
fn elsewhere<T: Send + 'static>(work: impl FnOnce(Server) -> T + Send + 'static, url: &str) -> T {
    let server = Server::of(&url.into()).unwrap();
    std::thread::spawn(move || work(server)).join().unwrap()
}

fn begin(url: &str) -> Replica {
    let company = Company::Servers(Arc::new(NoClock));
    elsewhere(|server| Replica::begin(server, company, Duration::ZERO), url).unwrap()
}

fn alone(url: &str) -> Result<Replica, OpenError> {
    elsewhere(|server| Replica::begin(server, Company::None, Duration::ZERO), url)
}

const SILENCE: Sql = Sql::listed("UPDATE replica_lease SET until = '-infinity' WHERE $1 = 0");

/// Has every server removed, as one is that is not heard of.
fn take_over(url: &str) {
    let silence = |tx: &mut Connection| {
        tx.run(SILENCE, params![0])?;
        remove(tx)
    };
    let removed = move |server: Server| {
        let mut connection = Connection::postgres(server.connect(Access::Write).unwrap());
        // It may just say that it is there.
        while transaction(&mut connection, Manner::Durable, silence)
            .map_or(true, |removed| removed.is_empty())
        {}
    };
    elsewhere(removed, url);
}

#[tokio::test]
async fn servers_work_beside_each_other_and_what_has_to_be_alone_beside_none() {
    let url = testing::url();
    let (first, second) = (begin(&url), begin(&url));
    let refused = alone(&url).unwrap_err().to_string();
    let ours = format!("process {}", std::process::id());
    assert!(refused.contains("already works") && refused.contains(&format!("{ours} on ")), "{refused}");
    let holder = ServerLock::holder(&url).await.unwrap().unwrap();
    assert_eq!(holder.matches(&ours).count(), 2, "{holder}");
    drop(first);
    assert!(alone(&url).is_err());
    drop(second);
    assert_eq!(ServerLock::holder(&url).await.unwrap(), None);
    let rebuild = alone(&url).unwrap();
    let company = Company::Servers(Arc::new(NoClock));
    assert!(elsewhere(|server| Replica::begin(server, company, Duration::ZERO), &url).is_err());
    assert!(!rebuild.lost().is_cancelled());
}

#[tokio::test]
async fn a_server_that_is_not_heard_of_is_removed_by_another_within_seconds() {
    let url = testing::url();
    let (lives, dies) = (begin(&url), begin(&url));
    // It is killed: nobody speaks for it any more.
    for table in ["replica_lease", "replica"] {
        testing::sql(&url, &format!("UPDATE {table} SET replica_id = 7 WHERE replica_id = {}", dies.id()));
    }
    dies.lost().cancelled().await;
    let began = Instant::now();
    while testing::sql(&url, "SELECT count(*) FROM replica WHERE replica_id = 7") != "0" {
        assert!(began.elapsed() < Duration::from_secs(6), "it is still there");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(!lives.lost().is_cancelled());
}

#[tokio::test]
async fn a_transaction_that_conflicts_in_its_first_question_is_begun_again() {
    let url = testing::url();
    let lock = ServerLock::Replica(begin(&url));
    let database = Database::open_under(&url, &lock).await.unwrap();
    // What is asked first conflicts twice before the work is tried, and once after that has conflicted as well.
    testing::script(
        &url,
        "CREATE SEQUENCE asked; CREATE SEQUENCE tried;
         CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('tried') = 1 THEN RAISE 'again' USING ERRCODE = '40001'; END IF; RETURN NEW; END $$;
         CREATE TRIGGER conflict BEFORE INSERT ON receive_count FOR EACH ROW EXECUTE FUNCTION conflict();
         CREATE OR REPLACE FUNCTION replica_lives(mine BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$ BEGIN
             IF nextval('asked') IN (1, 2, 4) THEN RAISE 'again' USING ERRCODE = '40001'; END IF; RETURN mine; END $$;",
    );
    database.write(|tx| add(tx, "once")).await.unwrap();
    assert_eq!(testing::sql(&url, "SELECT last_value FROM asked"), "5");
    assert_eq!(database.read(|c| c.one::<i64>(COUNT, params![])).await.unwrap(), 1);
}

#[tokio::test]
async fn a_server_that_was_slow_and_was_removed_writes_nothing_and_learns_of_it() {
    let url = testing::url();
    let lock = ServerLock::Replica(begin(&url));
    let database = Database::open_under(&url, &lock).await.unwrap();
    database.write(|tx| add(tx, "before")).await.unwrap();
    // In the middle of its work it is not heard of for long enough that another one removes it.
    let own = url.clone();
    let late = database.write(move |tx| {
        add(tx, "late")?;
        take_over(&own);
        // What others do is done without what has not been committed.
        testing::sql(&own, "INSERT INTO receive_count (name, label, count) VALUES ('n', 'next', 1)");
        Ok(())
    });
    let late = late.await;
    let after = database.write(|tx| add(tx, "after")).await;
    assert!(after.as_ref().is_err_and(|error| error.to_string().contains("taken over")), "{after:?}");
    let claim = database.claim(|tx| add(tx, "claim")).await;
    assert!(claim.is_err(), "{claim:?}");
    // The one that was under way may have been before the removal, and then it is whole; or it is not there.
    let labels = testing::sql(&url, "SELECT string_agg(label, ' ' ORDER BY label) FROM receive_count");
    let expected = if late.is_ok() { "before late next" } else { "before next" };
    assert_eq!(labels, expected, "{late:?}");
    lock.lost().cancelled().await;
}

#[tokio::test]
async fn what_another_server_has_read_is_not_changed_behind_its_back() {
    let url = testing::url();
    let lock = ServerLock::Replica(begin(&url));
    let database = Database::open_under(&url, &lock).await.unwrap();
    let own = url.clone();
    let late = database.write(move |tx| {
        // It sees no row of this kind, and adds one.
        let _: i64 = tx.one(SUM, params![])?;
        take_over(&own);
        // Another one, by whose view of the rows it goes on.
        let next = begin(&own);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let seen = runtime.block_on(async {
            let lock = ServerLock::Replica(next);
            let database = Database::open_under(&own, &lock).await.unwrap();
            let seen = database.write(|tx| add(tx, "follower")).await;
            database.close().await;
            seen
        });
        seen.unwrap();
        add(tx, "late")
    });
    let late = late.await;
    assert!(late.as_ref().is_err_and(Error::will_pass), "{late:?}");
    assert_eq!(testing::sql(&url, "SELECT string_agg(label, ' ') FROM receive_count"), "follower");
}

#[tokio::test]
async fn one_server_has_a_role_and_another_one_when_that_has_gone() {
    let url = testing::url();
    let open = async |lock: &ServerLock| Database::open_under(&url, lock).await.unwrap();
    let (first, second) = (ServerLock::Replica(begin(&url)), ServerLock::Replica(begin(&url)));
    let (one, other) = (open(&first).await, open(&second).await);
    assert!(one.take_turn("drain", None).await.unwrap() && one.take_turn("drain", None).await.unwrap());
    assert!(!other.take_turn("drain", None).await.unwrap());
    assert!(other.take_turn("store", Some(Duration::from_millis(1))).await.unwrap());
    let roles = other.read(Connection::servers).await.unwrap().into_iter().map(|server| server.roles);
    assert_eq!(
        roles.collect::<Vec<_>>(),
        [vec!["drain".to_owned()], vec![]],
        "what ends by itself is no role"
    );
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(one.take_turn("store", None).await.unwrap(), "its time is over");
    one.end_turn("drain").await.unwrap();
    assert!(other.take_turn("drain", None).await.unwrap());
    take_over(&url);
    let third = ServerLock::Replica(begin(&url));
    assert!(open(&third).await.take_turn("drain", None).await.unwrap());
    assert!(!other.take_turn("drain", None).await.unwrap_or(false), "it is no more");
}

#[tokio::test]
async fn a_connection_that_was_cut_is_opened_anew() {
    let (url, database) = open().await;
    let kill = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
                WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for label in ["a", "b", "c"] {
        database.write(move |tx| add(tx, label)).await.unwrap();
        database.read(|c| c.one::<i64>(COUNT, params![])).await.unwrap();
        assert_ne!(testing::sql(&url, kill), "0");
    }
    assert_eq!(database.read(|c| c.one::<i64>(COUNT, params![])).await.unwrap(), 3);
    // In the middle of the work it fails, and that passes.
    let own = url.clone();
    let cut = database.write(move |tx| {
        add(tx, "d")?;
        testing::sql(&own, kill);
        add(tx, "e")
    });
    assert!(cut.await.unwrap_err().will_pass());
    assert_eq!(database.read(|c| c.one::<i64>(COUNT, params![])).await.unwrap(), 3);
}

#[tokio::test]
async fn an_acknowledgement_waits_for_no_work_and_has_a_deadline_of_its_own() {
    let (url, database) = open().await;
    let ours = database.clone();
    let held = tokio::spawn(async move {
        let locks = (0..Settings::from(&url).writers).map(|_| {
            ours.write(|tx| {
                tx.run(LOCK, params![])?;
                std::thread::sleep(Duration::from_secs(3));
                Ok(())
            })
        });
        futures_util::future::join_all(locks).await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let began = Instant::now();
    database.write_inbox(|tx| add(tx, "inbox")).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    let began = Instant::now();
    let late = database.write_inbox(|tx| tx.run(SLEEP, params![])).await;
    assert!(late.as_ref().is_err_and(Error::will_pass), "{late:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    // Whoever waited for the lock for too long is told so.
    for written in held.await.unwrap() {
        assert!(written.is_ok() || written.is_err_and(|error| error.will_pass()));
    }
    assert_eq!(database.read(|c| c.one::<i64>(EVENTS, params![])).await.unwrap(), 0);
}

#[tokio::test]
async fn the_schema_is_made_once_however_many_begin_and_with_no_lock_of_a_session() {
    let url = testing::nothing();
    let opened = futures_util::future::join_all((0..4).map(|_| Database::open(&url))).await;
    for database in opened {
        let database = database.unwrap();
        database.write(|_| Ok(())).await.unwrap();
    }
    let applied =
        testing::sql(&url, "SELECT name || '.sql' FROM docket_migration WHERE version > 0 ORDER BY version");
    let folder = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations/postgres")).unwrap();
    let mut files: Vec<_> = folder.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    files.sort();
    assert_eq!(applied.lines().collect::<Vec<_>>(), files, "each once, in their order");
    assert_eq!(testing::sql(&url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"), "0");
    testing::sql(&url, "INSERT INTO docket_migration (version, name, checksum) VALUES (9999, 'x', 'x')");
    let newer = Database::open(&url).await.unwrap_err();
    assert!(matches!(newer, OpenError::AheadSchema(_)), "{newer}");
}

#[tokio::test]
async fn who_may_not_migrate_waits_for_who_may() {
    let url = testing::nothing();
    let waits = Settings { migrate: false, ..Settings::from(&url) };
    let missing = Database::open_existing(&waits).await.unwrap_err();
    assert!(missing.to_string().contains("docket migrate"), "{missing}");
    let (opened, migrated) = tokio::join!(Database::open(&waits), Database::migrate(&url));
    migrated.unwrap();
    opened.unwrap().write(|_| Ok(())).await.unwrap();
}

#[tokio::test]
async fn what_stands_in_the_way_is_told_with_its_cure_and_without_a_secret() {
    let url = testing::nothing();
    let none = url.replace("/test_", "/none_").replace("docket@", "docket:geheim@");
    for (url, part) in [
        (none.as_str(), "CREATE DATABASE"),
        ("postgres://docket:geheim@127.0.0.1:1/docket", "start it"),
        ("postgres://docket:geheim@/docket", "no URL"),
        ("postgres://127.0.0.1/docket", "no user"),
        ("postgres://docket:geheim@127.0.0.1/docket?sslmode=prefer", "verify-full"),
        ("postgres://docket:geheim@127.0.0.1/docket?sslrootcert=/none.pem&sslmode=verify-full", "/none.pem"),
        ("postgres://docket:geheim@127.0.0.1:99999/docket", "URL"),
    ] {
        let error = Database::open(url).await.unwrap_err().to_string();
        assert!(error.contains(part) && !error.contains("geheim"), "{url}: {error}");
    }
}

#[tokio::test]
async fn kept_numbers_are_what_counting_gives_after_any_life_also_when_they_are_folded() {
    let miscounted = include_str!("../../../tests/it/harness/kept.sql").replace("instr(", "strpos(");
    for seed in 0..3 {
        let (url, database) = open().await;
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..4 {
            let mut life = String::new();
            kept::changed(&mut random, 100, true, |sql| life.push_str(&format!("{sql};\n")));
            testing::script(&url, &life);
            assert_eq!(testing::sql(&url, &miscounted), "", "seed {seed}");
            database.fold_counts().await.unwrap();
            assert_eq!(testing::sql(&url, &miscounted), "", "seed {seed}, folded");
        }
        // A few changes cost nothing to add up. Many do, even if nothing comes of them.
        let many = "INSERT INTO event_count_part (kind, events)
                    SELECT 'added', 1 - 2 * (number % 2) FROM generate_series(1, 600) AS number";
        testing::sql(&url, many);
        database.fold_counts().await.unwrap();
        let rows = "SELECT count(*) FROM event_count_part GROUP BY kind HAVING count(*) > 1";
        assert_eq!(testing::sql(&url, rows), "", "one row for each number");
        assert_eq!(testing::sql(&url, &miscounted), "", "seed {seed}, folded once more");
    }
}

/// Pages that a claim's look may read: some for each lane.
const PAGES: u32 = 60;

#[tokio::test]
async fn a_claim_goes_by_its_index_however_many_jobs_there_are() {
    let (url, _database) = open().await;
    let mut there = 0;
    for jobs in [0, 1_000, 300_000] {
        testing::sql(
            &url,
            &format!(
                "SET session_replication_role = replica;
                 INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
                 SELECT 'file:' || n, '{{}}', ' fastio openai ', 'waiting', 0, n, n, n FROM generate_series({there} + 1, {jobs}) AS n"
            ),
        );
        there = jobs;
        for sql in crate::queue::store::looks() {
            let text = super::dialect::postgres(sql).replace("$1", "'{}'").replace("$2", "NULL::bigint");
            let explain = format!("SET enable_seqscan = off; {text}; EXPLAIN (ANALYZE, BUFFERS) {text}");
            let plan = testing::sql(&url, &explain);
            let read = plan.split("Buffers: shared hit=").nth(1).map_or(0, |pages| {
                pages.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
            });
            assert!(!plan.contains("Seq Scan") && read < PAGES, "{jobs} jobs: {plan}");
        }
    }
}

#[tokio::test]
async fn no_lane_plans_a_statement_anew_for_each_value() {
    let (_, database) = open().await;
    let plans = |c: &mut Connection| c.one::<String>(PLANS, params![]);
    let lanes = [
        database.read(plans).await,
        database.observe(plans).await,
        database.write(plans).await,
        database.write_inbox(plans).await,
        database.read_inbox(plans).await,
    ];
    let is_kept = |set: &Result<String, Error>| set.as_ref().is_ok_and(|set| set == "force_generic_plan");
    assert!(lanes.iter().all(is_kept), "{lanes:?}");
}

#[tokio::test]
async fn what_the_server_is_set_to_is_read_as_it_holds_for_this_database() {
    let url = testing::url();
    let seen = || async { Database::inspect(&url).await.unwrap().durability.unwrap() };
    let hasty = seen().await;
    assert!(!hasty.fsync && !hasty.full_page_writes, "{hasty:?}");
    assert_eq!((hasty.synchronous_commit.as_str(), hasty.synchronous_standbys.as_str()), ("off", ""));
    assert_eq!((hasty.standbys, &hasty.invalid_indexes[..]), (0, &[][..]));

    let name = url.rsplit('/').next().unwrap();
    testing::sql(&url, &format!("ALTER DATABASE {name} SET synchronous_commit = remote_write"));
    testing::sql(&url, "CREATE TABLE twice (n BIGINT)");
    testing::sql(&url, "INSERT INTO twice VALUES (1), (1)");
    // It fails at the second row, and what it made stays.
    testing::script(
        &url,
        "\\set ON_ERROR_STOP off\nCREATE UNIQUE INDEX CONCURRENTLY twice_once ON twice (n);",
    );
    let changed = seen().await;
    assert_eq!(changed.synchronous_commit, "remote_write");
    assert_eq!(changed.invalid_indexes, ["twice_once"]);
}
