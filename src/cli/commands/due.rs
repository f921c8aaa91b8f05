//! `due`: what expires, and which passwords are too old, now or soon.

use chrono::{DateTime, TimeDelta, Utc};
use credb::exchange::json;
use credb::{Config, Metadata, Query};
use serde_json::{Value, json};

use crate::cli::args::DueArgs;
use crate::cli::context::Context;
use crate::cli::page::{Page, Reader};
use crate::cli::report::Failure;
use crate::cli::when;

/// How far ahead it looks if nothing else is asked for: long enough to change a password in time.
const WITHIN: TimeDelta = TimeDelta::days(14);

/// One reason to change a password.
struct Due {
    metadata: Metadata,
    reason: &'static str,
    at: DateTime<Utc>,
}

/// Lists what is due, the oldest first; nothing is a result too.
pub(super) fn run(context: &Context, args: &DueArgs) -> Result<(), Failure> {
    let now = Utc::now();
    let by = until(args.within.as_deref(), now)?;
    let (config, all) =
        context.open()?.read(|snapshot| Ok((snapshot.config()?, snapshot.list(&Query::all())?)))?;
    let mut due: Vec<Due> = all.iter().flat_map(|metadata| reasons(metadata, &config)).collect();
    due.retain(|due| due.at <= by);
    due.sort_by(|left, right| (left.at, &left.metadata.id).cmp(&(right.at, &right.metadata.id)));
    let shown = if context.output.is_json() {
        let rows = due.iter().map(|due| due.json(now));
        context.output.json(&rows.collect())
    } else {
        let mut page = Page::new(&context.output);
        let reader = page.reader();
        let rows: Vec<_> = due.iter().map(|due| due.row(reader, now)).collect();
        page.table(&["ID", "USERNAME", "REASON", "DUE"], &rows);
        let shown = page.print();
        context.output.confirm(&format!("{} due", due.len()));
        shown
    };
    if args.exit_code && !due.is_empty() {
        context.output.finish();
        return Err(Failure::Found.beside(shown));
    }
    shown
}

/// The time up to which to look.
fn until(within: Option<&str>, now: DateTime<Utc>) -> Result<DateTime<Utc>, Failure> {
    let span = match within {
        None => Some(WITHIN),
        Some(text) => when::span(text),
    };
    let by = span.and_then(|span| now.checked_add_signed(span));
    by.ok_or_else(|| Failure::usage("--within must be a time such as 14d (s, m, h, d, w)"))
}

/// When it expires, and when its password comes of age.
fn reasons(metadata: &Metadata, config: &Config) -> Vec<Due> {
    let age = config.password_max_age.and_then(|age| TimeDelta::from_std(age).ok());
    let aged = age.and_then(|age| metadata.password_changed_at.checked_add_signed(age));
    let expiry = metadata.expires_at.map(|at| ("expires", at));
    let aged = aged.map(|at| ("password_age", at));
    let due = |(reason, at)| Due { metadata: metadata.clone(), reason, at };
    expiry.into_iter().chain(aged).map(due).collect()
}

impl Due {
    fn json(&self, now: DateTime<Utc>) -> Value {
        json!({
            "id": self.metadata.id.as_str(),
            "username": self.metadata.username,
            "reason": self.reason,
            "due_at": json::time(self.at),
            "overdue": self.at <= now,
        })
    }

    fn row(&self, reader: Reader, now: DateTime<Utc>) -> Vec<String> {
        let reason = match (reader, self.reason) {
            (Reader::Terminal, "password_age") => "password age",
            (_, reason) => reason,
        };
        let time = reader.time(self.at);
        // A program can tell by the time.
        let overdue = reader == Reader::Terminal && self.at <= now;
        vec![
            self.metadata.id.to_string(),
            self.metadata.username.clone().unwrap_or_default(),
            reason.to_owned(),
            if overdue { format!("{time} (overdue)") } else { time },
        ]
    }
}
