//! The Microsoft Defender portal: builds links to its pages, and reads links that callers send.

use percent_encoding::percent_decode_str;
use strum::VariantArray;
use url::Url;

use super::subject::field_names::FieldMeaning;
use super::subject::spelling::{is_no_value, without_prefix};
use super::subject::{AlertId, DeviceId, IncidentId, Kind, Machine, Subject};

/// The portal of one cloud.
///
/// Source: <https://learn.microsoft.com/defender-xdr/usgov> (portal URLs of the government clouds).
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub enum Portal {
    /// `security.microsoft.com`: commercial and GCC.
    Commercial,
    /// `security.microsoft.us`: GCC High.
    GccHigh,
    /// `security.apps.mil`: the Department of Defense.
    Dod,
}

/// Every host that serves the portal, or once served it. A link to any of them is accepted.
const HOSTS: [&str; 5] = [
    "security.microsoft.com",
    "security.microsoft.us",
    "security.apps.mil",
    // Hosts until 2023; old tickets have such links.
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

    /// Returns the page of an alert, with its tenant if that is known.
    pub fn alert(self, id: &str, tenant: Option<&str>) -> Option<String> {
        // The id comes from Defender. Only an id of the known form is put into a link.
        let id = AlertId::parse(id)?;
        Some(in_tenant(format!("{}/alerts/{}", self.origin(), id.as_str()), tenant))
    }

    /// Returns the page of an incident.
    pub fn incident(self, id: IncidentId) -> String {
        format!("{}/incidents/{id}", self.origin())
    }

    /// Returns the page of a device.
    pub fn device(self, id: &DeviceId) -> String {
        format!("{}/machines/{}", self.origin(), id.as_str())
    }

    /// Returns the page of a file, by SHA-1 or SHA-256.
    pub fn file(self, hash: &str) -> String {
        format!("{}/files/{hash}", self.origin())
    }

    /// Returns the page of a subject, or the start page if the subject's id is not known.
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

    /// Whether this is Defender's own URL of an incident's page.
    pub fn is_incident_page(self, address: &str, id: IncidentId) -> bool {
        let newer = format!("{}/incident2/{id}", self.origin());
        is_page(address, &self.incident(id)) || is_page(address, &newer)
    }

    /// Whether this is Defender's own URL of an alert's page.
    pub fn is_alert_page(self, address: &str, id: &str) -> bool {
        self.alert(id, None).is_some_and(|page| is_page(address, &page))
    }
}

/// Returns the page of an incident in the same portal as another page. `None`: the other page is not in a portal, or the
/// id is not an incident id.
pub fn incident_beside(page: &str, id: &str, tenant: Option<&str>) -> Option<String> {
    let is_in = |portal: &&Portal| page.strip_prefix(portal.origin()).is_some_and(|path| path.starts_with('/'));
    let portal = Portal::VARIANTS.iter().find(is_in)?;
    Some(in_tenant(portal.incident(IncidentId::parse(id)?), tenant))
}

/// Returns the URL of a page, with its tenant if that is known.
fn in_tenant(page: String, tenant: Option<&str>) -> String {
    match tenant.filter(|tenant| is_guid(tenant)) {
        Some(tenant) => page + "?tid=" + tenant,
        None => page,
    }
}

/// Whether a URL is this page or a page below it.
fn is_page(address: &str, page: &str) -> bool {
    address.strip_prefix(page).is_some_and(|rest| rest.is_empty() || rest.starts_with(['?', '/']))
        && !address.chars().any(char::is_control)
}

/// The target of a portal link: the kind, and the text of the id, which is not checked yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The kind of subject on the page, or a URL.
    pub meaning: FieldMeaning,
    /// The id in the link.
    pub id: String,
}

/// Why a text is not a link to a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLink {
    /// It is not a link, or a link to another site.
    Elsewhere,
    /// It leads to a page of the portal that has no subject.
    NoSubject,
}

/// The accepted pages, as a sentence for people.
pub const PAGES: &str = "Pages that do: alerts/ID, machines/ID or devices/ID (also machines/v2/ID), files/HASH, incidents/ID, \
    user?upn=…, ?accountName=…, ?sid=… or ?aad=…, ip/ADDRESS, domains/overview?urlDomain=…, url/overview?url=….";

