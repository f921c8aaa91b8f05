//! `run`: becomes another program, whose environment holds what references stand for.
//!
//! All is resolved before anything starts. There is no child to look after: signals, terminal and
//! exit code are the program's own.

mod env_file;

use std::collections::BTreeMap;
use std::env;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::process::CommandExt;
use std::process::Command;

use credb::exchange::reference::{Reference, SCHEME, Template};
use credb::exchange::resolve::{Secrets, Warning};
use credb::{Error, Snapshot};
use zeroize::Zeroizing;

use super::resolve::{self, Places};
use crate::cli::args::RunArgs;
use crate::cli::context::Context;
use crate::cli::inherited;
use crate::cli::input::Place;
use crate::cli::process;
use crate::cli::report::Failure;

/// Variables to be set.
type Variables = BTreeMap<OsString, Variable>;

/// A variable to be set.
struct Variable {
    value: Value,
    /// Where that was given, for messages.
    place: String,
}

/// What a variable is to hold.
enum Value {
    /// What this stands for.
    Reference(Reference),
    /// This text with its references filled in.
    Template(Zeroizing<Vec<u8>>),
}

impl Value {
    fn template(&self) -> credb::Result<Template<'_>> {
        match self {
            Self::Reference(reference) => Ok(reference.clone().into()),
            Self::Template(text) => Template::parse(text),
        }
    }
}

/// Resolves all references and becomes the command. Returns only if that failed.
pub(super) fn run(context: &Context, args: RunArgs) -> Result<(), Failure> {
    let mut words = args.command.into_iter();
    let program = words.next().ok_or_else(|| Failure::usage("a COMMAND is needed after --"))?;
    let mut variables = Variables::new();
    for path in &args.env_files {
        inherited::keep_from_commands(path);
        variables.extend(env_file::parse(path, &Place::of_document(path).document()?)?);
    }
    for argument in &args.env {
        let (name, value) = listed(argument)?;
        variables.insert(name, value);
    }
    if !args.only_listed {
        add_inherited(&mut variables)?;
    }
    let mut command = Command::new(&program);
    command.args(words).envs(resolved(context, &variables)?);
    process::allow_core_dumps();
    let source = command.exec();
    process::forbid_core_dumps();
    Err(not_started(&program, source))
}

/// The value of `--env`. What is no reference may be a secret: no message repeats it.
fn listed(argument: &OsStr) -> Result<(OsString, Variable), Failure> {
    let bytes = argument.as_bytes();
    match bytes.iter().position(|byte| *byte == b'=') {
        Some(end @ 1..) if !env_file::is_name(&bytes[..end]) => {
            Err(Failure::usage(format!("--env {}", env_file::NOT_A_NAME)))
        }
        Some(end @ 1..) => {
            let name = OsStr::from_bytes(&bytes[..end]);
            let value = Value::Reference(parse(name, &bytes[end + 1..])?);
            let place = format!("--env {}", name.display());
            Ok((name.to_owned(), Variable { value, place }))
        }
        _ => Err(Failure::usage("--env needs the form NAME=REFERENCE")),
    }
}

/// Adds the variables of this process that are references, unless they are set otherwise.
fn add_inherited(variables: &mut Variables) -> Result<(), Failure> {
    for (name, value) in env::vars_os() {
        let is_reference = value.as_bytes().starts_with(SCHEME.as_bytes());
        if is_reference && !variables.contains_key(&name) {
            let value = Value::Reference(parse(&name, value.as_bytes())?);
            let place = format!("the inherited {}", name.display());
            variables.insert(name, Variable { value, place });
        }
    }
    Ok(())
}

fn parse(name: &OsStr, text: &[u8]) -> Result<Reference, Failure> {
    let text = std::str::from_utf8(text);
    text.map_err(|_| "is not UTF-8".to_owned())
        .and_then(|text| text.parse().map_err(reason))
        .map_err(|reason| Failure::invalid(format!("the reference for {}", name.display()), reason))
}

/// Why an input was refused, without what it is called.
fn reason(error: Error) -> String {
    match error {
        Error::Invalid { reason, .. } => reason,
        other => other.to_string(),
    }
}

/// All variables with what they are to hold, out of one state of the vault.
fn resolved(
    context: &Context,
    variables: &Variables,
) -> Result<Vec<(OsString, OsString)>, Failure> {
    let mut templates = Vec::with_capacity(variables.len());
    for (name, variable) in variables {
        templates.push((name, variable, variable.value.template()?));
    }
    let places = templates.iter().flat_map(|(_, variable, template)| {
        template.references().map(|reference| (variable.place.clone(), reference))
    });
    let places = Places::new(places);
    let references: Vec<&Reference> =
        templates.iter().flat_map(|(_, _, template)| template.references()).collect();
    // Without a reference no vault is opened.
    let secrets = if references.is_empty() {
        Secrets::default()
    } else {
        let read = |snapshot: &Snapshot<'_>| Secrets::read(snapshot, references.iter().copied());
        context.open()?.read(read).map_err(|error| places.explain(error))?
    };
    for id in secrets.expired() {
        resolve::tell(context, &Warning::Expired { id: id.clone() });
    }
    let mut environment = Vec::with_capacity(templates.len());
    for (name, _, template) in &templates {
        let filled = template.fill(|reference| secrets.get(reference));
        let mut value = filled.map_err(|error| places.explain(error))?;
        if value.contains(&0) {
            let what = format!("the value for {}", name.display());
            return Err(Failure::invalid(what, "has a NUL byte, which no variable can hold"));
        }
        environment.push(((*name).clone(), OsString::from_vec(std::mem::take(&mut *value))));
    }
    Ok(environment)
}

/// Why the command did not start, with the exit code that a shell would give.
fn not_started(program: &OsStr, source: io::Error) -> Failure {
    let code = if source.kind() == io::ErrorKind::NotFound { 127 } else { 126 };
    Failure::NotStarted { error: Error::Io { action: "run", path: program.into(), source }, code }
}
