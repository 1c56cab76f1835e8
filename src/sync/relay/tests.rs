use futures_util::{FutureExt, TryStreamExt, stream};

use super::*;
use crate::fastio::Hash;
use crate::sync::text::Sort;

fn source(size: u64, md5: Option<&str>) -> Source {
    let hash = md5.map(|value| Hash { algorithm: "md5".to_owned(), value: value.to_owned() });
    Source { version: None, hash, size, modified_at: None }
}

/// What comes out, what became of it, and what was said of it beforehand.
async fn run(
    pieces: &[&str],
    source: Source,
    way: Way,
) -> (Result<String, ()>, Result<(), Broken>, Option<Passed>) {
    let body: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::copy_from_slice(piece.as_bytes()))).collect();
    let told = Arc::new(Mutex::new(None));
    let tell = told.clone();
    let record: Record = Box::new(move |passed| {
        *lock(&tell) = Some(passed);
        async { Ok(()) }.boxed()
    });
    let (stream, outcome) = relay(stream::iter(body).boxed(), (&source, way), record);
    let got: Result<Vec<Bytes>, CutShort> = stream.try_collect().await;
    let text = got.map(|pieces| String::from_utf8(pieces.concat()).unwrap()).map_err(|_| ());
    let passed = lock(&told).take();
    (text, outcome.take().unwrap(), passed)
}

fn text() -> Way {
    Way::Text(Box::new(Flow::of(Sort::Plain)))
}

#[tokio::test]
async fn the_bytes_go_through_whole_and_their_hash_is_told() {
    let (came, outcome, passed) =
        run(&["hel", "", "lo"], source(5, Some("5d41402abc4b2a76b9719d911017c592")), text()).await;
    assert_eq!(came.unwrap(), "hello");
    let sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert!(outcome.is_ok() && passed.unwrap().sha256 == sha256);
}

#[tokio::test]
async fn the_last_piece_waits_for_the_proof() {
    let body = stream::iter(["hel", "lo"].map(|piece| Ok(Bytes::from_static(piece.as_bytes())))).boxed();
    let record: Record =
        Box::new(|_| async { Err(Broken::Database(database::Error::passing("a full disk"))) }.boxed());
    let (stream, outcome) = relay(body, (&source(5, None), text()), record);
    let mut stream = Box::pin(stream);
    assert_eq!(stream.next().await.unwrap().unwrap(), "hel");
    assert!(stream.next().await.unwrap().is_err());
    assert!(matches!(outcome.take(), Some(Err(Broken::Database(_)))));
}

#[tokio::test]
async fn a_file_that_changed_on_the_way_is_cut_short() {
    for (pieces, source) in [
        (vec!["hel", "lo"], source(4, None)),
        (vec!["hel", "lo"], source(6, None)),
        (vec!["hel", "lx"], source(5, Some("5d41402abc4b2a76b9719d911017c592"))),
    ] {
        let (came, outcome, _) = run(&pieces, source, Way::AsTheyAre).await;
        assert!(came.is_err());
        assert!(matches!(outcome, Err(Broken::Changed(_) | Broken::OtherHash(_))));
    }
}

#[tokio::test]
async fn white_space_is_not_worth_an_upload() {
    let (came, outcome, _) = run(&[" \n", "\t "], source(4, None), text()).await;
    assert!(came.is_err());
    assert!(matches!(outcome, Err(Broken::Unreadable(Unreadable::Blank))));
}
