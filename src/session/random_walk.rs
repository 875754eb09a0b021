//! Random operations on a tree: whatever is done, it stays a tree, and the store agrees.

use std::collections::BTreeSet;

use super::tree::{NodeId, Session};
use super::{Store, json};
use crate::engine::{Message, Role};

/// xorshift64 (Marsaglia, "Xorshift RNGs", 2003).
struct Random(u64);

impl Random {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n.max(1) as u64) as usize
    }
}

/// Does one thing, often to a node that there is, sometimes to one that there never was.
fn step(session: &mut Session, random: &mut Random, now_ms: i64) {
    let ids: Vec<NodeId> = session.nodes().map(|node| node.id).collect();
    let id = match random.below(10) {
        0 => NodeId(random.below(1000) as u32),
        _ => ids.get(random.below(ids.len())).copied().unwrap_or(NodeId(0)),
    };
    let message = Message::new(Role::User, format!("text {now_ms} {}", random.below(100)));
    let before = session.leaf();
    match random.below(12) {
        0..4 => {
            let new = session.append(message, now_ms);
            assert_eq!((session.leaf(), session.node(new).unwrap().parent), (Some(new), before));
        }
        4..6 => {
            let parent = session.node(id).map(|node| node.parent);
            let new = session.branch(id, message, now_ms);
            assert_eq!((session.leaf(), session.node(new).unwrap().parent), (Some(new), parent.unwrap_or(before)));
        }
        6 => session.rewind_to(Some(id)),
        7 if random.below(4) == 0 => session.rewind_to(None),
        8 => {
            let (at, of) = session.siblings(id);
            let step = random.below(5) as isize - 2;
            let target = at as isize + step;
            let possible = step != 0 && (0..of as isize).contains(&target);
            assert_eq!(session.walk(id, step), possible);
            if possible {
                let leaf = session.leaf().unwrap();
                assert!(session.path().iter().any(|on_path| session.siblings(*on_path) == (target as usize, of)));
                assert!(session.nodes().all(|node| node.parent != Some(leaf)), "walks end at leaves");
            } else {
                assert_eq!(session.leaf(), before);
            }
        }
        9 if random.below(3) == 0 => {
            let parent = session.node(id).map(|node| node.parent);
            let shown = session.path().contains(&id);
            session.delete(id);
            assert!(session.node(id).is_none());
            assert_eq!(session.leaf(), if shown { parent.unwrap() } else { before });
        }
        10 => {
            let exists = session.node(id).is_some();
            assert_eq!(session.edit_node(id, |node| node.message.content.push('!')), exists);
        }
        _ => session.set_model(&format!("m{}", random.below(3))),
    }
}

fn check(session: &Session) {
    let path = session.path();
    assert_eq!(path.last().copied(), session.leaf());
    let mut parent = None;
    for id in &path {
        assert_eq!(session.node(*id).unwrap().parent, parent);
        parent = Some(*id);
    }
    assert_eq!((session.messages().len(), session.len()), (path.len(), path.len()));
    for node in session.nodes() {
        assert!(node.parent.is_none_or(|parent| parent < node.id && session.node(parent).is_some()));
        let family: BTreeSet<NodeId> =
            session.nodes().filter(|other| other.parent == node.parent).map(|other| other.id).collect();
        let at = family.iter().position(|id| *id == node.id).unwrap();
        assert_eq!(session.siblings(node.id), (at, family.len()));
    }
}

#[test]
fn whatever_is_done_the_tree_holds_and_the_store_has_what_memory_has() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = Store::open(&folder.path().join("x.sqlite")).unwrap();
    for seed in 1..=6 {
        let mut random = Random(0x9e37_79b9_7f4a_7c15_u64.rotate_left(seed));
        let mut session = Session::new("m", 0);
        for now_ms in 1..150 {
            step(&mut session, &mut random, now_ms);
            check(&session);
            if random.below(6) > 0 {
                continue;
            }
            if let Some(changes) = session.take_changes(now_ms) {
                session.id = Some(store.save(&changes).unwrap());
            }
            let Some(id) = session.id else { continue };
            let loaded = store.load(id).unwrap();
            assert_eq!(json(&loaded), json(&session));
            assert_eq!(loaded.path(), session.path());
            // Sometimes it goes on from the disk.
            if random.below(4) == 0 {
                session = loaded;
            }
        }
    }
}
