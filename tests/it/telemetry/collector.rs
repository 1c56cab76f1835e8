//! A collector of traces, as far as a sender sees it: it takes OTLP as protobuf, and shows what came.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;

#[derive(Debug, Clone, Default)]
pub struct Collector {
    came: Arc<Mutex<Vec<(HeaderMap, ExportTraceServiceRequest)>>>,
}

impl Collector {
    /// Starts one, and answers its address.
    pub async fn start() -> (Collector, String) {
        let collector = Collector::default();
        let router = Router::new().route("/v1/traces", post(take)).with_state(collector.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (collector, url)
    }

    pub fn spans(&self) -> Vec<Span> {
        let came = self.came.lock().unwrap();
        let resources = came.iter().flat_map(|(_, request)| &request.resource_spans);
        resources.flat_map(|resource| &resource.scope_spans).flat_map(|scope| scope.spans.clone()).collect()
    }

    /// The attributes of what sent, and the headers of the first request.
    pub fn sender(&self) -> (String, HeaderMap) {
        let came = self.came.lock().unwrap();
        let (headers, request) = came.first().expect("something came");
        (format!("{:?}", request.resource_spans[0].resource), headers.clone())
    }

    pub fn everything(&self) -> String {
        format!("{:?}", self.came.lock().unwrap())
    }
}

async fn take(State(collector): State<Collector>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let Ok(request) = ExportTraceServiceRequest::decode(body) else { return StatusCode::BAD_REQUEST };
    collector.came.lock().unwrap().push((headers, request));
    StatusCode::OK
}
