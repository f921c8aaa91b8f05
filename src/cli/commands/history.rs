//! `history`: what a credential was before.

use credb::exchange::json::{self, Secrets};
use credb::{Earlier, Lineage, Replacement};

use super::get;
use crate::cli::args::HistoryArgs;
use crate::cli::context::Context;
use crate::cli::output::MASK;
use crate::cli::page::Page;
use crate::cli::report::Failure;

/// Shows the earlier versions, the newest first; none is a result too.
pub(super) fn run(context: &Context, args: HistoryArgs) -> Result<(), Failure> {
    let id = args.id.parse()?;
    let earlier = context.open()?.history(&id)?;
    if context.output.is_json() {
        let secrets = if args.show_password { Secrets::Shown } else { Secrets::Masked };
        let all = earlier.iter().map(|earlier| json::earlier(earlier, secrets));
        return context.output.json(&all.collect());
    }
    let mut page = Page::new(&context.output);
    if args.show_password {
        for (position, earlier) in earlier.iter().enumerate() {
            if position > 0 {
                page.push(b"\n");
            }
            get::add_whole(&mut page, &earlier.credential, get::Values::Shown);
            let replaced = page.reader().time(earlier.replaced_at);
            page.labelled("replaced", format!("{replaced}, {}", how(earlier)).as_bytes());
        }
    } else {
        let reader = page.reader();
        let row = |earlier: &Earlier| {
            let metadata = &earlier.credential.metadata;
            vec![
                metadata.version.to_string(),
                reader.time(metadata.updated_at),
                reader.time(earlier.replaced_at),
                how(earlier),
                metadata.username.clone().unwrap_or_default(),
                MASK.to_owned(),
            ]
        };
        let rows: Vec<_> = earlier.iter().map(row).collect();
        page.table(&["VERSION", "FROM", "UNTIL", "HOW", "USERNAME", "PASSWORD"], &rows);
    }
    page.print()?;
    if earlier.is_empty() {
        context.output.confirm(&format!("no earlier version of {id} is kept"));
    }
    Ok(())
}

/// What took its place, and whether it is another credential's.
fn how(earlier: &Earlier) -> String {
    let how = match &earlier.replacement {
        Replacement::Renamed { from } => format!("renamed from {from}"),
        other => other.to_string(),
    };
    match earlier.lineage {
        Lineage::Own => how,
        Lineage::Other => format!("{how} (another credential)"),
    }
}
