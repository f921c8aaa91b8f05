//! `vya_backupbd.json`: the predecessor's configuration, with its logins in clear.
//!
//! The ids are those that its own migration gave and that scripts use: `smtp-<smtp_host>` and
//! `<dbms>-<id_dbms>`. Keys and sections that are not about logins are of no interest.

#[cfg(test)]
mod tests;

use std::path::Path;

use super::fields::text_of;
use super::{Collector, Holds, Import};
use crate::credential::{CredentialId, Edit, Patch};
use crate::error::{Error, Result};
use crate::exchange::node::{Node, Object, quoted};
use crate::exchange::reference;

pub(super) const EMAIL: &str = "email_settings";
pub(super) const DATABASES: &str = "db_config";
pub(super) const SMTP_SECRET: &str = "smtp_password";
pub(super) const SECRET: &str = "secret";

/// Reads the configuration; `path` is for messages.
pub(super) fn read(path: &Path, text: &[u8]) -> Result<Import> {
    let invalid = |reason: String| Error::invalid(path.display().to_string(), reason);
    let root = Node::parse(text).map_err(invalid)?;
    let sections =
        root.object().ok_or_else(|| invalid(format!("is {}, not a configuration", root.kind())))?;
    for section in [EMAIL, DATABASES] {
        if sections.iter().filter(|(key, _)| *key == section).count() > 1 {
            return Err(invalid(format!("has {section} twice")));
        }
    }
    if !sections.iter().any(|(key, _)| [EMAIL, DATABASES].contains(&key)) {
        return Err(invalid(format!("has neither {EMAIL} nor {DATABASES}")));
    }

    let mut collector = Collector::default();
    if let Some(node) = sections.get(EMAIL) {
        collector.login(EMAIL.to_owned(), node, &SMTP)?;
    }
    match sections.get(DATABASES) {
        None => {}
        Some(Node::List(entries)) => {
            for (index, node) in entries.iter().enumerate() {
                collector.login(format!("{DATABASES}[{index}]"), node, &DATABASE)?;
            }
        }
        Some(other) => {
            let reason = format!("is {}, not an array", other.kind());
            collector.in_clear(DATABASES, None);
            collector.reject(DATABASES.to_owned(), None, reason, Holds::Secret);
        }
    }
    Ok(collector.import)
}

/// How one kind of section names its parts.
struct Kind {
    user: &'static str,
    secret: &'static str,
    id: fn(&Object) -> Result<String, String>,
    /// What the id is made of.
    id_keys: &'static [&'static str],
    /// For an entry that has an id.
    description: fn(&Object) -> Result<String, String>,
    /// Key in the configuration and name of the extra field; the first key that is there counts.
    fields: &'static [(&'static str, &'static str)],
}

impl Kind {
    /// The id, if there is no doubt about it.
    fn certain_id(&self, object: &Object) -> Option<CredentialId> {
        let count = |key: &&str| object.iter().filter(|(own, _)| own == key).count();
        let is_certain = self.id_keys.iter().all(|key| count(key) == 1);
        let id = (self.id)(object).ok().filter(|_| is_certain)?;
        CredentialId::new(id).ok()
    }

    /// The id and the description.
    fn name(&self, object: &Object) -> Name {
        let id = (self.id)(object)?;
        Ok((id, (self.description)(object)?))
    }
}

/// The id and the description, or why there is none.
type Name = Result<(String, String), String>;

const SMTP: Kind = Kind {
    user: "smtp_user",
    secret: SMTP_SECRET,
    id: smtp_id,
    id_keys: &["smtp_host"],
    description: smtp_description,
    fields: &[("smtp_host", "host"), ("smtp_port", "port"), ("ssl_enabled", "ssl_enabled")],
};

const DATABASE: Kind = Kind {
    user: "user",
    secret: SECRET,
    id: database_id,
    id_keys: &["dbms", "id_dbms"],
    description: database_description,
    fields: &[
        ("dbms", "type"),
        ("host", "host"),
        ("port", "port"),
        ("database", "database"),
        ("db_list", "database"),
        ("db_ignore", "db_ignore"),
        ("ssl_enabled", "ssl_enabled"),
    ],
};

impl Collector {
    fn login(&mut self, position: String, node: &Node, kind: &Kind) -> Result<()> {
        let Some(object) = node.object() else {
            let holds = if node.is_blank() { Holds::Nothing } else { Holds::Secret };
            if holds == Holds::Secret {
                self.in_clear(&position, None);
            }
            self.reject(position, None, format!("is {}, not an object", node.kind()), holds);
            return Ok(());
        };
        let is_secret = |(key, node): &(&str, &Node)| *key == kind.secret && is_clear(node);
        let secrets = object.iter().filter(is_secret).count();
        self.import.clear_secrets += secrets;
        let holds = if secrets > 0 { Holds::Secret } else { Holds::Nothing };
        if holds == Holds::Secret {
            self.in_clear(&position, kind.certain_id(object));
        }

        let name = kind.name(object);
        let id = name.as_ref().ok().map(|(id, _)| id.clone());
        match judge(object, kind, name) {
            Ok((id, edit)) => return self.take(position, id, edit),
            Err(Verdict::Unused(reason)) => self.skip(position, id, reason),
            Err(Verdict::Faulty(reason)) => self.reject(position, id, reason, holds),
        }
        Ok(())
    }
}

