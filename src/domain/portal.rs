//! Pages of the Microsoft Defender portal: links to them, and links from them.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;
use url::Url;

use super::subject::field_names::Named;
use super::subject::spelling::is_no_value;
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

/// Every host that serves the portal, or served it: a link from any of them is understood.
const HOSTS: [&str; 5] = [
    "security.microsoft.com",
    "security.microsoft.us",
    "security.apps.mil",
    // Until 2023; old tickets have such links.
    "securitycenter.microsoft.com",
    "securitycenter.windows.com",
];

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
    /// What the page shows: of a kind, or a URL.
    pub named: Named,
    /// The id as the link has it.
    pub id: String,
}

/// Why a text is no link to a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLink {
    /// It is no link, or one to somewhere else.
    Elsewhere,
    /// It leads to the portal, but to a page that names no subject.
    NoSubject,
}

/// The pages that are understood, for people.
pub const PAGES: &str = "Pages that do: alerts/ID, machines/ID or devices/ID (also machines/v2/ID), files/HASH, incidents/ID, \
    user?upn=…, ?accountName=…, ?sid=… or ?aad=…, ip/ADDRESS, domains/overview?urlDomain=…, url/overview?url=….";

/// Whether a text wants to be a link rather than a name or an id.
pub fn looks_like_link(text: &str) -> bool {
    text.contains("://")
        || ["http:", "https:", "javascript:", "data:"]
            .iter()
            .any(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)))
}

/// Reads a link to a page of the portal.
pub fn parse_link(text: &str) -> Result<Link, NoLink> {
    // A guest's name, as people paste it: what follows the mark is no fragment.
    let text = text.trim().replace("#EXT#", "%23EXT%23");
    let url = Url::parse(&text).map_err(|_| NoLink::Elsewhere)?;
    if !url.host_str().is_some_and(|host| HOSTS.contains(&host)) {
        return Err(NoLink::Elsewhere);
    }
    let own = url.scheme() == "https" && url.username().is_empty() && url.password().is_none() && url.port().is_none();
    if own { page_of(&url).ok_or(NoLink::NoSubject) } else { Err(NoLink::NoSubject) }
}

/// What a page of the portal shows.
fn page_of(url: &Url) -> Option<Link> {
    let segments: Vec<String> =
        url.path_segments()?.filter(|segment| !segment.is_empty()).map(decoded).collect::<Option<_>>()?;
    let (page, rest) = segments.split_first()?;
    let of_kind = |kind, id: &str| Link { named: Named::Kind(kind), id: id.to_owned() };
    let first = || rest.first().map(String::as_str);
    match page.as_str() {
        // Every family of ids has digits; `alerts/overview` and the like are no alert's.
        "alert" | "alerts" => first()
            .filter(|id| id.bytes().any(|byte| byte.is_ascii_digit()) && *id != "v2")
            .map(|id| of_kind(Kind::Alert, id)),
        "machines" | "devices" => {
            // `machines/ID`, `machines/v2/ID`: nothing but a device's id is taken for one.
            let id = first().filter(|id| *id != "v2").or_else(|| rest.get(1).map(String::as_str))?;
            DeviceId::parse(id).map(|id| of_kind(Kind::Machine, id.as_str()))
        }
        "file" | "files" => Some(of_kind(Kind::File, first()?)),
        "incidents" | "incident2" => {
            let id = rest.iter().find(|segment| IncidentId::parse(segment).is_some())?;
            Some(of_kind(Kind::Incident, id))
        }
        "user" | "users" => {
            let named = || first().filter(|name| !VIEWS_OF_USERS.contains(name)).map(str::to_owned);
            user_of(url).or_else(named).map(|id| of_kind(Kind::User, &id))
        }
        "ip" | "ips" => Some(of_kind(Kind::Ip, first()?)),
        "domains" | "domain" => parameter(url, "urlDomain").map(|id| of_kind(Kind::Domain, &id)),
        "url" | "urls" => parameter(url, "url").map(|id| Link { named: Named::Url, id }),
        _ => None,
    }
}

/// Pages below `user/` and `users/` that are of no user in particular.
const VIEWS_OF_USERS: [&str; 4] = ["overview", "timeline", "alerts", "v2"];

/// The account that a user's page is of, by what most of Defender's interfaces know.
fn user_of(url: &Url) -> Option<String> {
    let by_name = || {
        let name = parameter(url, "accountName")?;
        Some(match parameter(url, "accountDomain") {
            Some(domain) => format!("{domain}\\{name}"),
            None => name,
        })
    };
    let others = || parameter(url, "sid").or_else(|| parameter(url, "aad"));
    parameter(url, "upn").or_else(by_name).or_else(others)
}

fn parameter(url: &Url, name: &str) -> Option<String> {
    let mut named =
        url.query_pairs().filter(|(known, value)| known == name && !value.is_empty() && !is_no_value(value));
    named.next().map(|(_, value)| value.into_owned())
}

/// A path segment without its percent-encoding.
fn decoded(segment: &str) -> Option<String> {
    percent_decode_str(segment).decode_utf8().ok().map(Cow::into_owned)
}