/// Whether a text looks like a link rather than a name or an id.
pub fn looks_like_link(text: &str) -> bool {
    let mut schemes = ["http:", "https:", "javascript:", "data:"].iter();
    text.contains("://") || schemes.any(|scheme| without_prefix(text, scheme).is_some())
}

/// Reads a link to a page of the portal.
pub fn parse_link(text: &str) -> Result<Link, NoLink> {
    // People paste the name of a guest unencoded; here `#` does not start a fragment.
    let text = text.trim().replace("#EXT#", "%23EXT%23");
    let url = Url::parse(&text).map_err(|_| NoLink::Elsewhere)?;
    if !url.host_str().is_some_and(|host| HOSTS.contains(&host)) {
        return Err(NoLink::Elsewhere);
    }
    let own = url.scheme() == "https" && url.username().is_empty() && url.password().is_none() && url.port().is_none();
    if own { page_of(&url).ok_or(NoLink::NoSubject) } else { Err(NoLink::NoSubject) }
}

/// Returns the target of a portal page.
fn page_of(url: &Url) -> Option<Link> {
    let segments = url.path_segments()?.filter(|segment| !segment.is_empty());
    let decoded = segments.map(|segment| percent_decode_str(segment).decode_utf8()).collect::<Result<Vec<_>, _>>();
    let segments = decoded.ok()?;
    let (page, rest) = segments.split_first()?;
    let of_kind = |kind, id: &str| Link { meaning: FieldMeaning::Kind(kind), id: id.to_owned() };
    let first = || rest.first().map(|segment| &**segment);
    match &**page {
        // Every alert id has digits; pages such as `alerts/overview` are not about one alert.
        "alert" | "alerts" => first()
            .filter(|id| id.bytes().any(|byte| byte.is_ascii_digit()) && *id != "v2")
            .map(|id| of_kind(Kind::Alert, id)),
        "machines" | "devices" => {
            // `machines/ID` or `machines/v2/ID`: only a valid device id is accepted.
            let id = first().filter(|id| *id != "v2").or_else(|| rest.get(1).map(|segment| &**segment))?;
            DeviceId::parse(id).map(|id| of_kind(Kind::Machine, id.as_str()))
        }
        "file" | "files" => Some(of_kind(Kind::File, first()?)),
        "incidents" | "incident2" => {
            let id = rest.iter().find(|segment| IncidentId::parse(segment).is_some())?;
            Some(of_kind(Kind::Incident, id))
        }
        "user" | "users" => {
            let in_path = || first().filter(|name| !GENERAL_USER_PAGES.contains(name)).map(str::to_owned);
            user_of(url).or_else(in_path).map(|id| of_kind(Kind::User, &id))
        }
        "ip" | "ips" => Some(of_kind(Kind::Ip, first()?)),
        "domains" | "domain" => parameter(url, "urlDomain").map(|id| of_kind(Kind::Domain, &id)),
        "url" | "urls" => parameter(url, "url").map(|id| Link { meaning: FieldMeaning::Url, id }),
        _ => None,
    }
}

/// Pages below `user/` and `users/` that are not about one user.
const GENERAL_USER_PAGES: [&str; 4] = ["overview", "timeline", "alerts", "v2"];

/// Returns the account of a user's page, by the form that most of Defender's APIs know.
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
    let is_filled = |value: &str| !value.is_empty() && !is_no_value(value);
    url.query_pairs().find(|(known, value)| known == name && is_filled(value)).map(|(_, value)| value.into_owned())
}

