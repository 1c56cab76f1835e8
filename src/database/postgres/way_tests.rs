//! The way to a server: encryption, users and their rights, what a session is set to, and poolers. Each refusal says what to do and holds
//! no secret.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::sync::LazyLock;

use super::testing::{self, cluster};
use crate::database::statement::Sql;
use crate::database::{Connection, Database, Error, OpenError, Settings, params};

/// Makes two authorities, a certificate that the first gives a server called localhost, and the rule that others than the tests' own
/// user come encrypted and with a password.
const CERTIFICATES: &str = r#"
    set -eu
    place=$(mktemp -d "${TMPDIR:-/tmp}/docket-certificates.XXXXXX")
    chmod 755 "$place"
    cd "$place"
    key='-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
    for name in ours other; do
        openssl req -x509 $key -days 30 -subj "/CN=$name" -addext basicConstraints=critical,CA:TRUE -keyout $name.key -out $name.pem
    done
    openssl req $key -subj /CN=localhost -keyout server.key -out server.csr
    echo subjectAltName=DNS:localhost >name
    openssl x509 -req -in server.csr -CA ours.pem -CAkey ours.key -CAcreateserial -days 30 -extfile name -out server.pem
    printf 'host all docket 127.0.0.1/32 trust\nhostssl all all 127.0.0.1/32 scram-sha-256\n' >hba
    chmod 600 server.key
    trap 'rm -rf "$place"' EXIT
    echo "$place" >&3
    read -r _ || true
"#;

/// A server that asks for encryption and passwords, and where the certificates are.
struct Secured {
    cluster: cluster::Cluster,
    place: String,
    /// Its input is what keeps the certificates.
    _made: Child,
}

static SECURED: LazyLock<Secured> = LazyLock::new(|| {
    let mut made = cluster::installed::command("bash")
        .args(["-c", &format!("exec 3>&1 1>/dev/null 2>/dev/null; {CERTIFICATES}")])
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("bash");
    let mut place = String::new();
    BufReader::new(made.stdout.take().unwrap()).read_line(&mut place).unwrap();
    assert!(!place.is_empty(), "there are no certificates: apt-get install openssl");
    let place = place.trim_end().to_owned();
    let files =
        ["ssl_cert_file", "ssl_key_file", "hba_file"].into_iter().zip(["server.pem", "server.key", "hba"]);
    let set: Vec<String> = files.map(|(name, file)| format!("{name}={place}/{file}")).collect();
    let set: Vec<&str> = ["ssl=on"].into_iter().chain(set.iter().map(String::as_str)).collect();
    let set: Vec<&str> = set.into_iter().flat_map(|set| ["-c", set]).collect();
    let cluster = cluster::Cluster::start(&set);
    cluster.sql("postgres", "CREATE ROLE secured LOGIN PASSWORD 'richtig'");
    cluster.sql("postgres", "CREATE DATABASE secured OWNER secured");
    Secured { cluster, place, _made: made }
});

impl Secured {
    fn url(&self, user: &str, host: &str, parameters: &str) -> String {
        format!("postgres://{user}@{host}:{}/secured?{parameters}", self.cluster.port())
    }
}

const IS_ENCRYPTED: Sql = Sql::listed("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()");

#[tokio::test]
async fn the_way_is_encrypted_and_the_server_is_the_one_that_an_authority_knows() {
    let (server, user) = (&*SECURED, "secured:richtig");
    let (ours, other) = (format!("{}/ours.pem", server.place), format!("{}/other.pem", server.place));
    for mode in ["verify-full", "require"] {
        let url = server.url(user, "localhost", &format!("sslmode={mode}&sslrootcert={ours}"));
        let database = Database::open(&url).await.unwrap();
        assert!(database.read(|c| c.one::<bool>(IS_ENCRYPTED, params![])).await.unwrap());
        assert!(database.write(|c| c.one::<bool>(IS_ENCRYPTED, params![])).await.unwrap());
        database.close().await;
    }
    for (host, parameters) in [
        ("localhost", "sslmode=verify-full".to_owned()),
        ("localhost", format!("sslmode=verify-full&sslrootcert={other}")),
        // It is called otherwise.
        ("127.0.0.1", format!("sslmode=verify-full&sslrootcert={ours}")),
    ] {
        let error = Database::open(&server.url(user, host, &parameters)).await.unwrap_err();
        let words = error.to_string();
        assert!(matches!(error, OpenError::Tls(_)), "{words}");
        assert!(words.contains("?sslrootcert=FILE in DATABASE_URL") && !words.contains("richtig"), "{words}");
    }
    // One that speaks no TLS.
    let error = Database::open(&format!("{}?sslmode=require", testing::nothing())).await.unwrap_err();
    assert!(error.to_string().contains("?sslmode=disable"), "{error}");
}

#[tokio::test]
async fn a_wrong_password_or_a_way_that_is_not_let_in_is_told_with_its_cure() {
    let server = &*SECURED;
    let encrypted = format!("sslmode=verify-full&sslrootcert={}/ours.pem", server.place);
    for (user, parameters) in [
        ("secured:geheim", encrypted.as_str()),
        ("secured", &encrypted),
        ("nobody:geheim", &encrypted),
        ("secured:richtig", "sslmode=disable"),
    ] {
        let url = server.url(user, "localhost", parameters);
        for error in [Database::open(&url).await.unwrap_err(), Database::inspect(&url).await.unwrap_err()] {
            let words = error.to_string();
            assert!(matches!(error, OpenError::NotLetIn { .. }), "{words}");
            assert!(words.contains("DATABASE_PASSWORD") && words.contains("pg_hba.conf"), "{words}");
            assert!(!words.contains("geheim") && !words.contains("richtig"), "{words}");
        }
    }
    let password = Some("richtig".into());
    let settings = Settings { password, ..Settings::from(&server.url("secured", "localhost", &encrypted)) };
    Database::open(settings).await.unwrap().close().await;
}

