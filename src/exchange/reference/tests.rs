use std::fmt::Write as _;
use std::time::Duration;

use proptest::prelude::*;

use super::{Part, Reference, Template};
use crate::credential::CredentialId;
use crate::error::Error;

fn parse(text: &str) -> Result<Reference, String> {
    text.parse().map_err(|error: Error| error.to_string())
}

/// The template with each reference replaced by its canonical text in `<>`.
fn marked(text: &str) -> Result<String, String> {
    let template = Template::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    let filled =
        template.fill(|reference| Ok::<_, Error>(format!("<{reference}>").into_bytes().into()));
    Ok(String::from_utf8(filled.unwrap().to_vec()).unwrap())
}

#[test]
fn a_reference_names_an_id_and_a_field() {
    for (text, id, field) in [
        ("credb://a", "a", "password"),
        ("credb://db/mysql-prod", "db/mysql-prod", "password"),
        ("credb://a#username", "a", "username"),
        ("credb://a%20b%23%3f%25#x%20y", "a b#?%", "x y"),
        ("credb://a#b#c", "a", "b#c"),
        ("credb:///a", "/a", "password"),
        ("credb://%c3%a9\u{e9}", "\u{e9}\u{e9}", "password"),
        ("credb://a@b:c&d}", "a@b:c&d}", "password"),
    ] {
        let reference = parse(text).unwrap();
        assert_eq!((reference.id().as_str(), reference.field()), (id, field), "{text}");
    }
}

#[test]
fn a_malformed_reference_is_refused_without_repeating_it() {
    for (text, reason) in [
        ("s3cret", "does not begin with credb://"),
        ("CREDB://s3cret", "does not begin with credb://"),
        ("credb:s3cret", "does not begin with credb://"),
        ("credb://", "is wrong: its id is empty"),
        ("credb://#password", "is wrong: its id is empty"),
        ("credb://s3cret#", "names no field after #"),
        ("credb://s3cret?x", "has a question mark: write it as %3F"),
        ("credb://s3 cret", "has white space: write a space as %20"),
        ("credb://s3cret\n", "has white space: write a space as %20"),
        ("credb://s3cret%", "has a % that is not followed by two hex digits"),
        ("credb://s3cret%2", "has a % that is not followed by two hex digits"),
        ("credb://s3cret%2\u{e9}", "has a % that is not followed by two hex digits"),
        ("credb://s3cret%ff", "is not UTF-8"),
        ("credb://s3cret%0a", "is wrong: its id has a control character"),
        ("credb://%20s3cret", "is wrong: its id has white space at its beginning or end"),
    ] {
        assert_eq!(parse(text).unwrap_err(), format!("reference {reason}"), "{text}");
    }
}

