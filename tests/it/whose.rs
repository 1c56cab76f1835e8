//! Whose the database is, where it lies, and who else could read or change what is Docket's.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

use tokio::task::block_in_place;

use crate::harness::program::{Place, Run, SECRET};
use crate::harness::{ONE_STORE, Server};

/// A user of this machine who is not us.
const NOBODY: u32 = 65_534;

const ENVIRONMENT: [(&str, &str); 3] =
    [("FASTIO_API_KEY", "fk"), ("OPENAI_API_KEY", "sk"), ("FASTIO_WEBHOOK_SECRET", SECRET)];

/// A place with settings that name no database.
fn place(more: &str) -> Place {
    let place = Place::new();
    place.write(
        "docket.toml",
        &format!(
            "[receive]\nlisten = '127.0.0.1:0'\n[operate]\nlisten = 'off'\n[fastio]\nbase_url = 'http://127.0.0.1:9/'\n\
             [openai]\nbase_url = 'http://127.0.0.1:9/'\n{more}\n{ONE_STORE}"
        ),
    );
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn one_server_works_on_a_database_by_whatever_name_it_is_opened() {
    let mut server = Server::with(ONE_STORE).await;
    let at = |name: &str| server.place().path(name);
    let (database, process) = (at("docket.db"), server.process());
    symlink(&database, at("link.db")).unwrap();
    fs::create_dir(at("elsewhere")).unwrap();
    symlink(at("elsewhere"), at("folder")).unwrap();
    fs::hard_link(&database, at("elsewhere/hard.db")).unwrap();
    // What an earlier version locked. It may be gone, or another's.
    fs::write(at("docket.db.lock"), "").unwrap();
    fs::remove_file(at("docket.db.lock")).unwrap();
    for name in ["docket.db", "link.db", "elsewhere/hard.db", "folder/hard.db", "elsewhere/../docket.db"] {
        let url = format!("database.url=sqlite://{}", at(name).display());
        let second = block_in_place(|| server.run(&["serve", "--set", &url]));
        assert_eq!(second.code, 1, "{name}: {second:?}");
        assert!(second.err.contains("another docket server already works on"), "{name}: {second:?}");
        assert!(second.err.contains(&format!("process {process}, docket")), "{name}: {second:?}");
    }
    fs::remove_file(at("elsewhere/hard.db")).unwrap();
    server.kill();
    server.start();
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_can_take_the_lock_or_keep_a_server_from_starting() {
    // Only root can become another user.
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut server = Server::with(ONE_STORE).await;
    server.kill();
    let folder = server.place().path("");
    fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
    for file in
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file())
    {
        if file.file_name().unwrap().to_str().unwrap().starts_with("docket.db") {
            let flock = Command::new("flock").args(["-n", "-s"]).arg(&file).arg("true").uid(NOBODY).status();
            assert!(!flock.unwrap().success(), "{} can be locked by anybody", file.display());
        }
    }
    server.start();
    server.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_may_not_open_the_database_is_told_whose_user_to_be() {
    let place = place("");
    place.made_database().await;
    fs::set_permissions(place.path(""), Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |command: &str| {
        let nobody = format!("setpriv --reuid={NOBODY} --clear-groups docket {command}");
        block_in_place(|| place.with(&ENVIRONMENT).shell(&nobody))
    };
    // Only root can become another user, and only where all users may reach the program.
    if as_nobody("--version").code != 0 {
        return;
    }
    for command in ["status", "files", "jobs list", "rebuild", "serve"] {
        let refused = as_nobody(command);
        assert_eq!(refused.code, 1, "{command}: {refused:?}");
        let path = place.path("docket.db").display().to_string();
        assert!(
            refused.err.contains("run docket as the") && refused.err.contains(&path),
            "{command}: {refused:?}"
        );
    }
}

#[test]
fn what_is_no_plain_file_that_can_be_written_is_refused_with_the_cure() {
    let place = place("");
    fs::create_dir(place.path("folder.db")).unwrap();
    symlink(place.path("nothing"), place.path("dangling.db")).unwrap();
    assert!(Command::new("mkfifo").arg(place.path("pipe.db")).status().unwrap().success());
    let before = names(&place.path(""));
    for (url, code, words) in [
        ("sqlite::memory:", 2, "one file on a disk"),
        ("sqlite://:memory:", 2, "one file on a disk"),
        ("sqlite://file:x?mode=memory&cache=shared", 2, "one file on a disk"),
        ("sqlite:", 2, "one file on a disk"),
        ("sqlite://x.db?mode=memory", 2, "remove mode"),
        ("sqlite://x.db?mode=ro", 2, "remove mode"),
        ("sqlite://x.db?immutable=1", 2, "remove immutable"),
        ("sqlite://x.db?vfs=unix-none", 2, "remove vfs"),
        ("sqlite://folder.db", 1, "is a folder"),
        ("sqlite://pipe.db", 1, "is a pipe"),
        ("sqlite://dangling.db", 1, "a symbolic link to nothing"),
        ("sqlite://no/such/docket.db", 1, "make the folder"),
    ] {
        let mut environment = ENVIRONMENT.to_vec();
        environment.push(("DATABASE_URL", url));
        let run = place.with(&environment).docket(&["serve"]);
        assert!(run.code == code && run.err.contains(words), "{url}: {run:?}");
        assert_eq!(names(&place.path("")), before, "{url}");
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = entries.collect();
    names.sort();
    names
}

#[test]
fn the_database_lies_beside_the_settings_wherever_one_stands() {
    let place = place("");
    fs::create_dir(place.path("conf")).unwrap();
    fs::rename(place.path("docket.toml"), place.path("conf/docket.toml")).unwrap();
    let at = place.with(&ENVIRONMENT);
    let (mut server, _) = at.serve(&["--config", "conf/docket.toml"]);
    assert!(place.path("conf/docket.db").exists() && !place.path("docket.db").exists());
    assert_eq!(place.path("conf/docket.db").metadata().unwrap().mode() & 0o777, 0o600);
    assert_eq!(server.stop(), 0);
    let missing =
        at.docket(&["files", "--config", "conf/docket.toml", "--set", "database.url=sqlite://other.db"]);
    let path = place.path("conf/other.db");
    assert!(missing.err.contains(&format!("there is no database at {}", path.display())), "{missing:?}");
}

#[test]
fn keys_go_to_https_or_stay_here_unless_a_setting_says_otherwise() {
    let place = place("");
    let serve = |more: &[&str]| -> Run {
        let set = more.iter().flat_map(|setting| ["--set", setting]);
        let arguments: Vec<&str> = ["check"].into_iter().chain(set).collect();
        place.with(&ENVIRONMENT).docket(&arguments)
    };
    let elsewhere = "fastio.base_url=http://fastio.corp.example/current";
    let refused = serve(&[elsewhere]);
    assert!(refused.code == 2 && refused.err.contains("fastio.allow_plain_http = true"), "{refused:?}");
    let refused = serve(&["openai.base_url=http://10.0.0.1/v1"]);
    assert!(refused.code == 2 && refused.err.contains("openai.allow_plain_http = true"), "{refused:?}");
    for (setting, words) in [
        ("openai.base_url=api.openai.com/v1", "begin with https://"),
        ("openai.base_url=localhost:9102/v1", "begin with https://"),
        ("openai.base_url=https://api.openai.com", "write https://api.openai.com/v1"),
        ("fastio.base_url=https://api.fast.io/", "write https://api.fast.io/current"),
    ] {
        let refused = serve(&[setting]);
        assert!(refused.code == 2 && refused.err.contains(words), "{setting}: {refused:?}");
    }
    // Beyond this machine a secret that stands in a repository is refused.
    let own = ("FASTIO_WEBHOOK_SECRET", "whsec_bm9ib2R5LWVsc2Uta25vd3MtdGhpcw==");
    let at = place.with(&[ENVIRONMENT[0], ENVIRONMENT[1], own]);
    let allowed = ["serve", "--set", elsewhere, "--set", "fastio.allow_plain_http=true"];
    let mut server = at.start(&allowed);
    let told = server.err.find(|line| line.contains("in clear text"));
    assert!(told.contains("\"WARN\"") && told.contains("fastio.corp.example"), "{told}");
    server.kill();
}

#[test]
fn what_others_could_read_or_change_is_told_at_each_start() {
    let place = place("");
    fs::write(place.path("key"), "sk-secret").unwrap();
    for (name, mode) in [("key", 0o644), ("docket.toml", 0o666)] {
        fs::set_permissions(place.path(name), Permissions::from_mode(mode)).unwrap();
    }
    fs::write(place.path("docket.db"), "").unwrap();
    fs::set_permissions(place.path("docket.db"), Permissions::from_mode(0o644)).unwrap();
    let key = place.path("key").display().to_string();
    let environment = [ENVIRONMENT[0], ENVIRONMENT[2], ("OPENAI_API_KEY_FILE", key.as_str())];
    let (mut server, _) = place.with(&environment).serve(&[]);
    assert_eq!(server.stop(), 0);
    let said = server.err.rest();
    for words in
        ["the file that OPENAI_API_KEY_FILE names", "change the settings file", "read the database file"]
    {
        let line = said.lines().find(|line| line.contains(words));
        assert!(line.is_some_and(|line| line.contains("\"WARN\"")), "{words}: {said}");
    }
}

#[test]
fn no_core_is_dumped_of_what_knows_the_keys() {
    let place = place("");
    let mut server =
        place.with(&ENVIRONMENT).start_shell("ulimit -S -c unlimited || true; exec docket serve");
    server.listens();
    let limits = fs::read_to_string(format!("/proc/{}/limits", server.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    assert_eq!(server.stop(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_lost_a_page_is_refused_with_the_cure() {
    let place = place("");
    let database = place.made_database().await;
    let roots = "SELECT name, rootpage FROM sqlite_master WHERE rootpage > 1";
    let roots: Vec<(String, u32)> = database.rows(roots, |row| (row.get(0), row.get(1))).await;
    let size = usize::try_from(database.number("PRAGMA page_size").await).unwrap();
    let whole = fs::read(place.path("docket.db")).unwrap();
    for (name, page) in roots.iter().step_by(4) {
        let mut lost = whole.clone();
        let from = (*page as usize - 1) * size;
        lost[from..from + size].fill(0);
        fs::write(place.path("docket.db"), lost).unwrap();
        let run = block_in_place(|| place.with(&ENVIRONMENT).docket(&["serve"]));
        assert_eq!(run.code, 1, "{name}: {run:?}");
        assert!(run.err.contains("is damaged") && run.err.contains("docket rebuild"), "{name}: {run:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_database_is_told_in_words() {
    let place = place("");
    let database = place.made_database().await;
    database.execute("UPDATE _sqlx_migrations SET version = 99999999999999 WHERE version = 1").await;
    let run = block_in_place(|| place.with(&ENVIRONMENT).docket(&["serve"]));
    assert_eq!(run.code, 1, "{run:?}");
    assert!(run.err.contains("was made by a newer docket; use that version"), "{run:?}");
}
