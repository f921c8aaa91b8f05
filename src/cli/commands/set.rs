//! `set`: adds or updates one credential, or many from a file.

mod many;
mod plan;

use credb::exchange::json;
use credb::{Change, Condition, Edit, Error, Secret, Vault, limits};
use serde_json::json;
use zeroize::Zeroizing;

use self::plan::{Plan, Source};
use crate::cli::args::SetArgs;
use crate::cli::context::Context;
use crate::cli::generate;
use crate::cli::input::{Ending, Place};
use crate::cli::output::to_stdout;
use crate::cli::prompt::Prompt;
use crate::cli::report::Failure;

/// Sets one credential, or many.
pub(super) fn run(context: &Context, args: SetArgs) -> Result<(), Failure> {
    if let Some(path) = &args.from_file {
        return many::run(context, path, args.keep_going);
    }
    let plan = Plan::new(args)?;
    plan.warn(context);
    let password = read(context, &plan)?;
    let mut edit = plan.edit()?;
    if let Some(password) = &password {
        edit = edit.password(password.clone());
    }
    let vault = context.open()?;
    if password.is_none() {
        edit = with_prompted(context, &vault, &plan, edit)?;
    }
    let change = vault.set_if(&plan.id, &edit, plan.condition)?;
    tell(context, &change, password.as_ref().filter(|_| plan.prints))
}

/// The password from its source, if it has one.
fn read(context: &Context, plan: &Plan) -> Result<Option<Secret>, Failure> {
    let secret = match &plan.source {
        Source::Kept => return Ok(None),
        Source::Stdin if Prompt::stdin_is_terminal() => {
            prompt(context, plan)?.new_secret(&format!("Password for \"{}\"", plan.id))?
        }
        Source::Stdin => Place::Stdin.secret("password", limits::PASSWORD, plan.ending)?,
        Source::File(path) => {
            Place::File(path.clone()).secret("password", limits::PASSWORD, plan.ending)?
        }
        Source::Generated(length) => generate::password(*length)?,
        Source::Argument(secret) => secret.clone(),
    };
    Ok(Some(secret))
}

/// Asks for the password where one is needed. The vault is not held meanwhile.
fn with_prompted(
    context: &Context,
    vault: &Vault,
    plan: &Plan,
    edit: Edit,
) -> Result<Edit, Failure> {
    let version = match vault.metadata(&plan.id) {
        Ok(metadata) => metadata.version,
        Err(Error::NotFound { .. }) => 0,
        Err(error) => return Err(error.into()),
    };
    check(plan, version)?;
    if version > 0 && !edit.is_empty() {
        return Ok(edit);
    }
    let question = match version {
        0 => format!("Password for the new credential \"{}\"", plan.id),
        version => format!("New password for \"{}\" (replaces version {version})", plan.id),
    };
    Ok(edit.password(prompt(context, plan)?.new_secret(&question)?))
}

/// Nobody is asked for a password that will not be taken.
fn check(plan: &Plan, actual: u64) -> Result<(), Failure> {
    let id = plan.id.clone();
    match plan.condition {
        Condition::IfAbsent if actual > 0 => {
            Err(Error::AlreadyExists { id, version: actual }.into())
        }
        Condition::IfVersion(expected) if expected != actual => {
            Err(Error::VersionMismatch { id, expected, actual }.into())
        }
        _ => Ok(()),
    }
}

fn prompt(context: &Context, plan: &Plan) -> Result<Prompt, Failure> {
    context.prompt().ok_or_else(|| {
        let command = context.hints.about("set", plan.id.as_str(), "--password-stdin");
        Failure::usage(format!("a password for \"{}\" is needed, and nobody can be asked", plan.id))
            .with_hint(format!("pipe it into `{command}`"))
    })
}

fn tell(context: &Context, change: &Change, printed: Option<&Secret>) -> Result<(), Failure> {
    let output = &context.output;
    let (id, version) = (&change.id, change.version);
    output.confirm(&match (change.created, change.changed) {
        (true, _) => format!("added {id} (version {version})"),
        (false, true) => format!("updated {id} (version {version})"),
        (false, false) => format!("{id} is unchanged (version {version})"),
    });
    if output.is_json() {
        let mut document = json!({
            "id": id.as_str(),
            "version": version,
            "created": change.created,
            "changed": change.changed,
            "updated_at": json::time(change.updated_at),
        });
        if let Some(password) = printed.and_then(Secret::expose_str) {
            document["password"] = password.into();
        }
        return output.json(&document);
    }
    let Some(password) = printed else { return Ok(()) };
    let mut line = Zeroizing::new(Vec::with_capacity(password.len() + 1));
    line.extend_from_slice(password.expose());
    line.push(b'\n');
    to_stdout(&line)
}
