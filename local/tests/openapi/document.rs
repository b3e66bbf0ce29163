//! `openapi.yaml` as the tests read it.

#![allow(dead_code, reason = "two test binaries use different parts")]

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::Value;

#[allow(unreachable_pub, dead_code, reason = "the build script of the function uses the same module")]
#[path = "../../../functions/openapi/build/yaml.rs"]
mod yaml;

/// The methods that a path of OpenAPI can have.
const METHODS: [&str; 8] = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];

/// A description of an API.
#[derive(Clone, Debug)]
pub struct Document(pub Value);

impl Document {
    /// Reads the description of the API.
    pub fn load() -> Self {
        Self::read("openapi.yaml")
    }

    /// Reads a file of the repository.
    pub fn read(path: &str) -> Self {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let text = fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        let json = yaml::to_json(&text, &[]).unwrap_or_else(|error| panic!("{path}: {error}"));
        Self(serde_json::from_str(&json).unwrap())
    }

    pub fn root(&self) -> Node<'_> {
        Node { document: &self.0, pointer: String::new(), value: &self.0 }
    }

    /// Returns the operations of the paths.
    pub fn operations(&self) -> Vec<Operation<'_>> {
        self.operations_of("paths")
    }

    /// Returns the operations of `paths` or `webhooks`.
    pub fn operations_of(&self, section: &str) -> Vec<Operation<'_>> {
        let paths = self.root().get(section).map(|paths| paths.members()).unwrap_or_default();
        let operations = paths.into_iter().flat_map(|(path, item)| {
            let methods = item.members().into_iter().filter(|(name, _)| METHODS.contains(&name.as_str()));
            methods
                .map(move |(method, node)| {
                    let key = format!("{} {path}", method.to_uppercase());
                    Operation { key, parameters: parameters(&item, &node), node }
                })
                .collect::<Vec<_>>()
        });
        operations.collect()
    }
}

/// The parameters of an operation, which replace those of its path.
fn parameters<'a>(path: &Node<'a>, operation: &Node<'a>) -> Vec<Node<'a>> {
    let mut seen = BTreeSet::new();
    let all = [operation, path].into_iter().filter_map(|node| node.get("parameters")).flat_map(|list| list.items());
    all.filter(|parameter| seen.insert((parameter.text("in"), parameter.text("name")))).collect()
}

/// An operation.
#[derive(Clone, Debug)]
pub struct Operation<'a> {
    /// The method and the path: `GET /api/chats/{chatId}`.
    pub key: String,
    pub parameters: Vec<Node<'a>>,
    pub node: Node<'a>,
}

impl<'a> Operation<'a> {
    /// Returns the response with this status.
    pub fn response(&self, status: &str) -> Option<Node<'a>> {
        self.node.get("responses")?.get(status)
    }

    /// Returns the responses by their status.
    pub fn responses(&self) -> Vec<(String, Node<'a>)> {
        self.node.get("responses").map(|responses| responses.members()).unwrap_or_default()
    }

    /// Returns the texts of an array.
    pub fn texts(&self, name: &str) -> Option<Vec<&'a str>> {
        Some(self.node.value.get(name)?.as_array()?.iter().map(|item| item.as_str().unwrap()).collect())
    }
}

/// A value of a description, with its place. References are followed, so that a node never is one.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    document: &'a Value,
    /// The JSON pointer of the value.
    pub pointer: String,
    pub value: &'a Value,
}

impl<'a> Node<'a> {
    /// Returns the member with this name.
    pub fn get(&self, name: &str) -> Option<Node<'a>> {
        let value = self.value.as_object()?.get(name)?;
        Some(self.follow(name, value))
    }

    /// Returns the members of an object.
    pub fn members(&self) -> Vec<(String, Node<'a>)> {
        let members = self.value.as_object().into_iter().flatten();
        members.map(|(name, value)| (name.clone(), self.follow(name, value))).collect()
    }

    /// Returns the items of an array.
    pub fn items(&self) -> Vec<Node<'a>> {
        let items = self.value.as_array().into_iter().flatten().enumerate();
        items.map(|(index, value)| self.follow(&index.to_string(), value)).collect()
    }

    /// Returns a member that is text, or an empty text.
    pub fn text(&self, name: &str) -> &'a str {
        self.value.get(name).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether a member is `true`.
    pub fn is(&self, name: &str) -> bool {
        self.value.get(name) == Some(&Value::Bool(true))
    }

    fn follow(&self, name: &str, value: &'a Value) -> Node<'a> {
        let pointer = format!("{}/{}", self.pointer, name.replace('~', "~0").replace('/', "~1"));
        let mut node = Node { document: self.document, pointer, value };
        while let Some(target) = node.value.get("$ref").and_then(Value::as_str) {
            let pointer = target.strip_prefix('#').unwrap_or_else(|| panic!("{}: {target}", node.pointer));
            let value = self.document.pointer(pointer);
            let value = value.unwrap_or_else(|| panic!("{}: there is no {target}", node.pointer));
            node = Node { document: self.document, pointer: pointer.to_owned(), value };
        }
        node
    }
}
