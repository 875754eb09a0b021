//! What is to be saved of a session.

use std::collections::BTreeSet;
use std::hash::{BuildHasher, Hasher, RandomState};

use super::tree::{Node, NodeId, Session};
use crate::engine::Role;

/// What a session has not handed out for saving yet.
#[derive(Debug, Clone)]
pub(super) struct Unsaved {
    /// Model, system message, sampling, leaf.
    pub header: bool,
    /// Apart, because another process may have renamed or tagged a conversation that is open here.
    name: bool,
    tags: bool,
    nodes: BTreeSet<NodeId>,
    deleted: BTreeSet<NodeId>,
    /// An answer that was cut off while it grew: its words are found once the conversation goes on.
    pub cut_off: Option<NodeId>,
    /// Nothing was handed out yet: the store does not know this session.
    first: bool,
    /// Tells this copy of the session from those that other processes have open.
    token: i64,
    /// How often the session had been saved when it was loaded.
    revision: i64,
}

impl Unsaved {
    /// Of a new session.
    pub(super) fn all() -> Unsaved {
        Unsaved {
            header: true,
            name: true,
            tags: true,
            nodes: BTreeSet::new(),
            deleted: BTreeSet::new(),
            cut_off: None,
            first: true,
            token: random(),
            revision: 0,
        }
    }

    /// Of one that comes from the store.
    pub(super) fn nothing(revision: i64) -> Unsaved {
        Unsaved { header: false, name: false, tags: false, first: false, revision, ..Unsaved::all() }
    }

    pub(super) fn node(&mut self, id: NodeId) {
        self.nodes.insert(id);
    }

    pub(super) fn deleted(&mut self, id: NodeId) {
        self.nodes.remove(&id);
        self.deleted.insert(id);
    }

    fn is_nothing(&self) -> bool {
        !self.header && !self.name && !self.tags && self.nodes.is_empty() && self.deleted.is_empty()
    }
}

/// What is to be saved, on any thread: the whole header, and the nodes that changed or were deleted.
#[derive(Debug, Clone)]
pub struct Changes {
    pub(super) id: Option<i64>,
    pub(super) token: i64,
    pub(super) revision: i64,
    pub(super) first: bool,
    /// `Some` where it changed.
    pub(super) name: Option<Option<String>>,
    pub(super) tags: Option<Vec<String>>,
    /// What the session is called without a name.
    pub(super) title: String,
    pub(super) turns: usize,
    pub(super) model: String,
    pub(super) system: Option<String>,
    pub(super) sampling: Option<serde_json::Value>,
    pub(super) created_ms: i64,
    pub(super) updated_ms: i64,
    pub(super) leaf: Option<NodeId>,
    pub(super) nodes: Vec<Node>,
    pub(super) deleted: Vec<NodeId>,
}

impl Changes {
    /// The session's number, if it had one when they were taken.
    pub fn session(&self) -> Option<i64> {
        self.id
    }

    /// Takes in changes of the same session that were taken later, so that both are saved at once; gives those of
    /// another session back.
    pub fn absorb(&mut self, later: Box<Changes>) -> Option<Box<Changes>> {
        if later.token != self.token {
            return Some(later);
        }
        let earlier = std::mem::replace(self, *later);
        self.id = self.id.or(earlier.id);
        self.first |= earlier.first;
        self.name = self.name.take().or(earlier.name);
        self.tags = self.tags.take().or(earlier.tags);
        let newer: BTreeSet<NodeId> =
            self.nodes.iter().map(|node| node.id).chain(self.deleted.iter().copied()).collect();
        self.nodes.extend(earlier.nodes.into_iter().filter(|node| !newer.contains(&node.id)));
        self.deleted.extend(earlier.deleted);
        None
    }

    /// Whether a node is an answer that is being written, whose words are not worth finding yet.
    pub(super) fn grows(&self, node: &Node) -> bool {
        let is_open = node.message.role == Role::Assistant && node.finish.is_none();
        is_open && !self.first && self.leaf == Some(node.id)
    }
}

