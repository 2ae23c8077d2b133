//! Pages of the Microsoft Defender portal: links to them, and links from them.

use url::Url;

use super::subject::{AlertId, DeviceId, IncidentId, Kind, Machine, Subject};

/// The portal of one cloud.
///
/// Source: <https://learn.microsoft.com/defender-xdr/usgov> (portal URLs of the government clouds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Portal {
    /// `security.microsoft.com`: commercial and GCC.
    Commercial,
    /// `security.microsoft.us`: GCC High.
    GccHigh,
    /// `security.apps.mil`: the Department of Defense.
    Dod,
}

/// Every host that serves the portal: a link from any of them is understood.
const HOSTS: [&str; 3] = ["security.microsoft.com", "security.microsoft.us", "security.apps.mil"];

impl Portal {
    fn origin(self) -> &'static str {
        match self {
            Self::Commercial => "https://security.microsoft.com",
            Self::GccHigh => "https://security.microsoft.us",
            Self::Dod => "https://security.apps.mil",
        }
    }

    /// The page of an alert, in its tenant where that is known.
    pub fn alert(self, id: &str, tenant: Option<&str>) -> Option<String> {
        // The id came from Defender: only one of the known form is put into a link.
        let id = AlertId::parse(id)?;
        Some(in_tenant([self.origin(), "/alerts/", id.as_str()], tenant))
    }

    /// The page of an incident.
    pub fn incident(self, id: IncidentId) -> String {
        format!("{}/incidents/{id}", self.origin())
    }

    /// The page of a device.
    pub fn device(self, id: &DeviceId) -> String {
        format!("{}/machines/{}", self.origin(), id.as_str())
    }

    /// The page of a file, by SHA-1 or SHA-256.
    pub fn file(self, hash: &str) -> String {
        format!("{}/files/{hash}", self.origin())
    }

    /// The page that a subject has by what it was named with; where it has none, the portal's first page.
    pub fn page_of(self, subject: &Subject) -> String {
        let page = match subject {
            Subject::Alert(id) => self.alert(id.as_str(), None),
            Subject::Machine(Machine::Id(id)) => Some(self.device(id)),
            Subject::File(hash) => Some(self.file(hash.as_str())),
            Subject::Incident(id) => Some(self.incident(*id)),
            Subject::Machine(Machine::Name(_)) | Subject::User(_) | Subject::Ip(_) | Subject::Domain(_) => None,
        };
        page.unwrap_or_else(|| self.origin().to_owned())
    }

    /// Whether this is the address that Defender itself gives for an incident's page.
    pub fn is_incident_page(self, address: &str, id: IncidentId) -> bool {
        let newer = format!("{}/incident2/{id}", self.origin());
        is_page(address, &self.incident(id)) || is_page(address, &newer)
    }

    /// Whether this is the address that Defender itself gives for an alert's page.
    pub fn is_alert_page(self, address: &str, id: &str) -> bool {
        self.alert(id, None).is_some_and(|page| is_page(address, &page))
    }
}

/// The page of an incident in the portal that another page is in; `None` if that is none of a portal, or the id no
/// incident's.
pub fn incident_beside(page: &str, id: &str, tenant: Option<&str>) -> Option<String> {
    let of_page = |portal: &Portal| page.strip_prefix(portal.origin()).is_some_and(|path| path.starts_with('/'));
    let portal = [Portal::Commercial, Portal::GccHigh, Portal::Dod].into_iter().find(of_page)?;
    Some(in_tenant([&*portal.incident(IncidentId::parse(id)?), "", ""], tenant))
}

/// The page at this address, with its tenant where that is known.
fn in_tenant(page: [&str; 3], tenant: Option<&str>) -> String {
    let [one, two, three] = page;
    match tenant.filter(|tenant| is_guid(tenant)) {
        Some(tenant) => [one, two, three, "?tid=", tenant].concat(),
        None => page.concat(),
    }
}

/// Whether an address is this page, or below it.
fn is_page(address: &str, page: &str) -> bool {
    address.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '/']))
        && !address.chars().any(char::is_control)
}

/// What a portal link points to: the kind, and the text of its id, not yet checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// What the page shows.
    pub kind: Kind,
    /// The id as the link has it.
    pub id: String,
}

