//! The parts of MITRE ATT&CK that Defender uses: tactics by category, techniques by id.
//!
//! Source: <https://attack.mitre.org/tactics/enterprise/>.

use super::subject::is_number;
use super::vocabulary::letters;

/// A tactic of the enterprise matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Tactic {
    /// Its id: `TA0002`.
    pub id: &'static str,
    /// Its name: `Credential Access`.
    pub name: &'static str,
}

const TACTICS: [Tactic; 14] = [
    Tactic { id: "TA0043", name: "Reconnaissance" },
    Tactic { id: "TA0042", name: "Resource Development" },
    Tactic { id: "TA0001", name: "Initial Access" },
    Tactic { id: "TA0002", name: "Execution" },
    Tactic { id: "TA0003", name: "Persistence" },
    Tactic { id: "TA0004", name: "Privilege Escalation" },
    Tactic { id: "TA0005", name: "Defense Evasion" },
    Tactic { id: "TA0006", name: "Credential Access" },
    Tactic { id: "TA0007", name: "Discovery" },
    Tactic { id: "TA0008", name: "Lateral Movement" },
    Tactic { id: "TA0009", name: "Collection" },
    Tactic { id: "TA0011", name: "Command and Control" },
    Tactic { id: "TA0010", name: "Exfiltration" },
    Tactic { id: "TA0040", name: "Impact" },
];

impl Tactic {
    /// Returns the tactic of a Defender category such as `CredentialAccess`. Categories such as `Malware` have none.
    pub fn of_category(category: &str) -> Option<Self> {
        let category = letters(category);
        TACTICS.into_iter().find(|tactic| letters(tactic.name) == category)
    }

    /// Returns the URL of its page.
    pub fn url(self) -> String {
        format!("https://attack.mitre.org/tactics/{}/", self.id)
    }
}

/// A technique or subtechnique, by an id of its form: `T1059` or `T1059.001`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Technique<'a> {
    /// The whole id.
    pub id: &'a str,
    /// The part that names the technique.
    pub technique: &'a str,
    /// The number of the subtechnique.
    pub subtechnique: Option<&'a str>,
}

impl<'a> Technique<'a> {
    /// Parses an id.
    pub fn parse(id: &'a str) -> Option<Self> {
        let is_number = |text: &str, digits| text.len() == digits && is_number(text);
        let (technique, subtechnique) = id.split_once('.').map_or((id, None), |(whole, part)| (whole, Some(part)));
        let fits = is_number(technique.strip_prefix('T')?, 4) && subtechnique.is_none_or(|part| is_number(part, 3));
        fits.then_some(Self { id, technique, subtechnique })
    }

    /// Returns the technique of a subtechnique, or the technique itself.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { id: self.technique, technique: self.technique, subtechnique: None }
    }

    /// Returns the URL of its page.
    pub fn url(self) -> String {
        match self.subtechnique {
            Some(part) => format!("https://attack.mitre.org/techniques/{}/{part}/", self.technique),
            None => format!("https://attack.mitre.org/techniques/{}/", self.technique),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn categories_map_to_their_tactics() {
        for (category, id) in [
            ("CredentialAccess", Some("TA0006")),
            ("commandAndControl", Some("TA0011")),
            ("Malware", None),
            ("SuspiciousActivity", None),
            ("null", None),
            ("", None),
        ] {
            assert_eq!(Tactic::of_category(category).map(|tactic| tactic.id), id, "{category}");
        }
    }

    #[test]
    fn a_subtechnique_is_part_of_a_technique() {
        let part = Technique::parse("T1059.001").expect("a technique");
        assert_eq!((part.whole().id, part.url().as_str()), ("T1059", "https://attack.mitre.org/techniques/T1059/001/"));
        assert_eq!(part.whole().url(), "https://attack.mitre.org/techniques/T1059/");
        for id in ["", "T", "T105", "T1059.", "T1059.1", "1059", "T1059/../x", "t1059", "T10590", "T１０５９"] {
            assert_eq!(Technique::parse(id), None, "{id}");
        }
    }
}
