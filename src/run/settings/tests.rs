use super::*;

const RULE: &str = "name = 'r'\nworkspace = '1'\nvector_store = 'vs_1'\ninclude = ['/Contracts/**']\n[run]\n";

pub fn read(run: &str) -> Result<Definition, String> {
    read_at(run, "https://api.openai.com/v1")
}

fn read_at(run: &str, openai: &str) -> Result<Definition, String> {
    let settings: RuleSettings = toml::from_str(&format!("{RULE}{run}")).unwrap();
    let settings = vec![settings];
    let rules = Rules::new(settings.clone()).unwrap();
    let url = openai.parse().unwrap();
    let examples = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/legal"));
    let mut found = definitions(&settings, &rules, (examples, &url)).map_err(|error| error.to_string())?;
    Ok(found.remove(0))
}

/// The definitions of rules that are written as in the settings, without looking at them together.
pub fn read_all(text: &str) -> Vec<Definition> {
    let file: toml::Table = text.parse().unwrap();
    let settings: Vec<RuleSettings> = file["rule"].clone().try_into().unwrap();
    let rules = Rules::new(settings.clone()).unwrap();
    let url = "https://api.openai.com/v1".parse().unwrap();
    each(&settings, &rules, (Path::new("."), &url)).unwrap()
}

const LEAST: &str = "model = 'm'\nprompt = 'Look.'\n";

#[test]
fn the_least_is_a_model_and_a_prompt() {
    let definition = read(LEAST).unwrap();
    assert_eq!(definition.engine, Engine::Responses { model: "m".to_owned() });
    assert!(!definition.lock && definition.write_back.is_none() && definition.attach.is_empty());
    assert_eq!(definition.folder, ["Contracts"]);
}

#[test]
fn a_mistake_is_named_with_its_rule() {
    for (run, words) in [
        ("prompt = 'Look.'", "model is missing"),
        ("model = 'm'\nprompt = ' '", "prompt is empty"),
        ("model = 'm'\nprompt = 'p'\npromt = 'p'", "unknown key `promt`: did you mean `prompt`"),
        ("model = 'm'\nprompt = 'p'\nengine = 'fastio'", "model is for OpenAI, which is not asked"),
        ("prompt = 'p'\nengine = 'fastio'\nattach = ['input_file']", "attach is for OpenAI"),
        ("prompt = 'p'\nengine = 'fastio'\nescalate = { when = ['unverified'] }", "model is missing"),
        ("model = 'm'\nprompt = 'p'\nengine = 'fastio'\nescalate = { when = [] }", "escalate.when is empty"),
        (
            "model = 'm'\nprompt = 'p'\nengine = 'fastio'\nescalate = { when = ['no_answer'], to = 'assistants' }",
            "must be \"responses\"",
        ),
        ("prompt = 'p'\nengine = 'fastio'\nservice_tier = 'flex'", "needs engine = \"responses\""),
        ("prompt = 'p'\nengine = 'fastio'\ntools = ['fastio']", "need engine = \"responses\""),
        ("model = 'm'\nprompt = 'p'\nescalate = { when = ['no_answer'] }", "belongs to engine = \"fastio\""),
        ("model = 'm'\nprompt = 'p'\nschema = 'none.json'", "cannot be read"),
        ("model = 'm'\nprompt = 'p'\nschema = 'docket.toml'", "cannot be used"),
        ("model = 'm'\nprompt = 'p'\nwrite_back = 'result.md'", "the same for every file"),
        ("model = 'm'\nprompt = 'p'\nwrite_back = '{stem}.md'", "write over the source"),
        ("model = 'm'\nprompt = 'p'\nwrite_back = '{stem}/x.md'", "not a file's name"),
        ("model = 'm'\nprompt = 'p'\nwrite_back = '{stem}.{date}.md'", "no other braces"),
        ("model = 'm'\nprompt = 'p'\nwrite_back = '{stem}.analysis'", "must end in"),
        ("model = 'm'\nprompt = 'p'\ndigest = 'all.csv'", "needs a schema"),
        ("model = 'm'\nprompt = 'p'\ndigest = 'all.json'", "must end in .csv, .xlsx or .md"),
        ("model = 'm'\nprompt = 'p'\ndigest = 'all.csv'\ndigest_format = 'xlsx'", "must end in .xlsx"),
        (
            "model = 'm'\nprompt = 'p'\ndigest = 'all.csv'\ndigest_format = 'tabs'",
            "comma, semicolon, xlsx, markdown",
        ),
        ("model = 'm'\nprompt = 'p'\ndigest_format = 'comma'", "name it"),
        (
            "model = 'm'\nprompt = 'p'\nwrite_back = '{stem}.a.xlsx'",
            "must end in .md, .csv, .json, .docx or .html",
        ),
        ("model = 'm'\nprompt = 'p'\nactions = [{ do = 'delete' }]", "must be move, share, lock"),
        (
            "model = 'm'\nprompt = 'p'\nactions = [{ do = 'lock' }, { do = 'move', to = 'a' }]",
            "action 2 (move file): `to` is",
        ),
        (
            "model = 'm'\nprompt = 'p'\nactions = [{ do = 'lock', when = { risk = 'high' } }]",
            "needs a schema",
        ),
        ("model = 'm'\nprompt = 'p'\nmax_output_tokens = 3", "at least 16"),
        ("model = 'm'\nprompt = 'p'\nmax_runs_per_day = 0", "at least 1"),
    ] {
        let error = read(run).unwrap_err();
        assert!(error.starts_with("rule `r`: [rule.run]: ") && error.contains(words), "{run}: {error}");
    }
}

