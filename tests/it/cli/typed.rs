//! Every block of commands in the documents: which test types it as it stands, or why a person does.

use std::collections::BTreeSet;
use std::net::TcpListener;

use super::live::sandbox;
use crate::documents::{documents, root, section};
use crate::harness::cluster::cluster;
use crate::harness::program::{KEYS, Place, WORKSPACE};

const README: &str = include_str!("../../../README.md");
const QUICK_START: &str = include_str!("../../../docs/quick-start.md");
const POSTGRESQL: &str = include_str!("../../../docs/postgresql.md");
const OPERATIONS: &str = include_str!("../../../docs/operations.md");

/// Who types the commands of a block.
#[derive(Debug, Clone, Copy)]
enum Typed {
    /// This test.
    By(&'static str),
    /// This section of `scripts/test`.
    Section(&'static str),
    /// A person, because of what it takes.
    ByHand(&'static str),
}
use Typed::{By, ByHand, Section};

const QUICK: Typed = By("the_quick_start_works_as_it_is_written");
const GUIDE: Typed = By("the_commands_of_the_testing_guide_work_on_a_fresh_sandbox");
const MOVE: Typed = By("the_way_to_postgresql_and_back_works_as_it_is_written");
const MEASURES: Typed = ByHand("minutes on a machine with nothing else to do");
const BUILD: Typed = ByHand("the production build, and root to put it in its place");
const COMPOSE: Typed = ByHand("Docker Compose; scripts/container does the like with podman");

/// By document and the first command of each block.
const BLOCKS: [(&str, &str, Typed); 44] = [
    ("README.md", "scripts/demo", Section("demo")),
    ("README.md", "scripts/test", ByHand("it is what runs all tests")),
    (
        "README.md",
        "cargo build --profile production --locked --no-default-features --target-dir target/production",
        BUILD,
    ),
    ("README.md", "export FASTIO_API_KEY=…", QUICK),
    ("README.md", "export FASTIO_WEBHOOK_SECRET=whsec_…", QUICK),
    ("README.md", "docket rehearse", QUICK),
    ("README.md", "docket send", QUICK),
    ("deploy/compose/README.md", "cd deploy/compose", COMPOSE),
    ("deploy/compose/README.md", "docker compose stop", COMPOSE),
    ("deploy/compose/README.md", "docker compose stop balancer docket-1 docket-2", COMPOSE),
    ("deploy/compose/README.md", "docker compose stop docket", COMPOSE),
    (
        "deploy/compose/README.md",
        "openssl rand -hex 32 | (umask 0377 && cat > secrets/database_password)",
        COMPOSE,
    ),
    ("deploy/compose/README.md", "sudo rm -f \"$volume/docket.db-wal\" \"$volume/docket.db-shm\"", COMPOSE),
    (
        "deploy/compose/README.md",
        "volume=$(docker volume inspect docket_state --format '{{.Mountpoint}}')",
        COMPOSE,
    ),
    (
        "deploy/kubernetes/README.md",
        "kubectl apply -f deploy/kubernetes/base/namespace.yaml",
        ByHand("a cluster"),
    ),
    ("deploy/systemd/README.md", "cargo build --profile production --locked --no-default-features", BUILD),
    (
        "deploy/systemd/README.md",
        "cat <<'VARIABLES' | sudo tee /etc/docket/environment",
        ByHand("root, and what is installed"),
    ),
    ("docs/crash-test.md", "scripts/crash-test --kills 200 --events 100000 --seed 1", Section("crash")),
    ("docs/operations.md", "curl 'http://127.0.0.1:8081/api/v1/files?state=behind'", QUICK),
    ("docs/performance.md", "scripts/bench ack", MEASURES),
    ("docs/performance.md", "scripts/bench ack --peers", MEASURES),
    ("docs/performance.md", "scripts/bench calls", MEASURES),
    ("docs/performance.md", "scripts/bench drain", MEASURES),
    ("docs/performance.md", "scripts/bench footprint", MEASURES),
    ("docs/performance.md", "scripts/bench growth", MEASURES),
    ("docs/performance.md", "scripts/bench latency", MEASURES),
    ("docs/performance.md", "scripts/bench postgres", MEASURES),
    ("docs/performance.md", "scripts/bench quotes", MEASURES),
    ("docs/performance.md", "scripts/bench sweep", MEASURES),
    ("docs/performance.md", "scripts/bench transfer", MEASURES),
    ("docs/postgresql.md", "docket database copy --to postgres://docket@HOST/docket", MOVE),
    ("docs/postgresql.md", "docket database copy --to sqlite:///var/lib/docket/back.db", MOVE),
    (
        "docs/quick-start.md",
        "cargo build --profile production --locked --no-default-features --target-dir target/production",
        QUICK,
    ),
    ("docs/quick-start.md", "cloudflared tunnel --url http://127.0.0.1:8080", ByHand("somebody's tunnel")),
    ("docs/quick-start.md", "docket check", QUICK),
    ("docs/quick-start.md", "docket rehearse", QUICK),
    ("docs/quick-start.md", "docket send", QUICK),
    (
        "docs/testing.md",
        "# The answer to the next upload is lost after the upload took effect: Docket must adopt what it made.",
        GUIDE,
    ),
    (
        "docs/testing.md",
        "F=http://127.0.0.1:9101/_sandbox O=http://127.0.0.1:9102/_sandbox W=4829105738291047362",
        GUIDE,
    ),
    ("docs/testing.md", "cargo build --release && export PATH=$PWD/target/release:$PATH", GUIDE),
    ("docs/testing.md", "docket sandbox --seed 42", By("the_sandbox_says_where_it_is_and_stops_when_told")),
    (
        "docs/testing.md",
        "export FASTIO_BASE_URL=http://127.0.0.1:9101/current OPENAI_BASE_URL=http://127.0.0.1:9102/v1",
        GUIDE,
    ),
    ("docs/testing.md", "scripts/fuzz --help", Section("fuzz")),
    (
        "skill/SKILL.md",
        "docket explain PATH",
        ByHand("it names commands, and what they are about is not said"),
    ),
];

/// The blocks of commands in a text.
fn blocks(text: &str) -> Vec<String> {
    text.split("```sh\n")
        .skip(1)
        .map(|rest| {
            let block = rest.split("```").next().unwrap();
            block.lines().map(|line| format!("{}\n", line.trim_start())).collect()
        })
        .collect()
}

/// A command without what is said about it.
fn bare(line: &str) -> &str {
    if line.starts_with('#') { line } else { line.split(" #").next().unwrap().trim_end() }
}

#[test]
fn every_block_of_commands_in_the_documents_is_typed_by_somebody() {
    let mut found = BTreeSet::new();
    for document in documents() {
        let name = document.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
        // A test goes through the whole of it, whatever blocks it has.
        if name == "docs/seen.md" {
            continue;
        }
        for block in blocks(&std::fs::read_to_string(&document).unwrap()) {
            found.insert((name.clone(), bare(block.lines().next().unwrap()).to_owned()));
        }
    }
    let known = BLOCKS.iter().map(|(name, first, _)| ((*name).to_owned(), (*first).to_owned()));
    assert_eq!(found, known.collect::<BTreeSet<_>>());
    let tests = [include_str!("typed.rs"), include_str!("steps.rs"), include_str!("live.rs")].concat();
    let script = include_str!("../../../scripts/test");
    for (name, first, typed) in BLOCKS {
        match typed {
            By(test) => assert!(tests.contains(&format!("fn {test}(")), "{name}: {first}: {test}"),
            Section(section) => assert!(script.contains(&format!("section_{section}()")), "{name}: {first}"),
            ByHand(why) => assert!(!why.is_empty()),
        }
    }
}

/// What `docket check` says at its end; for root there is a warning.
fn well(said: &str) -> bool {
    ["All is well", "Nothing failed"].iter().any(|words| said.contains(words))
}

fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string()
}

#[test]
fn the_quick_start_works_as_it_is_written() {
    let place = Place::new();
    let (receive, operate) = (free_address(), free_address());
    let (mut sandbox, said) = sandbox(&place, &["--webhook", &format!("http://{receive}/webhooks/fastio")]);
    let guide = blocks(QUICK_START);
    let [folder, _tunnels, rehearse, serve, look] = &guide[..] else { panic!("{guide:#?}") };
    // The program is here already.
    let (_, folder) = folder.split_once("mkdir ~/docket").unwrap();
    let folder = format!("mkdir ~/docket{folder}").replace("0000000000000000000", WORKSPACE);
    let exports: Vec<&str> = folder.lines().filter(|line| line.starts_with("export ")).collect();
    let again = format!("cd ~/docket\n{}\n", exports.join("\n"));
    let (plan, _) = rehearse.split_once("docket rehearse --yes").unwrap();
    let (check, serve) = serve.split_once("docket serve").unwrap();
    place.write("before.sh", &format!("{folder}{plan}{check}"));
    place.write("serve.sh", &format!("{again}exec docket serve{serve}"));
    let asked = blocks(section(OPERATIONS, "Asking a server"))[0].replace("127.0.0.1:8081", &operate);
    let look = look.replace("docket send", &format!("docket send --url http://{receive}/webhooks/fastio"));
    place.write("beside.sh", &format!("{again}{look}{asked}"));
    // What is typed where keys are asked for.
    place.write("keys", "fio-any\nsk-any\nwhsec_ZG9ja2V0LXNhbmRib3gtaXMtbm90LXNlY3JldA==\n");

    let home = place.path("").display().to_string();
    let at = place.with(&[
        ("HOME", &home),
        ("FASTIO_BASE_URL", said["fastio_base_url"].as_str().unwrap()),
        ("OPENAI_BASE_URL", said["openai_base_url"].as_str().unwrap()),
        ("DOCKET_RECEIVE__LISTEN", &receive),
        ("DOCKET_OPERATE__LISTEN", &operate),
    ]);
    let before = at.shell("bash -eu before.sh < keys");
    assert_eq!(before.code, 0, "{before:?}");
    assert!(well(&before.out), "{before:?}");
    let mut server = at.start_shell("exec bash -eu serve.sh");
    server.listens();
    let beside = at.shell("bash -eu beside.sh");
    assert_eq!(beside.code, 0, "{beside:?}");
    for told in ["\"rows\":", "\"sentence\":", "it is there no more"] {
        assert!(beside.out.contains(told), "{told} is not in what was answered: {beside:?}");
    }
    assert_eq!((server.stop(), sandbox.stop()), (0, 0));

    // The README's are the same ones.
    for block in blocks(section(README, "Run it for real")).iter().filter(|block| block.starts_with("docket"))
    {
        for command in block.lines().map(bare).filter(|command| !command.is_empty()) {
            assert!(guide.concat().lines().any(|line| bare(line) == command), "{command}");
        }
    }
}

#[test]
fn the_way_to_postgresql_and_back_works_as_it_is_written() {
    let place = Place::new();
    let (mut sandbox, said) = sandbox(&place, &[]);
    let url = |name: &str| said[name].as_str().unwrap();
    place.write("docket.toml", &place.settings(url("fastio_base_url"), url("openai_base_url")));
    let there = cluster().empty();
    let back = format!("sqlite://{}", place.path("back.db").display());
    let guide = blocks(POSTGRESQL);
    let [to, and_back] = &guide[..] else { panic!("{guide:#?}") };
    let to = to.replace("postgres://docket@HOST/docket", &there);
    let and_back = and_back.replace("sqlite:///var/lib/docket/back.db", &back);
    // What there is to copy.
    let (mut server, _) = place.with(&KEYS).serve(&[]);
    assert_eq!(server.stop(), 0);
    for (from, commands) in [(place.database_url(), to), (there, and_back)] {
        let commands = commands.replace("docket serve", "exec docket serve");
        let mut server = place.with(&[&KEYS[..], &[("DATABASE_URL", &from)]].concat()).start_shell(&commands);
        server.listens();
        let said = server.out.rest();
        assert!(well(&said), "{said}");
        assert_eq!(server.stop(), 0);
    }
    assert_eq!(sandbox.stop(), 0);
}
