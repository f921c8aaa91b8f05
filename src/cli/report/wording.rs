//! How an error of the library is told: its JSON code, its exit code and its message.

use std::error::Error as StdError;

use credb::Error;
use serde_json::json;

use crate::cli::hints::Hints;

/// The exit code of a vault that others held for too long.
pub(super) const BUSY: u8 = 7;

/// What is told of an error in JSON.
pub(crate) fn error_members(error: &Error, hints: &Hints) -> serde_json::Value {
    let hint = hints.for_error(error);
    json!({"code": classify(error).0, "message": with_causes(error), "hint": hint})
}

/// The JSON code and the message of an error that is told as part of a result.
pub(crate) fn in_result(error: &Error) -> serde_json::Value {
    json!({"code": classify(error).0, "message": with_causes(error)})
}

/// An error and its causes in one line.
pub(crate) fn with_causes(error: &Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        message.push_str(": ");
        message.push_str(&plain(error));
        cause = error.source();
    }
    message
}

/// A cause in lower case, without its number and final stop.
pub(super) fn plain(error: &dyn StdError) -> String {
    let text = error.to_string();
    let text = match text.rsplit_once(" (os error ") {
        Some((text, _)) => text,
        None => &text,
    };
    let text = text.trim_end_matches('.');
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        // An acronym stays one.
        (Some(first), second) if !second.is_some_and(char::is_uppercase) => {
            first.to_lowercase().chain(text.chars().skip(1)).collect()
        }
        _ => text.to_owned(),
    }
}

/// The JSON code and the exit code of an error.
pub(super) fn classify(error: &Error) -> (&'static str, u8) {
    match error {
        Error::VaultNotFound { .. }
        | Error::NotFound { .. }
        | Error::FieldNotFound { .. }
        | Error::VersionNotFound { .. }
        | Error::NoEarlierVersion { .. }
        | Error::NotPending { .. }
        | Error::SlotNotFound { .. } => ("not_found", 3),
        Error::VaultExists { .. }
        | Error::AlreadyExists { .. }
        | Error::Pending { .. }
        | Error::VersionMismatch { .. } => ("conflict", 4),
        Error::Locked { .. } | Error::KeyUnusable { .. } | Error::ForeignLocked { .. } => {
            ("locked", 5)
        }
        Error::Corrupt { .. } | Error::KnownVaultsDamaged { .. } => ("corrupt", 6),
        Error::NotAVault { .. } | Error::OtherVault { .. } => ("not_a_vault", 6),
        Error::NewerFormat { .. } => ("newer_format", 6),
        Error::Busy { .. } => ("busy", BUSY),
        Error::Io { .. } | Error::OutcomeUnknown { .. } | Error::UnsupportedFileSystem { .. } => {
            ("io", 8)
        }
        Error::Invalid { .. } | Error::Duplicate { .. } => ("invalid", 9),
        _ => ("failed", 1),
    }
}