/// Whether a text wants to be a link rather than a name or an id.
pub fn looks_like_link(text: &str) -> bool {
    text.contains("://")
        || ["http:", "https:", "javascript:", "data:"]
            .iter()
            .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// Reads a link to a page of the portal. `None`: it is no link, not the portal's, or to no page of ours.
pub fn parse_link(text: &str) -> Option<Link> {
    let url = Url::parse(text.trim()).ok()?;
    let own = url.scheme() == "https"
        && url.username().is_empty()
        && url.password().is_none()
        && url.port().is_none()
        && url.host_str().is_some_and(|host| HOSTS.contains(&host));
    if !own {
        return None;
    }
    let mut segments = url.path_segments()?.filter(|segment| !segment.is_empty());
    let page = segments.next()?;
    if page == "user" || page == "users" {
        let named = url.query_pairs().find(|(name, value)| name == "upn" && !value.is_empty());
        let id = match (named, segments.next()) {
            (Some((_, upn)), _) => upn.into_owned(),
            (None, Some(segment)) => decoded(segment)?,
            (None, None) => return None,
        };
        return Some(Link { kind: Kind::User, id });
    }
    let kind = match page {
        "alerts" => Kind::Alert,
        "machines" | "devices" => Kind::Machine,
        "files" => Kind::File,
        "incidents" | "incident2" => Kind::Incident,
        _ => return None,
    };
    Some(Link { kind, id: decoded(segments.next()?)? })
}

/// A path segment without its percent-encoding.
fn decoded(segment: &str) -> Option<String> {
    // A segment decodes like the one name of a form, but that a plus in it is a plus.
    if segment.contains(['&', '=']) {
        return None;
    }
    let escaped = segment.replace('+', "%2B");
    form_urlencoded::parse(escaped.as_bytes()).next().map(|(name, _)| name.into_owned())
}

/// Whether a text is a GUID, in the form with hyphens.
pub(crate) fn is_guid(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Option<(Kind, String)> {
        parse_link(text).map(|link| (link.kind, link.id))
    }

    #[test]
    fn pages_of_the_portal_are_understood() {
        let device = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
        for (text, kind, id) in [
            ("https://security.microsoft.com/alerts/da1_-1?tid=x", Kind::Alert, "da1_-1"),
            ("https://security.microsoft.com/alerts/da1_-1/", Kind::Alert, "da1_-1"),
            ("https://security.microsoft.us/incidents/77/overview", Kind::Incident, "77"),
            ("https://security.apps.mil/incident2/77?tid=x", Kind::Incident, "77"),
            ("https://security.microsoft.com/user?aad=x&upn=dana%40contoso.com", Kind::User, "dana@contoso.com"),
            ("https://security.microsoft.com/users/dana", Kind::User, "dana"),
        ] {
            assert_eq!(link(text), Some((kind, id.to_owned())), "{text}");
        }
        for page in ["machines", "devices"] {
            let text = format!("https://security.microsoft.com/{page}/{device}/timeline");
            assert_eq!(link(&text), Some((Kind::Machine, device.to_owned())));
        }
    }

    #[test]
    fn links_elsewhere_are_not() {
        for text in [
            "https://security.microsoft.com.evil.example/alerts/da1_1",
            "https://security.microsoft.com@evil.example/alerts/da1_1",
            "https://evil.example/alerts/da1_1",
            "http://security.microsoft.com/alerts/da1_1",
            "https://security.microsoft.com:8443/alerts/da1_1",
            "javascript:/alerts/da1_1",
            "https://security.microsoft.com/settings",
            "https://security.microsoft.com/alerts",
            "da1_1",
        ] {
            assert_eq!(link(text), None, "{text}");
        }
    }

    #[test]
    fn an_incident_is_in_the_portal_of_its_alert() {
        let alert = "https://security.microsoft.us/alerts/da1_1?tid=x";
        assert_eq!(
            incident_beside(alert, "77", Some("x")).as_deref(),
            Some("https://security.microsoft.us/incidents/77")
        );
        let tenant = "0b51e6f2-91d4-4c7e-8c55-3f0a7d2b9c10";
        let page = incident_beside("https://security.microsoft.com/alerts/da1_1", "77", Some(tenant));
        assert_eq!(page, Some(format!("https://security.microsoft.com/incidents/77?tid={tenant}")));
        assert_eq!(incident_beside(alert, "77/../1", None), None);
        assert_eq!(incident_beside("https://security.microsoft.com.evil.example/alerts/da1_1", "77", None), None);
    }

    #[test]
    fn only_ids_of_the_known_form_become_links() {
        assert_eq!(Portal::Commercial.alert("a/../b", None), None);
        let page = Portal::Commercial.alert("da1_1", Some("0b51e6f2-91d4-4c7e-8c55-3f0a7d2b9c10"));
        assert_eq!(
            page.as_deref(),
            Some("https://security.microsoft.com/alerts/da1_1?tid=0b51e6f2-91d4-4c7e-8c55-3f0a7d2b9c10")
        );
        assert_eq!(
            Portal::Commercial.alert("da1_1", Some("x&y")).as_deref(),
            Some("https://security.microsoft.com/alerts/da1_1")
        );
    }
}
