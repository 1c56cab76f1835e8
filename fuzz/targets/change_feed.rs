//! Pages of the change feed and of an event search, and each of their rows read as a webhook is.
#![no_main]

use std::cell::OnceCell;

use docket::event::payload::read_row;
use docket::fastio::{Category, Changes, Client, EventSearch, Profile};
use ground::{Echo, KEY, is_fit_to_print};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static GROUND: OnceCell<(Echo, Client)> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    let Some((call, answer)) = data.split_first() else { return };
    GROUND.with(|ground| {
        let (echo, client) = ground.get_or_init(|| {
            let echo = Echo::start("/current/");
            let client = Client::new(&echo.url, KEY.into()).expect("it can be used");
            (echo, client)
        });
        let profile = Profile::workspace("4829105738291047362");
        let rows = echo.meet(answer, async {
            match call % 2 {
                0 => {
                    client.changes("3141592653589793238", Some("before")).await.map(|changes| match changes {
                        Changes::Page(page) => page.changes,
                        Changes::CursorLost => Vec::new(),
                    })
                }
                _ => client
                    .search_events(
                        &EventSearch { profile: &profile, category: Category::Workspace, since: 0 },
                        None,
                    )
                    .await
                    .map(|found| found.events),
            }
        });
        match rows {
            Err(error) => is_fit_to_print(&error),
            Ok(rows) => {
                for row in rows {
                    assert!(!read_row(&row).event.id.is_empty());
                }
            }
        }
    });
});
