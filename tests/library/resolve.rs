//! Texts with references resolved, and the predecessor's configuration vault first.

use std::path::Path;

use chrono::{TimeDelta, Utc};
use credb::exchange::migrate;
use credb::exchange::reference::Part;
use credb::exchange::resolve::{Resolved, Warning};
use credb::{Edit, Error, Patch};

use crate::{Fixture, id};

const CONFIGURATION: &[u8] = include_bytes!("../data/vya_backupbd.json");

fn fixture(ids: &[&str]) -> Fixture {
    let fixture = Fixture::new();
    for text in ids {
        let edit = Edit::new().password(format!("vault's {text}"));
        fixture.vault.set(&id(text), &edit).expect("store");
    }
    fixture
}

/// What comes of a configuration with these database entries, and its warnings.
fn resolved(fixture: &Fixture, entries: &str) -> (String, Vec<String>) {
    let text = format!("{{\"db_config\":[{entries}]}}");
    let resolved = fixture.vault.resolve(text.as_bytes()).expect("resolve");
    let warnings = resolved.warnings().iter().map(ToString::to_string).collect();
    (String::from_utf8_lossy(resolved.text()).into_owned(), warnings)
}

#[test]
fn a_text_is_resolved_whole_or_not_at_all() {
    let fixture = fixture(&["a", "b"]);
    let resolved = fixture.vault.resolve(b"x credb://a {{ credb://b#id }} credb://a\n").unwrap();
    assert_eq!(resolved.text(), b"x vault's a b vault's a\n");
    assert_eq!(resolved.references(), 3);
    assert_eq!(resolved.warnings(), []);
    let values = resolved.parts().filter(|part| matches!(part, Part::Value(_))).count();
    assert_eq!(values, 3);

    let missing = fixture.vault.resolve(b"credb://y credb://a credb://x").unwrap_err();
    assert!(matches!(missing, Error::NotFound { ids } if ids == [id("x"), id("y")]));
    let unset = fixture.vault.resolve(b"credb://a#url").unwrap_err();
    assert!(matches!(unset, Error::FieldNotFound { field, .. } if field == "url"));
    let malformed = fixture.vault.resolve(b"\ncredb://a?").unwrap_err();
    assert!(malformed.to_string().starts_with("reference on line 2 "), "{malformed}");
}

#[test]
fn what_has_expired_is_resolved_and_told() {
    let fixture = fixture(&["a"]);
    let past = Utc::now() - TimeDelta::hours(1);
    fixture.vault.set(&id("a"), &Edit::new().expires_at(Patch::Set(past))).unwrap();
    let resolved = fixture.vault.resolve(b"credb://a").unwrap();
    assert_eq!(resolved.warnings(), [Warning::Expired { id: id("a") }]);
    assert_eq!(resolved.text(), b"vault's a");
}

