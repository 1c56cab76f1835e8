use std::io::Write;

use secrecy::ExposeSecret;

use super::*;

const RULE: &str = "[[rule]]\nname = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\n";

fn load(text: &str, environment: &[(&str, &str)], set: &[&str]) -> Result<Config, ConfigError> {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    Config::load(&Sources {
        path: Some(file.path().to_owned()),
        set: set.iter().map(|&set| set.to_owned()).collect(),
        environment: environment.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect(),
    })
}

fn error(text: &str, environment: &[(&str, &str)], set: &[&str]) -> String {
    load(text, environment, set).unwrap_err().to_string()
}

#[test]
fn a_flag_is_above_the_environment_and_that_above_the_file() {
    let text = format!("[queue]\nworkers = 1\nlease_seconds = 1\nmax_attempts = 1\n{RULE}");
    let environment = [("DOCKET_QUEUE__WORKERS", "2"), ("DOCKET_QUEUE__LEASE_SECONDS", "2")];
    let config = load(&text, &environment, &["queue.workers=3"]).unwrap();
    assert_eq!((config.queue.workers, config.queue.lease_seconds, config.queue.max_attempts), (3, 2, 1));
    assert_eq!(config.rules.len(), 1);
}

#[test]
fn the_variables_with_names_of_their_own_are_settings_too() {
    let environment = [
        ("DATABASE_URL", "sqlite:///data/docket.db"),
        ("FASTIO_BASE_URL", "http://127.0.0.1:9101/current"),
        ("DOCKET_RECEIVE__LISTEN", "127.0.0.1:18080"),
        ("DOCKET_LOG__FORMAT", "json"),
    ];
    let config = load(RULE, &environment, &[]).unwrap();
    assert_eq!(config.database.url, "sqlite:///data/docket.db");
    assert_eq!(config.fastio.base_url.as_str(), "http://127.0.0.1:9101/current");
    assert_eq!(config.receive.listen.port(), 18080);
    assert_eq!(config.log.format, LogFormat::Json);
}

#[test]
fn a_mistake_is_named_with_its_place() {
    let in_file = error("[queue]\nworker = 1\n", &[], &[]);
    assert!(
        in_file.contains("line 2") && in_file.contains("unknown key `worker`: did you mean `workers`?"),
        "{in_file}"
    );
    let in_environment = error(RULE, &[("DOCKET_QUEUE__WORKER", "1")], &[]);
    assert!(in_environment.starts_with("DOCKET_QUEUE__WORKER: unknown key `worker`"), "{in_environment}");
    let one_underscore = error(RULE, &[("DOCKET_QUEUE_WORKERS", "1")], &[]);
    assert!(one_underscore.contains("DOCKET_SECTION__NAME"), "{one_underscore}");
    let in_flag = error(RULE, &[], &["queue.workers=many"]);
    assert!(in_flag.starts_with("--set queue.workers: this must be a whole number"), "{in_flag}");
    let no_section = error(RULE, &[], &["workers=1"]);
    assert!(no_section.contains("write the section too"), "{no_section}");
}

#[test]
fn what_kubernetes_sets_for_a_service_called_docket_is_no_mistake() {
    let environment = [("DOCKET_PORT", "tcp://10.0.0.1:8080"), ("DOCKET_SERVICE_HOST", "10.0.0.1")];
    assert!(load(RULE, &environment, &[]).is_ok());
}

#[test]
fn secrets_come_from_the_environment_or_from_files_and_never_print() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"sk-from-a-file\n").unwrap();
    let environment = [
        ("FASTIO_API_KEY", "fastio-key"),
        ("OPENAI_API_KEY_FILE", file.path().to_str().unwrap()),
        ("FASTIO_WEBHOOK_SECRET", "new-secret, old-secret"),
    ];
    let config = load(RULE, &environment, &[]).unwrap();
    assert_eq!(config.secrets.openai_api_key().unwrap().expose_secret(), "sk-from-a-file");
    let webhook: Vec<_> = config.secrets.fastio_webhook.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(webhook, ["new-secret", "old-secret"]);
    let printed = format!("{config:?}");
    for secret in ["fastio-key", "sk-from-a-file", "new-secret", "old-secret"] {
        assert!(!printed.contains(secret));
    }
}

#[test]
fn a_secret_that_is_missing_or_there_twice_is_an_error_that_says_what_to_do() {
    let config = load(RULE, &[("OPENAI_API_KEY", "")], &[]).unwrap();
    assert!(
        config.secrets.openai_api_key().unwrap_err().to_string().starts_with("OPENAI_API_KEY is not set")
    );
    let twice = error(RULE, &[("FASTIO_API_KEY", "a"), ("FASTIO_API_KEY_FILE", "/b")], &[]);
    assert!(twice.contains("keep one of them"));
}
