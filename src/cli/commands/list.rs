//! `list`: credentials without their secrets.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use credb::exchange::json;
use credb::{Metadata, Query};
use serde_json::Value;

use super::count;
use crate::cli::args::{ListArgs, Order};
use crate::cli::context::Context;
use crate::cli::input;
use crate::cli::page::{Page, Reader};
use crate::cli::progress::Progress;
use crate::cli::report::Failure;
use crate::cli::when::{self, FORMS, When};

/// Lists what matches; nothing is a result too.
pub(super) fn run(context: &Context, args: ListArgs) -> Result<(), Failure> {
    let (view, order) = (View::of(&args), args.sort);
    let now = Utc::now();
    let query = query(args, now)?;
    let mut found = {
        let vault = context.open()?;
        let _progress = Progress::start(&context.output, "listing");
        vault.list(&query)?
    };
    sort(&mut found, order);
    let output = &context.output;
    if output.is_json() {
        return output.json(&document(&found, view));
    }
    let mut page = Page::new(output);
    match view {
        View::Ids => {
            for metadata in &found {
                page.stored(metadata.id.as_str().as_bytes());
                page.push(b"\n");
            }
        }
        View::Short | View::Long => {
            let reader = page.reader();
            let rows: Vec<_> = found.iter().map(|found| row(found, reader, now, view)).collect();
            page.table(if view == View::Long { LONG } else { SHORT }, &rows);
        }
    }
    page.print()?;
    output.confirm(&count(found.len(), "credential", "credentials"));
    Ok(())
}

/// How much of each credential is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum View {
    Ids,
    Short,
    Long,
}

impl View {
    fn of(args: &ListArgs) -> Self {
        match (args.ids, args.long) {
            (true, _) => Self::Ids,
            (false, false) => Self::Short,
            (false, true) => Self::Long,
        }
    }
}

fn document(found: &[Metadata], view: View) -> Value {
    match view {
        View::Ids => found.iter().map(|metadata| metadata.id.as_str()).collect(),
        View::Short | View::Long => found.iter().map(json::metadata).collect(),
    }
}

fn query(args: ListArgs, now: DateTime<Utc>) -> Result<Query, Failure> {
    let mut query = Query::all();
    if let Some(pattern) = args.pattern {
        query = query.pattern(&input::text("pattern", pattern)?)?;
    }
    if let Some(text) = args.search {
        query = query.search(&input::text("search", text)?)?;
    }
    if let Some(tag) = &args.tag {
        query = query.tag(tag);
    }
    if let Some(text) = &args.older_than {
        let before = when::span(text).and_then(|span| now.checked_sub_signed(span));
        query = query.password_changed_before(before.ok_or_else(|| {
            Failure::usage("--older-than must be a time such as 90d (s, m, h, d, w)")
        })?);
    }
    let by = args.expires_before.map(|text| expiry(&text, now)).transpose()?;
    let by = match (args.expired, by) {
        (true, Some(by)) => Some(by.min(now)),
        (true, None) => Some(now),
        (false, by) => by,
    };
    Ok(match by {
        Some(by) => query.expires_before(by),
        None => query,
    })
}

/// From the order of the ids, which is kept among equals.
fn sort(found: &mut [Metadata], order: Order) {
    match order {
        Order::Id => {}
        Order::Updated => found.sort_by_key(|metadata| Reverse(metadata.updated_at)),
        Order::Age => found.sort_by_key(|metadata| metadata.password_changed_at),
        Order::Expires => {
            found.sort_by_key(|metadata| (metadata.expires_at.is_none(), metadata.expires_at));
        }
    }
}

fn expiry(text: &str, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    match When::parse(text, now) {
        Some(When::At(time)) => Ok(time),
        Some(When::Never) => Err(Failure::usage("--expires-before never would show nothing")),
        None => Err(Failure::usage(format!("--expires-before {FORMS}"))),
    }
}

const SHORT: &[&str] = &["ID", "USERNAME", "DESCRIPTION", "UPDATED", "EXPIRES"];

const LONG: &[&str] = &[
    "ID",
    "USERNAME",
    "DESCRIPTION",
    "UPDATED",
    "EXPIRES",
    "URL",
    "TAGS",
    "FIELDS",
    "CREATED",
    "PASSWORD CHANGED",
    "VERSION",
];

/// The cells of one credential; of the long form the first ones are those of the short form.
fn row(metadata: &Metadata, reader: Reader, now: DateTime<Utc>, view: View) -> Vec<String> {
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let mut cells = vec![
        metadata.id.to_string(),
        text(&metadata.username),
        text(&metadata.description),
        reader.time(metadata.updated_at),
        expiry_cell(metadata, reader, now),
    ];
    if view == View::Long {
        cells.extend([
            text(&metadata.url),
            metadata.tags.join(", "),
            metadata.field_names.join(", "),
            reader.time(metadata.created_at),
            reader.time(metadata.password_changed_at),
            metadata.version.to_string(),
        ]);
    }
    cells
}

fn expiry_cell(metadata: &Metadata, reader: Reader, now: DateTime<Utc>) -> String {
    let Some(expiry) = metadata.expires_at else { return String::new() };
    let time = reader.time(expiry);
    // A program can tell by the time.
    if reader == Reader::Terminal && metadata.is_expired(now) {
        return format!("{time} (expired)");
    }
    time
}