#[test]
fn assistants_are_refused_where_they_were_shut_down_and_need_an_id_elsewhere() {
    let run = "engine = 'assistants'\nassistant = 'asst_1'\nprompt = 'p'";
    assert!(read(run).unwrap_err().contains("2026-08-26"));
    assert!(read_at(run, "http://localhost:4000/v1").is_ok());
    assert!(read_at("engine = 'assistants'\nprompt = 'p'", "http://localhost:4000/v1").is_err());
}

#[test]
fn the_hash_names_the_question_and_not_the_limits() {
    let hash = |more: &str| read(&format!("{LEAST}{more}")).unwrap().hash;
    let base = hash("");
    for same in [
        "lock = true",
        "deadline_seconds = 9",
        "max_output_tokens = 500",
        "write_back = '{stem}.a.md'",
        "actions = [{ do = 'lock' }]",
    ] {
        assert_eq!(hash(same), base, "{same}");
    }
    for other in [
        "instructions = 'Be exact.'",
        "attach = ['file_search']",
        "scope = 'store'",
        "schema = 'liability.schema.json'",
    ] {
        assert_ne!(hash(other), base, "{other}");
    }
    assert_ne!(read("model = 'n'\nprompt = 'Look.'").unwrap().hash, base);
}

#[test]
fn a_result_is_named_after_its_source() {
    let named = |pattern: &str, source: &str| Pattern::parse(pattern).unwrap().name_for(source);
    assert_eq!(named("{stem}.analysis.md", "nda.v2.pdf"), "nda.v2.analysis.md");
    assert_eq!(named("{name}.{ext}.json", "nda.pdf"), "nda.pdf.pdf.json");
    assert_eq!(named("{stem}.analysis.md", "README"), "README.analysis.md");
    assert_eq!(named("{stem}.analysis.md", ".env"), ".env.analysis.md");
    assert_eq!(named("{stem}.analysis.md", "{name}.txt"), "{name}.analysis.md", "names are not patterns");
}

#[test]
fn a_rule_that_covers_its_own_results_is_warned_of() {
    let warned = read(&format!("{LEAST}write_back = '{{stem}}.analysis.md'")).unwrap().warnings().remove(0);
    assert!(warned.contains("**/*.analysis.md"), "{warned}");
    assert_eq!(read(LEAST).unwrap().warnings(), [""; 0]);
    let moves =
        |to: &str| read(&format!("{LEAST}actions = [{{ do = 'move', to = '{to}' }}]")).unwrap().warnings();
    assert!(moves("/Escalated")[0].contains("moves files to /Escalated, where it does not cover them"));
    assert!(moves("/Contracts/Escalated/").is_empty());
}

#[test]
fn the_rules_folder_is_what_all_globs_begin_with() {
    let folder = |globs: &[&str]| {
        common_folder(&globs.iter().map(|&glob| glob.to_owned()).collect::<Vec<_>>()).join("/")
    };
    assert_eq!(folder(&["/Contracts/**"]), "Contracts");
    assert_eq!(folder(&["/Contracts/2026/*.pdf", "/Contracts/2025/**"]), "Contracts");
    assert_eq!(folder(&["/Contracts/*/Signed/*.pdf"]), "Contracts");
    assert_eq!(folder(&["*.pdf"]), "");
    assert_eq!(folder(&["/a.pdf"]), "");
    assert_eq!(folder(&[]), "");
}

#[test]
fn the_example_for_lawyers_is_sound() {
    let text = include_str!("../../../examples/legal/docket.toml");
    let file: toml::Table = text.parse().unwrap();
    let settings: Vec<RuleSettings> = file["rule"].clone().try_into().unwrap();
    let rules = Rules::new(settings.clone()).unwrap();
    let examples = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/legal"));
    let url = "https://api.openai.com/v1".parse().unwrap();
    let found = definitions(&settings, &rules, (examples, &url)).unwrap();
    assert!(found[0].warnings().is_empty());
}
