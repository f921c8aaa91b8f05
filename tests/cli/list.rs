//! `list`: order, patterns, filters.

use serde_json::json;

use crate::support::Sandbox;

/// A vault of credentials under names that patterns can tell apart.
fn named() -> Sandbox {
    Sandbox::with_ids(&["db/mysql-1", "db/mysql-2", "db/pg", "Mail", "mail", "a*b", "z\u{e9}"])
}

#[track_caller]
fn ids(sandbox: &Sandbox, arguments: &[&str]) -> String {
    sandbox.credb(["list", "--ids"]).args(arguments).run().ok().silent().lines().join(" ")
}

#[test]
fn ids_are_sorted_byte_by_byte() {
    let sandbox = Sandbox::with_ids(&["b", "a/b", "a", "B", "a-b", "\u{e9}", "_"]);
    assert_eq!(ids(&sandbox, &[]), "B _ a a-b a/b b \u{e9}");
}

#[test]
fn a_plain_pattern_is_a_substring_and_case_counts() {
    let sandbox = named();
    assert_eq!(ids(&sandbox, &["mysql"]), "db/mysql-1 db/mysql-2");
    assert_eq!(ids(&sandbox, &["mail"]), "mail");
    assert_eq!(ids(&sandbox, &["ail"]), "Mail mail");
    assert_eq!(ids(&sandbox, &["/"]), "db/mysql-1 db/mysql-2 db/pg");
}

#[test]
fn a_pattern_with_wildcards_is_a_glob_on_the_whole_id() {
    let sandbox = named();
    assert_eq!(ids(&sandbox, &["db*"]), "db/mysql-1 db/mysql-2 db/pg");
    assert_eq!(ids(&sandbox, &["*sql-?"]), "db/mysql-1 db/mysql-2");
    assert_eq!(ids(&sandbox, &["mysql*"]), "");
    assert_eq!(ids(&sandbox, &["[Mm]ail"]), "Mail mail");
    assert_eq!(ids(&sandbox, &["z?"]), "z\u{e9}");
    assert_eq!(ids(&sandbox, &["a[*]b"]), "a*b");
}

#[test]
fn nothing_found_is_an_empty_list() {
    let sandbox = named();
    sandbox.credb(["list", "nothing"]).run().ok().stdout("").silent();
    let json = sandbox.credb(["list", "nothing", "--json"]).run().ok().silent();
    assert_eq!(json.json(), json!([]));
    let empty = Sandbox::with_vault();
    empty.credb(["list"]).run().ok().stdout("");
}

#[test]
fn tags_and_expiry_narrow_the_list_together() {
    let sandbox = Sandbox::with_ids(&["fresh", "late", "never", "soon"]);
    for (id, tag, expires) in [
        ("late", "red", "2001-01-01"),
        ("soon", "red", "2d"),
        ("fresh", "blue", "90d"),
        ("never", "red", "never"),
    ] {
        sandbox.credb(["set", id, "--tag", tag, "--expires", expires]).run().ok();
    }
    assert_eq!(ids(&sandbox, &["--tag", "red"]), "late never soon");
    assert_eq!(ids(&sandbox, &["--tag", "re"]), "");
    assert_eq!(ids(&sandbox, &["--expired"]), "late");
    assert_eq!(ids(&sandbox, &["--expires-before", "30d"]), "late soon");
    assert_eq!(ids(&sandbox, &["--tag", "red", "--expires-before", "30d", "so"]), "soon");
}

#[test]
fn passwords_of_an_age_and_other_orders_are_listed() {
    let sandbox = Sandbox::with_vault();
    for id in ["c", "a", "b"] {
        sandbox.put(id, "p");
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    sandbox.credb(["tag", "add", "a", "t"]).run().ok();
    sandbox.credb(["set", "b", "--expires", "90d"]).run().ok();
    sandbox.credb(["set", "a", "--expires", "2001-01-01"]).run().ok();
    assert_eq!(ids(&sandbox, &[]), "a b c");
    assert_eq!(ids(&sandbox, &["--sort", "id"]), "a b c");
    assert_eq!(ids(&sandbox, &["--sort", "age"]), "c a b");
    assert_eq!(ids(&sandbox, &["--sort", "updated"]), "a b c");
    assert_eq!(ids(&sandbox, &["--sort", "expires"]), "a b c");
    sandbox.credb(["set", "c", "--expires", "2d"]).run().ok();
    assert_eq!(ids(&sandbox, &["--sort", "updated"]), "c a b");
    assert_eq!(ids(&sandbox, &["--sort", "expires"]), "a c b");
    assert_eq!(ids(&sandbox, &["--older-than", "0s", "--sort", "age", "[ab]"]), "a b");
    assert_eq!(ids(&sandbox, &["--older-than", "1d"]), "");
}

#[test]
fn a_list_shows_no_secret_in_any_form() {
    let sandbox = Sandbox::with_vault();
    sandbox.credb(["set", "a", "-p", "hunter2", "--field", "pin=hunter3"]).run().ok();
    for form in [&[][..], &["--json"], &["--long"], &["--ids"]] {
        sandbox.credb(["list"]).args(form).run().ok().hides("hunter2").hides("hunter3");
    }
}

#[test]
fn a_pattern_that_is_no_glob_is_refused() {
    let sandbox = named();
    let outcome = sandbox.credb(["list", "a[b"]).run();
    let code = outcome.exit_code();
    outcome.check(code == Some(9) || code == Some(2), "an unclosed bracket is refused");
}

#[test]
fn an_id_given_as_an_argument_is_never_a_pattern() {
    let sandbox = named();
    sandbox.credb(["get", "db/*"]).run().fails(3);
    sandbox.credb(["remove", "db/*", "--force"]).run().fails(3);
    assert_eq!(sandbox.password("a*b"), "secret of a*b");
}
