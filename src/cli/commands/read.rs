//! `read`: prints what one reference stands for.

use credb::CredentialId;
use credb::exchange::reference::{Reference, SCHEME};

use super::get;
use crate::cli::args::{GetArgs, ReadArgs};
use crate::cli::context::Context;
use crate::cli::hints::quote;
use crate::cli::input;
use crate::cli::report::Failure;

/// Prints one field, as `get --field` does.
pub(super) fn run(context: &Context, args: ReadArgs) -> Result<(), Failure> {
    let text = input::text("reference", args.reference)?;
    let reference: Reference = text.parse().map_err(|error| explain(context, error, &text))?;
    get::run(
        context,
        GetArgs {
            at: None,
            ids: vec![reference.id().as_str().into()],
            id_options: Vec::new(),
            show_password: false,
            field: Some(reference.field().to_owned()),
            raw: args.raw,
            out: args.out,
        },
    )
}

/// The failure, with the reference that is meant if an id was given, or one without its scheme.
fn explain(context: &Context, error: credb::Error, text: &str) -> Failure {
    let failure = Failure::from(error);
    if text.contains("://") {
        return failure;
    }
    let meant = format!("{SCHEME}{text}").parse::<Reference>().ok();
    match meant.or_else(|| CredentialId::new(text).ok().map(Reference::to_password)) {
        Some(reference) => {
            let command = format!("read {}", quote(&reference.to_string()));
            let command = context.hints.command(&command);
            failure.with_hint(format!("a reference begins with {SCHEME}: `{command}`"))
        }
        None => failure,
    }
}
