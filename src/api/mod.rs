//! The HTTP API: routes, caller authentication, decoding, problems. Every request gets exactly one response, before
//! its deadline.

mod accept;
mod batch;
mod body;
mod decode;
mod deliveries;
mod enrich;
mod fields;
mod integrations;
mod mcp;
mod middleware;
mod notify;
mod openapi;
mod options;
mod origin;
mod page;
mod prefix;
mod problem;
mod request;
mod respond;
mod routes;
mod work;

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use tower::Layer;
use tower::util::MapRequest;

use crate::app::Service;
#[cfg(feature = "cli")]
pub(crate) use mcp::answer_over_stdio;
pub use middleware::{AnswerLimit, RequestId, XrayTraceId};
pub use openapi::{document, flat_document, schemas};
pub use origin::OwnAddress;
#[cfg(feature = "cli")]
pub(crate) use page::{PageExample, PageSetup};
#[cfg(feature = "cli")]
pub(crate) use problem::is_bad_input;
pub(crate) use problem::{Code, one_line_message};

pub use crate::auth::IamIdentity;

impl Service {
    /// Returns the router of the whole service, for every entry point.
    pub fn router(self: &Arc<Self>) -> Router {
        let routes = routes::router()
            .route(mcp::PATH, mcp::methods())
            .fallback(respond::unknown_route)
            .method_not_allowed_fallback(respond::method_not_allowed)
            .with_state(self.clone());
        // Both are around the router: a layer of its routes would get an `Allow` header for what it answers in their place.
        let page = from_fn_with_state(self.clone(), page::answer_browser);
        let answer = from_fn_with_state(self.clone(), middleware::answer);
        Router::new().fallback_service(MapRequest::new(answer.layer(page.layer(routes)), prefix::without_prefix))
    }
}
