//! `get`: shows credentials, or one field of them.

use chrono::Utc;
use credb::exchange::field::FieldValue;
use credb::exchange::json::{self, Secrets};
use credb::{Credential, CredentialId, Error, Snapshot};
use serde_json::{Map, Value};

use super::sink::{Sink, mode};
use crate::cli::args::GetArgs;
use crate::cli::context::Context;
use crate::cli::input;
use crate::cli::output::MASK;
use crate::cli::page::{Page, Reader};
use crate::cli::report::Failure;

/// What is shown of each credential.
enum View {
    /// Everything but secrets.
    Masked,
    /// Everything.
    Shown,
    /// One field and a newline.
    Field(String),
    /// One field's bytes.
    Raw(String),
}

/// Shows what was asked for; all of it is of one committed state.
pub(super) fn run(context: &Context, args: GetArgs) -> Result<(), Failure> {
    let sink = Sink::new(args.out.out_file, mode(args.out.file_mode.as_deref())?);
    let view = match (args.field, args.raw, args.show_password) {
        (Some(name), true, _) => View::Raw(name),
        (Some(name), false, _) => View::Field(name),
        (None, _, true) => View::Shown,
        (None, _, false) => View::Masked,
    };
    let ids = input::ids(args.ids, args.id_options)?;
    if args.at.is_some() && ids.len() > 1 {
        return Err(Failure::usage("--at takes one ID"));
    }
    if matches!(view, View::Raw(_)) && ids.len() > 1 {
        return Err(Failure::usage("--raw takes one ID"));
    }
    let credentials = context.open()?.read(|snapshot| find_all(snapshot, &ids, args.at))?;
    if context.output.is_json() {
        let document = document(&credentials, &view)?;
        return sink.write_text(&context.output, &context.output.json_text(&document));
    }
    let mut page = sink.page(&context.output);
    add(context, &mut page, &credentials, &view)?;
    sink.write(&context.output, page)?;
    remark(context, &sink, &credentials, (&view, args.at));
    Ok(())
}

/// All of them, or an error that names all that are missing; with a version, that of the one.
fn find_all(
    snapshot: &Snapshot<'_>,
    ids: &[CredentialId],
    at: Option<u64>,
) -> credb::Result<Vec<Credential>> {
    if let (Some(version), [id]) = (at, ids) {
        return Ok(vec![snapshot.version(id, version)?]);
    }
    let mut found = Vec::with_capacity(ids.len());
    let mut missing = Vec::new();
    for id in ids {
        match snapshot.find(id)? {
            Some(credential) => found.push(credential),
            None => missing.push(id.clone()),
        }
    }
    if missing.is_empty() { Ok(found) } else { Err(Error::NotFound { ids: missing }) }
}

/// One object for one credential, an array for several.
fn document(credentials: &[Credential], view: &View) -> Result<Value, Failure> {
    let each = |credential: &Credential| match view {
        View::Masked => Ok(json::credential(credential, Secrets::Masked)),
        View::Shown => Ok(json::credential(credential, Secrets::Shown)),
        View::Field(name) | View::Raw(name) => field_json(credential, name),
    };
    match credentials {
        [credential] => each(credential),
        _ => credentials.iter().map(each).collect::<Result<Vec<_>, _>>().map(Value::Array),
    }
}

fn field_json(credential: &Credential, name: &str) -> Result<Value, Failure> {
    let value = FieldValue::of(credential, name)?;
    let mut object = Map::new();
    object.insert("id".to_owned(), credential.metadata.id.as_str().into());
    object.insert("field".to_owned(), name.into());
    let (key, value) = value.json();
    object.insert(key, value);
    Ok(object.into())
}

