//! The description of `/api/v1`, OpenAPI 3.1, made from the handlers.

use utoipa::OpenApi;
use utoipa::openapi;

use super::{act, again, bulk, imports};
use crate::audit;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Docket's operator API",
        version = "1",
        description = "All that the commands show, and what they do to one thing or to many. Times are Unix milliseconds. A list goes on with `after`, \
                       which is what the page before had as `next`. What is refused is a problem document (RFC 9457). What changes \
                       something takes an `Idempotency-Key`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    paths(
        super::files,
        super::files_count,
        super::file,
        super::explain,
        super::search,
        super::runs,
        super::run,
        super::overview,
        super::events,
        super::deliveries,
        super::jobs,
        super::job,
        super::sweeps,
        super::limits,
        super::settings,
        super::audit_log,
        super::watch,
        super::openapi,
        act::retry_job,
        act::discard_job,
        act::retry_dead,
        act::discard_dead,
        act::retry_file,
        act::bring_file,
        act::sync_file,
        act::accept,
        act::reject,
        act::withdraw,
        act::start,
        act::again,
        act::cancel,
        act::relist,
        imports::list,
        imports::one,
        imports::import,
        again::estimate,
        super::sweep,
        act::ask_sweep,
        act::approve_sweep,
        act::dismiss_sweep,
        bulk::bulks,
        bulk::bulk_one,
        bulk::preview_bulk,
        bulk::begin_bulk,
        bulk::stop_bulk
    ),
    components(schemas(audit::Row))
)]
struct Document;

pub fn document() -> openapi::OpenApi {
    Document::openapi()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::operate::api;

    /// Whoever changes what programs see sees it here, and in the review: `INSTA_UPDATE=always cargo test --lib operate::api` writes it anew.
    #[test]
    fn the_description_is_what_programs_were_told() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&document()).unwrap());
    }

    #[test]
    fn every_route_is_described_and_nothing_else_is() {
        let document = serde_json::to_value(document()).unwrap();
        assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
        let mut described: Vec<String> = Vec::new();
        for (path, methods) in document["paths"].as_object().unwrap() {
            described.extend(
                methods.as_object().unwrap().keys().map(|method| format!("{} {path}", method.to_uppercase())),
            );
        }
        let mut routes: Vec<String> = api::routes()
            .stated()
            .iter()
            .map(|stated| format!("{} {}", stated.method, stated.path))
            .collect();
        described.sort();
        routes.sort();
        assert_eq!(described, routes);
    }
}
