//! The edge: routes, caller authentication, decoding, problems. Everything that comes in gets exactly one answer, before
//! its deadline.

mod accept;
mod batch;
mod body;
mod decode;
mod deliveries;
mod edge;
mod enrich;
mod fields;
mod hooks;
mod notify;
mod openapi;
mod options;
mod origin;
mod prefix;
mod problem;
mod respond;
mod work;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tower::util::MapRequest;

use crate::service::Service;
pub(crate) use deliveries::Reply;
pub use edge::{AnswerLimit, RequestId};
pub use openapi::{document, schemas};
pub use origin::OwnAddress;
#[cfg(feature = "cli")]
pub(crate) use problem::told_in_full;

pub use crate::callers::IamIdentity;

/// Every route of the service, whatever the front door.
pub(crate) fn router(service: Arc<Service>) -> Router {
    let routes = Router::new()
        .route("/", post(enrich::from_body))
        .route("/v1/enrich", get(enrich::from_query).post(enrich::from_body))
        .route("/v1/enrich/batch", post(batch::from_body))
        .merge(hooks::routes())
        .route("/v1/openapi.json", get(openapi::serve))
        .route("/healthz", get(respond::health))
        .fallback(respond::unknown_route)
        .method_not_allowed_fallback(respond::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(service.clone(), edge::answer))
        .with_state(service);
    Router::new().fallback_service(MapRequest::new(routes, prefix::without_prefix))
}
