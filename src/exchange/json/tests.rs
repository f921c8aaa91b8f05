use chrono::{TimeZone, Timelike};

use super::*;
use crate::credential::{CredentialId, Edit, Patch};
use crate::error::Error;
use crate::exchange::MAX_INPUT;

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn stored(id: &str, edit: &Edit) -> Credential {
    let id = CredentialId::new(id).unwrap();
    edit.apply(&id, None, 0, at("2024-05-01T10:00:00.123456Z")).unwrap()
}

/// The only entry of the input, applied to what is stored.
fn change(text: &str, stored: &Credential) -> Credential {
    let (id, edit) = only(text.as_bytes()).unwrap();
    edit.apply(&id, Some(stored), 1, Utc::now()).unwrap()
}

fn only(text: &[u8]) -> crate::Result<(CredentialId, Edit)> {
    let mut parsed = read_credentials(text).unwrap();
    assert_eq!(parsed.len(), 1);
    parsed.remove(0).entry
}

fn message(text: &str) -> String {
    match only(text.as_bytes()) {
        Err(error @ Error::Invalid { .. }) => error.to_string(),
        other => panic!("{text} gave {other:?}"),
    }
}

fn full() -> Credential {
    let edit = Edit::new()
        .username("root")
        .password("P@ss \"\u{e9}\u{1f511}\n")
        .url(Patch::Set("mysql://h:3306".to_owned()))
        .description(Patch::Set("MYSQL h:3306".to_owned()))
        .tags(["prod", "db"])
        .expires_at(Patch::Set(at("2030-01-02T03:04:05Z")))
        .field("token", "t0ken")
        .field("raw", b"\xff\x00".as_slice());
    stored("db/mysql-prod", &edit)
}

#[test]
fn one_credential_has_exactly_the_documented_shape() {
    let masked = credential(&full(), Secrets::Masked).to_string();
    let expected = concat!(
        r#"{"id":"db/mysql-prod","username":"root","url":"mysql://h:3306","#,
        r#""description":"MYSQL h:3306","tags":["prod","db"],"field_names":["raw","token"],"#,
        r#""created_at":"2024-05-01T10:00:00Z","updated_at":"2024-05-01T10:00:00Z","#,
        r#""password_changed_at":"2024-05-01T10:00:00Z","expires_at":"2030-01-02T03:04:05Z","#,
        r#""version":1}"#,
    );
    assert_eq!(masked, expected);
    assert_eq!(metadata(&full().metadata).to_string(), expected);

    let shown = credential(&full(), Secrets::Shown).to_string();
    let secrets = concat!(
        r#","password":"P@ss \"é🔑\n","#,
        r#""fields":{"raw":{"value_base64":"/wA="},"token":{"value":"t0ken"}}}"#,
    );
    assert_eq!(shown, expected.strip_suffix('}').unwrap().to_owned() + secrets);
}

#[test]
fn what_is_unset_is_null() {
    let value = credential(&stored("a", &Edit::new().password("p")), Secrets::Shown);
    for key in ["username", "url", "description", "expires_at"] {
        assert_eq!(value[key], Value::Null, "{key}");
    }
    assert_eq!(value["tags"], json!([]));
    assert_eq!(value["fields"], json!({}));
}

#[test]
fn a_password_that_is_no_text_is_base64() {
    let value = credential(&stored("a", &Edit::new().password(b"\xfe".as_slice())), Secrets::Shown);
    assert_eq!(value["password_base64"], "/g==");
    assert_eq!(value.get("password"), None);
}

#[test]
fn times_have_no_fraction() {
    let late = Utc.with_ymd_and_hms(2024, 12, 31, 23, 59, 59).unwrap();
    assert_eq!(time(late.with_nanosecond(999_999_999).unwrap()), "2024-12-31T23:59:59Z");
}