#[test]
fn only_what_has_neither_references_nor_passwords_needs_no_vault() {
    let plain = Resolved::of_plain(br#"{"x": "credb:"}"#).unwrap().unwrap();
    assert_eq!((plain.text(), plain.references()), (&br#"{"x": "credb:"}"#[..], 0));
    for text in [&b"credb://a"[..], br#"["credb:\/\/a"]"#, b"{\"db_config\":[]}"] {
        assert!(Resolved::of_plain(text).unwrap().is_none());
    }
    assert!(matches!(Resolved::of_plain(b"-credb://a"), Err(Error::Invalid { .. })));
}

#[test]
fn the_full_configuration_comes_back_vault_first() {
    let fixture = fixture(&["mysql-1", "mysql-4"]);
    let resolved = fixture.vault.resolve(CONFIGURATION).unwrap();
    let expected = String::from_utf8(CONFIGURATION.to_vec())
        .unwrap()
        .replace("not-a-real-password-1", "vault's mysql-1")
        .replace("not-a-real-password-4", "vault's mysql-4");
    assert_eq!(String::from_utf8_lossy(resolved.text()), expected);
    let told: Vec<_> = resolved.warnings().iter().map(ToString::to_string).collect();
    let left = |position, id| {
        format!("{position}: the vault has no \"{id}\": the secret in clear is used")
    };
    let expected = [
        left("email_settings", "smtp-smtp.example.com"),
        left("db_config[1]", "mysql-2"),
        left("db_config[2]", "postgresql-3"),
    ];
    assert_eq!(told, expected);
}

#[test]
fn no_secret_stays_in_clear_without_a_warning() {
    let fixture = fixture(&["mysql-1"]);
    for (entry, reason) in [
        (r#"{"dbms":"mysql","user":"u","secret":"s3cret"}"#, "has no id_dbms"),
        (
            r#"{"dbms":"mysql","id_dbms":2,"user":"u","secret":"s3cret","enabled":false}"#,
            "is disabled, and the vault has no \"mysql-2\"",
        ),
        (
            r#"{"dbms":"mysql","id_dbms":2,"secret":"s3cret"}"#,
            "has no user, and the vault has no \"mysql-2\"",
        ),
        (
            r#"{"dbms":"mysql","id_dbms":2,"user":"u","secret":"s3cret","secret":"s3cret"}"#,
            "has \"secret\" twice, and the vault has no \"mysql-2\"",
        ),
        // Of two numbers neither is the id.
        (
            r#"{"dbms":"mysql","id_dbms":1,"id_dbms":2,"user":"u","secret":"s3cret"}"#,
            "has \"id_dbms\" twice",
        ),
        (
            r#"{"dbms":"files","user":"u","secret":"s3cret"}"#,
            "is of kind files, which has no credential",
        ),
        (r#""s3cret""#, "is a string, not an object"),
    ] {
        let (text, warnings) = resolved(&fixture, &format!("null,{entry}"));
        assert_eq!(text, format!("{{\"db_config\":[null,{entry}]}}"));
        let expected = format!("db_config[1]: {reason}: the secret in clear is used");
        assert_eq!(warnings, [expected]);
    }
    let object = fixture.vault.resolve(br#"{"db_config":{"secret":"s3cret"}}"#).unwrap();
    assert_eq!(object.warnings().len(), 1);
}

#[test]
fn what_the_vault_has_is_used_whatever_is_wrong_with_the_entry() {
    let fixture = fixture(&["mysql-1"]);
    for entry in [
        r#""user":"u","secret":"s3cret","enabled":false"#,
        r#""secret":"s3cret""#,
        r#""user":"u","host":"a","host":"b","secret":"s3cret""#,
        r#""user":"u","port":{},"secret":"s3cret""#,
        r#""user":"u","secret":"s3cret","secret":"s3cret""#,
        r#""user":"u","secret":12345"#,
    ] {
        let entry = format!(r#"{{"dbms":"mysql","id_dbms":1,{entry}}}"#);
        let (text, warnings) = resolved(&fixture, &entry);
        let expected = entry.replace("12345", "\"s3cret\"").replace("s3cret", "vault's mysql-1");
        assert_eq!((text, warnings), (format!("{{\"db_config\":[{expected}]}}"), Vec::new()));
    }
}

#[test]
fn a_password_with_a_reference_in_it_is_none_for_both_sides() {
    let fixture = fixture(&["mysql-1", "other"]);
    for (secret, filled) in [
        ("pre credb://other post", "pre vault's other post"),
        ("{{ credb://other }}", "vault's other"),
        (r"credb:\/\/other", "vault's other"),
    ] {
        let entry = format!(r#"{{"dbms":"mysql","id_dbms":1,"user":"u","secret":"{secret}"}}"#);
        let text = format!("{{\"db_config\":[{entry}]}}");
        let import = migrate::read(Path::new("c.json"), text.as_bytes(), "h").unwrap();
        assert_eq!(import.skipped[0].reason, "has a reference already");
        assert_eq!((import.entries.len(), import.clear_secrets), (0, 0));
        let (text, warnings) = resolved(&fixture, &entry);
        assert_eq!(text, format!("{{\"db_config\":[{}]}}", entry.replace(secret, filled)));
        assert_eq!(warnings, Vec::<String>::new());
    }
}
