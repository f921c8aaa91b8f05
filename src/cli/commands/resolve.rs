//! Where references stand that a command resolves, for the message if one stands for nothing.

use credb::exchange::reference::Reference;
use credb::exchange::resolve::Warning;
use credb::{CredentialId, Error};

use crate::cli::context::Context;
use crate::cli::report::Failure;

/// How many places of one reference a message names.
const NAMED: usize = 3;

/// References, each with the place where it stands.
pub(super) struct Places<'a>(Vec<(String, &'a Reference)>);

impl<'a> Places<'a> {
    /// These, in their order.
    pub(super) fn new(places: impl IntoIterator<Item = (String, &'a Reference)>) -> Self {
        Self(places.into_iter().collect())
    }

    /// An error about references, with their places.
    pub(super) fn explain(&self, error: Error) -> Failure {
        let message = match &error {
            Error::NotFound { ids } => {
                let one = |id: &CredentialId| {
                    format!("\"{id}\"{}", self.of(|reference| reference.id() == id))
                };
                let all: Vec<String> = ids.iter().map(one).collect();
                format!("no credential {}", all.join(", "))
            }
            Error::FieldNotFound { id, field } => {
                let is_it = |found: &Reference| found.id() == id && found.field() == field;
                format!("{error}{}", self.of(is_it))
            }
            Error::Invalid { what, reason } => {
                format!("{what}{} {reason}", self.of(|reference| reference.to_string() == *what))
            }
            _ => return error.into(),
        };
        Failure::Told { error, message }
    }

    /// Where such references stand, as an addition to a sentence.
    fn of(&self, is_it: impl Fn(&Reference) -> bool) -> String {
        let found = self.0.iter().filter(|(_, reference)| is_it(reference));
        let mut places: Vec<&str> = found.map(|(place, _)| place.as_str()).collect();
        places.dedup();
        let more = places.len().saturating_sub(NAMED);
        places.truncate(NAMED);
        match (places.is_empty(), more) {
            (true, _) => String::new(),
            (false, 0) => format!(" ({})", places.join("; ")),
            (false, more) => format!(" ({}; and {more} more)", places.join("; ")),
        }
    }
}

/// Tells what to know about something that was resolved.
pub(super) fn tell(context: &Context, warning: &Warning) {
    match warning {
        Warning::Expired { .. } => context.output.note(&warning.to_string()),
        _ => context.output.warning(&warning.to_string()),
    }
}
