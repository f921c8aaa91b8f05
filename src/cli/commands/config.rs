//! `config`: settings that hold for all who use the vault.

use std::cell::Cell;
use std::time::Duration;

use credb::Config;
use serde_json::{Value, json};

use crate::cli::args::ConfigArgs;
use crate::cli::context::Context;
use crate::cli::input;
use crate::cli::page::Page;
use crate::cli::report::Failure;
use crate::cli::when;

/// How an age that is never reached is typed and shown.
const NEVER: &str = "never";

/// A setting by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Key {
    HistoryKeep,
    PasswordMaxAge,
    RotationMaxAge,
}

/// Lists all, shows one, or changes one.
pub(super) fn run(context: &Context, args: ConfigArgs) -> Result<(), Failure> {
    if let Some(name) = &args.unset {
        let key = Key::of(context, name)?;
        return change(context, key, &Config::default());
    }
    let Some(name) = &args.key else { return list(context) };
    let key = Key::of(context, name)?;
    let Some(value) = args.value else { return show(context, key) };
    let mut wanted = Config::default();
    key.parse(&input::text(key.name(), value)?, &mut wanted)?;
    change(context, key, &wanted)
}

fn list(context: &Context) -> Result<(), Failure> {
    let config = context.open()?.config()?;
    if context.output.is_json() {
        let all = Key::ALL.iter().map(|key| key.json(&config));
        return context.output.json(&all.collect());
    }
    let row =
        |key: &Key| vec![key.name().to_owned(), key.text(&config), key.text(&Config::default())];
    let mut page = Page::new(&context.output);
    page.table(&["KEY", "VALUE", "DEFAULT"], &Key::ALL.iter().map(row).collect::<Vec<_>>());
    page.print()
}

fn show(context: &Context, key: Key) -> Result<(), Failure> {
    let config = context.open()?.config()?;
    if context.output.is_json() {
        return context.output.json(&key.json(&config));
    }
    let mut page = Page::new(&context.output);
    page.push(key.text(&config).as_bytes());
    page.push(b"\n");
    page.print()
}

/// Gives the setting the value it has in `wanted`.
fn change(context: &Context, key: Key, wanted: &Config) -> Result<(), Failure> {
    let changed = Cell::new(false);
    let config = context.open()?.configure(|config| {
        let before = config.clone();
        key.copy(wanted, config);
        changed.set(*config != before);
    })?;
    let is = if changed.get() { "is now" } else { "is unchanged:" };
    context.output.confirm(&format!("{} {is} {}", key.name(), key.text(&config)));
    if context.output.is_json() {
        let mut document = key.json(&config);
        document["changed"] = changed.get().into();
        return context.output.json(&document);
    }
    Ok(())
}

impl Key {
    const ALL: [Self; 3] = [Self::HistoryKeep, Self::PasswordMaxAge, Self::RotationMaxAge];

    fn of(context: &Context, name: &str) -> Result<Self, Failure> {
        let found = Self::ALL.into_iter().find(|key| key.name() == name);
        found.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            let all = context.hints.command("config");
            Failure::usage("there is no such setting")
                .with_hint(format!("the settings are {names}: `{all}`"))
        })
    }

    fn name(self) -> &'static str {
        match self {
            Self::HistoryKeep => "history.keep",
            Self::PasswordMaxAge => "password.max_age",
            Self::RotationMaxAge => "rotation.max_age",
        }
    }

    /// Takes a value in; the library knows its limits.
    fn parse(self, text: &str, config: &mut Config) -> Result<(), Failure> {
        match self {
            Self::HistoryKeep => {
                let number = text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse());
                let reason = "must be a number from 0 to 1000";
                config.history_keep = number
                    .and_then(Result::ok)
                    .ok_or_else(|| Failure::invalid(self.name(), reason))?;
            }
            Self::PasswordMaxAge => config.password_max_age = self.age(text)?,
            Self::RotationMaxAge => config.rotation_max_age = self.age(text)?,
        }
        Ok(())
    }

    fn age(self, text: &str) -> Result<Option<Duration>, Failure> {
        if text == NEVER {
            return Ok(None);
        }
        let reason = "must be a time such as 90d (s, m, h, d, w) or never";
        let span = when::span(text).and_then(|span| span.to_std().ok());
        span.map(Some).ok_or_else(|| Failure::invalid(self.name(), reason))
    }

    fn copy(self, from: &Config, to: &mut Config) {
        match self {
            Self::HistoryKeep => to.history_keep = from.history_keep,
            Self::PasswordMaxAge => to.password_max_age = from.password_max_age,
            Self::RotationMaxAge => to.rotation_max_age = from.rotation_max_age,
        }
    }

    fn text(self, config: &Config) -> String {
        match self {
            Self::HistoryKeep => config.history_keep.to_string(),
            Self::PasswordMaxAge => age_text(config.password_max_age),
            Self::RotationMaxAge => age_text(config.rotation_max_age),
        }
    }

    fn json(self, config: &Config) -> Value {
        let value = |config: &Config| match self {
            Self::HistoryKeep => json!(config.history_keep),
            Self::PasswordMaxAge | Self::RotationMaxAge => json!(self.text(config)),
        };
        json!({"key": self.name(), "value": value(config), "default": value(&Config::default())})
    }
}

fn age_text(age: Option<Duration>) -> String {
    age.map_or(NEVER.to_owned(), span)
}

/// A duration in the largest unit that has no rest, as it can be typed.
fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [(86_400, 'd'), (3_600, 'h'), (60, 'm')];
    let unit = units.into_iter().find(|(size, _)| seconds.is_multiple_of(*size));
    let (size, unit) = unit.unwrap_or((1, 's'));
    format!("{}{unit}", seconds / size)
}
