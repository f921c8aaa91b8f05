//! The threat model names the tests that show its claims: they have to be there.

use std::fs;

use crate::repository;

#[test]
fn the_threat_model_names_tests_that_exist() {
    let text = fs::read_to_string(repository().join("docs/threat-model.md")).expect("read it");
    let quoted = text.split('`').skip(1).step_by(2);
    let named: Vec<(&str, &str)> = quoted.filter_map(|name| name.split_once(".rs::")).collect();
    assert!(named.len() >= 40, "only {} tests are named", named.len());
    for (file, function) in named {
        let path = repository().join(format!("{file}.rs"));
        let source = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
        let test = format!("fn {function}() {{");
        let before = source.find(&test).map(|at| &source[..at]);
        let attributes = before.and_then(|before| before.rsplit("\n\n").next());
        let is_test = attributes.is_some_and(|lines| lines.contains("#[test]"));
        assert!(is_test, "{file}.rs has no test {function}");
    }
}
