//! Microsoft's clouds and regions, and their hosts.
//!
//! Sources: <https://learn.microsoft.com/defender-endpoint/gov>, <https://learn.microsoft.com/defender-xdr/usgov>,
//! <https://learn.microsoft.com/defender-endpoint/api/exposed-apis-list>,
//! <https://learn.microsoft.com/graph/deployments>.

use crate::domain::portal::Portal;

/// A Microsoft cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// The public cloud.
    Commercial,
    /// US Government Community Cloud.
    Gcc,
    /// GCC High.
    GccHigh,
    /// US Department of Defense.
    Dod,
}

/// A region of the commercial cloud. Its host is nearer and serves the same data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Region(&'static str);

/// The addresses and audiences of a cloud.
pub(super) struct CloudEndpoints {
    pub(super) api: String,
    pub(super) api_audience: &'static str,
    pub(super) xdr: String,
    pub(super) xdr_audience: &'static str,
    /// Both the address and the audience of Microsoft Graph.
    pub(super) graph: &'static str,
    pub(super) login: &'static str,
}

impl Cloud {
    /// The words of `DEFENDER_CLOUD`.
    pub(super) const WORDS: &'static [(&'static str, Self)] =
        &[("commercial", Self::Commercial), ("gcc", Self::Gcc), ("gcc_high", Self::GccHigh), ("dod", Self::Dod)];

    /// The Defender portal of this cloud.
    pub fn portal(self) -> Portal {
        match self {
            Self::Commercial | Self::Gcc => Portal::Commercial,
            Self::GccHigh => Portal::GccHigh,
            Self::Dod => Portal::Dod,
        }
    }

    /// The addresses and audiences of this cloud. In the commercial cloud, Defender for Endpoint uses the audience of
    /// its older host for all hosts.
    pub(super) fn endpoints(self, region: Option<Region>) -> CloudEndpoints {
        match self {
            Self::Commercial => {
                let host = match region {
                    Some(Region(region)) => format!("https://{region}.api.security.microsoft.com"),
                    None => "https://api.security.microsoft.com".to_owned(),
                };
                CloudEndpoints {
                    api: host.clone(),
                    api_audience: "https://api.securitycenter.microsoft.com",
                    xdr: host,
                    xdr_audience: "https://api.security.microsoft.com",
                    graph: "https://graph.microsoft.com",
                    login: "https://login.microsoftonline.com",
                }
            }
            Self::Gcc => CloudEndpoints {
                api: "https://api-gcc.securitycenter.microsoft.us".to_owned(),
                api_audience: "https://api-gcc.securitycenter.microsoft.us",
                xdr: "https://api-gcc.security.microsoft.us".to_owned(),
                xdr_audience: "https://api-gcc.security.microsoft.us",
                graph: "https://graph.microsoft.com",
                login: "https://login.microsoftonline.com",
            },
            Self::GccHigh | Self::Dod => CloudEndpoints {
                api: "https://api-gov.securitycenter.microsoft.us".to_owned(),
                api_audience: "https://api-gov.securitycenter.microsoft.us",
                xdr: "https://api-gov.security.microsoft.us".to_owned(),
                xdr_audience: "https://api-gov.security.microsoft.us",
                graph: if self == Self::Dod { "https://dod-graph.microsoft.us" } else { "https://graph.microsoft.us" },
                login: "https://login.microsoftonline.us",
            },
        }
    }
}

impl Region {
    /// The words of `DEFENDER_REGION`.
    pub(super) const WORDS: &'static [(&'static str, Self)] = &[
        ("us", Self("us")),
        ("eu", Self("eu")),
        ("uk", Self("uk")),
        ("au", Self("au")),
        ("swa", Self("swa")),
        ("ina", Self("ina")),
        ("aea", Self("aea")),
    ];
}
