use proptest::prelude::*;

use super::{Reference, Template};
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
fn bytes_that_are_no_text_stay_as_they_are() {
    let bytes = b"\xff\0 credb://a \xfe";
    let template = Template::parse(bytes).unwrap();
    let filled = template.fill(|_| Ok::<_, Error>(vec![0xfd].into())).unwrap();
    assert_eq!(*filled, b"\xff\0 \xfd \xfe");
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
        prop_assert_eq!(&*template.fill(|_| Err(())).unwrap(), &text);
    }
}
