use super::*;

fn id() -> CredentialId {
    CredentialId::new("a").unwrap()
}

#[test]
fn what_is_not_named_is_kept() {
    let now = Utc::now();
    let first = Edit::new().username("u").password("p").field("k", "v");
    let first = first.apply(&id(), None, 0, now).unwrap();
    let second = Edit::new().tags(["t", "t"]).apply(&id(), Some(&first), 1, now).unwrap();
    assert_eq!(second.metadata.username.as_deref(), Some("u"));
    assert_eq!(second.password, Secret::from("p"));
    assert_eq!(second.field("k"), Some(&Secret::from("v")));
    assert_eq!(second.metadata.tags, ["t"]);
    assert_eq!(second.metadata.version, 2);
    assert!(!same_content(&first, &second));
}

#[test]
fn an_edit_that_sets_what_is_stored_changes_nothing() {
    let edit = Edit::new().username("u").password("p").field("k", "v");
    let stored = edit.apply(&id(), None, 0, Utc::now()).unwrap();
    assert!(!edit.would_change(&stored).unwrap());
    assert!(edit.clone().password("q").would_change(&stored).unwrap());
    assert!(edit.clone().unset_field("k").would_change(&stored).unwrap());
    assert!(edit.tags(["t"]).would_change(&stored).unwrap());
}

#[test]
fn an_empty_password_needs_to_be_asked_for() {
    let now = Utc::now();
    assert!(Edit::new().password("").apply(&id(), None, 0, now).is_err());
    assert!(Edit::new().password("").allow_empty().apply(&id(), None, 0, now).is_ok());
    assert!(Edit::new().username("u").apply(&id(), None, 0, now).is_err());
}

#[test]
fn every_limit_is_exact() {
    let now = Utc::now();
    let apply = |edit: Edit| edit.password("p").apply(&id(), None, 0, now);
    assert!(apply(Edit::new().username("x".repeat(1_024))).is_ok());
    assert!(apply(Edit::new().username("x".repeat(1_025))).is_err());
    assert!(apply(Edit::new().tags((0..33).map(|n| n.to_string()))).is_err());
    assert!(apply(Edit::new().field("password", "x")).is_err());
    let values = |count| {
        (0..count).fold(Edit::new(), |edit, n| {
            edit.field(format!("f{n}"), vec![0; limits::FIELD].as_slice())
        })
    };
    assert!(apply(values(16)).is_ok());
    assert!(apply(values(17)).is_err());
}
