//! JSON as it was written: repeated keys are seen, and texts are wiped when they are dropped.
//!
//! `serde_json::Value` silently keeps the last of two equal keys. Nesting is bounded by
//! `serde_json` (128 levels). Its own buffer for texts with escapes is not wiped.

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};
use serde_json::Number;
use zeroize::Zeroizing;

use super::MAX_INPUT;

/// One JSON value.
pub(super) enum Node {
    Null,
    Bool(bool),
    Number(Number),
    Text(Zeroizing<String>),
    List(Vec<Node>),
    Object(Object),
}

impl Node {
    /// Reads one JSON document; a byte order mark before it is ignored. The error is the tail of
    /// a sentence and repeats nothing of the input.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        if text.len() > MAX_INPUT {
            return Err(format!("has {} bytes, and at most {MAX_INPUT} are allowed", text.len()));
        }
        serde_json::from_slice(without_mark(text)).map_err(|error| format!("is not JSON: {error}"))
    }

    /// What it is, for a message.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "true or false",
            Self::Number(_) => "a number",
            Self::Text(_) => "a string",
            Self::List(_) => "an array",
            Self::Object(_) => "an object",
        }
    }

    /// The text, if it is one.
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The object, if it is one.
    pub(super) fn object(&self) -> Option<&Object> {
        match self {
            Self::Object(object) => Some(object),
            _ => None,
        }
    }

    /// Whether it is null or an empty text.
    pub(super) fn is_blank(&self) -> bool {
        matches!(self, Self::Null) || self.text() == Some("")
    }
}

/// So few names are compared each with each.
const FEW: usize = 16;

/// The members of an object in their order, repeated ones included.
pub(super) struct Object(Vec<(String, Node)>);

impl Object {
    /// The members in their order.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&str, &Node)> {
        self.0.iter().map(|(key, node)| (key.as_str(), node))
    }

    /// The first member of this name, unless it is null.
    pub(super) fn get(&self, key: &str) -> Option<&Node> {
        self.given(key).filter(|node| !matches!(node, Node::Null))
    }

    /// The first member of this name.
    pub(super) fn given(&self, key: &str) -> Option<&Node> {
        self.iter().find(|(own, _)| *own == key).map(|(_, node)| node)
    }

    /// The first name that stands here a second time.
    pub(super) fn repeated(&self) -> Option<&str> {
        let mut keys = self.iter().map(|(key, _)| key);
        if self.0.len() <= FEW {
            let stands_before = |(at, key): &(usize, &str)| {
                self.0[..*at].iter().any(|(own, _)| own.as_str() == *key)
            };
            return keys.enumerate().find(stands_before).map(|(_, key)| key);
        }
        let mut seen = HashSet::new();
        keys.find(|key| !seen.insert(*key))
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_unit<E>(self) -> Result<Node, E> {
        Ok(Node::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Bool(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Node, E> {
        Ok(Number::from_f64(value).map_or(Node::Null, Node::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Text(Zeroizing::new(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Node, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Node::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Node, A::Error> {
        let mut object = Vec::new();
        while let Some(member) = members.next_entry()? {
            object.push(member);
        }
        Ok(Node::Object(Object(object)))
    }
}

impl Serialize for Node {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(number) => number.serialize(serializer),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(list) => serializer.collect_seq(list),
            Self::Object(object) => serializer.collect_map(object.iter()),
        }
    }
}

/// A name from the input for a message: escaped, and cut after 64 characters.
pub(super) fn quoted(name: &str) -> String {
    let mut shown: String = name.chars().take(64).collect();
    if shown.len() < name.len() {
        shown.push_str("...");
    }
    format!("{shown:?}")
}

/// The text without the byte order mark that some editors put before it.
pub(super) fn without_mark(text: &[u8]) -> &[u8] {
    text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_comes_back_as_it_was_written() {
        let text = r#"{"b":[1,-2,2.5,null,true],"a":{"x":"\u00e9","x":""}}"#;
        let node = Node::parse(text.as_bytes()).ok().unwrap();
        let back = serde_json::to_string(&node).unwrap();
        assert_eq!(back, r#"{"b":[1,-2,2.5,null,true],"a":{"x":"é","x":""}}"#);
        assert_eq!(node.object().unwrap().repeated(), None);
        assert_eq!(
            node.object().unwrap().get("a").unwrap().object().unwrap().repeated(),
            Some("x")
        );
    }

    #[test]
    fn hostile_documents_are_refused_without_repeating_them() {
        let deep = "[".repeat(100_000);
        for text in [deep.as_bytes(), b"", b"{", b"1e999", b"\"s3cret\xff\"", b"[] s3cret", b"NaN"]
        {
            let reason = Node::parse(text).err().unwrap();
            assert!(reason.starts_with("is not JSON: "), "{reason}");
            assert!(!reason.contains("s3cret"), "{reason}");
        }
        let reason = Node::parse(&vec![b' '; MAX_INPUT + 1]).err().unwrap();
        assert_eq!(reason, "has 67108865 bytes, and at most 67108864 are allowed");
    }

    #[test]
    fn names_in_messages_are_escaped_and_short() {
        assert_eq!(quoted("a\u{1b}\"b"), r#""a\u{1b}\"b""#);
        assert_eq!(quoted(&"x".repeat(65)).len(), 64 + "\"...\"".len());
    }
}