impl Session {
    /// Names the session; `None` or a blank name takes the name away.
    pub fn set_name(&mut self, name: Option<&str>) {
        self.name = name.map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned);
        self.unsaved.name = true;
    }

    /// Replaces the tags; blank ones and repetitions are dropped.
    pub fn set_tags(&mut self, tags: &[String]) {
        self.tags = tidy(tags);
        self.unsaved.tags = true;
    }

    /// `None` or an empty text takes the system message away.
    pub fn set_system(&mut self, text: Option<&str>) {
        self.system = text.filter(|text| !text.is_empty()).map(str::to_owned);
        self.unsaved.header = true;
    }

    pub fn set_model(&mut self, model: &str) {
        self.model = model.to_owned();
        self.unsaved.header = true;
    }

    pub fn set_sampling(&mut self, sampling: Option<serde_json::Value>) {
        self.sampling = sampling;
        self.unsaved.header = true;
    }

    /// What changed since the last call; `None` if nothing did, or nothing was said in a new session yet. Give them to
    /// [`Store::save`](super::Store::save) in the order in which they were taken.
    pub fn take_changes(&mut self, now_ms: i64) -> Option<Changes> {
        let nothing_said = self.unsaved.first && self.nodes().next().is_none();
        if self.unsaved.is_nothing() || nothing_said {
            return None;
        }
        self.updated_ms = now_ms;
        let Unsaved { token, revision, first, cut_off, .. } = self.unsaved;
        let goes_on = cut_off.filter(|id| self.leaf() != Some(*id) && self.node(*id).is_some());
        self.unsaved.nodes.extend(goes_on);
        let rest = Unsaved { token, cut_off: cut_off.filter(|_| goes_on.is_none()), ..Unsaved::nothing(revision) };
        let unsaved = std::mem::replace(&mut self.unsaved, rest);
        Some(Changes {
            id: self.id,
            token,
            revision,
            first,
            name: unsaved.name.then(|| self.name.clone()),
            tags: unsaved.tags.then(|| self.tags.clone()),
            title: self.first_words(),
            turns: self.turns(),
            model: self.model.clone(),
            system: self.system.clone(),
            sampling: self.sampling.clone(),
            created_ms: self.created_ms,
            updated_ms: self.updated_ms,
            leaf: self.leaf(),
            nodes: unsaved.nodes.iter().filter_map(|id| self.node(*id)).cloned().collect(),
            deleted: unsaved.deleted.into_iter().collect(),
        })
    }

    /// Takes changes back that could not be saved (a full disk, say): they are part of the next ones.
    pub fn put_back(&mut self, changes: &Changes) {
        if changes.token != self.unsaved.token {
            return;
        }
        self.unsaved.header = true;
        self.unsaved.first |= changes.first;
        self.unsaved.name |= changes.name.is_some();
        self.unsaved.tags |= changes.tags.is_some();
        let still_there = changes.nodes.iter().map(|node| node.id).filter(|id| self.node(*id).is_some());
        let still_there: Vec<NodeId> = still_there.collect();
        self.unsaved.nodes.extend(still_there);
        self.unsaved.deleted.extend(&changes.deleted);
    }

    /// Makes this a session of its own, which is saved whole the next time: the way out when the one in the store was
    /// continued or deleted elsewhere ([`Error::ChangedElsewhere`](super::Error), [`Error::Gone`](super::Error)).
    pub fn detach(&mut self) {
        self.id = None;
        let nodes = self.nodes().map(|node| node.id).collect();
        self.unsaved = Unsaved { nodes, ..Unsaved::all() };
    }
}

/// Tags without blanks around them, without empty ones and repetitions.
pub(super) fn tidy(tags: &[String]) -> Vec<String> {
    let mut tidy: Vec<String> = Vec::new();
    for tag in tags.iter().map(|tag| tag.trim()) {
        if !tag.is_empty() && !tidy.iter().any(|known| known == tag) {
            tidy.push(tag.to_owned());
        }
    }
    tidy
}

/// The standard library's hash keys are random.
fn random() -> i64 {
    RandomState::new().build_hasher().finish().cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Message;

    #[test]
    fn only_what_changed_is_handed_out_and_only_once() {
        let mut session = Session::new("m", 0);
        session.set_system(Some("s"));
        assert!(session.take_changes(1).is_none(), "nothing was said");
        let question = session.append(Message::new(Role::User, "q"), 0);
        session.append(Message::new(Role::Assistant, "a"), 0);
        let changes = session.take_changes(2).unwrap();
        assert_eq!((changes.nodes.len(), changes.first, session.updated_ms), (2, true, 2));
        assert!(session.take_changes(3).is_none());
        session.edit_node(question, |node| node.message.content.push('!'));
        let changes = session.take_changes(4).unwrap();
        assert_eq!((changes.nodes.len(), changes.first, &changes.name), (1, false, &None));
        session.delete(question);
        let changes = session.take_changes(5).unwrap();
        assert_eq!((changes.nodes.len(), changes.deleted.len(), changes.leaf), (0, 2, None));
        session.rewind_to(Some(question));
        assert!(session.take_changes(6).is_none());
    }

    #[test]
    fn changes_that_were_not_saved_come_again() {
        let mut session = Session::new("m", 0);
        let question = session.append(Message::new(Role::User, "q"), 0);
        let lost = session.take_changes(1).unwrap();
        let answer = session.append(Message::new(Role::Assistant, "a"), 0);
        session.delete(question);
        session.append(Message::new(Role::User, "q2"), 0);
        session.put_back(&lost);
        let changes = session.take_changes(2).unwrap();
        assert!(changes.first && changes.name.is_some());
        assert_eq!((changes.nodes.len(), changes.deleted), (1, vec![question, answer]));
    }

    #[test]
    fn changes_that_were_taken_one_after_the_other_are_saved_as_one() {
        let mut session = Session::new("m", 0);
        session.set_name(Some("named"));
        let question = session.append(Message::new(Role::User, "q"), 0);
        let answer = session.append(Message::new(Role::Assistant, "a"), 0);
        let mut all = session.take_changes(1).unwrap();
        session.edit_node(question, |node| node.message.content.push('!'));
        session.set_tags(&["t".to_owned()]);
        session.delete(answer);
        assert!(all.absorb(Box::new(session.take_changes(2).unwrap())).is_none());
        let texts: Vec<&str> = all.nodes.iter().map(|node| node.message.content.as_str()).collect();
        assert_eq!((texts, &all.deleted, all.updated_ms), (vec!["q!"], &vec![answer], 2));
        assert!(all.first && all.name == Some(Some("named".to_owned())) && all.tags == Some(vec!["t".to_owned()]));
        session.detach();
        assert!(all.absorb(Box::new(session.take_changes(3).unwrap())).is_some());
    }

    #[test]
    fn tags_are_tidied() {
        let mut session = Session::new("m", 0);
        session.set_tags(&["b ", "", "a", "b"].map(str::to_owned));
        assert_eq!(session.tags, ["b", "a"]);
    }
}
