//! Operations as data: one JSON object a line.
//!
//! Only reads what a line says. Nothing here opens a vault, and no message repeats a value other
//! than an id.

mod apply;

use super::json::{check_keys, id_member, not, with_member};
use super::node::{Node, Object, quoted};
use crate::credential::{Condition, CredentialId, Edit};
use crate::error::{Error, Result};
use crate::vault::{Overwrite, Query};

/// The longest line, in bytes: room for a credential of the largest size, with its escapes.
pub const MAX_LINE: usize = 2 * 1_048_576;

/// One thing to do.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Operation {
    /// Add or update a credential.
    Set {
        /// Its id.
        id: CredentialId,
        /// What to change.
        edit: Box<Edit>,
        /// On what condition.
        condition: Condition,
    },
    /// Read a credential.
    Get {
        /// Its id.
        id: CredentialId,
    },
    /// Remove a credential.
    Remove {
        /// Its id.
        id: CredentialId,
        /// On what condition.
        condition: Condition,
    },
    /// Give a credential another id.
    Rename {
        /// Its id.
        id: CredentialId,
        /// The id that it gets.
        to: CredentialId,
        /// Whether another credential of that id may be replaced.
        overwrite: Overwrite,
        /// On what condition.
        condition: Condition,
    },
    /// List credentials without their secrets.
    List {
        /// Which ones.
        query: Query,
    },
}

impl Operation {
    /// Reads one line.
    ///
    /// - `{"op":"set","id":...}` with the members of a credential as
    ///   [`read_credentials`](super::json::read_credentials) takes them, and either `if_version`
    ///   (0 means that it must not exist) or `"if_absent":true`
    /// - `{"op":"get","id":...}`
    /// - `{"op":"remove","id":...}` with or without `if_version`
    /// - `{"op":"rename","id":...,"to":...}` with or without `if_version`, and `"force":true`, which
    ///   replaces what has that id
    /// - `{"op":"list"}` with or without `pattern`, `search` and `tag`
    ///
    /// # Errors
    ///
    /// [`Error::Invalid`] names what is wrong.
    ///
    /// # Examples
    ///
    /// ```
    /// use credb::exchange::batch::Operation;
    ///
    /// let line = br#"{"op":"set","id":"a","password":"P@ss","if_absent":true}"#;
    /// assert!(matches!(Operation::read(line)?, Operation::Set { .. }));
    /// # Ok::<(), credb::Error>(())
    /// ```
    pub fn read(line: &[u8]) -> Result<Self> {
        if line.len() > MAX_LINE {
            return Err(Error::too_large("line", line.len(), MAX_LINE, "bytes"));
        }
        let node = Node::parse(line).map_err(|reason| Error::invalid("line", reason))?;
        let object = node.object().ok_or_else(|| not("line", &node, "an object"))?;
        check_keys(object)?;
        match text(object, "op")? {
            Some("set") => set(object),
            Some("get") => {
                only(object, &["id"])?;
                Ok(Self::Get { id: id_member(object, "id")? })
            }
            Some("remove") => {
                only(object, &["id", "if_version"])?;
                Ok(Self::Remove { id: id_member(object, "id")?, condition: condition(object)? })
            }
            Some("rename") => rename(object),
            Some("list") => list(object),
            Some(other) => {
                let reason = format!("is {}, not set, get, remove, rename or list", quoted(other));
                Err(Error::invalid("op", reason))
            }
            None => Err(Error::invalid("op", "is missing")),
        }
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn only_reads(&self) -> bool {
        matches!(self, Self::Get { .. } | Self::List { .. })
    }
}

fn set(object: &Object) -> Result<Operation> {
    let id = id_member(object, "id")?;
    let condition = condition(object)?;
    let own = |key: &str| ["op", "if_version", "if_absent"].contains(&key);
    let edit = object
        .iter()
        .filter(|(key, _)| !own(key))
        .try_fold(Edit::new(), |edit, (key, value)| with_member(edit, key, value))?;
    Ok(Operation::Set { id, edit: Box::new(edit), condition })
}

fn rename(object: &Object) -> Result<Operation> {
    only(object, &["id", "to", "force", "if_version"])?;
    Ok(Operation::Rename {
        id: id_member(object, "id")?,
        to: id_member(object, "to")?,
        overwrite: if flag(object, "force")? { Overwrite::Allowed } else { Overwrite::Never },
        condition: condition(object)?,
    })
}

fn list(object: &Object) -> Result<Operation> {
    only(object, &["pattern", "search", "tag"])?;
    let mut query = Query::all();
    if let Some(pattern) = text(object, "pattern")? {
        query = query.pattern(pattern)?;
    }
    if let Some(search) = text(object, "search")? {
        query = query.search(search)?;
    }
    if let Some(tag) = text(object, "tag")? {
        query = query.tag(tag);
    }
    Ok(Operation::List { query })
}

fn condition(object: &Object) -> Result<Condition> {
    // Null is what a script gets that asks a failed answer for its version: no condition at all
    // would overwrite what it wanted to be careful with.
    let version = match object.given("if_version") {
        None => None,
        Some(Node::Number(number)) => Some(
            number
                .as_u64()
                .ok_or_else(|| Error::invalid("if_version", "is not a whole number from 0"))?,
        ),
        Some(other) => return Err(not("if_version", other, "a number")),
    };
    match (version, flag(object, "if_absent")?) {
        (None, false) => Ok(Condition::Always),
        (None, true) => Ok(Condition::IfAbsent),
        (Some(version), false) => Ok(Condition::IfVersion(version)),
        (Some(_), true) => Err(Error::invalid("if_absent", "cannot stand beside if_version")),
    }
}

/// Refuses members other than these and `op`.
fn only(object: &Object, keys: &[&str]) -> Result<()> {
    match object.iter().find(|(key, _)| *key != "op" && !keys.contains(key)) {
        Some((key, _)) => Err(Error::invalid(format!("key {}", quoted(key)), "is unknown")),
        None => Ok(()),
    }
}

fn text<'a>(object: &'a Object, key: &str) -> Result<Option<&'a str>> {
    match object.get(key) {
        None => Ok(None),
        Some(Node::Text(text)) => Ok(Some(text)),
        Some(other) => Err(not(key, other, "a string")),
    }
}

