//! A conversation in memory: a tree of messages, of which one path from a root to the leaf is on screen.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::attachment::{Attachment, laid_out};
use super::changes::Unsaved;
use crate::engine::{Finish, Message, Role, Timings, Usage};

/// A message's number, unique within its session. What comes later has a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NodeId(pub u32);

/// Ids that come from outside are below this, so that new ones never run out.
pub(super) const MAX_ID_FROM_OUTSIDE: u32 = 1 << 31;

/// One message and what is known of how it came about.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub id: NodeId,
    /// The message that this one follows; `None` of a first message.
    #[serde(default)]
    pub parent: Option<NodeId>,
    pub message: Message,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attachments: Vec<Attachment>,
    /// Which model answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub finish: Option<Finish>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timings: Option<Timings>,
    #[serde(default)]
    pub created_ms: i64,
}

impl Node {
    /// The message as a model reads it.
    fn laid_out(&self) -> Message {
        Message { content: laid_out(&self.attachments, &self.message.content), ..self.message.clone() }
    }
}

/// A conversation. The public fields are for reading; the setters note what changed.
#[derive(Debug, Clone)]
pub struct Session {
    /// The number in the store, once it was saved.
    pub id: Option<i64>,
    pub name: Option<String>,
    pub tags: Vec<String>,
    pub model: String,
    pub system: Option<String>,
    /// Sampling settings as JSON, for whoever continues the conversation.
    pub sampling: Option<serde_json::Value>,
    pub created_ms: i64,
    pub updated_ms: i64,
    /// What was missing when it was loaded, in words.
    pub damage: Option<String>,
    nodes: BTreeMap<NodeId, Node>,
    /// Below each node, and below nothing the roots, oldest first.
    children: HashMap<Option<NodeId>, Vec<NodeId>>,
    /// Which child was on screen last. The path to the leaf is always in here.
    visited: HashMap<Option<NodeId>, NodeId>,
    leaf: Option<NodeId>,
    next: u32,
    pub(super) unsaved: Unsaved,
}

impl Session {
    /// An empty conversation. It is not worth saving before something is said in it.
    pub fn new(model: &str, now_ms: i64) -> Session {
        Session {
            id: None,
            name: None,
            tags: Vec::new(),
            model: model.to_owned(),
            system: None,
            sampling: None,
            created_ms: now_ms,
            updated_ms: now_ms,
            damage: None,
            nodes: BTreeMap::new(),
            children: HashMap::new(),
            visited: HashMap::new(),
            leaf: None,
            next: 1,
            unsaved: Unsaved::all(),
        }
    }

    /// Fills an empty session with nodes from outside. Fails, saying why, when they are no tree.
    pub(super) fn fill(&mut self, mut nodes: Vec<Node>, leaf: Option<NodeId>) -> Result<(), String> {
        nodes.sort_by_key(|node| node.id);
        for node in nodes {
            let id = node.id;
            if id.0 >= MAX_ID_FROM_OUTSIDE {
                return Err(format!("message {} has too high a number", id.0));
            }
            // Sorted: a parent that is not there yet is missing, or younger than its child.
            if let Some(parent) = node.parent.filter(|parent| !self.nodes.contains_key(parent)) {
                return Err(format!("message {} follows {}, which is not before it", id.0, parent.0));
            }
            if self.nodes.contains_key(&id) {
                return Err(format!("message {} is there twice", id.0));
            }
            self.children.entry(node.parent).or_default().push(id);
            self.nodes.insert(id, node);
            self.next = id.0 + 1;
        }
        if let Some(leaf) = leaf.filter(|leaf| !self.nodes.contains_key(leaf)) {
            return Err(format!("message {}, the last one shown, is missing", leaf.0));
        }
        self.leaf = leaf;
        self.remember_path();
        Ok(())
    }

    /// Numbers up to this one are not given to new messages.
    pub(super) fn skip_to(&mut self, id: u32) {
        self.next = self.next.max(id.min(MAX_ID_FROM_OUTSIDE) + 1);
    }