fn add(
    context: &Context,
    page: &mut Page<'_>,
    credentials: &[Credential],
    view: &View,
) -> Result<(), Failure> {
    for (position, credential) in credentials.iter().enumerate() {
        match view {
            View::Masked | View::Shown => {
                if position > 0 {
                    page.push(b"\n");
                }
                let values =
                    if matches!(view, View::Shown) { Values::Shown } else { Values::Masked };
                add_whole(page, credential, values);
            }
            View::Field(name) => {
                page.stored(&FieldValue::of(credential, name)?.into_bytes());
                page.push(b"\n");
            }
            View::Raw(name) => {
                let bytes = FieldValue::of(credential, name)?.into_bytes();
                if page.reader() == Reader::Terminal {
                    refuse_control_characters(context, credential, name, &bytes)?;
                }
                page.push(&bytes);
            }
        }
    }
    Ok(())
}

/// Whether secret values are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    Shown,
    Masked,
}

/// Adds all of a credential, a line each.
pub(super) fn add_whole(page: &mut Page<'_>, credential: &Credential, values: Values) {
    let metadata = &credential.metadata;
    let masked = |secret| if values == Values::Shown { secret } else { MASK.as_bytes() };
    page.labelled("id", metadata.id.as_str().as_bytes());
    let text = |page: &mut Page<'_>, label, text: &Option<String>| {
        if let Some(text) = text {
            page.labelled(label, text.as_bytes());
        }
    };
    text(page, "username", &metadata.username);
    page.labelled("password", masked(credential.password.expose()));
    text(page, "url", &metadata.url);
    text(page, "description", &metadata.description);
    if !metadata.tags.is_empty() {
        page.labelled("tags", metadata.tags.join(", ").as_bytes());
    }
    for (name, value) in &credential.fields {
        page.labelled_by_stored("field", name, masked(value.expose()));
    }
    let reader = page.reader();
    page.labelled("created", reader.time(metadata.created_at).as_bytes());
    page.labelled("updated", reader.time(metadata.updated_at).as_bytes());
    page.labelled("password changed", reader.time(metadata.password_changed_at).as_bytes());
    if let Some(expiry) = metadata.expires_at {
        let mark = if metadata.is_expired(Utc::now()) { " (expired)" } else { "" };
        page.labelled("expires", format!("{}{mark}", reader.time(expiry)).as_bytes());
    }
    if let Some(pending) = &credential.pending {
        page.labelled("pending since", reader.time(pending.since).as_bytes());
    }
    page.labelled("version", metadata.version.to_string().as_bytes());
}

/// Refuses what could drive a terminal that it is sent to without escaping.
pub(super) fn refuse_control_characters(
    context: &Context,
    credential: &Credential,
    name: &str,
    bytes: &[u8],
) -> Result<(), Failure> {
    let is_harmless = std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(char::is_control));
    if is_harmless {
        return Ok(());
    }
    let id = credential.metadata.id.as_str();
    let options = format!("--field {}", crate::cli::hints::quote(name));
    let command = context.hints.about("get", id, &options);
    Err(Failure::invalid(
        format!("{name} of \"{id}\""),
        "has control characters, which --raw does not send to a terminal",
    )
    .with_hint(format!("to see them as escapes: `{command}`")))
}

/// What else to say, on stderr.
fn remark(
    context: &Context,
    sink: &Sink,
    credentials: &[Credential],
    (view, at): (&View, Option<u64>),
) {
    let now = Utc::now();
    if let (View::Masked, [credential, ..], Sink::Stdout) = (view, credentials, sink)
        && !context.output.is_terminal()
    {
        let id = credential.metadata.id.as_str();
        let at = at.map(|version| format!("--at {version} ")).unwrap_or_default();
        let command = context.hints.about("get", id, &format!("{at}--field password"));
        context.output.hint(&format!("the password is masked; for its text: `{command}`"));
    }
    if let View::Field(_) | View::Raw(_) = view {
        for credential in credentials.iter().filter(|found| found.metadata.is_expired(now)) {
            context.output.note(&format!("{} has expired", credential.metadata.id));
        }
    }
}
