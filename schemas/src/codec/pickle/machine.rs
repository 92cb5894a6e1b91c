//! Executes a pickle's instructions on a stack of nodes.
//!
//! A node is what an instruction makes; nodes refer to one another by number, so that sharing and
//! cycles are as in Python and cost nothing yet. An instruction makes a few nodes at most, and each
//! reference to a node was pushed by an instruction: all of it is linear in the pickle's length.
//! Calling makes an [`Node::Object`], a note of what would have been called, and calls nothing.

use std::collections::HashMap;

use super::op::{Op, PERSISTENT, Reader};
use crate::codec::{CodecError, CodecErrorKind};
use crate::value::Value;

/// A node's number.
pub(super) type Id = usize;

/// What an instruction makes.
pub(super) enum Node {
    Leaf(Value),
    Items(Vec<Id>),
    Pairs(Vec<(Id, Id)>),
    /// A class or a function, by the texts that name it.
    Global {
        module: Id,
        name: Id,
    },
    Object(Object),
}

/// What Python would have made by calling something.
#[derive(Default)]
pub(super) struct Object {
    /// The class or function, a [`Node::Global`], where the pickle names it.
    pub(super) class: Option<Id>,
    /// A list.
    pub(super) arguments: Option<Id>,
    /// Its attributes, as a rule a dict of them.
    pub(super) state: Option<Id>,
    pub(super) items: Vec<Id>,
    pub(super) pairs: Vec<(Id, Id)>,
}

/// A pickle that was executed: every node, and which of them is the whole.
pub(super) struct End {
    pub(super) nodes: Vec<Node>,
    pub(super) top: Id,
}

impl End {
    /// The dict of attributes that was given to an object.
    pub(super) fn attributes_of(&self, id: Id) -> Option<Id> {
        match self.nodes.get(id)? {
            Node::Object(object) => object.state,
            _ => None,
        }
    }
}

/// Executes one pickle.
pub(super) fn run(bytes: &[u8]) -> Result<End, CodecError> {
    let mut reader = Reader::new(bytes);
    let mut machine = Machine::default();
    loop {
        let start = reader.at;
        let fail = |kind| CodecError { kind, at: start };
        match reader.op()? {
            Op::Stop if !reader.is_at_end() => {
                return Err(reader.fail(CodecErrorKind::Trailing));
            }
            Op::Stop => {
                let top = machine.pop().ok_or(fail(CodecErrorKind::Syntax))?;
                let nodes = machine.nodes;
                return Ok(End { nodes, top });
            }
            op => machine
                .execute(op)
                .ok_or_else(|| fail(CodecErrorKind::Syntax))?,
        }
    }
}

#[derive(Default)]
struct Machine {
    nodes: Vec<Node>,
    stack: Vec<Id>,
    /// How high the stack was at each mark.
    marks: Vec<usize>,
    memo: HashMap<u64, Id>,
}