    /// Adds a message below the leaf; it becomes the leaf.
    pub fn append(&mut self, message: Message, now_ms: i64) -> NodeId {
        self.insert(self.leaf, message, now_ms)
    }

    /// A new sibling of `id`, which becomes the leaf: a question is edited and sent again. Below the leaf when there
    /// is no `id`.
    pub fn branch(&mut self, id: NodeId, message: Message, now_ms: i64) -> NodeId {
        if let Some(node) = self.nodes.get(&id) {
            self.rewind_to(node.parent);
        }
        self.append(message, now_ms)
    }

    fn insert(&mut self, parent: Option<NodeId>, message: Message, now_ms: i64) -> NodeId {
        let id = NodeId(self.next);
        self.next += 1;
        let (model, finish, usage, timings) = (None, None, None, None);
        let (attachments, created_ms) = (Vec::new(), now_ms);
        let node = Node { id, parent, message, attachments, model, finish, usage, timings, created_ms };
        self.nodes.insert(id, node);
        self.children.entry(parent).or_default().push(id);
        self.visited.insert(parent, id);
        self.leaf = Some(id);
        self.unsaved.node(id);
        id
    }

    /// The settings that are the conversation's own, by their keys.
    pub fn own_settings(&self) -> serde_json::Map<String, serde_json::Value> {
        self.sampling.as_ref().and_then(serde_json::Value::as_object).cloned().unwrap_or_default()
    }

    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// All nodes, oldest first.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// Changes a node, except its place in the tree, and marks it changed. False when there is no such node.
    pub fn edit_node(&mut self, id: NodeId, edit: impl FnOnce(&mut Node)) -> bool {
        let Some(node) = self.nodes.get_mut(&id) else { return false };
        let parent = node.parent;
        edit(node);
        (node.id, node.parent) = (id, parent);
        self.unsaved.node(id);
        true
    }

    /// The last message on screen.
    pub fn leaf(&self) -> Option<NodeId> {
        self.leaf
    }

    /// From the root to the leaf: the conversation on screen.
    pub fn path(&self) -> Vec<NodeId> {
        self.path_to(self.leaf)
    }

    fn path_to(&self, end: Option<NodeId>) -> Vec<NodeId> {
        let known = end.and_then(|id| self.nodes.get(&id));
        let above = |node: &&Node| node.parent.and_then(|id| self.nodes.get(&id));
        let mut path: Vec<NodeId> = std::iter::successors(known, above).map(|node| node.id).collect();
        path.reverse();
        path
    }

    /// How many messages are on the path.
    pub fn len(&self) -> usize {
        self.path().len()
    }

    /// Whether no message is on the path; other branches may have some.
    pub fn is_empty(&self) -> bool {
        self.leaf.is_none()
    }

    /// How many questions are on the path.
    pub fn turns(&self) -> usize {
        let nodes = self.path().into_iter().filter_map(|id| self.node(id));
        nodes.filter(|node| node.message.role == Role::User).count()
    }

    /// What a model is asked to continue: the system message, then the path, each message with its attachments before
    /// what was typed.
    pub fn messages(&self) -> Vec<Message> {
        self.messages_of(&self.path())
    }

    /// The same up to and including `id`, which need not be on the path.
    pub fn messages_to(&self, id: NodeId) -> Vec<Message> {
        self.messages_of(&self.path_to(Some(id)))
    }

    fn messages_of(&self, path: &[NodeId]) -> Vec<Message> {
        let system = self.system.iter().filter(|text| !text.is_empty()).map(|text| Message::new(Role::System, text));
        system.chain(path.iter().filter_map(|id| self.node(*id)).map(Node::laid_out)).collect()
    }

    /// Which branch `id` is (from 0) of how many; `(0, 0)` when there is no such node.
    pub fn siblings(&self, id: NodeId) -> (usize, usize) {
        let all = self.all_siblings(id);
        (all.binary_search(&id).unwrap_or(0), all.len())
    }

    fn all_siblings(&self, id: NodeId) -> &[NodeId] {
        let node = self.nodes.get(&id);
        node.and_then(|node| self.children.get(&node.parent)).map_or(&[], Vec::as_slice)
    }