/// Why an entry is not taken.
enum Verdict {
    /// It is no login that anything uses.
    Unused(String),
    /// It is one, and something is wrong with it.
    Faulty(String),
}

impl From<String> for Verdict {
    fn from(reason: String) -> Self {
        Self::Faulty(reason)
    }
}

fn judge(object: &Object, kind: &Kind, name: Name) -> Result<(String, Edit), Verdict> {
    let unused = |reason: String| Err(Verdict::Unused(reason));
    if object.get("dbms").and_then(Node::text).is_some_and(is_files) {
        return unused("is of kind files, which has no credential".to_owned());
    }
    if !enabled(object)? {
        return unused("is disabled".to_owned());
    }
    if let Some(key) = object.repeated() {
        return Err(Verdict::Faulty(format!("has {} twice", quoted(key))));
    }
    let missing = |key| object.get(key).is_none_or(Node::is_blank);
    match (missing(kind.user), missing(kind.secret)) {
        (true, true) => unused(format!("has neither {} nor {}", kind.user, kind.secret)),
        (true, false) => unused(format!("has no {}", kind.user)),
        (false, true) => unused(format!("has no {}", kind.secret)),
        (false, false) if object.get(kind.secret).is_some_and(is_reference) => {
            unused("has a reference already".to_owned())
        }
        (false, false) => {
            let (id, description) = name?;
            Ok((id, edit(object, kind, description)?))
        }
    }
}

fn edit(object: &Object, kind: &Kind, description: String) -> Result<Edit, String> {
    let edit = Edit::new()
        .username(text(object, kind.user)?.unwrap_or_default())
        .password(text(object, kind.secret)?.unwrap_or_default())
        .description(Patch::Set(description));
    // From the last to the first, so that of two keys for one field the first one counts.
    Ok(kind.fields.iter().rev().fold(edit, |edit, (key, field)| {
        match object.get(key).and_then(text_of) {
            Some(value) => edit.field(*field, value),
            None => edit,
        }
    }))
}

fn smtp_id(object: &Object) -> Result<String, String> {
    Ok(format!("smtp-{}", smtp_host(object)?))
}

fn smtp_host(object: &Object) -> Result<&str, String> {
    Ok(text(object, "smtp_host")?.ok_or("has no smtp_host")?)
}

fn smtp_description(object: &Object) -> Result<String, String> {
    let host = smtp_host(object)?;
    Ok(match number_or_text(object, "smtp_port")? {
        Some(port) => format!("SMTP {host} (port {port})"),
        None => format!("SMTP {host}"),
    })
}

fn database_id(object: &Object) -> Result<String, String> {
    let dbms = dbms(object)?;
    let number = match object.get("id_dbms") {
        Some(Node::Number(number)) if number.is_f64() => {
            return Err("has an id_dbms that is not a whole number".to_owned());
        }
        _ => number_or_text(object, "id_dbms")?.ok_or("has no id_dbms")?,
    };
    Ok(format!("{dbms}-{number}"))
}

fn dbms(object: &Object) -> Result<&str, String> {
    Ok(text(object, "dbms")?.ok_or("has no dbms")?)
}

fn database_description(object: &Object) -> Result<String, String> {
    let place = match (text(object, "host")?, number_or_text(object, "port")?) {
        (Some(host), Some(port)) => format!(" {host}:{port}"),
        (Some(host), None) => format!(" {host}"),
        (None, Some(port)) => format!(" :{port}"),
        (None, None) => String::new(),
    };
    Ok(format!("{}{place}", dbms(object)?.to_uppercase()))
}

/// Whether this value of a secret's key is a secret in clear.
pub(super) fn is_clear(node: &Node) -> bool {
    !node.is_blank() && !is_reference(node)
}

/// Whether something in it stands for a secret, as it does for `inject`.
fn is_reference(node: &Node) -> bool {
    node.text().is_some_and(reference::holds_any)
}

fn is_files(dbms: &str) -> bool {
    dbms.eq_ignore_ascii_case("files")
}

/// Whether the entry is in use, which it is by default.
fn enabled(object: &Object) -> Result<bool, String> {
    match object.get("enabled") {
        None => Ok(true),
        Some(Node::Bool(enabled)) => Ok(*enabled),
        Some(node) => match text_of(node).unwrap_or_default().to_ascii_lowercase().as_str() {
            "true" | "1" => Ok(true),
            "false" | "0" => Ok(false),
            _ => Err("has an enabled that is neither true nor false".to_owned()),
        },
    }
}

/// The text, `None` if it is missing or empty.
fn text<'a>(object: &'a Object, key: &str) -> Result<Option<&'a str>, String> {
    match object.get(key) {
        None => Ok(None),
        Some(Node::Text(text)) => Ok(Some(text.as_str()).filter(|text| !text.is_empty())),
        Some(other) => Err(format!("has {key} as {}, not a string", other.kind())),
    }
}

fn number_or_text(object: &Object, key: &str) -> Result<Option<String>, String> {
    match object.get(key) {
        Some(Node::Number(number)) => Ok(Some(number.to_string())),
        _ => Ok(text(object, key)?.map(str::to_owned)),
    }
}
