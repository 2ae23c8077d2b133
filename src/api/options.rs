//! The options of a request: how much of the answer is shown, how a missing subject is reported, and which
//! destination also gets the answer.

use super::fields::Fields;
use super::problem::Problem;
use super::request::{DEFAULT_LIMIT, Include, OptionMembers};
use crate::formats::{Format, OutputOptions};
use crate::lookup::WithContext;

/// The options that a request gives.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    limit: Option<usize>,
    include: Option<Include>,
    not_found_is_200: Option<bool>,
    format: Option<Format>,
    max_chars: Option<usize>,
    notify: Option<Notify>,
}

/// A destination that also gets the answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Notify {
    /// Its name in the caller secret.
    pub(super) name: String,
    /// Where the request names it, for error pointers.
    pub(super) pointer: String,
}

impl Options {
    /// Takes the options out of the fields.
    pub(super) fn take(fields: &mut Fields) -> Result<Self, Problem> {
        let members: OptionMembers = fields.read(&OptionMembers::NAMES)?;
        let notify = members.notify.map(|name| Notify { name: name.0, pointer: fields.pointer("notify") });
        Ok(Self {
            format: members.format.map(|word| word.0),
            limit: members.limit.map(|limit| limit.0),
            include: members.include,
            not_found_is_200: members.not_found.map(|not_found| not_found.is_200),
            max_chars: members.max_chars.map(|max_chars| max_chars.0),
            notify,
        })
    }

    /// The options of an answer that lists at most `limit` alerts.
    pub(super) fn with_limit(limit: usize) -> Self {
        Self { limit: Some(limit), ..Self::default() }
    }

    /// Fills in options that are not given from `defaults`.
    pub(super) fn or(self, defaults: Self) -> Self {
        Self {
            limit: self.limit.or(defaults.limit),
            include: self.include.or(defaults.include),
            not_found_is_200: self.not_found_is_200.or(defaults.not_found_is_200),
            format: self.format.or(defaults.format),
            max_chars: self.max_chars.or(defaults.max_chars),
            notify: self.notify.or(defaults.notify),
        }
    }

    /// Fills in the format of the `Accept` header if none is given.
    pub(super) fn or_format(self, accepted: Format) -> Self {
        Self { format: self.format.or(Some(accepted)), ..self }
    }

    /// The format and length of the answer.
    pub(super) fn output_options(&self) -> OutputOptions {
        let output = OutputOptions::of(self.format.unwrap_or(Format::Json));
        OutputOptions { max_chars: self.max_chars.unwrap_or(output.max_chars), ..output }
    }

    /// The maximum number of listed alerts.
    pub(super) fn limit(&self) -> usize {
        self.limit.unwrap_or(DEFAULT_LIMIT)
    }

    /// Whether the upstream body is added. Formats without a member for it ignore the option.
    pub(super) fn raw(&self) -> bool {
        self.include.is_some_and(|include| include.raw) && self.output_options().format.has_raw()
    }

    /// Whether the answer has what Defender says of the subject itself, also if that costs a call.
    pub(super) fn with_context(&self) -> WithContext {
        WithContext(self.include.is_some_and(|include| include.context))
    }

    /// Whether a subject that Defender does not know gets a 200 answer rather than a 404 problem.
    pub(super) fn not_found_is_200(&self) -> bool {
        self.not_found_is_200.unwrap_or(false)
    }

    /// The destination that also gets the answer.
    pub(super) fn notify(&self) -> Option<&Notify> {
        self.notify.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(query: &str) -> Result<Options, Problem> {
        Options::take(&mut Fields::from_query(query).expect("fields"))
    }

    #[test]
    fn options_of_an_item_override_the_defaults() {
        let own = options("limit=3&format=ecs").expect("options");
        let all = own.or(options("limit=9&not_found=200&format=text&max_chars=500").expect("options"));
        assert_eq!((all.limit(), all.not_found_is_200()), (3, true));
        assert_eq!(all.output_options(), OutputOptions { max_chars: 500, ..OutputOptions::of(Format::Ecs) });
    }

    #[test]
    fn accept_header_applies_when_no_format_is_given() {
        assert_eq!(options("").expect("options").or_format(Format::Text).output_options().format, Format::Text);
        assert_eq!(
            options("format=json").expect("options").or_format(Format::Text).output_options().format,
            Format::Json
        );
    }

    #[test]
    fn raw_applies_only_to_formats_that_support_it() {
        for format in Format::ALL {
            let query = format!("include=raw&format={}", format.as_str());
            assert_eq!(options(&query).expect("options").raw(), format.has_raw(), "{query}");
        }
    }

    #[test]
    fn destination_option_keeps_name_and_pointer() {
        let named = |query: &str| options(query).expect("options").notify().cloned();
        assert_eq!(named("notify=soc"), Some(Notify { name: "soc".to_owned(), pointer: "?notify".to_owned() }));
        assert_eq!((named("notify="), named("limit=3")), (None, None));
    }
}