    /// Makes a node the leaf, or with `None` shows nothing. To regenerate an answer, rewind to the question and append
    /// another. An unknown id changes nothing.
    pub fn rewind_to(&mut self, id: Option<NodeId>) {
        if id == self.leaf || id.is_some_and(|id| !self.nodes.contains_key(&id)) {
            return;
        }
        self.leaf = id;
        self.remember_path();
        self.unsaved.header = true;
    }

    /// Goes `step` siblings on from `id` (back, if negative), and from there down to where one was last, else to the
    /// newest leaf. False, and nothing changes, when there is no such sibling.
    pub fn walk(&mut self, id: NodeId, step: isize) -> bool {
        let (at, _) = self.siblings(id);
        let target = at.checked_add_signed(step).and_then(|to| self.all_siblings(id).get(to)).copied();
        let Some(target) = target.filter(|target| *target != id) else { return false };
        self.go_through(target);
        true
    }

    /// Shows the branch that `id` is on, if another one is shown.
    pub fn show(&mut self, id: NodeId) {
        if self.nodes.contains_key(&id) && !self.path().contains(&id) {
            self.go_through(id);
        }
    }

    /// Down from `target` to where one was last, else to the newest leaf.
    fn go_through(&mut self, mut target: NodeId) {
        while let Some(below) = self.visited.get(&Some(target)) {
            target = *below;
        }
        // Children are younger than their parents, so the youngest of all is a leaf.
        let newest = self.subtree(target).into_iter().max();
        self.rewind_to(newest);
    }

    /// Deletes a node and everything below it; if the leaf was there, the leaf is now the node's parent.
    pub fn delete(&mut self, id: NodeId) {
        let Some(parent) = self.nodes.get(&id).map(|node| node.parent) else { return };
        let shown = self.path().contains(&id);
        for below in self.subtree(id) {
            self.nodes.remove(&below);
            self.children.remove(&Some(below));
            self.visited.remove(&Some(below));
            self.unsaved.deleted(below);
        }
        if let Some(siblings) = self.children.get_mut(&parent) {
            siblings.retain(|sibling| *sibling != id);
        }
        if self.visited.get(&parent) == Some(&id) {
            self.visited.remove(&parent);
        }
        if shown {
            self.leaf = parent;
        }
    }

    /// `top` and everything below it.
    fn subtree(&self, top: NodeId) -> Vec<NodeId> {
        let mut found = vec![top];
        let mut at = 0;
        while let Some(id) = found.get(at) {
            found.extend(self.children.get(&Some(*id)).into_iter().flatten());
            at += 1;
        }
        found
    }

