//! `inject`: fills a template with what its references stand for, whole or not at all.

use std::path::Path;

use credb::exchange::reference::{Piece, Template};

use super::resolve::Resolved;
use super::sink::{PRIVATE, Sink};
use crate::cli::args::InjectArgs;
use crate::cli::context::Context;
use crate::cli::input::Place;
use crate::cli::prompt::Prompt;
use crate::cli::report::Failure;

/// Writes the filled template.
pub(super) fn run(context: &Context, args: InjectArgs) -> Result<(), Failure> {
    let place = match &args.in_file {
        Some(path) => Place::of_document(path),
        None => Place::of_document(Path::new("-")),
    };
    if matches!(place, Place::Stdin) && Prompt::stdin_is_terminal() {
        return Err(Failure::usage("a template is needed: name it with --in-file, or pipe it in"));
    }
    let text = place.document()?;
    let template = Template::parse(&text)?;
    let resolved = Resolved::of(context, template.references())?;
    let sink = Sink::new(args.out_file, PRIVATE);
    let mut page = sink.page(&context.output);
    for piece in template.pieces() {
        match piece {
            Piece::Text(text) => page.push(text),
            // What is stored is escaped for a terminal; the template is the caller's own.
            Piece::Reference(reference) => page.stored(&resolved.get(reference)?),
        }
    }
    sink.write(&context.output, page)
}