#[test]
fn references_in_a_template_end_where_they_should() {
    for (text, expected) in [
        ("", ""),
        ("no reference", "no reference"),
        ("credb://a", "<credb://a>"),
        ("x=\"credb://a/b#user\"\ny", "x=\"<credb://a/b#user>\"\ny"),
        ("(credb://a),credb://b;", "(<credb://a>),<credb://b>;"),
        ("{{ credb://a }}", "<credb://a>"),
        ("{{credb://a#f}}x", "<credb://a#f>x"),
        ("u:{{\tcredb://a}}@h", "u:<credb://a>@h"),
        ("{{ credb://a,b(c) }}", "<credb://a,b(c)>"),
        ("{{ other }} {{", "{{ other }} {{"),
        ("{{ f \"credb://a\" }}", "{{ f \"<credb://a>\" }}"),
        ("{{\ncredb://a\n}}", "{{\n<credb://a>\n}}"),
        ("${credb://a}", "${<credb://a>}"),
        ("mycredb://a x+credb://b", "mycredb://a x+credb://b"),
        ("mycredb://a credb://b", "mycredb://a <credb://b>"),
        ("credb://a credb://b", "<credb://a> <credb://b>"),
        ("{{credb://a}}{{credb://b}}", "<credb://a><credb://b>"),
        ("{{credb://a}}credb://b", "<credb://a><credb://b>"),
    ] {
        assert_eq!(marked(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn a_malformed_reference_in_a_template_is_named_by_its_line() {
    for (text, message) in [
        ("\n\n{{ credb://a b }}", "reference on line 3 has white space: write a space as %20"),
        ("{{ credb://a\n}}", "reference on line 1 has {{ before it and no }} behind it"),
        ("a\ncredb://a?b", "reference on line 2 has a question mark: write it as %3F"),
        ("credb://", "reference on line 1 is wrong: its id is empty"),
    ] {
        assert_eq!(marked(text).unwrap_err(), message, "{text}");
    }
    let error = Template::parse(b"credb://a\xff").unwrap_err();
    assert_eq!(error.to_string(), "reference on line 1 is not UTF-8");
}

#[test]
fn a_bare_reference_right_behind_a_word_is_refused_unless_it_is_another_scheme() {
    let reason = "stands right behind a letter, a digit or one of +-. and could be part of a word";
    for (text, clear) in [
        ("mysql -pcredb://db/test x", "-p{{ credb://db/test }}"),
        ("-credb://a#user", "...{{ credb://a#user }}"),
        ("hunter2credb://a", "...{{ credb://a }}"),
        ("db.credb://a", "...{{ credb://a }}"),
        ("7credb://a", "...{{ credb://a }}"),
        ("+credb://a", "...{{ credb://a }}"),
        ("--password-credb://a", "...{{ credb://a }}"),
        ("{{ credb://b }}-credb://a", "...{{ credb://a }}"),
        ("{{ -pcredb://a }}", "-p{{ credb://a }}"),
        (r#"{"a":"-pcredb:\/\/a"}"#, "-p{{ credb://a }}"),
    ] {
        let expected = format!("reference on line 2 {reason}: write it as `{clear}`");
        assert_eq!(marked(&format!("\n{text}")).unwrap_err(), expected, "{text}");
    }
    for text in ["xcredb://a", "see x+credb://a", "-p{{ xcredb://a }}", "(Mycredb://credb)"] {
        assert_eq!(marked(text).as_deref(), Ok(text));
    }
    for text in ["=credb://a", "/credb://a", "_credb://a", "-p:credb://a", "\u{e9}credb://a"] {
        let expected = text.replace("credb://a", "<credb://a>");
        assert_eq!(marked(text), Ok(expected));
    }
    let message = marked("-pcredb://a?x").unwrap_err();
    assert_eq!(message, "reference on line 1 has a question mark: write it as %3F");
}

#[test]
fn bytes_that_are_no_text_stay_as_they_are() {
    let bytes = b"\xff\0 credb://a \xfe";
    let template = Template::parse(bytes).unwrap();
    let filled = template.fill(|_| Ok::<_, Error>(vec![0xfd].into())).unwrap();
    assert_eq!(*filled, b"\xff\0 \xfd \xfe");
}

/// A text as the inside of a JSON string, some of its characters by their numbers.
fn escaped_at_random(text: &str, escapes: &[bool]) -> String {
    let mut written = String::new();
    for (character, by_number) in text.chars().zip(escapes.iter().cycle()) {
        if *by_number {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(written, "\\u{unit:04x}").unwrap();
            }
        } else {
            let string = serde_json::to_string(&character).unwrap();
            written.push_str(&string[1..string.len() - 1]);
        }
    }
    written
}

#[test]
fn references_in_json_are_those_that_its_strings_say() {
    for (text, expected) in [
        (r#"{"p":"credb:\/\/caf"}"#, r#"{"p":"<credb://caf>"}"#),
        ("{\"p\":\"credb://caf\\u00e9\"}", "{\"p\":\"<credb://caf\u{e9}>\"}"),
        (r#"{"p":"\u0063redb:\/\/a"}"#, r#"{"p":"<credb://a>"}"#),
        (r#"{"p":"credb://a\n"}"#, r#"{"p":"<credb://a>\n"}"#),
        (r#"{"p":"x\ty\/ {{ credb:\/\/a }}\"\u00e9"}"#, r#"{"p":"x\ty\/ <credb://a>\"\u00e9"}"#),
        (
            r#"{"p":"{{\tcredb://a }} {{\ncredb://b\n}}"}"#,
            r#"{"p":"<credb://a> {{\n<credb://b>\n}}"}"#,
        ),
        (
            "\u{feff}{\"a\": [ 1e2,\"credb://a\" ] }\r\n",
            "\u{feff}{\"a\": [ 1e2,\"<credb://a>\" ] }\r\n",
        ),
        (r#""credb://a""#, r#""<credb://a>""#),
        // Names of members are no place for secrets.
        (
            r#"{"credb://a" : "credb://b", "credb:\/\/c":1}"#,
            r#"{"credb://a" : "<credb://b>", "credb:\/\/c":1}"#,
        ),
        // What is no JSON has no escapes.
        (r"{'p':'credb:\/\/caf'}", r"{'p':'credb:\/\/caf'}"),
    ] {
        assert_eq!(marked(text).as_deref(), Ok(expected), "{text}");
    }
}

#[test]
fn a_malformed_reference_in_json_is_named_by_its_line() {
    for (text, message) in [
        ("[\n\n\"a\", \"credb:\\/\\/a?\"]", "line 3 has a question mark: write it as %3F"),
        ("{\n\"a\": \"{{ credb://a\\n}}\"}", "line 2 has {{ before it and no }} behind it"),
        (r#"["credb://a\ud83d"]"#, "line 1 is not UTF-8"),
    ] {
        assert_eq!(marked(text).unwrap_err(), format!("reference on {message}"), "{text}");
    }
}

#[test]
fn values_in_json_are_escaped_and_have_to_be_text() {
    let template = Template::parse(br#"{"a": "credb://a", "b": "x{{ credb://a }}y"}"#).unwrap();
    let filled = template.filled(|_| Ok::<_, Error>(b"\"\\\n".to_vec().into())).unwrap();
    assert_eq!(filled.text(), br#"{"a": "\"\\\n", "b": "x\"\\\ny"}"#);
    let parts = filled.parts().map(|part| match part {
        Part::Own(own) => format!("own {}", String::from_utf8_lossy(own)),
        Part::Value(value) => format!("value {}", String::from_utf8_lossy(value)),
    });
    let expected =
        [r#"own {"a": ""#, r#"value \"\\\n"#, r#"own ", "b": "x"#, r#"value \"\\\n"#, r#"own y"}"#];
    assert_eq!(parts.collect::<Vec<_>>(), expected);
    let error = template.fill(|_| Ok::<_, Error>(b"\xff".to_vec().into())).unwrap_err();
    assert_eq!(error.to_string(), "credb://a is not UTF-8, and what it goes into is JSON");
}

#[test]
fn many_references_on_one_line_take_no_longer_than_on_many() {
    let text = |separator: &str| vec!["{{ credb://a }}"; 30_000].join(separator).into_bytes();
    let time = |text: &[u8]| {
        let start = std::time::Instant::now();
        assert_eq!(Template::parse(text).unwrap().references().count(), 30_000);
        start.elapsed()
    };
    let (one, many) = (time(&text(" ")), time(&text("\n")));
    assert!(one < 20 * many + Duration::from_millis(500), "{one:?}, {many:?} on many lines");
}

#[test]
fn each_reference_has_its_line_and_is_asked_for_once() {
    let template = Template::parse(b"credb://a\n\ncredb://b credb://a\n").unwrap();
    let places: Vec<_> = template.places().map(|(line, found)| (line, found.to_string())).collect();
    let expected = [(1, "credb://a"), (3, "credb://b"), (3, "credb://a")];
    assert_eq!(places, expected.map(|(line, text)| (line, text.to_owned())));
    let mut asked = Vec::new();
    let filled = template.fill(|reference| {
        asked.push(reference.to_string());
        Ok::<_, Error>(Vec::new().into())
    });
    assert_eq!(*filled.unwrap(), b"\n\n \n");
    assert_eq!(asked, ["credb://a", "credb://b"]);
}

proptest! {
    #[test]
    fn every_reference_survives_being_written(id in "\\PC{1,40}", field in "\\PC{1,20}") {
        if let Ok(id) = CredentialId::new(id) {
            for reference in [
                Reference::to_password(id.clone()),
                Reference::to_field(id.clone(), field.clone()),
            ] {
                prop_assert_eq!(&reference.to_string().parse::<Reference>().unwrap(), &reference);
            }
        }
    }

    #[test]
    fn text_without_the_scheme_stays_as_it_is(text in proptest::collection::vec(any::<u8>(), 0..99)) {
        let template = Template::parse(&text).unwrap();
        let none = |_: &Reference| Err(Error::Poisoned);
        prop_assert_eq!(&*template.fill(none).unwrap(), &text);
    }

    #[test]
    fn a_reference_in_json_is_found_however_it_is_escaped(
        id in "[a-c\u{e9}\u{1f511}\"/ ]{1,9}",
        escapes in proptest::collection::vec(any::<bool>(), 60),
    ) {
        if let Ok(id) = CredentialId::new(id) {
            let reference = Reference::to_password(id.clone());
            let written = escaped_at_random(&format!("<{{{{{reference}}}}}>\n"), &escapes);
            let text = format!("{{\"credb://{written}\" : [\"{written}\"]}}");
            let template = Template::parse(text.as_bytes()).unwrap();
            prop_assert_eq!(template.references().collect::<Vec<_>>(), [&reference]);
            let filled = template.fill(|_| Ok::<_, Error>(b"\"".to_vec().into())).unwrap();
            let open = escaped_at_random("<", &escapes);
            let tail = &written[written.rfind(r"\n").unwrap_or(0)..];
            let filled = String::from_utf8(filled.to_vec()).unwrap();
            let start = format!("{{\"credb://{written}\" : [\"{open}\\\"");
            prop_assert!(filled.starts_with(&start), "{filled} {start}");
            prop_assert!(tail.is_empty() || filled.contains(tail));
            let value: serde_json::Value = serde_json::from_str(&filled).unwrap();
            let said = value.as_object().unwrap().values().next().unwrap()[0].clone();
            prop_assert_eq!(said.as_str().unwrap(), "<\">\n");
        }
    }
}