impl Machine {
    /// Executes an instruction; `None` when it does not fit what is on the stack.
    fn execute(&mut self, op: Op<'_>) -> Option<()> {
        match op {
            Op::Push(value) => self.push(Node::Leaf(value)),
            Op::Opaque(text) => self.push(Node::Leaf(text.into())),
            Op::Persistent => {
                self.pop()?;
                self.push(Node::Leaf(PERSISTENT.into()));
            }
            Op::Mark => self.marks.push(self.stack.len()),
            // A mark is the topmost thing where nothing was pushed since.
            Op::Pop if self.marks.last() == Some(&self.stack.len()) => {
                self.marks.pop();
            }
            Op::Pop => {
                self.pop()?;
            }
            Op::PopMark => {
                self.pop_marked()?;
            }
            Op::Duplicate => self.stack.push(self.top()?),
            Op::EmptyList | Op::EmptySet => self.push(Node::Items(Vec::new())),
            Op::EmptyDict => self.push(Node::Pairs(Vec::new())),
            Op::Tuple(length) => {
                let items = self.pop_last(length)?;
                self.push(Node::Items(items));
            }
            Op::Collect => {
                let items = self.pop_marked()?;
                self.push(Node::Items(items));
            }
            Op::CollectDict => {
                let pairs = paired(&self.pop_marked()?)?;
                self.push(Node::Pairs(pairs));
            }
            Op::Append => {
                let items = self.pop_last(1)?;
                self.append(items)?;
            }
            Op::Appends => {
                let items = self.pop_marked()?;
                self.append(items)?;
            }
            Op::SetItem => {
                let pairs = paired(&self.pop_last(2)?)?;
                self.set_items(pairs)?;
            }
            Op::SetItems => {
                let pairs = paired(&self.pop_marked()?)?;
                self.set_items(pairs)?;
            }
            Op::Get(index) => self.stack.push(*self.memo.get(&index)?),
            Op::Put(index) => {
                self.memo.insert(index, self.top()?);
            }
            Op::Memoize => {
                self.memo.insert(self.memo.len() as u64, self.top()?);
            }
            Op::Global { module, name } => self.push_global(module, name),
            Op::StackGlobal => {
                let (name, module) = (self.pop()?, self.pop()?);
                self.push(Node::Global { module, name });
            }
            Op::Call => self.call()?,
            Op::CallWithKeywords => {
                self.pop()?;
                self.call()?;
            }
            Op::CallNamed { module, name } => {
                let arguments = self.pop_marked()?;
                self.push_global(module, name);
                self.push(Node::Items(arguments));
                self.call()?;
            }
            Op::CallMarked => {
                let arguments = self.pop_marked()?;
                let (callee, arguments) = arguments.split_first()?;
                self.stack.push(*callee);
                self.push(Node::Items(arguments.to_vec()));
                self.call()?;
            }
            Op::SetState => {
                let state = self.pop()?;
                self.top_object()?.state = Some(state);
            }
            Op::Nothing => {}
            // It ends the loop that calls this.
            Op::Stop => return None,
        }
        Some(())
    }

    fn add(&mut self, node: Node) -> Id {
        self.nodes.push(node);
        self.nodes.len() - 1
    }

    fn push(&mut self, node: Node) {
        let id = self.add(node);
        self.stack.push(id);
    }

    /// How deep the stack may be popped: what is below the last mark belongs to others.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn top(&self) -> Option<Id> {
        let is_above = self.stack.len() > self.floor();
        is_above.then(|| self.stack.last().copied()).flatten()
    }

    fn pop(&mut self) -> Option<Id> {
        let id = self.top()?;
        self.stack.pop();
        Some(id)
    }

    fn pop_last(&mut self, count: usize) -> Option<Vec<Id>> {
        let start = self.stack.len().checked_sub(count)?;
        (start >= self.floor()).then(|| self.stack.split_off(start))
    }

    fn pop_marked(&mut self) -> Option<Vec<Id>> {
        let start = self.marks.pop()?;
        Some(self.stack.split_off(start))
    }

    /// Appends to the list or list-like object on top of the stack.
    fn append(&mut self, items: Vec<Id>) -> Option<()> {
        let top = self.top()?;
        match self.nodes.get_mut(top)? {
            Node::Items(list) => list.extend(items),
            Node::Object(object) => object.items.extend(items),
            _ => return None,
        }
        Some(())
    }

    /// Sets items of the dict or dict-like object on top of the stack.
    fn set_items(&mut self, pairs: Vec<(Id, Id)>) -> Option<()> {
        let top = self.top()?;
        match self.nodes.get_mut(top)? {
            Node::Pairs(dict) => dict.extend(pairs),
            Node::Object(object) => object.pairs.extend(pairs),
            _ => return None,
        }
        Some(())
    }

    fn push_global(&mut self, module: &str, name: &str) {
        let module = self.add(Node::Leaf(module.into()));
        let name = self.add(Node::Leaf(name.into()));
        self.push(Node::Global { module, name });
    }

    /// Notes a call: a list of arguments, and below it what is called.
    fn call(&mut self) -> Option<()> {
        let (arguments, callee) = (self.pop()?, self.pop()?);
        let class = match self.nodes.get(callee)? {
            Node::Global { .. } => Some(callee),
            Node::Object(object) => object.class,
            _ => None,
        };
        self.push(Node::Object(Object {
            class,
            arguments: Some(arguments),
            ..Object::default()
        }));
        Some(())
    }

    fn top_object(&mut self) -> Option<&mut Object> {
        let top = self.top()?;
        match self.nodes.get_mut(top)? {
            Node::Object(object) => Some(object),
            _ => None,
        }
    }
}

fn paired(items: &[Id]) -> Option<Vec<(Id, Id)>> {
    let (pairs, rest) = items.as_chunks::<2>();
    rest.is_empty()
        .then(|| pairs.iter().map(|[key, value]| (*key, *value)).collect())
}
