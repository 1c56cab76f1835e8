//! The real client of OpenAI meets any answer to any call.
#![no_main]

use std::cell::OnceCell;
use std::collections::BTreeMap;

use docket::openai::{
    Client, ContainerId, ConversationId, FileId, Order, ResponseId, RunId, ThreadId, VectorStoreId,
};
use ground::{Echo, KEY, is_fit_to_print};
use libfuzzer_sys::fuzz_target;

thread_local! {
    static GROUND: OnceCell<(Echo, Client)> = const { OnceCell::new() };
}

fuzz_target!(|data: &[u8]| {
    let Some((call, answer)) = data.split_first() else { return };
    GROUND.with(|ground| {
        let (echo, client) = ground.get_or_init(|| {
            let echo = Echo::start("/v1/");
            let client = Client::new(&echo.url, KEY.into(), None, None).expect("it can be used");
            (echo, client)
        });
        let (store, file) = (VectorStoreId("vs_1".to_owned()), FileId("file-1".to_owned()));
        let (response, conversation) = (ResponseId("resp_1".to_owned()), ConversationId("conv_1".to_owned()));
        let (thread, run) = (ThreadId("thread_1".to_owned()), RunId("run_1".to_owned()));
        let container = ContainerId("cntr_1".to_owned());
        let error = echo.meet(answer, async {
            match call % 15 {
                0 => client.file(&file).await.err(),
                1 => client.files(Some(&file)).await.err(),
                2 => client.delete_file(&file).await.err(),
                3 => client.vector_store(&store).await.err(),
                4 => client.vector_stores(Some(&store)).await.err(),
                5 => client.store_file(&store, &file).await.err(),
                6 => client.store_files(&store, Some(&file)).await.err(),
                7 => client.attach(&store, &file, &BTreeMap::new()).await.err(),
                8 => client.search(&store, "a", 5).await.err(),
                9 => client.store_text(&store, &file, 10_000).await.err(),
                10 => client.response(&response).await.err(),
                11 => client.conversation_items(&conversation, Order::NewestFirst, None).await.err(),
                12 => client.threads().run(&thread, &run).await.err(),
                13 => client.threads().output(&thread, &run).await.err(),
                _ => client.container_files(&container, None).await.err(),
            }
        });
        if let Some(error) = error {
            is_fit_to_print(&error);
            let _ = (error.retry(), error.is_not_found());
        }
    });
});