#[test]
fn times_are_read_with_and_without_fraction_and_zone() {
    let expected = at("2024-05-01T10:00:00Z");
    for text in
        ["2024-05-01T10:00:00Z", "2024-05-01T12:00:00+02:00", "2024-05-01T10:00:00.000000+00:00"]
    {
        assert_eq!(instant(text), Some(expected), "{text}");
    }
    assert_eq!(
        instant("2024-05-01T10:00:00.123456+00:00"),
        Some(at("2024-05-01T10:00:00.123456Z"))
    );
    assert_eq!(instant("2016-12-31T23:59:60Z"), Some(at("2017-01-01T00:00:00Z")));
    for text in ["", "now", "2024-05-01", "2024-05-01T10:00:00", "9999-12-31T23:59:59-01:00"] {
        assert_eq!(instant(text), None, "{text}");
    }
}

#[test]
fn what_is_printed_is_read_back_as_the_same() {
    for original in [full(), stored("a", &Edit::new().password(b"\xfe\n".as_slice()))] {
        let text = credential(&original, Secrets::Shown).to_string();
        let (id, edit) = only(text.as_bytes()).unwrap();
        assert_eq!(id, original.metadata.id);
        assert!(!edit.would_change(&original).unwrap());
        let copy = edit.apply(&id, None, 0, original.metadata.created_at).unwrap();
        assert_eq!(copy, original);
    }
}

#[test]
fn an_absent_key_keeps() {
    let before = full();
    let after = change(r#"{"id":"db/mysql-prod","username":"app"}"#, &before);
    assert_eq!(after.metadata.username.as_deref(), Some("app"));
    assert_eq!(after.password, before.password);
    assert_eq!(after.fields, before.fields);
    assert_eq!(after.metadata.tags, before.metadata.tags);
    assert_eq!(after.metadata.expires_at, before.metadata.expires_at);
}

#[test]
fn null_clears() {
    let text = r#"{"id":"db/mysql-prod","username":null,"url":null,"description":null,
        "tags":null,"fields":null,"expires_at":null}"#;
    let after = change(text, &full());
    assert_eq!(after.metadata.username, None);
    assert_eq!(after.password, full().password);
    assert_eq!(after.fields, []);
    assert_eq!(after.metadata.tags, [""; 0]);
    assert_eq!(after.metadata.expires_at, None);
    assert_eq!(after.metadata.url, None);
    assert_eq!(after.metadata.description, None);
}

#[test]
fn fields_are_set_and_unset_one_by_one() {
    let text = r#"{"id":"db/mysql-prod","fields":{"token":null,"plain":"p","b":{"value_base64":"/g=="},
        "empty":{"value":""}}}"#;
    let after = change(text, &full());
    let fields: Vec<_> = after.fields.iter().map(|(n, v)| (n.as_str(), v.expose())).collect();
    let expected: [(&str, &[u8]); 4] =
        [("b", b"\xfe"), ("empty", b""), ("plain", b"p"), ("raw", b"\xff\x00")];
    assert_eq!(fields, expected);
}

#[test]
fn an_empty_password_that_is_written_is_taken() {
    let after = change(r#"{"id":"db/mysql-prod","password":""}"#, &full());
    assert!(after.password.is_empty());
}

#[test]
fn versions_and_times_are_ignored_whatever_they_are() {
    let text = r#"{"id":"a","version":"x","created_at":7,"updated_at":null,
        "password_changed_at":[],"field_names":{}}"#;
    assert!(only(text.as_bytes()).unwrap().1.is_empty());
}

