use std::path::Path;

use super::super::{Skipped, read};
use crate::credential::Credential;
use crate::error::Error;
use crate::exchange::migrate::Import;

const SAMPLE: &[u8] = include_bytes!("../../../../tests/data/vya_backupbd.json");

fn import(text: &str) -> Import {
    read(Path::new("/etc/vya.json"), text.as_bytes(), "unused").unwrap()
}

fn error(text: &str) -> Error {
    read(Path::new("/etc/vya.json"), text.as_bytes(), "unused").unwrap_err()
}

/// A configuration with one database entry.
fn database(entry: &str) -> Import {
    import(&format!(r#"{{"db_config":[{entry}]}}"#))
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

#[test]
fn the_sample_gives_the_ids_and_descriptions_that_scripts_know() {
    let import = read(Path::new("x"), SAMPLE, "unused").unwrap();
    let found: Vec<_> = credentials(&import)
        .into_iter()
        .map(|c| {
            let metadata = c.metadata;
            let password = c.password.expose_str().unwrap().to_owned();
            (
                metadata.id.as_str().to_owned(),
                metadata.description.unwrap(),
                metadata.username.unwrap(),
                password,
            )
        })
        .collect();
    let row = |id: &str, description: &str, user: &str, password: &str| {
        (id.to_owned(), description.to_owned(), user.to_owned(), password.to_owned())
    };
    assert_eq!(
        found,
        [
            row(
                "smtp-smtp.example.com",
                "SMTP smtp.example.com (port 587)",
                "backup@example.com",
                "not-a-real-smtp-password",
            ),
            row("mysql-1", "MYSQL db1.example.com:3306", "backup", "not-a-real-password-1"),
            row("mysql-2", "MYSQL 10.0.0.12:3307", "root", "not-a-real-password-2-\u{e7}\u{e3}o"),
            row(
                "postgresql-3",
                "POSTGRESQL pg.example.com:5432",
                "postgres",
                "not-a-real-password-3"
            ),
        ]
    );
    let positions: Vec<_> = import.entries.iter().map(|entry| entry.position.as_str()).collect();
    assert_eq!(positions, ["email_settings", "db_config[0]", "db_config[1]", "db_config[2]"]);
    assert_eq!(
        told(&import.skipped),
        [
            ("db_config[3]", Some("mysql-4"), "is disabled"),
            ("db_config[4]", Some("files-5"), "is of kind files, which has no credential"),
        ]
    );
    assert_eq!(told(&import.refused), []);
    assert_eq!(import.clear_secrets, 5);
}

#[test]
fn the_sample_keeps_where_each_login_is_used() {
    let import = read(Path::new("x"), SAMPLE, "unused").unwrap();
    let found = credentials(&import);
    assert_eq!(found[0].metadata.field_names, ["host", "port"]);
    assert_eq!(field(&found[0], "port"), Some("587"));
    assert_eq!(field(&found[1], "type"), Some("mysql"));
    assert_eq!(field(&found[1], "port"), Some("3306"));
    assert_eq!(field(&found[1], "database"), Some("shop,crm"));
    let ignored = Some("information_schema,performance_schema,sys");
    assert_eq!(field(&found[1], "db_ignore"), ignored);
    assert_eq!(field(&found[2], "db_ignore"), Some("information_schema,performance_schema"));
    assert_eq!(field(&found[3], "database"), Some(""));
    assert_eq!(field(&found[3], "ssl_enabled"), Some("true"));
}

#[test]
fn numbers_may_be_strings_and_parts_of_the_description_may_be_missing() {
    for (entry, id, description) in [
        (r#""id_dbms":"7","dbms":"mysql","host":"h","port":"1""#, "mysql-7", "MYSQL h:1"),
        (
            r#""id_dbms":0,"dbms":"postgresql","host":"h","port":1"#,
            "postgresql-0",
            "POSTGRESQL h:1",
        ),
        (r#""id_dbms":-1,"dbms":"mysql","host":"h""#, "mysql--1", "MYSQL h"),
        (r#""id_dbms":18446744073709551615,"dbms":"m","port":1"#, "m-18446744073709551615", "M :1"),
        (r#""id_dbms":"a b","dbms":"MariaDB","host":"","port":null"#, "MariaDB-a b", "MARIADB"),
    ] {
        let import = database(&format!(r#"{{{entry},"user":"u","secret":"p"}}"#));
        let found = credentials(&import);
        assert_eq!(found.len(), 1, "{entry}: {:?}", import.refused);
        assert_eq!(found[0].metadata.id.as_str(), id);
        assert_eq!(found[0].metadata.description.as_deref(), Some(description));
    }
    let text = r#"{"email_settings":{"smtp_host":"h","smtp_user":"u","smtp_password":"  "}}"#;
    let found = credentials(&import(text));
    assert_eq!(found[0].metadata.description.as_deref(), Some("SMTP h"));
    assert_eq!(found[0].password.expose(), b"  ");
}

#[test]
fn the_first_of_database_and_db_list_is_kept() {
    let import = database(
        r#"{"id_dbms":1,"dbms":"mysql","user":"u","secret":"p","db_list":["b"],"database":"a"}"#,
    );
    assert_eq!(field(&credentials(&import)[0], "database"), Some("a"));
}

#[test]
fn what_holds_no_credential_is_skipped_with_its_reason() {
    for (entry, id, reason) in [
        ("null", None, "is null, not an object"),
        (r#""""#, None, "is a string, not an object"),
        ("{}", None, "has neither user nor secret"),
        (r#"{"dbms":"mysql","user":"u"}"#, None, "has no secret"),
        (
            r#"{"dbms":"mysql","id_dbms":1,"user":"","secret":"s3cret"}"#,
            Some("mysql-1"),
            "has no user",
        ),
        (
            r#"{"dbms":"mysql","id_dbms":1,"user":"u","secret":null}"#,
            Some("mysql-1"),
            "has no secret",
        ),
        (
            r#"{"dbms":"FILES","user":"u","secret":"s3cret"}"#,
            None,
            "is of kind files, which has no credential",
        ),
        (r#"{"enabled":false,"user":"u","secret":"s3cret"}"#, None, "is disabled"),
        (r#"{"enabled":"False","user":"u","secret":"s3cret"}"#, None, "is disabled"),
        (r#"{"enabled":0,"user":"u","secret":"s3cret"}"#, None, "is disabled"),
        (r#"{"enabled":"maybe"}"#, None, "has an enabled that is neither true nor false"),
        (r#"{"host":"a","host":"b"}"#, None, "has \"host\" twice"),
    ] {
        let import = database(entry);
        assert_eq!(told(&import.skipped), [("db_config[0]", id, reason)], "{entry}");
        assert!(import.entries.is_empty() && import.refused.is_empty(), "{entry}");
        assert_eq!(import.clear_secrets, usize::from(entry.contains("s3cret")), "{entry}");
    }
}

#[test]
fn what_holds_a_secret_and_cannot_be_taken_is_refused() {
    let long = "x".repeat(65_537);
    let name = "x".repeat(1_025);
    for (entry, id, reason) in [
        (r#""dbms":"mysql""#, None, "has no id_dbms"),
        (r#""dbms":"mysql","id_dbms":null"#, None, "has no id_dbms"),
        (r#""dbms":"mysql","id_dbms":"""#, None, "has no id_dbms"),
        (r#""dbms":"mysql","id_dbms":1.5"#, None, "has an id_dbms that is not a whole number"),
        (r#""dbms":"mysql","id_dbms":1e300"#, None, "has an id_dbms that is not a whole number"),
        (r#""dbms":"mysql","id_dbms":[1]"#, None, "has id_dbms as an array, not a string"),
        (r#""id_dbms":1"#, None, "has no dbms"),
        (r#""dbms":7,"id_dbms":1"#, None, "has dbms as a number, not a string"),
        (r#""dbms":"m","id_dbms":1,"port":{}"#, None, "has port as an object, not a string"),
        (
            r#""dbms":"m","id_dbms":"1 ""#,
            Some("m-1 "),
            "id has white space at its beginning or end",
        ),
        (r#""dbms":"m","id_dbms":"\n1""#, Some("m-\n1"), "id has a control character"),
        (r#""dbms":"m","id_dbms":1,"host":"a","host":"b""#, Some("m-1"), "has \"host\" twice"),
        (
            r#""dbms":"m","id_dbms":1,"enabled":[]"#,
            Some("m-1"),
            "has an enabled that is neither true nor false",
        ),
    ] {
        let import = database(&format!(r#"{{{entry},"user":"u","secret":"hunter2"}}"#));
        assert_eq!(told(&import.refused), [("db_config[0]", id, reason)], "{entry}");
        assert!(import.entries.is_empty() && import.skipped.is_empty(), "{entry}");
        assert_eq!(import.clear_secrets, 1);
    }
    for (entry, reason) in [
        (r#""user":"u","secret":12345"#.to_owned(), "has secret as a number, not a string"),
        (r#""user":7,"secret":"hunter2""#.to_owned(), "has user as a number, not a string"),
        (
            format!(r#""user":"u","secret":"{long}""#),
            "password has 65537 bytes, and at most 65536 are allowed",
        ),
        (
            format!(r#""user":"{name}","secret":"p""#),
            "username has 1025 bytes, and at most 1024 are allowed",
        ),
    ] {
        let import = database(&format!(r#"{{"dbms":"m","id_dbms":1,{entry}}}"#));
        assert_eq!(told(&import.refused), [("db_config[0]", Some("m-1"), reason)]);
    }
}

#[test]
fn a_secret_given_twice_is_refused_and_counted_twice() {
    let import = database(r#"{"dbms":"m","id_dbms":1,"user":"u","secret":"a","secret":"b"}"#);
    assert_eq!(told(&import.refused), [("db_config[0]", Some("m-1"), "has \"secret\" twice")]);
    assert_eq!(import.clear_secrets, 2);
}

#[test]
fn sections_of_another_kind_are_never_passed_over() {
    let text = r#"{"email_settings":["hunter2"],"db_config":{"secret":"hunter2"}}"#;
    assert_eq!(
        told(&import(text).refused),
        [
            ("email_settings", None, "is an array, not an object"),
            ("db_config", None, "is an object, not an array"),
        ]
    );
    let nothing = import(r#"{"email_settings":null,"db_config":null}"#);
    assert!(nothing.entries.is_empty() && nothing.refused.is_empty());
    let smtp = import(r#"{"email_settings":{"smtp_user":"u","smtp_password":"p"}}"#);
    assert_eq!(told(&smtp.refused), [("email_settings", None, "has no smtp_host")]);
}

#[test]
fn two_entries_with_one_id_refuse_the_whole() {
    let entry = r#"{"dbms":"mysql","id_dbms":1,"user":"u","secret":"p"}"#;
    let text = format!(r#"{{"db_config":[{entry},null,{}]}}"#, entry.replace('1', "\"1\""));
    let error = error(&text);
    assert!(matches!(error, Error::Duplicate { .. }));
    let expected = r#"two entries would be "mysql-1": db_config[0] and db_config[2]"#;
    assert_eq!(error.to_string(), expected);
}

#[test]
fn all_refused_entries_are_listed_in_one_message() {
    let import = import(
        r#"{"email_settings":{"smtp_user":"u","smtp_password":"hunter2"},
            "db_config":[{"dbms":"mysql","user":"u","secret":"hunter2"}]}"#,
    );
    let message = import.refuse_incomplete(Path::new("/etc/vya.json")).unwrap_err().to_string();
    let expected = "/etc/vya.json has 2 entries that cannot be taken: \
        email_settings: has no smtp_host; db_config[0]: has no id_dbms";
    assert_eq!(message, expected);
    assert!(database("null").refuse_incomplete(Path::new("x")).is_ok());
}

#[test]
fn what_is_no_configuration_is_invalid() {
    let deep = format!(r#"{{"db_config":{}"#, "[".repeat(100_000));
    for text in [
        "",
        " \n",
        "{",
        "[]",
        "{}",
        r#"{"smtp":1}"#,
        r#"{"db_config":[1e999]}"#,
        &deep,
        r#"{"db_config":[],"db_config":[]}"#,
        r#"{"db_config":[]} hunter2"#,
    ] {
        let error = error(text);
        assert!(matches!(error, Error::Invalid { .. }), "{text}: {error:?}");
        assert!(error.to_string().starts_with("/etc/vya.json "), "{error}");
        assert!(!error.to_string().contains("hunter2"));
    }
    let bytes = b"{\"db_config\":[{\"secret\":\"\xff\"}]}";
    assert!(matches!(read(Path::new("x"), bytes, ""), Err(Error::Invalid { .. })));
    let large = vec![b'{'; crate::exchange::MAX_INPUT + 1];
    assert!(matches!(read(Path::new("x"), &large, ""), Err(Error::Invalid { .. })));
}

#[test]
fn no_debug_output_holds_a_secret() {
    let import = read(Path::new("x"), SAMPLE, "unused").unwrap();
    assert!(!format!("{import:?}").contains("not-a-real"));
}
