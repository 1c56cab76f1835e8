//! Paths, put together from names that others chose.
//!
//! A path begins with one slash and has no empty part, whatever the names are: a name that is missing or empty stands as
//! [`UNNAMED`], and one that holds slashes counts as the folders that it spells, because that is how Fastio writes it in
//! a path. So the path that Fastio lists and the one put together from names are the same text.

/// What stands where a name should.
const UNNAMED: &str = "unnamed";

/// The path of what is called `name` in the folder at `folder`, which is empty for the top folder.
pub fn below(folder: &str, name: &str) -> String {
    let mut path = folder.to_owned();
    for part in name.split('/') {
        path.push('/');
        path.push_str(if part.is_empty() { UNNAMED } else { part });
    }
    path
}

/// Whether a name, or a path without its first slash, says what it should at each of its parts. What it does not say may
/// be what a rule goes by.
pub fn is_said(name: &str) -> bool {
    name.split('/').all(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_said_stands_as_unnamed() {
        assert_eq!(below("/Contracts", "nda.pdf"), "/Contracts/nda.pdf");
        assert_eq!(below("", "nda.pdf"), "/nda.pdf");
        assert_eq!(below(&below("", "/"), "in.txt"), "/unnamed/unnamed/in.txt");
        assert_eq!(below("", "//in.txt"), "/unnamed/unnamed/in.txt");
        assert_eq!(below(&below(&below("", ""), ""), "in.txt"), "/unnamed/unnamed/in.txt");
        assert!(is_said("Contracts/nda.pdf") && is_said("..") && is_said("\\"));
        assert!(!is_said("") && !is_said("/") && !is_said("a//b") && !is_said("/a") && !is_said("a/"));
    }

    proptest! {
        #[test]
        fn any_names_make_a_path_without_an_empty_part(names in prop::collection::vec("[a/\\\\. \\x00]{0,4}|\\PC*", 1..6)) {
            let path = names.iter().fold(String::new(), |folder, name| below(&folder, name));
            prop_assert!(path.starts_with('/') && is_said(&path[1..]), "{path:?}");
            prop_assert_eq!(&below("", &names.join("/")), &path);
        }
    }
}
