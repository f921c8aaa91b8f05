//! `read`: prints what one reference stands for.

use credb::exchange::reference::Reference;

use super::get;
use crate::cli::args::{GetArgs, ReadArgs};
use crate::cli::context::Context;
use crate::cli::input;
use crate::cli::report::Failure;

/// Prints one field, as `get --field` does.
pub(super) fn run(context: &Context, args: ReadArgs) -> Result<(), Failure> {
    let reference: Reference = input::text("reference", args.reference)?.parse()?;
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