fn flag(object: &Object, key: &str) -> Result<bool> {
    match object.given(key) {
        None => Ok(false),
        Some(Node::Bool(value)) => Ok(*value),
        Some(other) => Err(not(key, other, "true or false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(line: &str) -> String {
        Operation::read(line.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn conditions_are_read() {
        for (members, expected) in [
            ("", Condition::Always),
            (r#","if_absent":true"#, Condition::IfAbsent),
            (r#","if_absent":false"#, Condition::Always),
            (r#","if_version":7"#, Condition::IfVersion(7)),
        ] {
            let line = format!(r#"{{"op":"set","id":"a"{members}}}"#);
            let Operation::Set { condition, .. } = Operation::read(line.as_bytes()).unwrap() else {
                panic!("{line}")
            };
            assert_eq!(condition, expected, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_named_and_no_value_repeated() {
        for (line, message) in [
            ("", "line is not JSON: EOF while parsing a value at line 1 column 0"),
            ("[]", "line is an array, not an object"),
            ("{}", "op is missing"),
            (r#"{"op":1}"#, "op is a number, not a string"),
            (r#"{"op":"x"}"#, r#"op is "x", not set, get, remove, rename or list"#),
            (r#"{"op":"get"}"#, "id is missing"),
            (r#"{"op":"get","id":""}"#, "id is empty"),
            (r#"{"op":"get","id":"a","id":"b"}"#, r#"key "id" stands there twice"#),
            (r#"{"op":"get","id":"a","to":"b"}"#, r#"key "to" is unknown"#),
            (r#"{"op":"rename","id":"a"}"#, "to is missing"),
            (
                r#"{"op":"remove","id":"a","if_version":-1}"#,
                "if_version is not a whole number from 0",
            ),
            (r#"{"op":"remove","id":"a","if_absent":true}"#, r#"key "if_absent" is unknown"#),
            (
                r#"{"op":"rename","id":"a","to":"b","if_absent":true}"#,
                r#"key "if_absent" is unknown"#,
            ),
            (r#"{"op":"set","id":"a","if_absent":1}"#, "if_absent is a number, not true or false"),
            (r#"{"op":"set","id":"a","if_version":null}"#, "if_version is null, not a number"),
            (r#"{"op":"set","id":"a","if_absent":null}"#, "if_absent is null, not true or false"),
            (
                r#"{"op":"set","id":"a","if_absent":true,"if_version":1}"#,
                "if_absent cannot stand beside if_version",
            ),
            (r#"{"op":"set","id":"a","pasword":"s3cret"}"#, r#"key "pasword" is unknown"#),
            (
                r#"{"op":"set","id":"a","password":["s3cret"]}"#,
                "password is an array, not a string",
            ),
        ] {
            assert_eq!(refused(line), message, "{line}");
        }
        let long = format!(r#"{{"op":"get","id":"{}"}}"#, "x".repeat(MAX_LINE));
        assert!(refused(&long).ends_with("at most 2097152 are allowed"), "{}", refused(&long));
    }
}