/// The URL as another user.
fn as_user(url: &str, user: &str) -> String {
    url.replacen("docket@", &format!("{user}@"), 1)
}

const TOUCH: Sql = Sql::listed("INSERT INTO receive_count (name, label, count) VALUES ('n', '', 1)");
const JOB: Sql = Sql::listed(
    "INSERT INTO job (key, task, needs, state, priority, due_at, created_at, updated_at)
     VALUES ('k', '{}', ' ', 'waiting', 0, 1, 1, 1)",
);

#[tokio::test]
async fn a_user_without_rights_is_told_which_it_has_to_be_given() {
    let url = testing::nothing();
    testing::sql(&url, "CREATE ROLE guest LOGIN");
    let guest = as_user(&url, "guest");
    let error = Database::open(&guest).await.unwrap_err();
    assert!(matches!(error, OpenError::MayNotMigrate { .. }), "{error}");
    assert!(error.to_string().contains("GRANT CREATE ON SCHEMA public"), "{error}");
    Database::migrate(&url).await.unwrap();
    let error = Database::open_existing(&guest).await.unwrap_err().to_string();
    assert!(error.contains("GRANT … ON ALL TABLES IN SCHEMA public"), "{error}");
    testing::sql(
        &url,
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO guest;
         GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO guest",
    );
    let database = Database::open(Settings { migrate: false, ..Settings::from(&guest) }).await.unwrap();
    database.write(|tx| Ok((tx.run(TOUCH, params![])?, tx.run(JOB, params![])?))).await.unwrap();
}

#[tokio::test]
async fn a_database_in_which_not_every_name_can_be_written_is_refused() {
    let url = testing::nothing();
    testing::sql(
        &url,
        "CREATE DATABASE ascii ENCODING 'SQL_ASCII' LOCALE_PROVIDER libc LOCALE 'C' TEMPLATE template0",
    );
    let (server, _) = url.rsplit_once('/').unwrap();
    let error = Database::open(&format!("{server}/ascii")).await.unwrap_err();
    assert!(error.to_string().contains("ENCODING 'UTF8' TEMPLATE template0"), "{error}");
}

const SET: Sql = Sql::listed(
    "SELECT concat_ws(' ', current_setting('statement_timeout'), current_setting('lock_timeout'),
                      current_setting('idle_in_transaction_session_timeout'), current_setting('transaction_timeout', true))",
);

#[tokio::test]
async fn no_session_can_hold_others_up_for_long_also_behind_a_pooler() {
    let url = testing::url();
    let pooled = Settings { pooler: true, ..Settings::from(&testing::pooled(&url)) };
    let newer = testing::sql(&url, "SELECT current_setting('server_version_num')::int >= 170000") == "t";
    let whole = if newer { " 1min" } else { "" };
    let set = |connection: &mut Connection| -> Result<String, Error> { connection.one(SET, params![]) };
    for settings in [Settings::from(&url), pooled] {
        let database = Database::open(settings).await.unwrap();
        assert_eq!(database.write(set).await.unwrap(), format!("10s 5s 30s{whole}"));
        assert_eq!(database.claim(set).await.unwrap(), format!("10s 5s 30s{whole}"));
        assert_eq!(database.write_inbox(set).await.unwrap(), format!("3s 3s 30s{whole}"));
        for read in [database.read(set).await, database.observe(set).await, database.read_inbox(set).await] {
            assert_eq!(read.unwrap(), format!("30s 5s 30s{whole}"));
        }
        database.close().await;
    }
}

#[tokio::test]
async fn a_pooler_that_the_settings_do_not_tell_of_is_found() {
    let url = testing::url();
    let pooled = testing::pooled(&url);
    let error = Database::inspect(&pooled).await.unwrap_err();
    assert!(matches!(error, OpenError::Pooled(_)), "{error}");
    assert!(error.to_string().contains("database.pooler = true"), "{error}");
    Database::inspect(Settings { pooler: true, ..Settings::from(&pooled) }).await.unwrap();
    Database::inspect(&url).await.unwrap();
}

const ALL_OF: Sql = Sql::listed("SELECT * FROM relist");

#[tokio::test]
async fn a_table_that_is_changed_under_a_server_is_read_on() {
    let url = testing::url();
    let database = Database::open(Settings { writers: 1, ..Settings::from(&url) }).await.unwrap();
    testing::sql(&url, "INSERT INTO relist VALUES ('workspace:1', 'why', 5)");
    let profile = |connection: &mut Connection| connection.one::<String>(ALL_OF, params![]);
    assert_eq!(database.write(profile).await.unwrap(), "workspace:1");
    testing::sql(&url, "ALTER TABLE relist ADD COLUMN newer TEXT NOT NULL DEFAULT 'of the next version'");
    // Its one connection has the statement prepared as it was.
    assert_eq!(database.write(profile).await.unwrap(), "workspace:1");
    assert_eq!(database.write(profile).await.unwrap(), "workspace:1");
}
