//! `due`: what it finds, in which order, and its exit code.

use serde_json::{Value, json};

use crate::support::{Sandbox, keys_in_order};

/// What expired long ago, soon, later and never.
fn expiring() -> Sandbox {
    let sandbox = Sandbox::with_ids(&["fresh", "late", "never", "soon"]);
    for (id, expires) in [("late", "2001-01-01"), ("soon", "2d"), ("fresh", "90d")] {
        sandbox.credb(["set", id, "--expires", expires]).run().ok();
    }
    sandbox
}

#[track_caller]
fn due(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let found = sandbox.credb(["due", "--json"]).args(arguments).run().ok().silent().json();
    let row = |row: &Value| json!([row["id"], row["reason"], row["overdue"]]);
    found.as_array().expect("an array").iter().map(row).collect()
}

#[test]
fn what_expires_is_due_the_oldest_first() {
    let sandbox = expiring();
    let two = json!([["late", "expires", true], ["soon", "expires", false]]);
    assert_eq!(due(&sandbox, &[]), two);
    assert_eq!(due(&sandbox, &["--within", "1d"]), json!([["late", "expires", true]]));
    assert_eq!(due(&sandbox, &["--within", "100d"])[2], json!(["fresh", "expires", false]));
    let row = sandbox.credb(["due", "--within", "0s", "--json"]).run().ok().json();
    let keys = ["id", "username", "reason", "due_at", "overdue"];
    assert_eq!(keys_in_order(&row[0].to_string()), keys);
    let text = sandbox.credb(["due", "--within", "0s"]).run().ok().silent();
    text.stdout("late\t\texpires\t2001-01-01T00:00:00Z\n");
    sandbox.credb(["due"]).run().ok().hides("secret of");
}

#[test]
fn passwords_come_of_age() {
    let sandbox = Sandbox::with_ids(&["a", "b"]);
    assert_eq!(due(&sandbox, &["--within", "9999d"]), json!([]));
    sandbox.credb(["config", "password.max_age", "90d"]).run().ok();
    assert_eq!(due(&sandbox, &["--within", "89d"]), json!([]));
    let both = json!([["a", "password_age", false], ["b", "password_age", false]]);
    assert_eq!(due(&sandbox, &["--within", "91d"]), both);
    sandbox.credb(["config", "password.max_age", "1s"]).run().ok();
    std::thread::sleep(std::time::Duration::from_millis(1_100));
    sandbox.put("a", "new");
    // A change of something else does not make the password younger, nor does undo.
    sandbox.credb(["tag", "add", "b", "t"]).run().ok();
    let found = due(&sandbox, &["--within", "0s"]);
    assert!(found.as_array().unwrap().contains(&json!(["b", "password_age", true])), "{found}");
    sandbox.credb(["config", "password.max_age", "1h"]).run().ok();
    let first = |sandbox: &Sandbox| {
        sandbox.credb(["due", "--within", "2h", "--json"]).run().ok().json()[0]["id"].clone()
    };
    assert_eq!(first(&sandbox), "b");
    sandbox.credb(["undo", "a"]).run().ok();
    assert_eq!(first(&sandbox), "a", "its first password is the older one");
}

#[test]
fn the_exit_code_says_whether_anything_is_due() {
    let sandbox = expiring();
    sandbox.credb(["due", "--exit-code"]).run().code(10).stdout_has("late\t").silent();
    let json = sandbox.credb(["due", "--exit-code", "--json"]).run().code(10).silent();
    assert_eq!(json.json().as_array().map(Vec::len), Some(2));
    sandbox.credb(["remove", "late", "--force"]).run().ok();
    sandbox.credb(["due", "--exit-code", "--within", "1d"]).run().code(0).stdout("").silent();
    sandbox.credb(["due", "--within", "1d", "--json"]).run().ok().stdout("[]\n");
    sandbox.credb(["due", "--exit-code", "--vault", "other"]).run().fails(3);
}
