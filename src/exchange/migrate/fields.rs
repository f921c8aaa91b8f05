//! Clear values of the predecessor's entries as the texts of extra fields, so that none is lost.

use crate::exchange::node::Node;

/// The value as a text; `None` for null. A list of plain names is joined by commas, as the
/// predecessor's users write it; what that could not tell apart is JSON.
pub(super) fn text_of(node: &Node) -> Option<String> {
    match node {
        Node::Null => None,
        Node::Text(text) => Some(text.as_str().to_owned()),
        Node::List(list) => joined(list).or_else(|| json(node)),
        _ => json(node),
    }
}

fn joined(list: &[Node]) -> Option<String> {
    let names: Option<Vec<&str>> = list.iter().map(|node| plain_name(node.text()?)).collect();
    Some(names?.join(","))
}

fn plain_name(text: &str) -> Option<&str> {
    let plain = !text.is_empty() && text.trim() == text && !text.contains(['[', ',']);
    plain.then_some(text)
}

fn json(node: &Node) -> Option<String> {
    // Fails only for keys that are no texts, which a node cannot have.
    serde_json::to_string(node).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_become_texts_without_loss() {
        for (value, expected) in [
            ("null", None),
            (r#""h.example""#, Some("h.example")),
            (r#""""#, Some("")),
            ("3306", Some("3306")),
            ("true", Some("true")),
            ("[]", Some("")),
            (r#"["a","b c"]"#, Some("a,b c")),
            (r#"["a,b","c"]"#, Some(r#"["a,b","c"]"#)),
            (r#"["",""]"#, Some(r#"["",""]"#)),
            (r#"[1,"a"]"#, Some(r#"[1,"a"]"#)),
            (r#"["[\"x\"]"]"#, Some(r#"["[\"x\"]"]"#)),
            (r#"{"b":1,"a":[null]}"#, Some(r#"{"b":1,"a":[null]}"#)),
        ] {
            let node = Node::parse(value.as_bytes()).ok().unwrap();
            assert_eq!(text_of(&node).as_deref(), expected, "{value}");
        }
    }
}
