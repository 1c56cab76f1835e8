//! Names that no person would choose, and that a program has chosen: they stop nothing, take no file out of its folder,
//! and are the same on their way back.

use serde_json::json;

use crate::harness::{Harness, Server, World, covering};

const RULES: &str = "
    [sweep]
    page_tries = 1

    [[rule]]
    name = 'all'
    workspace = '4829105738291047362'
    include = ['**/*.txt']
    exclude = ['/Private/']
    vector_store = { create = 'all' }
";

/// What a folder, a folder in it and a file in that are called, and where the file then is. None is called by no name.
type Shape = ([Option<&'static str>; 3], &'static str);

const SHAPES: [Shape; 10] = [
    ([Some("a"), Some("/"), Some("in.txt")], "/a/unnamed/unnamed/in.txt"),
    ([Some("/"), Some("b"), Some("in.txt")], "/unnamed/unnamed/b/in.txt"),
    ([None, None, Some("in.txt")], "/unnamed/unnamed/in.txt"),
    ([Some("c"), Some("d"), Some("//in.txt")], "/c/d/unnamed/unnamed/in.txt"),
    (
        [Some("///"), Some("/"), Some("/in.txt")],
        "/unnamed/unnamed/unnamed/unnamed/unnamed/unnamed/unnamed/in.txt",
    ),
    ([Some("."), Some(".."), Some("in.txt")], "/./../in.txt"),
    ([Some(".."), Some("."), Some("..txt")], "/.././..txt"),
    ([Some("\\"), Some("\u{0}"), Some("in\n.txt")], "/\\/\u{0}/in\n.txt"),
    ([Some("./"), Some("/x"), Some("in.txt")], "/./unnamed/unnamed/x/in.txt"),
    ([Some("e/f"), Some("g"), Some("in.txt")], "/e/f/g/in.txt"),
];

/// Puts a file for each shape into Fastio, and one that is called as files are.
async fn put_all(world: &World) {
    for (number, (names, _)) in SHAPES.iter().enumerate() {
        let folder = format!("/{number}");
        let file = world.put(&format!("{folder}/in/file.txt"), &format!("The file {number}.")).await;
        let nodes = [world.folder(&folder).await, world.folder(&format!("{folder}/in")).await, file];
        // From the bottom, so that each is found by the path it was put at.
        for (node, name) in nodes.iter().zip(names).rev() {
            world.call(node, *name).await;
        }
    }
    world.put("/plain.txt", "A file like any other.").await;
}

fn wanted() -> Vec<String> {
    let mut paths: Vec<String> = SHAPES.iter().map(|(_, path)| (*path).to_owned()).collect();
    paths.push("/plain.txt".to_owned());
    paths.sort();
    paths
}

/// What Fastio's paths say of names with a slash in them, and Docket's do not: there a slash is the end of a folder's name.
const SLASHES: [&str; 6] = [
    "held otherwise than it is: /.///x/in.txt",
    "held otherwise than it is: ////////in.txt",
    "held otherwise than it is: ///b/in.txt",
    "held otherwise than it is: ///in.txt",
    "held otherwise than it is: /a///in.txt",
    "held otherwise than it is: /c/d///in.txt",
];

#[tokio::test]
async fn a_file_of_any_name_that_a_webhook_tells_of_is_held() {
    let h = Harness::with(RULES).await;
    put_all(&h).await;
    h.settle().await;
    assert_eq!(h.held().await, wanted());
    assert!(h.jobs().await.is_empty(), "{:#?}", h.jobs().await);
    h.finish_leaving(&SLASHES).await;
}

#[tokio::test]
async fn a_file_of_any_name_that_is_listed_is_held_and_differs_in_nothing_afterwards() {
    let inventory = "/current/workspace/*/storage/inventory/";
    for without_inventory in [false, true] {
        let h = Harness::with(RULES).await;
        h.without_webhooks().await;
        if without_inventory {
            h.fastio_refuses(inventory).await;
        }
        put_all(&h).await;
        let filled = h.feed.backfill(None, &mut |_| {}).await.unwrap();
        assert!(filled.incomplete.is_empty(), "{filled:#?}");
        h.settle().await;
        assert_eq!(h.held().await, wanted());
        let swept = h.sweep().await;
        assert_eq!((swept.queued, swept.incomplete.len()), (0, 0), "{swept:#?}");
        h.finish_leaving(&SLASHES).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_lives_through_names_of_any_kind() {
    let mut server = Server::with(RULES).await;
    put_all(&server).await;
    server.rests().await;
    server.docket(&["sweep"]);
    server.docket(&["backfill"]);
    server.rests().await;
    assert_eq!(server.held().await, wanted());
    server.put("/later.txt", "It lives.").await;
    server.rests().await;
    assert_eq!(server.held().await.len(), wanted().len() + 1);
    server.finish_leaving(&SLASHES).await;
}

#[tokio::test]
async fn no_name_takes_a_file_out_of_the_folder_that_a_rule_leaves_out() {
    let h = Harness::with(RULES).await;
    for (number, name) in
        [".", "..", "/", "../a.txt", "a/../../a.txt", "\u{0}.txt", "./a.txt"].iter().enumerate()
    {
        let node = h.put(&format!("/Private/{number}.txt"), &format!("Secret {number}.")).await;
        h.call(&node, Some(name)).await;
    }
    let unnamed = h.put("/Private/unnamed.txt", "Secret and unnamed.").await;
    h.call(&unnamed, None).await;
    h.settle().await;
    assert!(h.held().await.is_empty(), "{:?}", h.held().await);
    h.finish().await;
}

#[tokio::test]
async fn what_is_held_stays_when_fastio_does_not_say_what_it_is_called() {
    let h = Harness::with(RULES).await;
    let file = h.put("/Contracts/nda.txt", "Confidential.").await;
    h.converges().await;
    h.call(&file, None).await;
    h.settle_to_dead().await;
    assert_eq!(h.held().await, ["/Contracts/nda.txt"]);
    assert!(h.dead().await[0].contains("does not say what the file"), "{:?}", h.dead().await);
    h.call(&file, Some("nda.txt")).await;
    h.retry_dead().await;
    h.converges().await;
    h.never_unsearchable("/Contracts/nda.txt").await;
    h.finish().await;
}

#[tokio::test]
async fn an_upload_whose_reply_is_lost_is_found_by_any_name_and_gone_with_its_file() {
    const ODD: [&str; 18] = [
        "back\\slash.txt",
        "\\\\server\\share\\a.txt",
        "C:\\a.txt",
        "double \"quoted\".txt",
        "it's.txt",
        "100% sure.txt",
        "%22%0d%0a.txt",
        "line\r\nbreak.txt",
        "semi; filename=\"b.txt",
        "a=b&c#d?e.txt",
        "déjà vu – 契約.txt",
        "\u{202e}fdp.txt",
        "\u{feff}zero\u{200b}width.txt",
        "emoji 🎉.txt",
        "half \u{fffd}.txt",
        " blank .txt",
        "..\\..\\etc.txt",
        "tab\tand\u{7f}del.txt",
    ];
    let h = Harness::with(RULES).await;
    for (number, name) in ODD.iter().enumerate() {
        let path = format!("/{number}.txt");
        let node = h.put(&path, &format!("The file {number:02}.")).await;
        h.call(&node, Some(name)).await;
        h.openai_fails(json!({"kind": "lost_reply", "method": "POST", "path": "/v1/files", "count": 1}))
            .await;
        h.settle().await;
        assert_eq!(h.uploads().await, number + 1, "{name:?} is found again");
        h.call(&node, Some(&format!("{number}.txt"))).await;
    }
    h.converges().await;
    for number in 0..ODD.len() {
        h.trash(&format!("/{number}.txt")).await;
    }
    h.settle().await;
    assert_eq!(h.file_objects().await, 0);
    h.finish().await;
}

#[tokio::test]
async fn a_folder_is_the_same_to_a_rule_composed_and_decomposed() {
    const COMPOSED: &str = "/Vertr\u{e4}ge";
    const DECOMPOSED: &str = "/Vertra\u{308}ge";
    for include in [COMPOSED, DECOMPOSED] {
        let h = Harness::with(&covering(&format!("include = ['{include}/**']"))).await;
        h.put(&format!("{COMPOSED}/a.txt"), "Composed.").await;
        h.put(&format!("{DECOMPOSED}/b.txt"), "Decomposed.").await;
        h.converges().await;
        let mut wanted = [format!("{COMPOSED}/a.txt"), format!("{DECOMPOSED}/b.txt")];
        wanted.sort();
        assert_eq!(h.held().await, wanted);
        // Moved from the one into the other, a file keeps its copy, and only what it is called is written anew.
        let uploads = h.uploads().await;
        h.rename(&format!("{COMPOSED}/a.txt"), &format!("{DECOMPOSED}/a.txt")).await;
        h.converges().await;
        h.rename(&format!("{DECOMPOSED}/b.txt"), &format!("{COMPOSED}/b.txt")).await;
        h.converges().await;
        assert_eq!((h.uploads().await, h.held().await.len()), (uploads, 2));
        h.never_unsearchable(&format!("{DECOMPOSED}/a.txt")).await;
        let swept = h.sweep().await;
        assert_eq!(swept.queued, 0, "{swept:#?}");
        h.finish().await;
    }
}

#[tokio::test]
async fn an_extension_is_the_same_in_any_case_and_a_folder_is_not() {
    let h =
        Harness::with(&covering("include = ['/Case/**/*.txt', '**.md']\nexclude = ['*.Draft.txt']")).await;
    for path in ["/Case/SCAN001.TXT", "/Case/deep/a.txt", "/x/y/READ.MD", "/case/b.txt", "/Case/c.DRAFT.TXT"]
    {
        h.put(path, &format!("This is {path}.")).await;
    }
    h.converges().await;
    assert_eq!(h.held().await, ["/Case/SCAN001.TXT", "/Case/deep/a.txt", "/x/y/READ.MD"]);
    h.finish().await;
}

#[tokio::test]
async fn junk_and_secrets_are_held_only_where_the_settings_say_so() {
    const JUNK: [&str; 6] = [
        "/A/._nda.txt",
        "/A/~$nda.txt",
        "/A/.git/config.txt",
        "/A/.env.txt",
        "/A/id_rsa.txt",
        "/A/node_modules/x/a.md",
    ];
    let mut h = Harness::with(&covering("")).await;
    for path in JUNK {
        h.put(path, &format!("This is {path}.")).await;
    }
    h.put("/A/nda.txt", "An agreement.").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/A/nda.txt"]);
    // Renamed to something else it is a file like any other, and back it says why it is not held.
    h.rename("/A/~$nda.txt", "/A/other.txt").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/A/nda.txt", "/A/other.txt"]);
    h.rename("/A/other.txt", "/A/~$nda.txt").await;
    h.converges().await;
    assert_eq!(h.held().await, ["/A/nda.txt"]);
    let skipped = h.skipped().await.join("\n");
    assert!(skipped.contains("rule papers leaves it out by default, by `~$*`"), "{skipped}");
    h.restart(&covering("exclude = ['!.git/', '!id_rsa*']")).await;
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    h.converges().await;
    assert_eq!(h.held().await, ["/A/.git/config.txt", "/A/id_rsa.txt", "/A/nda.txt"]);
    h.restart(&covering("default_excludes = false")).await;
    h.feed.backfill(None, &mut |_| {}).await.unwrap();
    h.converges().await;
    assert_eq!(h.held().await.len(), JUNK.len() + 1);
    h.finish().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_is_asked_for_by_its_name_in_either_form_and_told_why_it_is_left_out() {
    let mut server = Server::with(&covering("exclude = ['/HR/**']")).await;
    server.put("/Vertra\u{308}ge/a.txt", "Decomposed.").await;
    server.put("/Schl\u{fc}ssel.txt", "Composed.").await;
    server.rests().await;
    for path in ["/Vertr\u{e4}ge/a.txt", "/Vertra\u{308}ge/a.txt", "/Vertr\u{e4}ge/", "/Schlu\u{308}ssel.txt"]
    {
        let run = server.tries(&["files", path]);
        assert!(run.code == 0 && run.out.contains("current"), "{path}: {run:?}");
    }
    for (path, why) in [
        (
            "/A/desktop.ini",
            "rule papers leaves it out by default, by `desktop.ini`; an exclude of `!desktop.ini` takes it in",
        ),
        ("/HR/salaries.txt", "rule papers excludes it by `/HR/**`"),
    ] {
        let run = server.tries(&["files", path]);
        assert!(run.out.contains("No rule covers that path") && run.out.contains(why), "{path}: {run:?}");
    }
    server.finish().await;
}
