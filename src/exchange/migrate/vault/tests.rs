use std::path::Path;

use super::super::{Skipped, read};
use super::{is_token, key_of};
use crate::credential::Credential;
use crate::error::Error;
use crate::exchange::migrate::Import;
use crate::seal::seal_foreign;

const SAMPLE: &[u8] = include_bytes!("../../../../tests/data/vault.json.enc");
/// Far in the future: no clock decides whether an old vault opens.
const TIME: u64 = 99_999_999_999;

fn seal(text: impl AsRef<[u8]>) -> String {
    seal_foreign(&key_of("host-a"), text.as_ref(), TIME)
}

fn open(text: &str) -> crate::Result<Import> {
    read(Path::new("/old/vault.json.enc"), seal(text).as_bytes(), "host-a")
}

/// A vault with these members of `credentials`.
fn vault(credentials: &str) -> crate::Result<Import> {
    open(&format!(r#"{{"version":"1.0.0","credentials":{{{credentials}}}}}"#))
}

/// An entry with a password and these further members.
fn entry(more: &str) -> String {
    format!(r#"{{"username":"{}","password":"{}"{more}}}"#, seal("u"), seal("hunter2"))
}

fn credentials(import: &Import) -> Vec<Credential> {
    let now = chrono::Utc::now();
    import.entries.iter().map(|entry| entry.edit.apply(&entry.id, None, 0, now).unwrap()).collect()
}

fn told(list: &[Skipped]) -> Vec<(&str, Option<&str>, &str)> {
    list.iter().map(|s| (s.position.as_str(), s.id.as_deref(), s.reason.as_str())).collect()
}

fn field<'a>(credential: &'a Credential, name: &str) -> Option<&'a str> {
    credential.field(name).map(|value| value.expose_str().unwrap())
}

fn at(text: &str) -> chrono::DateTime<chrono::Utc> {
    text.parse().unwrap()
}

#[track_caller]
fn corrupt(result: crate::Result<Import>, expected: &str) {
    let error = result.unwrap_err();
    assert!(matches!(error, Error::Corrupt { .. }), "{error:?}");
    let message = error.to_string();
    assert!(message.starts_with("/old/vault.json.enc is damaged: "), "{message}");
    assert!(message.contains(expected), "{message}");
    assert!(!message.contains("hunter2"), "{message}");
}

#[test]
fn the_key_is_the_hash_of_the_host_name() {
    let text = data_encoding::BASE64URL.encode(&*key_of("host-a"));
    assert_eq!(text, "wVHjkspS1XP0W53oSvTloX9wH8Unch9YZOLuVqgFza0=");
}

#[test]
fn a_vault_of_the_predecessor_comes_over_whole() {
    let import = read(Path::new("x"), SAMPLE, "old-host").unwrap();
    let found = credentials(&import);
    let ids: Vec<_> = found.iter().map(|c| c.metadata.id.as_str()).collect();
    assert_eq!(ids, ["smtp-smtp.example.com", "mysql-1", "app_token.v2"]);

    let smtp = &found[0];
    assert_eq!(smtp.metadata.username.as_deref(), Some("backup@example.com"));
    assert_eq!(smtp.password.expose(), b"not-a-real-smtp-password");
    let description = smtp.metadata.description.as_deref();
    assert_eq!(description, Some("SMTP smtp.example.com (port 587)"));
    assert_eq!(smtp.metadata.created_at, at("2024-03-01T08:30:00.123456Z"));
    assert_eq!(smtp.metadata.updated_at, at("2024-11-05T17:45:10.000001Z"));
    assert_eq!(smtp.metadata.password_changed_at, smtp.metadata.updated_at);
    assert_eq!(smtp.fields, []);

    let mysql = &found[1];
    assert_eq!(mysql.metadata.created_at, at("2024-03-01T08:30:00Z"));
    assert_eq!(mysql.metadata.updated_at, at("2024-03-01T08:30:00Z"));
    for (name, value) in [
        ("type", "mysql"),
        ("host", "db1.example.com"),
        ("port", "3306"),
        ("database", "shop,crm"),
        ("db_ignore", "information_schema,performance_schema"),
        ("ssl_enabled", "false"),
    ] {
        assert_eq!(field(mysql, name), Some(value));
    }
    assert_eq!(mysql.fields.len(), 6);

    let token = &found[2];
    assert_eq!(token.metadata.username, None);
    assert_eq!(token.password.expose_str(), Some("\u{e7}\u{e3}o-\u{1f511}"));
    assert_eq!(token.metadata.description.as_deref(), Some("Servi\u{e7}o"));
    assert_eq!(token.metadata.updated_at, at("2025-01-02T03:04:05.6Z"));

    let skipped = (r#"credentials["placeholder"]"#, Some("placeholder"), "has no password");
    assert_eq!(told(&import.skipped), [skipped]);
    assert_eq!(told(&import.refused), []);
    assert_eq!(import.clear_secrets, 0);
}

#[test]
fn a_final_newline_does_no_harm() {
    let text = [SAMPLE, b"\r\n"].concat();
    assert_eq!(read(Path::new("x"), &text, "old-host").unwrap().entries.len(), 3);
}

#[test]
fn another_host_name_is_locked_and_named() {
    let error = read(Path::new("/old/v"), SAMPLE, "new-host").unwrap_err();
    assert!(matches!(error, Error::ForeignLocked { .. }), "{error:?}");
    let expected = "/old/v does not open with the key of host name \"new-host\": \
        wrong key or altered";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn an_altered_token_is_locked_and_never_empty() {
    let bytes = data_encoding::BASE64URL.decode(SAMPLE).unwrap();
    for place in [1, 8, 9, 24, 25, bytes.len() - 33, bytes.len() - 32, bytes.len() - 1] {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        let text = data_encoding::BASE64URL.encode(&altered);
        let error = read(Path::new("x"), text.as_bytes(), "old-host").unwrap_err();
        assert!(matches!(error, Error::ForeignLocked { .. }), "{place}: {error:?}");
    }
}

#[test]
fn what_is_neither_token_nor_json_is_invalid() {
    let cut = &SAMPLE[..SAMPLE.len() - 4];
    let binary = [&b"redb\x1a\x0a\xa9\x0d\x0a"[..], &[0; 100]].concat();
    for bytes in [&b"gAAAAA=="[..], b"hello", b"\"text\"", b"\x80\xff", cut, &binary] {
        let error = read(Path::new("x"), bytes, "old-host").unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
    }
}

#[test]
fn a_token_has_a_version_and_whole_blocks() {
    let of = |first: u8, length: usize| {
        let mut bytes = vec![0; length];
        bytes[0] = first;
        is_token(&data_encoding::BASE64URL.encode(&bytes))
    };
    assert!(of(0x80, 73) && of(0x80, 89));
    assert!(!of(0x80, 57) && !of(0x80, 72) && !of(0x80, 74) && !of(0x81, 73));
    assert!(!is_token(""));
}

#[test]
fn what_opens_and_is_no_vault_is_damaged() {
    let deep = "[".repeat(100_000);
    for (text, expected) in [
        ("", "it is not JSON"),
        ("hunter2", "it is not JSON"),
        (&deep, "it is not JSON"),
        ("[]", "its content is an array, not an object"),
        ("{}", "version is not 1.x"),
        (r#"{"version":1,"credentials":{}}"#, "version is not 1.x"),
        (r#"{"version":"2.0.0","credentials":{}}"#, "version is not 1.x"),
        (r#"{"version":"10","credentials":{}}"#, "version is not 1.x"),
        (r#"{"version":"1.0.0"}"#, "credentials is missing"),
        (r#"{"version":"1.0.0","credentials":null}"#, "credentials is missing"),
        (r#"{"version":"1.0.0","credentials":[]}"#, "credentials is an array, not an object"),
        (
            r#"{"version":"1.0.0","credentials":{},"credentials":{}}"#,
            "its content has \"credentials\" twice",
        ),
    ] {
        corrupt(open(text), expected);
    }
    assert!(open(r#"{"version":"1.1","credentials":{},"more":7}"#).unwrap().entries.is_empty());
}

#[test]
fn a_malformed_entry_is_damaged_and_named() {
    let foreign = seal_foreign(&key_of("host-b"), b"hunter2", TIME);
    let raw = seal(b"\xff");
    let good = entry("");
    for (entry, expected) in [
        ("null".to_owned(), r#"credentials["x"] is null, not an object"#),
        (r#""hunter2""#.to_owned(), r#"credentials["x"] is a string, not an object"#),
        (
            r#"{"password":"hunter2"}"#.to_owned(),
            r#"credentials["x"].password does not open with the key of the whole"#,
        ),
        (
            format!(r#"{{"username":"{foreign}"}}"#),
            r#"credentials["x"].username does not open with the key of the whole"#,
        ),
        (r#"{"password":7}"#.to_owned(), r#"credentials["x"].password is not a string"#),
        (format!(r#"{{"username":"{raw}"}}"#), r#"credentials["x"].username is not UTF-8"#),
        (r#"{"password":"","password":""}"#.to_owned(), r#"credentials["x"] has "password" twice"#),
        (entry(r#","metadata":[]"#), r#"credentials["x"].metadata is an array, not an object"#),
        (
            entry(r#","metadata":{"description":7}"#),
            r#"credentials["x"].metadata.description is not a string"#,
        ),
        (
            entry(r#","metadata":{"created_at":"yesterday"}"#),
            r#"credentials["x"].metadata.created_at is not a time as ISO 8601 writes it"#,
        ),
        (
            entry(r#","metadata":{"updated_at":1700000000}"#),
            r#"credentials["x"].metadata.updated_at is not a time as ISO 8601 writes it"#,
        ),
    ] {
        corrupt(vault(&format!(r#""good":{good},"x":{entry}"#)), expected);
    }
}

#[test]
fn ids_are_taken_as_they_are_or_refused() {
    let long = "x".repeat(256);
    let good = ["a.b_c", "db/x", "caf\u{e9}", "-x", "*"];
    let bad = ["", " a", "a\\n", &long];
    let all: Vec<String> =
        good.iter().chain(&bad).map(|id| format!(r#""{id}":{}"#, entry(""))).collect();
    let import = vault(&all.join(",")).unwrap();
    let ids: Vec<_> = import.entries.iter().map(|entry| entry.id.as_str()).collect();
    assert_eq!(ids, good);
    let short = format!(r#"credentials["{}..."]"#, "x".repeat(64));
    assert_eq!(
        told(&import.refused),
        [
            (r#"credentials[""]"#, Some(""), "id is empty"),
            (r#"credentials[" a"]"#, Some(" a"), "id has white space at its beginning or end"),
            (r#"credentials["a\n"]"#, Some("a\n"), "id has a control character"),
            (&short, Some(&*long), "id has 256 bytes, and at most 255 are allowed"),
        ]
    );
}

#[test]
fn an_entry_without_password_is_skipped() {
    let empty = seal("");
    for entry in ["{}", r#"{"password":null}"#, &format!(r#"{{"password":"{empty}"}}"#)] {
        let import = vault(&format!(r#""":{entry}"#)).unwrap();
        assert_eq!(told(&import.skipped), [(r#"credentials[""]"#, Some(""), "has no password")]);
        assert!(import.entries.is_empty() && import.refused.is_empty());
    }
}

#[test]
fn one_id_twice_refuses_the_whole() {
    let error = vault(&format!(r#""a":{0},"b":{0},"\u0061":{0}"#, entry(""))).unwrap_err();
    assert!(matches!(error, Error::Duplicate { .. }), "{error:?}");
    let expected = "two entries would be \"a\": \
        credentials[\"a\"] as entry 0 and credentials[\"a\"] as entry 2";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn passwords_are_any_bytes() {
    let text = format!(r#""a":{{"password":"{}"}}"#, seal(b"\xff\x00"));
    assert_eq!(credentials(&vault(&text).unwrap())[0].password.expose(), b"\xff\x00");
}

#[test]
fn one_time_stands_in_for_the_other() {
    let both = |text: &str| {
        let text = format!(r#""a":{}"#, entry(&format!(r#","metadata":{text}"#)));
        let found = credentials(&vault(&text).unwrap()).remove(0).metadata;
        (found.created_at, found.updated_at)
    };
    let (first, last) = (at("2024-01-01T00:00:00Z"), at("2024-02-01T00:00:00.5Z"));
    let created = r#""created_at":"2024-01-01T00:00:00+00:00""#;
    let updated = r#""updated_at":"2024-02-01T00:00:00.500000+00:00""#;
    assert_eq!(both(&format!("{{{created},{updated}}}")), (first, last));
    assert_eq!(both(&format!("{{{created}}}")), (first, first));
    assert_eq!(both(&format!(r#"{{{updated},"created_at":""}}"#)), (last, last));
    let (created, updated) = both("{}");
    assert!(created == updated && created > last);
}

#[test]
fn keys_that_nobody_foresaw_are_kept_too() {
    let more = r#","host":null,"owner":"ops","limits":{"a":1},"metadata":{"rotated":"2024"}"#;
    let import = vault(&format!(r#""a":{}"#, entry(more))).unwrap();
    let found = credentials(&import);
    assert_eq!(found[0].metadata.field_names, ["limits", "metadata.rotated", "owner"]);
    assert_eq!(field(&found[0], "limits"), Some(r#"{"a":1}"#));

    let import = vault(&format!(r#""a":{}"#, entry(r#","url":"x""#))).unwrap();
    let reason = "field name \"url\" is that of a built-in field";
    assert_eq!(told(&import.refused), [(r#"credentials["a"]"#, Some("a"), reason)]);
}
