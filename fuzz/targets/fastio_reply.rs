//! The real client of Fastio meets any answer to any call.
#![no_main]

use std::cell::OnceCell;
use std::time::Duration;

use docket::fastio::{Client, NodeId, Profile, UploadId, VersionId};
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
        let (profile, node) = (Profile::workspace("4829105738291047362"), NodeId::new("2abc"));
        let upload = UploadId("1up".to_owned());
        let token = "lock-token-0123456789".into();
        let error = echo.meet(answer, async {
            match call % 12 {
                0 => client.node(&profile, &node).await.err(),
                1 => client.nodes(&profile, &[node.clone(), NodeId::new("2def")]).await.err(),
                2 => client.list(&profile, &node, Some("before")).await.err(),
                3 => client.inventory(&profile, Some("before")).await.err(),
                4 => client.check_auth().await.err(),
                5 => client.lock(&profile, &node, 60, "fuzz").await.err(),
                6 => client.renew_lock(&profile, &node, &token).await.err(),
                7 => client.lock_state(&profile, &node).await.err(),
                8 => client.text(&profile, &node, 10_000).await.err(),
                9 => client.upload_state(&upload, Duration::ZERO).await.err(),
                10 => client.add_version(&profile, &node, &VersionId("3v".to_owned()), &upload).await.err(),
                _ => client.download(&profile, &node, None).await.err(),
            }
        });
        if let Some(error) = error {
            is_fit_to_print(&error);
            let _ = (error.retry(), error.may_have_happened());
        }
    });
});
