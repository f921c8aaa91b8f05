//! `set`: adds or updates one credential, or many from a file.

mod many;
mod plan;

use chrono::{DateTime, Utc};
use credb::exchange::json;
use credb::{
    Change, Condition, Credential, CredentialId, Edit, Error, Metadata, Secret, Vault, limits,
};
use serde_json::json;

use self::plan::{Plan, Source};
use crate::cli::args::SetArgs;
use crate::cli::context::Context;
use crate::cli::input::{Ending, Place};
use crate::cli::page::Page;
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
    if plan.takes_what_is_there() {
        let (done, password) = get_or_create(&vault, &plan, &edit)?;
        return tell(context, &done, Some(&password))
            .map_err(|failure| unprinted(context, &plan.id, failure));
    }
    let change = vault.set_if(&plan.id, &edit, plan.condition)?;
    tell(context, &change.into(), password.as_ref().filter(|_| plan.prints))
        .map_err(|failure| unprinted(context, &plan.id, failure))
}

/// What is stored, or else what was made: of any number of calls at once one stores its own, and
/// all come to that.
fn get_or_create(vault: &Vault, plan: &Plan, edit: &Edit) -> Result<(Done, Secret), Failure> {
    // Those who come later need not wait for writers.
    if let Some(stored) = vault.read(|snapshot| snapshot.find(&plan.id))? {
        return Ok(found(stored));
    }
    Ok(vault.write(|transaction| {
        if let Some(stored) = transaction.find(&plan.id)? {
            return Ok(found(stored));
        }
        let change = transaction.set_if(&plan.id, edit, Condition::IfAbsent)?;
        let stored = transaction.find(&plan.id)?;
        let password = stored.map(|stored| stored.password).unwrap_or_default();
        Ok((change.into(), password))
    })?)
}

/// A credential that is left as it is.
fn found(stored: Credential) -> (Done, Secret) {
    let Metadata { id, version, updated_at, .. } = stored.metadata;
    (Done { id, version, updated_at, created: false, changed: false }, stored.password)
}

/// What there is to tell.
struct Done {
    id: CredentialId,
    version: u64,
    created: bool,
    changed: bool,
    updated_at: DateTime<Utc>,
}

impl From<Change> for Done {
    fn from(change: Change) -> Self {
        let Change { id, version, created, changed, updated_at, .. } = change;
        Self { id, version, created, changed, updated_at }
    }
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
        Source::Generated(policy) => policy.password()?,
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

fn tell(context: &Context, done: &Done, printed: Option<&Secret>) -> Result<(), Failure> {
    let output = &context.output;
    let (id, version) = (&done.id, done.version);
    output.confirm(&match (done.created, done.changed) {
        (true, _) => format!("added {id} (version {version})"),
        (false, true) => format!("updated {id} (version {version})"),
        (false, false) => format!("{id} is unchanged (version {version})"),
    });
    if output.is_json() {
        let mut document = json!({
            "id": id.as_str(),
            "version": version,
            "created": done.created,
            "changed": done.changed,
            "updated_at": json::time(done.updated_at),
        });
        if let (Some(password), Some(document)) = (printed, document.as_object_mut()) {
            document.extend([json::bytes_entry("password", password.expose())]);
        }
        return output.json(&document);
    }
    let Some(password) = printed else { return Ok(()) };
    let mut page = Page::new(output);
    page.stored(password.expose());
    page.push(b"\n");
    page.print()
}

/// The failure to print a password that is stored, with how it is had.
fn unprinted(context: &Context, id: &CredentialId, failure: Failure) -> Failure {
    let command = context.hints.about("get", id.as_str(), "--field password");
    failure.after_change().with_hint(format!("see it with `{command}`"))
}
