//! What the one that renews a credential tells those who wait for it: a line that stands in a file
//! in clear for a moment, and so holds no id, no secret and no text of the command's.

use credb::CredentialId;

use crate::cli::report::Failure;

/// What came of renewing a credential.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Note {
    /// It is stored, at this version.
    Done(u64),
    /// The command failed with this code.
    Command(u8),
    /// Something else failed, with this code of credb's own.
    Own(u8),
}

impl Note {
    /// That of a failure.
    pub(super) fn of(failure: &Failure) -> Self {
        match failure {
            Failure::Command { name: "command", code, .. } | Failure::NotStarted { code, .. } => {
                Self::Command(*code)
            }
            other => Self::Own(other.exit_code()),
        }
    }

    /// The note as text.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Done(version) => format!("done {version}"),
            Self::Command(code) => format!("command {code}"),
            Self::Own(code) => format!("credb {code}"),
        }
    }

    /// The note of a text; what is no note tells of a failure.
    pub(super) fn parse(text: &[u8]) -> Self {
        let parsed = || {
            let (kind, number) = std::str::from_utf8(text).ok()?.split_once(' ')?;
            let code = || number.parse::<u8>().ok().filter(|code| *code > 0);
            match kind {
                "done" => number.parse().ok().map(Self::Done),
                "command" => code().map(Self::Command),
                "credb" => code().map(Self::Own),
                _ => None,
            }
        };
        parsed().unwrap_or(Self::Own(1))
    }

    /// The version that is stored now, or the failure for who waited.
    pub(super) fn result(&self, id: &CredentialId) -> Result<u64, Failure> {
        let (name, code) = match self {
            Self::Done(version) => return Ok(*version),
            Self::Command(code) => ("command", *code),
            Self::Own(code) => (own_name(*code), *code),
        };
        let what =
            if name == "command" { "the command of another caller" } else { "another caller" };
        let message = format!("{what} failed to renew \"{id}\", with exit code {code}");
        Err(Failure::Command { name, message, code, hint: None })
    }
}

/// The JSON code of an exit code of credb's own.
fn own_name(code: u8) -> &'static str {
    match code {
        3 => "not_found",
        4 => "conflict",
        5 => "locked",
        6 => "corrupt",
        7 => "busy",
        8 => "io",
        9 => "invalid",
        _ => "failed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notes_come_back_from_their_text() {
        for note in [Note::Done(7), Note::Command(3), Note::Command(255), Note::Own(9)] {
            assert_eq!(Note::parse(note.text().as_bytes()), note);
        }
    }

    #[test]
    fn what_is_no_note_is_a_failure() {
        for text in ["", "done", "done x", "command 0", "credb 0", "command 256", "x 1", "\u{fffd}"]
        {
            assert_eq!(Note::parse(text.as_bytes()), Note::Own(1), "{text}");
        }
        assert_eq!(Note::parse(b"done \xff"), Note::Own(1));
    }
}