#[test]
fn one_object_and_an_array_are_read() {
    assert_eq!(read_credentials(br#"{"id":"a"}"#).unwrap().len(), 1);
    assert_eq!(read_credentials(b"[]").unwrap().len(), 0);
    let marked = read_credentials(b"\xef\xbb\xbf[{\"id\":\"a\"},{\"id\":\"b\"}]").unwrap();
    assert_eq!(marked[1].index, 1);
    assert_eq!(marked[1].id.as_deref(), Some("b"));
}

#[test]
fn repeated_ids_name_both_places() {
    let text = br#"[{"id":"a","no":1},{"id":"b"},{"id":"a"},{"id":"a "},{"id":"a"}]"#;
    let parsed = read_credentials(text).unwrap();
    assert!(parsed[1].entry.is_ok());
    let said = |index: usize| parsed[index].entry.as_ref().unwrap_err().to_string();
    assert_eq!(said(0), "key \"no\" is unknown");
    assert_eq!(said(2), "id \"a\" is that of entry 0 and of entry 2");
    assert_eq!(said(3), "id has white space at its beginning or end");
    assert_eq!(said(4), "id \"a\" is that of entry 0 and of entry 4");
    assert_eq!(parsed[3].id.as_deref(), Some("a "));
}

#[test]
fn wrong_entries_are_told_what_is_wrong() {
    for (text, expected) in [
        ("[null]", "entry is null, not an object"),
        ("[[]]", "entry is an array, not an object"),
        ("{}", "id is missing"),
        (r#"{"id":null}"#, "id is missing"),
        (r#"{"id":7}"#, "id is a number, not a string"),
        (r#"{"id":""}"#, "id is empty"),
        (r#"{"id":"a","id":"b"}"#, "key \"id\" stands there twice"),
        (r#"{"id":"a","password":"x","password":"y"}"#, "key \"password\" stands there twice"),
        (r#"{"id":"a","Password":"x"}"#, "key \"Password\" is unknown"),
        (r#"{"id":"a","password":null}"#, "password is null, not a string"),
        (r#"{"id":"a","password":12345}"#, "password is a number, not a string"),
        (r#"{"id":"a","password":"x","password_base64":"eA=="}"#, "password is given twice"),
        (r#"{"id":"a","password_base64":"x"}"#, "password_base64 is not base64 with padding"),
        (r#"{"id":"a","username":7}"#, "username is a number, not a string or null"),
        (r#"{"id":"a","tags":"t"}"#, "tags is a string, not an array or null"),
        (r#"{"id":"a","tags":[1e300]}"#, "tag is a number, not a string"),
        (r#"{"id":"a","expires_at":1735689600}"#, "expires_at is a number, not a string or null"),
        (r#"{"id":"a","expires_at":"soon"}"#, "expires_at is not a time as RFC 3339 writes it"),
        (r#"{"id":"a","fields":[]}"#, "fields is an array, not an object or null"),
        (r#"{"id":"a","fields":{"x":"1","x":"2"}}"#, "key \"x\" stands there twice"),
        (
            r#"{"id":"a","fields":{"x":7}}"#,
            r#"field "x" is a number, not a string, null or {"value": ...}"#,
        ),
        (
            r#"{"id":"a","fields":{"x":{"value":"1","value":"2"}}}"#,
            "field \"x\" must have either value or value_base64 alone",
        ),
        (
            r#"{"id":"a","fields":{"x":{}}}"#,
            "field \"x\" must have either value or value_base64 alone",
        ),
        (r#"{"id":"a","fields":{"x":{"value":null}}}"#, "field \"x\" is null, not a string"),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
}

#[test]
fn input_that_is_no_list_of_credentials_is_refused() {
    let deep = format!("{}1{}", "[".repeat(1_000), "]".repeat(1_000));
    let large = vec![b' '; MAX_INPUT + 1];
    for text in
        [&b"7"[..], b"\"s3cret\"", b"null", b"", b"[{]", b"[\"\xff\"]", deep.as_bytes(), &large]
    {
        let error = read_credentials(text).unwrap_err();
        assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
        assert!(!error.to_string().contains("s3cret"));
    }
}

#[test]
fn no_message_holds_a_secret_value() {
    for text in [
        r#"{"id":"a","password":["hunter2"]}"#,
        r#"{"id":"a","password":{"hunter2":1}}"#,
        r#"{"id":"a","password_base64":"hunter2"}"#,
        r#"{"id":"a","fields":{"x":["hunter2"]}}"#,
        r#"{"id":"a","fields":{"x":{"value_base64":"hunter2!"}}}"#,
        r#"{"id":"a","fields":"hunter2"}"#,
        r#"{"id":"a","tags":"hunter2"}"#,
        r#"{"id":"a","expires_at":"hunter2"}"#,
    ] {
        assert!(!message(text).contains("hunter2"), "{text}");
    }
    let (_, edit) = only(br#"{"id":"a","password":"hunter2"}"#).unwrap();
    assert!(!format!("{edit:?}").contains("hunter2"));
}
