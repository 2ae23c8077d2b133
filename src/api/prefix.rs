//! Strips a path prefix: a stage of API Gateway, a custom domain's base path, a load balancer's path rule.

use axum::extract::Request;
use http::Uri;
use http::uri::PathAndQuery;

/// Removes the prefix from a request's path.
pub(super) fn without_prefix(mut request: Request) -> Request {
    if let Some(uri) = without_prefix_in(request.uri()) {
        *request.uri_mut() = uri;
    }
    request
}

/// Returns the URI from its route on; `None` if there is no prefix or no route.
fn without_prefix_in(uri: &Uri) -> Option<Uri> {
    let route = route_of(uri.path())?;
    let target = match uri.query() {
        Some(query) => PathAndQuery::try_from(format!("{route}?{query}")),
        None => PathAndQuery::try_from(route),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(target.ok()?);
    Uri::from_parts(parts).ok()
}

/// Returns the route at the end of a path. A prefix may look like a route itself (`/v1/v1/enrich`), so the last one
/// counts.
fn route_of(path: &str) -> Option<&str> {
    let whole = ["/mcp", "/healthz"].into_iter().find(|route| path.ends_with(route));
    let start = whole.map_or_else(|| path.rfind("/v1/"), |route| path.len().checked_sub(route.len()))?;
    path.get(start..).filter(|_| start > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn route_is_found_at_the_end_of_a_path() {
        for (path, route) in [
            ("/defender/v1/enrich", "/v1/enrich"),
            ("/a/b/v1/enrich/batch", "/v1/enrich/batch"),
            ("/$default/v1/", "/v1/"),
            ("/v1/v1/enrich", "/v1/enrich"),
            ("/v1/healthz", "/healthz"),
            ("/prod/mcp", "/mcp"),
            ("//v1/enrich", "/v1/enrich"),
        ] {
            assert_eq!(route_of(path), Some(route), "{path}");
        }
        for path in [
            "/",
            "",
            "/v1/enrich",
            "/healthz",
            "/mcp",
            "/defender",
            "/defender/v1",
            "/xhealthz",
            "/a/v1x/enrich",
            "/a%2fv1/enrich",
        ] {
            assert_eq!(route_of(path), None, "{path}");
        }
    }

    #[test]
    fn query_is_kept() {
        for (target, expected) in [
            ("/a/v1/enrich?value=/b/v1/c", Some("/v1/enrich?value=/b/v1/c")),
            ("http://host.example/a/healthz?x", Some("http://host.example/healthz?x")),
            ("/v1/enrich?value=/b/healthz", None),
        ] {
            let uri = without_prefix_in(&target.parse().expect("an address"));
            assert_eq!(uri.map(|uri| uri.to_string()).as_deref(), expected, "{target}");
        }
    }
}
