//! Points in time as they are written on a command line, and as tables show them.

use chrono::{DateTime, Datelike, Local, NaiveDate, TimeDelta, Utc};

/// A point in time, or none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    /// This point in time.
    At(DateTime<Utc>),
    /// `never`.
    Never,
}

/// What a text that is no [`When`] should have been; the text itself is not repeated.
pub(crate) const FORMS: &str =
    "must be a time from now such as 90d (s, m, h, d, w), a date, an RFC 3339 time or never";

impl When {
    /// Parses `30s 15m 12h 90d 2w` from `now`, `2027-01-31` (00:00 UTC), RFC 3339 or `never`.
    pub(crate) fn parse(text: &str, now: DateTime<Utc>) -> Option<Self> {
        if text == "never" {
            return Some(Self::Never);
        }
        let at = date(text).or_else(|| rfc3339(text)).or_else(|| relative(text, now))?;
        // JSON times have four digits for the year.
        (0..=9999).contains(&at.year()).then_some(Self::At(at))
    }
}

/// A time in a table: local and short.
pub(crate) fn short(time: DateTime<Utc>) -> String {
    time.with_timezone(&Local).format("%Y-%m-%d %H:%M").to_string()
}

fn date(text: &str) -> Option<DateTime<Utc>> {
    // The parser would take signs and spaces for digits.
    let is_in_place = |(at, byte): (usize, u8)| match at {
        4 | 7 => byte == b'-',
        _ => byte.is_ascii_digit(),
    };
    if text.len() != 10 || !text.bytes().enumerate().all(is_in_place) {
        return None;
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    Some(date.and_hms_opt(0, 0, 0)?.and_utc())
}

fn rfc3339(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|time| time.with_timezone(&Utc))
}

fn relative(text: &str, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
    now.checked_add_signed(span(text)?)
}

/// What a text that is no span should have been.
pub(crate) const SPANS: &str = "must be a number with a unit, such as 50m (s, m, h, d, w)";

/// Parses a span of time such as `50m`.
pub(crate) fn span(text: &str) -> Option<TimeDelta> {
    let unit = text.chars().last()?;
    let number = text.strip_suffix(unit)?;
    if !number.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        'w' => 604_800,
        _ => return None,
    };
    TimeDelta::try_seconds(number.parse::<i64>().ok()?.checked_mul(seconds)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        DateTime::parse_from_rfc3339(text).unwrap().with_timezone(&Utc)
    }

    #[test]
    fn every_form_is_understood() {
        let now = at("2026-01-01T00:00:00Z");
        for (text, expected) in [
            ("30s", "2026-01-01T00:00:30Z"),
            ("15m", "2026-01-01T00:15:00Z"),
            ("12h", "2026-01-01T12:00:00Z"),
            ("90d", "2026-04-01T00:00:00Z"),
            ("2w", "2026-01-15T00:00:00Z"),
            ("2027-01-31", "2027-01-31T00:00:00Z"),
            ("2027-01-31T08:00:00+01:00", "2027-01-31T07:00:00Z"),
        ] {
            assert_eq!(When::parse(text, now), Some(When::At(at(expected))), "{text}");
        }
        assert_eq!(When::parse("never", now), Some(When::Never));
    }

    #[test]
    fn a_span_has_a_number_and_a_unit() {
        assert_eq!(span("90d"), Some(TimeDelta::days(90)));
        assert_eq!(span("0s"), Some(TimeDelta::zero()));
        for text in ["", "90", "never", "2027-01-31", "-1d", "9999999999999999w"] {
            assert_eq!(span(text), None, "{text:?}");
        }
    }

    #[test]
    fn everything_else_is_refused() {
        let now = at("2026-01-01T00:00:00Z");
        for text in [
            "",
            "d",
            "90",
            "-1d",
            "+1d",
            "1.5h",
            "1y",
            "90 d",
            "90D",
            "Never",
            "2027-1-31",
            "+202-01-31",
            "-202-01-31",
            "2027- 1-31",
            " 2027-01-3",
            "2027-02-30",
            "tomorrow",
            "99999999999999999999d",
            "9999999999w",
            "2w\u{e9}",
        ] {
            assert_eq!(When::parse(text, now), None, "{text:?}");
        }
    }
}