    fn remember_path(&mut self) {
        let mut parent = None;
        for id in self.path() {
            self.visited.insert(parent, id);
            parent = Some(id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> Message {
        Message::new(Role::User, text)
    }

    fn texts(session: &Session) -> Vec<&str> {
        session.path().into_iter().map(|id| session.node(id).unwrap().message.content.as_str()).collect()
    }

    #[test]
    fn editing_a_question_and_regenerating_an_answer_keep_what_was_there() {
        let mut session = Session::new("m", 0);
        let question = session.append(user("q1"), 0);
        let answer = session.append(Message::new(Role::Assistant, "a1"), 0);
        session.append(user("q2"), 0);
        session.rewind_to(Some(question));
        let other = session.append(Message::new(Role::Assistant, "a1b"), 0);
        assert_eq!(texts(&session), ["q1", "a1b"]);
        assert_eq!((session.siblings(answer), session.siblings(other)), ((0, 2), (1, 2)));
        assert!(session.walk(other, -1));
        // Down to where one was before.
        assert_eq!(texts(&session), ["q1", "a1", "q2"]);
        let edited = session.branch(question, user("q1 edited"), 0);
        assert_eq!((texts(&session), session.siblings(edited)), (vec!["q1 edited"], (1, 2)));
        assert!(!session.walk(edited, 1) && !session.walk(edited, -2) && !session.walk(edited, 0));
        assert!(!session.walk(edited, isize::MIN) && !session.walk(edited, isize::MAX));
        assert!(session.walk(edited, -1));
        assert_eq!(texts(&session), ["q1", "a1", "q2"]);
        assert_eq!((session.len(), session.turns()), (3, 2));
    }

    #[test]
    fn a_branch_remembers_the_leaf_that_was_on_screen_not_only_the_newest() {
        let mut session = Session::new("m", 0);
        let first = session.append(user("a"), 0);
        let older = session.append(user("a1"), 0);
        session.branch(older, user("a2"), 0);
        session.rewind_to(Some(older));
        let second = session.branch(first, user("b"), 0);
        assert!(session.walk(second, -1));
        assert_eq!(texts(&session), ["a", "a1"]);
    }

    #[test]
    fn an_unvisited_branch_opens_at_its_newest_leaf() {
        let nodes =
            [(1, None), (2, Some(1)), (3, Some(2)), (4, Some(1)), (5, None)].map(|(id, parent): (u32, _)| Node {
                id: NodeId(id),
                parent: parent.map(NodeId),
                message: user(&id.to_string()),
                attachments: Vec::new(),
                model: None,
                finish: None,
                usage: None,
                timings: None,
                created_ms: 0,
            });
        let mut session = Session::new("m", 0);
        session.fill(nodes.to_vec(), Some(NodeId(5))).unwrap();
        assert!(session.walk(NodeId(5), -1));
        assert_eq!(texts(&session), ["1", "4"]);
        assert_eq!(session.append(user("6"), 0), NodeId(6));
        for (broken, why) in [
            (vec![nodes[1].clone()], "follows 1"),
            (vec![nodes[0].clone(), nodes[0].clone()], "twice"),
            (vec![Node { parent: Some(NodeId(1)), ..nodes[0].clone() }], "follows 1"),
            (vec![Node { id: NodeId(u32::MAX), ..nodes[0].clone() }], "too high"),
            (vec![Node { id: NodeId(7), ..nodes[0].clone() }], "message 1, the last one shown"),
        ] {
            let error = Session::new("m", 0).fill(broken, Some(NodeId(1))).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn deleting_takes_everything_below_and_moves_the_leaf_only_if_it_was_there() {
        let mut session = Session::new("m", 0);
        let root = session.append(user("q"), 0);
        let first = session.append(user("a1"), 0);
        session.append(user("below a1"), 0);
        let second = session.branch(first, user("a2"), 0);
        session.delete(first);
        assert_eq!((texts(&session), session.nodes().count()), (vec!["q", "a2"], 2));
        assert_eq!(session.siblings(second), (0, 1));
        session.delete(second);
        assert_eq!(session.leaf(), Some(root));
        session.delete(root);
        assert_eq!((session.leaf(), session.is_empty(), session.nodes().count()), (None, true, 0));
        session.delete(root);
        assert_eq!(session.siblings(root), (0, 0));
        // Numbers are not given twice.
        assert_eq!(session.append(user("new"), 0), NodeId(5));
    }

    #[test]
    fn messages_begin_with_the_system_message_and_hold_attachments() {
        let mut session = Session::new("m", 0);
        session.set_system(Some("be brief"));
        let question = session.append(user("why?"), 0);
        let file = Attachment { name: "a".to_owned(), text: "x".to_owned() };
        assert!(session.edit_node(question, |node| {
            node.attachments.push(file);
            (node.id, node.parent) = (NodeId(9), Some(NodeId(9)));
        }));
        session.append(Message::new(Role::Assistant, "so"), 0);
        let all: Vec<_> = session.messages().into_iter().map(|m| (m.role, m.content)).collect();
        let expected = [(Role::System, "be brief"), (Role::User, "a:\n```\nx\n```\n\nwhy?"), (Role::Assistant, "so")];
        assert_eq!(all, expected.map(|(role, text)| (role, text.to_owned())));
        assert_eq!(session.messages_to(question).len(), 2);
        assert_eq!(session.messages_to(NodeId(9)).len(), 1);
        assert!(!session.edit_node(NodeId(9), |_| ()));
    }
}
