use std::sync::Arc;

use bytes::Bytes;

use crate::fastio::content::Stored;
use crate::fastio::profile::Profile;
use crate::fastio::tree::{Key, ROOT};
use crate::fastio::world::{Actor, World};

struct Story {
    world: World,
    profile: Profile,
}

impl Story {
    fn new() -> Story {
        let mut world = World::new(1, None);
        let profile = Profile::workspace("4829105738291047362");
        world.ensure(&profile).unwrap();
        Story { world, profile }
    }

    fn by() -> Actor {
        Actor { user: "1".into(), now: 1_000 }
    }

    fn put(&mut self, path: &str, text: &str) -> Key {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let parent = self.world.make_folders(&self.profile, folder, &Story::by()).unwrap();
        let content = Arc::new(Stored::kept(Bytes::from(text.to_owned())));
        self.world.put_file(&self.profile, (parent, name), content, &Story::by()).unwrap()
    }

    fn folder(&mut self, path: &str) -> Key {
        self.world.make_folders(&self.profile, path, &Story::by()).unwrap()
    }

    fn path(&self, key: Key) -> String {
        self.world.tree(&self.profile).unwrap().path(key)
    }

    /// The paths of all live files and folders.
    fn live(&self) -> Vec<String> {
        let tree = self.world.tree(&self.profile).unwrap();
        let mut paths: Vec<String> = tree.live_after(ROOT).map(|(key, _)| tree.path(key)).collect();
        paths.sort();
        paths
    }

    fn events(&self, since: u64) -> Vec<String> {
        self.world.log.after(since).map(|event| event.name().replace("workspace_storage_", "")).collect()
    }
}

#[test]
fn what_is_moved_onto_a_name_sends_what_was_there_to_the_trash() {
    let mut story = Story::new();
    let (mine, theirs) = (story.put("a/x.txt", "mine"), story.put("b/x.txt", "theirs"));
    let (target, before) = (story.folder("b"), story.world.log.head());
    story.world.move_into(&story.profile, mine, target, &Story::by()).unwrap();
    assert_eq!(story.path(mine), "/b/x.txt");
    assert!(story.world.tree(&story.profile).unwrap().trashed_at(theirs).is_some());
    assert_eq!(story.events(before), ["file_deleted", "file_moved"]);
}

#[test]
fn a_folder_cannot_go_into_itself() {
    let mut story = Story::new();
    let (outer, inner) = (story.folder("a"), story.folder("a/b"));
    assert!(story.world.move_into(&story.profile, outer, inner, &Story::by()).is_err());
    assert!(story.world.copy_into(&story.profile, outer, outer, &Story::by()).is_err());
}

#[test]
fn a_copied_folder_brings_everything_live_and_is_told_once() {
    let mut story = Story::new();
    story.put("a/b/x.txt", "x");
    let gone = story.put("a/gone.txt", "y");
    story.world.trash(&story.profile, gone, &Story::by()).unwrap();
    let (from, to, before) = (story.folder("a"), story.folder("c"), story.world.log.head());
    story.world.copy_into(&story.profile, from, to, &Story::by()).unwrap();
    assert_eq!(story.live(), ["/a", "/a/b", "/a/b/x.txt", "/c", "/c/a", "/c/a/b", "/c/a/b/x.txt"]);
    assert_eq!(story.events(before), ["folder_copied"]);
}

#[test]
fn a_file_whose_folder_is_gone_comes_back_at_the_top() {
    let mut story = Story::new();
    let file = story.put("a/x.txt", "x");
    let folder = story.folder("a");
    story.world.trash(&story.profile, file, &Story::by()).unwrap();
    story.world.trash(&story.profile, folder, &Story::by()).unwrap();
    story.world.restore(&story.profile, file, &Story::by()).unwrap();
    assert_eq!(story.live(), ["/x.txt"]);
}

#[test]
fn a_purged_folder_takes_along_what_was_trashed_out_of_it() {
    let mut story = Story::new();
    let file = story.put("a/x.txt", "x");
    story.put("a/y.txt", "y");
    let folder = story.folder("a");
    story.world.trash(&story.profile, file, &Story::by()).unwrap();
    let before = story.world.log.head();
    story.world.purge(&story.profile, folder).unwrap();
    let tree = story.world.tree(&story.profile).unwrap();
    assert_eq!((tree.all().count(), tree.in_trash().count()), (0, 0));
    assert!(story.events(before).is_empty());
}