/// Whether a text is a GUID, in the form with hyphens.
pub(crate) fn is_guid(text: &str) -> bool {
    text.parse::<uuid::fmt::Hyphenated>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Result<(Named, String), NoLink> {
        parse_link(text).map(|link| (link.named, link.id))
    }

    #[test]
    fn pages_of_the_portal_are_understood() {
        let device = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
        for (page, kind, id) in [
            ("security.microsoft.com/alerts/da1_-1?tid=x", Kind::Alert, "da1_-1"),
            ("security.microsoft.com/alerts/da1_-1/", Kind::Alert, "da1_-1"),
            ("security.microsoft.com/alerts/da1_-1/story?tid=x", Kind::Alert, "da1_-1"),
            ("securitycenter.windows.com/alert/da1_-1?source=mail", Kind::Alert, "da1_-1"),
            ("securitycenter.microsoft.com/ip/192.0.2.7/overview", Kind::Ip, "192.0.2.7"),
            ("security.microsoft.us/incidents/77/overview", Kind::Incident, "77"),
            ("security.microsoft.com/incidents/overview/77", Kind::Incident, "77"),
            ("security.apps.mil/incident2/77?tid=x", Kind::Incident, "77"),
            ("security.microsoft.com/user?aad=x&upn=dana%40contoso.com", Kind::User, "dana@contoso.com"),
            ("security.microsoft.com/user?upn=&accountName=dana&accountDomain=CONTOSO", Kind::User, "CONTOSO\\dana"),
            ("security.microsoft.com/user?accountName=dana&tab=overview", Kind::User, "dana"),
            ("security.microsoft.com/user?sid=S-1-5-21-1&aad=x", Kind::User, "S-1-5-21-1"),
            ("security.microsoft.com/user?aad=c995191e-ab0d", Kind::User, "c995191e-ab0d"),
            ("security.microsoft.com/users/dana", Kind::User, "dana"),
            ("security.microsoft.com/user?upn=undefined&accountName=dana", Kind::User, "dana"),
            (
                "security.microsoft.com/user?upn=jane_fabrikam.example#EXT#@contoso.onmicrosoft.com",
                Kind::User,
                "jane_fabrikam.example#EXT#@contoso.onmicrosoft.com",
            ),
            ("security.microsoft.com/file/0a1b/deepanalysis", Kind::File, "0a1b"),
            ("security.microsoft.com/files/0a1b", Kind::File, "0a1b"),
            ("security.microsoft.com/ip/192.0.2.7/overview", Kind::Ip, "192.0.2.7"),
            ("security.microsoft.com/ip/2001%3Adb8%3A%3A7", Kind::Ip, "2001:db8::7"),
            ("security.microsoft.com/domains/overview?urlDomain=evil.example", Kind::Domain, "evil.example"),
        ] {
            assert_eq!(link(&format!("https://{page}")), Ok((Named::Kind(kind), id.to_owned())), "{page}");
        }
        for page in ["machines", "devices", "machines/v2", "devices/v2"] {
            for after in ["", "/", "/timeline?tid=x#top"] {
                let text = format!("https://security.microsoft.com/{page}/{}{after}", device.to_uppercase());
                assert_eq!(link(&text), Ok((Named::Kind(Kind::Machine), device.to_owned())), "{text}");
            }
        }
        let url = "https://security.microsoft.com/url/overview?url=https%3A%2F%2Fevil.example%2Fx";
        assert_eq!(link(url), Ok((Named::Url, "https://evil.example/x".to_owned())));
    }

    #[test]
    fn links_elsewhere_are_not() {
        for text in [
            "https://security.microsoft.com.evil.example/alerts/da1_1",
            "https://security.microsoft.com@evil.example/alerts/da1_1",
            "https://evil.example/alerts/da1_1",
            "javascript:/alerts/da1_1",
            "da1_1",
        ] {
            assert_eq!(link(text), Err(NoLink::Elsewhere), "{text}");
        }
    }

    #[test]
    fn a_page_of_no_subject_names_none() {
        for page in [
            "",
            "settings",
            "alerts",
            "alerts/overview",
            "alerts/v2/da1_1",
            "machines/v2",
            "machines/v2/overview",
            "machines/desk-042",
            "devices/timeline",
            "devices/v2/",
            "incidents",
            "incidents/overview",
            "user",
            "user?tab=overview",
            "user?upn=",
            "user?upn=undefined",
            "user?accountName=null&accountDomain=null",
            "user/timeline",
            "users/overview",
            "domains/overview",
            "url/overview?url=",
            "threatanalytics3/x",
            "quarantine/5f0d8e1c2b3a49687786a5b4c3d2e1f00a1b2c3d",
        ] {
            assert_eq!(link(&format!("https://security.microsoft.com/{page}")), Err(NoLink::NoSubject), "{page}");
        }
        for text in [
            "http://security.microsoft.com/alerts/da1_1",
            "https://security.microsoft.com:8443/alerts/da1_1",
            "https://dana@security.microsoft.com/alerts/da1_1",
        ] {
            assert_eq!(link(text), Err(NoLink::NoSubject), "{text}");
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
