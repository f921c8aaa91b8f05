//! `tag add` and `tag remove`, and `list --search`.

use serde_json::json;

use crate::support::Sandbox;

#[test]
fn single_tags_come_and_go() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["set", "a", "--tag", "first"]).run().ok();
    let added = sandbox.credb(["tag", "add", "a", "x", "first", "y", "--json"]).run().ok().json();
    assert_eq!(added["tags"], json!(["first", "x", "y"]));
    assert_eq!((&added["id"], &added["version"]), (&json!("a"), &json!(3)));
    assert_eq!((&added["created"], &added["changed"]), (&json!(false), &json!(true)));
    sandbox.credb(["tag", "remove", "a", "first", "x"]).run().ok().stdout("").silent();
    sandbox.credb(["list", "--tag", "y", "--ids"]).run().ok().stdout("a\n");
    sandbox.credb(["list", "--tag", "x", "--ids"]).run().ok().stdout("");
    assert_eq!(sandbox.password("a"), "secret of a");
}

#[test]
fn a_tag_that_is_so_already_changes_nothing() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["tag", "add", "--id", "a", "x"]).run().ok();
    for arguments in [["add", "a", "x"], ["remove", "a", "y"], ["rm", "a", "y"]] {
        let same = sandbox.credb(["tag"]).args(arguments).args(["--json"]).run().ok().json();
        assert_eq!((&same["version"], &same["changed"]), (&json!(2), &json!(false)));
    }
}

#[test]
fn tags_are_not_added_to_nothing_nor_beyond_their_limits() {
    let sandbox = Sandbox::with_ids(&["a"]);
    sandbox.credb(["tag", "add", "b", "x"]).run().fails(3);
    sandbox.credb(["tag", "remove", "b", "x", "--json"]).run().fails_json(3, "not_found");
    sandbox.credb(["tag", "add", "a"]).run().fails(2);
    sandbox.credb(["tag", "add"]).run().fails(2);
    sandbox.credb(["tag", "add", "a", ""]).run().fails(9);
    let many: Vec<String> = (0..33).map(|number| format!("t{number}")).collect();
    sandbox.credb(["tag", "add", "a"]).args(many).run().fails(9).stderr_has("32");
    assert_eq!(sandbox.version("a"), 1);
}

#[test]
fn a_search_looks_at_all_that_names_or_explains() {
    let sandbox = Sandbox::with_ids(&["db/Needle", "by-user", "by-text", "by-url", "other"]);
    for (id, option, value) in [
        ("by-user", "--username", "the-needle"),
        ("by-text", "--description", "A NEEDLE in hay"),
        ("by-url", "--url", "https://needle.example"),
        ("other", "--tag", "needle"),
    ] {
        sandbox.credb(["set", id, option, value]).run().ok();
    }
    let found = |arguments: &[&str]| {
        let call = sandbox.credb(["list", "--ids", "--search"]).args(arguments);
        call.run().ok().silent().lines().join(" ")
    };
    assert_eq!(found(&["needle"]), "by-text by-url by-user db/Needle");
    assert_eq!(found(&["NEEDLE", "by-u"]), "by-url by-user");
    assert_eq!(found(&["in hay"]), "by-text");
    assert_eq!(found(&["secret of"]), "", "secrets are not searched");
    sandbox.credb(["list", "--search", &"x".repeat(1_025)]).run().fails(9);
}
