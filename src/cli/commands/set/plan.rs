//! The arguments of `set` for one credential, checked. No message here holds a value of theirs.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use chrono::Utc;
use credb::{Condition, CredentialId, Edit, Patch, Secret, limits};

use super::{Ending, Place};
use crate::cli::args::{PolicyArgs, SetArgs, SourceArgs};
use crate::cli::context::Context;
use crate::cli::generate::Policy;
use crate::cli::input;
use crate::cli::report::Failure;
use crate::cli::when::{FORMS, When};

/// What to set.
pub(super) struct Plan {
    /// The credential.
    pub(super) id: CredentialId,
    /// Where its password comes from.
    pub(super) source: Source,
    /// What happens to the end of what is read.
    pub(super) ending: Ending,
    /// On what condition it is set.
    pub(super) condition: Condition,
    /// Whether a generated password is printed.
    pub(super) prints: bool,
    edit: Edit,
    field_files: Vec<(String, PathBuf)>,
    has_field_arguments: bool,
}

/// Where the password comes from.
pub(super) enum Source {
    /// Nowhere, as yet.
    Kept,
    /// Standard input, or a prompt if that is a terminal.
    Stdin,
    /// A file.
    File(PathBuf),
    /// A random one.
    Generated(Policy),
    /// The command line.
    Argument(Secret),
}

impl Plan {
    /// Checks the arguments.
    pub(super) fn new(mut args: SetArgs) -> Result<Self, Failure> {
        // The parser takes an option that another one excludes for one that is not missing.
        if args.keep_going {
            return Err(Failure::usage("--keep-going needs --from-file"));
        }
        let id = args.id.take().or(args.id_option.take());
        let id = input::id(id.ok_or_else(|| Failure::usage("an ID is needed"))?)?;
        let source = Source::new(std::mem::take(&mut args.source), &args.policy)?;
        let reads = matches!(source, Source::Stdin | Source::File(_));
        if args.exact && !reads && args.field_files.is_empty() {
            return Err(Failure::usage("--exact is about what is read from a file or stdin"));
        }
        if args.print && !matches!(source, Source::Generated(_)) {
            return Err(Failure::usage(
                "--print is about a generated password: it needs --generate",
            ));
        }
        let condition = match (args.if_absent, args.if_version) {
            (true, _) => Condition::IfAbsent,
            (false, Some(version)) => Condition::IfVersion(version),
            (false, None) => Condition::Always,
        };
        Ok(Self {
            id,
            source,
            ending: if args.exact { Ending::Kept } else { Ending::Dropped },
            condition,
            prints: args.print,
            field_files: field_files(std::mem::take(&mut args.field_files))?,
            has_field_arguments: !args.fields.is_empty(),
            edit: edit(args)?,
        })
    }

    /// Whether the password that is there already is to be printed instead of refused.
    pub(super) fn takes_what_is_there(&self) -> bool {
        self.prints && self.condition == Condition::IfAbsent
    }

    /// Warns of secrets on the command line.
    pub(super) fn warn(&self, context: &Context) {
        if matches!(self.source, Source::Argument(_)) {
            context.warn_of_arguments("--password", "--password-stdin or --password-file");
        }
        if self.has_field_arguments {
            context.warn_of_arguments("--field", "--field-file");
        }
    }

    /// The change without the password; reads the files of extra fields.
    pub(super) fn edit(&self) -> Result<Edit, Failure> {
        let mut edit = self.edit.clone();
        for (name, path) in &self.field_files {
            let value = Place::File(path.clone()).secret("field", limits::FIELD, self.ending)?;
            edit = edit.field(name, value);
        }
        Ok(edit)
    }
}

impl Source {
    fn new(args: SourceArgs, policy: &PolicyArgs) -> Result<Self, Failure> {
        if let Some(length) = args.generate {
            return Policy::for_set(length, policy).map(Self::Generated);
        }
        if policy.is_given() {
            return Err(Failure::usage(
                "a length or kind is about a generated password: it needs --generate",
            ));
        }
        Ok(match (args.password_stdin, args.password_file, args.password) {
            (true, _, _) => Self::Stdin,
            (false, Some(path), _) => Self::File(path),
            (false, None, Some(value)) => Self::Argument(Secret::new(value.into_vec())),
            (false, None, None) => Self::Kept,
        })
    }
}

fn edit(args: SetArgs) -> Result<Edit, Failure> {
    let mut edit = Edit::new()
        .url(patch("url", args.url)?)
        .description(patch("description", args.description)?)
        .expires_at(expiry(args.expires)?);
    if let Some(username) = args.username {
        edit = edit.username(input::text("username", username)?);
    }
    if !args.tags.is_empty() {
        let tags: Result<Vec<_>, _> =
            args.tags.into_iter().map(|tag| input::text("tag", tag)).collect();
        edit = edit.tags(tags?);
    }
    for field in args.fields {
        let (name, value) = split("--field", "NAME=VALUE", &field)?;
        edit = edit.field(name, Secret::from(value.as_bytes()));
    }
    if args.allow_empty {
        edit = edit.allow_empty();
    }
    unset(edit, args.unset)
}

fn patch(what: &str, value: Option<OsString>) -> Result<Patch<String>, Failure> {
    match value {
        None => Ok(Patch::Keep),
        Some(value) => Ok(Patch::Set(input::text(what, value)?)),
    }
}

fn expiry(when: Option<OsString>) -> Result<Patch<chrono::DateTime<Utc>>, Failure> {
    let Some(when) = when else { return Ok(Patch::Keep) };
    match when.to_str().and_then(|text| When::parse(text, Utc::now())) {
        Some(When::At(time)) => Ok(Patch::Set(time)),
        Some(When::Never) => Ok(Patch::Clear),
        None => Err(Failure::usage(format!("--expires {FORMS}"))),
    }
}

fn field_files(arguments: Vec<OsString>) -> Result<Vec<(String, PathBuf)>, Failure> {
    let one = |argument: OsString| {
        let (name, path) = split("--field-file", "NAME=PATH", &argument)?;
        Ok((name, PathBuf::from(path)))
    };
    arguments.into_iter().map(one).collect()
}

/// Splits at the first equals sign.
fn split<'a>(
    option: &str,
    form: &str,
    argument: &'a OsStr,
) -> Result<(String, &'a OsStr), Failure> {
    let bytes = argument.as_bytes();
    let Some(end) = bytes.iter().position(|byte| *byte == b'=') else {
        return Err(Failure::usage(format!("{option} needs the form {form}")));
    };
    let name = std::str::from_utf8(&bytes[..end])
        .map_err(|_| Failure::invalid("field name", "is not UTF-8"))?;
    Ok((name.to_owned(), OsStr::from_bytes(&bytes[end + 1..])))
}

fn unset(mut edit: Edit, names: Vec<OsString>) -> Result<Edit, Failure> {
    for name in names {
        edit = match name.to_str() {
            Some("username") => edit.patch_username(Patch::Clear),
            Some("url") => edit.url(Patch::Clear),
            Some("description") => edit.description(Patch::Clear),
            Some("tags") => edit.tags(Vec::<String>::new()),
            Some("expires") => edit.expires_at(Patch::Clear),
            Some(other) => match other.strip_prefix("field:") {
                Some(field) => edit.unset_field(field),
                None => return Err(unknown_to_unset()),
            },
            None => return Err(unknown_to_unset()),
        };
    }
    Ok(edit)
}

fn unknown_to_unset() -> Failure {
    Failure::usage("--unset takes url, description, tags, expires, username or field:NAME")
}