/// Whether a text is a GUID, in the form with hyphens.
pub(crate) fn is_guid(text: &str) -> bool {
    text.parse::<uuid::fmt::Hyphenated>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(text: &str) -> Result<(FieldMeaning, String), NoLink> {
        parse_link(text).map(|link| (link.meaning, link.id))
    }

    #[test]
    fn links_to_portal_pages_are_read() {
        let device = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567";
        for (page, kind, id) in [
            ("security.microsoft.com/alerts/da1_-1/story?tid=x", Kind::Alert, "da1_-1"),
            ("securitycenter.windows.com/alert/da1_-1?source=mail", Kind::Alert, "da1_-1"),
            ("security.microsoft.us/incidents/77/overview", Kind::Incident, "77"),
            ("security.microsoft.com/incidents/overview/77", Kind::Incident, "77"),
            ("security.apps.mil/incident2/77?tid=x", Kind::Incident, "77"),
            ("security.microsoft.com/user?aad=x&upn=dana%40contoso.com", Kind::User, "dana@contoso.com"),
            ("security.microsoft.com/user?upn=&accountName=dana&accountDomain=CONTOSO", Kind::User, "CONTOSO\\dana"),
            ("security.microsoft.com/user?upn=undefined&accountName=dana", Kind::User, "dana"),
            ("security.microsoft.com/user?sid=S-1-5-21-1&aad=x", Kind::User, "S-1-5-21-1"),
            ("security.microsoft.com/user?aad=c995191e-ab0d", Kind::User, "c995191e-ab0d"),
            ("security.microsoft.com/users/dana", Kind::User, "dana"),
            ("security.microsoft.com/user?upn=jane#EXT#@contoso.com", Kind::User, "jane#EXT#@contoso.com"),
            ("security.microsoft.com/file/0a1b/deepanalysis", Kind::File, "0a1b"),
            ("security.microsoft.com/files/0a1b", Kind::File, "0a1b"),
            ("securitycenter.microsoft.com/ip/192.0.2.7/overview", Kind::Ip, "192.0.2.7"),
            ("security.microsoft.com/ip/2001%3Adb8%3A%3A7", Kind::Ip, "2001:db8::7"),
            ("security.microsoft.com/domains/overview?urlDomain=evil.example", Kind::Domain, "evil.example"),
        ] {
            assert_eq!(link(&format!("https://{page}")), Ok((FieldMeaning::Kind(kind), id.to_owned())), "{page}");
        }
        for page in ["machines", "devices", "machines/v2", "devices/v2"] {
            for after in ["", "/", "/timeline?tid=x#top"] {
                let text = format!("https://security.microsoft.com/{page}/{}{after}", device.to_uppercase());
                assert_eq!(link(&text), Ok((FieldMeaning::Kind(Kind::Machine), device.to_owned())), "{text}");
            }
        }
        let url = "https://security.microsoft.com/url/overview?url=https%3A%2F%2Fevil.example%2Fx";
        assert_eq!(link(url), Ok((FieldMeaning::Url, "https://evil.example/x".to_owned())));
    }

    #[test]
    fn links_to_other_sites_and_pages_without_a_subject_are_rejected() {
        for text in [
            "https://security.microsoft.com.evil.example/alerts/da1_1",
            "https://security.microsoft.com@evil.example/alerts/da1_1",
            "https://evil.example/alerts/da1_1",
            "javascript:/alerts/da1_1",
            "da1_1",
        ] {
            assert_eq!(link(text), Err(NoLink::Elsewhere), "{text}");
        }
        for page in [
            "",
            "settings",
            "alerts",
            "alerts/overview",
            "alerts/v2/da1_1",
            "machines/v2",
            "machines/v2/overview",
            "machines/desk-042",
            "incidents/overview",
            "user?tab=overview",
            "user?upn=undefined",
            "user/timeline",
            "domains/overview",
            "url/overview?url=",
            "quarantine/5f0d8e1c2b3a49687786a5b4c3d2e1f00a1b2c3d",
            "files/%ff",
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
    fn only_ids_of_the_known_form_become_links() {
        let tenant = "0b51e6f2-91d4-4c7e-8c55-3f0a7d2b9c10";
        let alert = |id, tenant| Portal::GccHigh.alert(id, Some(tenant));
        assert_eq!(alert("a/../b", tenant), None);
        assert_eq!(alert("da1_1", "x&y").as_deref(), Some("https://security.microsoft.us/alerts/da1_1"));
        let page = alert("da1_1", tenant).expect("a page");
        assert_eq!(page, format!("https://security.microsoft.us/alerts/da1_1?tid={tenant}"));
        let incident = incident_beside(&page, "77", Some(tenant));
        assert_eq!(incident, Some(format!("https://security.microsoft.us/incidents/77?tid={tenant}")));
        assert_eq!(incident_beside(&page, "77/../1", None), None);
        assert_eq!(incident_beside("https://security.microsoft.com.evil.example/alerts/da1_1", "77", None), None);
    }
}
