//! What a damaged conversation of the database still holds.

use std::collections::BTreeSet;

use super::tree::{MAX_ID_FROM_OUTSIDE, Node, NodeId};

/// Nodes that are a tree again, and what was done for it.
pub(super) struct Mended {
    pub nodes: Vec<Node>,
    pub leaf: Option<NodeId>,
    /// In words, where something is missing.
    pub damage: Option<String>,
}

/// Makes a tree of what there is: `rows` are the numbers of nodes with what could be read of them. What follows a node
/// that is missing begins a branch of its own; a leaf that is missing is the newest node.
pub(super) fn mend(rows: Vec<(i64, Option<Node>)>, leaf: Option<NodeId>) -> Mended {
    let mut missing = BTreeSet::new();
    let mut nodes: Vec<Node> = Vec::new();
    let mut known = BTreeSet::new();
    for (number, node) in rows {
        match (node, u32::try_from(number)) {
            (Some(node), Ok(id)) if id < MAX_ID_FROM_OUTSIDE => {
                // The row's number is unique.
                nodes.push(Node { id: NodeId(id), ..node });
                known.insert(NodeId(id));
            }
            _ => drop(missing.insert(number)),
        }
    }
    for node in &mut nodes {
        if let Some(parent) = node.parent.filter(|parent| !known.contains(parent) || *parent >= node.id) {
            missing.insert(i64::from(parent.0));
            node.parent = None;
        }
    }
    let lost_leaf = leaf.filter(|leaf| !known.contains(leaf));
    missing.extend(lost_leaf.map(|leaf| i64::from(leaf.0)));
    let leaf = if lost_leaf.is_some() { known.last().copied() } else { leaf };
    Mended { nodes, leaf, damage: damage(&missing) }
}

fn damage(missing: &BTreeSet<i64>) -> Option<String> {
    let numbers: Vec<String> = missing.iter().map(i64::to_string).collect();
    match &numbers[..] {
        [] => None,
        [one] => Some(format!("message {one} is missing, and what followed it begins a branch of its own")),
        all => {
            Some(format!("messages {} are missing, and what followed them begins branches of its own", all.join(", ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::{Message, Role};
    use crate::session::Session;

    fn row(id: u32, parent: Option<u32>) -> (i64, Option<Node>) {
        let mut session = Session::new("m", 0);
        let first = session.append(Message::new(Role::User, id.to_string()), 0);
        let node = session.node(first).unwrap().clone();
        (i64::from(id), Some(Node { id: NodeId(id), parent: parent.map(NodeId), ..node }))
    }

    #[test]
    fn what_follows_a_missing_message_is_a_branch_of_its_own() {
        let whole = mend(vec![row(1, None), row(2, Some(1))], Some(NodeId(1)));
        assert_eq!((whole.nodes.len(), whole.leaf, whole.damage), (2, Some(NodeId(1)), None));
        let rows = vec![row(1, None), (2, None), row(3, Some(2)), row(4, Some(3)), row(6, Some(6))];
        let mended = mend(rows, Some(NodeId(9)));
        let parents: Vec<_> = mended.nodes.iter().map(|node| node.parent.map(|id| id.0)).collect();
        assert_eq!(parents, [None, None, Some(3), None]);
        assert_eq!(mended.leaf, Some(NodeId(6)));
        assert!(mended.damage.unwrap().contains("messages 2, 6, 9 are missing"));
        let nothing = mend(vec![(-1, None), (i64::MAX, row(1, None).1)], Some(NodeId(1)));
        assert_eq!((nothing.nodes.len(), nothing.leaf), (0, None));
    }
}
