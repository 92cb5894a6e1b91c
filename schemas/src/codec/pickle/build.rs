//! Makes values of the nodes that a pickle left behind.
//!
//! Here sharing and cycles end: what is referred to twice is written twice, what holds itself
//! stops at `[...]` or `{...}` as Python's `repr` shows it, and so does what is nested deeper than
//! [`MAX_DEPTH`]. The sum of everything is bounded, because a few hundred bytes of references to
//! references would else make gigabytes.

use compact_str::CompactString;

use super::MAX_REPEATED;
use super::known;
use super::machine::{Id, Node, Object};
use crate::codec::json;
use crate::codec::sink::{DEEPER_LIST, DEEPER_MAP};
use crate::codec::{CodecError, CodecErrorKind, MAX_DEPTH};
use crate::value::{Map, Value};

/// The value of a node, of a pickle of so many bytes.
pub(super) fn value(nodes: &[Node], top: Id, length: usize) -> Result<Value, CodecError> {
    let mut builder = Builder {
        nodes,
        open: Vec::new(),
        left: length.saturating_add(MAX_REPEATED),
    };
    builder.value(top).map_err(|TooLarge| CodecError {
        kind: CodecErrorKind::Repetitive,
        at: length,
    })
}

/// There is no room for the whole.
pub(super) struct TooLarge;

/// Makes values while there is room for them.
pub(super) struct Builder<'n> {
    nodes: &'n [Node],
    /// The lists, dicts and objects that are being made, outermost first.
    open: Vec<Id>,
    left: usize,
}

impl<'n> Builder<'n> {
    pub(super) fn value(&mut self, id: Id) -> Result<Value, TooLarge> {
        self.spend(1)?;
        Ok(match &self.nodes[id] {
            Node::Leaf(value) => {
                self.spend(size_of_text(value))?;
                value.clone()
            }
            Node::Items(items) => self.inside(id, DEEPER_LIST, |this| this.list(items))?,
            Node::Pairs(pairs) => self.inside(id, DEEPER_MAP, |this| this.map(pairs))?,
            Node::Global { .. } => format!("<{}>", self.name_of(id)?).into(),
            Node::Object(object) => self.inside(id, "<object ...>", |this| this.object(object))?,
        })
    }

    pub(super) fn list(&mut self, items: &[Id]) -> Result<Value, TooLarge> {
        let items = items.iter().map(|item| self.value(*item));
        items.collect::<Result<Vec<Value>, _>>().map(Value::List)
    }

    pub(super) fn map(&mut self, pairs: &[(Id, Id)]) -> Result<Value, TooLarge> {
        let entries = pairs.iter().map(|(key, value)| {
            let key = json::key_text(&self.value(*key)?);
            Ok((key, self.value(*value)?))
        });
        let entries = entries.collect::<Result<Vec<(CompactString, Value)>, _>>()?;
        Ok(Value::Map(Map::from_pairs(entries)))
    }

    fn object(&mut self, object: &'n Object) -> Result<Value, TooLarge> {
        let Some(class) = self.class_of(object) else {
            return Ok("<object>".into());
        };
        let name = self.name_of(class)?;
        let known = known::value(self, &name, object)?;
        Ok(known.unwrap_or_else(|| format!("<{name} object>").into()))
    }

    /// An object's class: what was called, or what was handed to a function that makes objects.
    fn class_of(&self, object: &Object) -> Option<Id> {
        let called = object.class?;
        let first = self.arguments_of(object).first().copied();
        let is_class = |id: &Id| matches!(self.nodes[*id], Node::Global { .. });
        match first.filter(is_class) {
            Some(class) if self.makes_objects(called) => Some(class),
            _ => Some(called),
        }
    }

    /// Whether a global is one of the functions by which protocols 0 and 1 make objects.
    fn makes_objects(&self, global: Id) -> bool {
        let Some((module, name)) = self.module_and_name(global) else {
            return false;
        };
        module == "copyreg" && matches!(name, "_reconstructor" | "__newobj__" | "__newobj_ex__")
    }

    pub(super) fn arguments_of(&self, object: &Object) -> &'n [Id] {
        match object.arguments.map(|id| &self.nodes[id]) {
            Some(Node::Items(items)) => items,
            _ => &[],
        }
    }

    /// The object of this number, where it is one.
    pub(super) fn object_at(&self, id: Id) -> Option<&'n Object> {
        match &self.nodes[id] {
            Node::Object(object) => Some(object),
            _ => None,
        }
    }

    /// The full name of a global.
    fn name_of(&mut self, id: Id) -> Result<String, TooLarge> {
        let (module, name) = self.module_and_name(id).unwrap_or(("?", "?"));
        self.spend(module.len() + name.len())?;
        Ok(format!("{module}.{name}"))
    }

    /// A global as Python 3 names it.
    fn module_and_name(&self, id: Id) -> Option<(&'n str, &'n str)> {
        let Node::Global { module, name } = self.nodes[id] else {
            return None;
        };
        let module = match self.text_of(module)? {
            "__builtin__" | "exceptions" => "builtins",
            "copy_reg" => "copyreg",
            module => module,
        };
        Some((module, self.text_of(name)?))
    }

    fn text_of(&self, id: Id) -> Option<&'n str> {
        match &self.nodes[id] {
            Node::Leaf(value) => value.as_str(),
            _ => None,
        }
    }

    /// Makes what can hold other values, unless it holds itself or is too deep inside of others.
    fn inside(
        &mut self,
        id: Id,
        stand_in: &'static str,
        make: impl FnOnce(&mut Self) -> Result<Value, TooLarge>,
    ) -> Result<Value, TooLarge> {
        if self.open.len() >= MAX_DEPTH || self.open.contains(&id) {
            return Ok(stand_in.into());
        }
        self.open.push(id);
        let made = make(self);
        self.open.pop();
        made
    }

    fn spend(&mut self, units: usize) -> Result<(), TooLarge> {
        self.left = self.left.checked_sub(units).ok_or(TooLarge)?;
        Ok(())
    }
}

fn size_of_text(value: &Value) -> usize {
    match value {
        Value::Str(text) => text.len(),
        Value::Bytes(bytes) => bytes.len(),
        Value::BigInt(digits) => digits.len(),
        _ => 0,
    }
}
