//! Tokens by their first bytes: which of them begin here?

/// A trie over bytes whose nodes keep their children side by side.
pub(super) struct Trie {
    nodes: Vec<Node>,
    /// The byte that leads to each node.
    bytes: Vec<u8>,
}

struct Node {
    /// Its children are the nodes `first..first + count`, in the order of their bytes.
    first: u32,
    count: u16,
    id: u32,
}

const NONE: u32 = u32::MAX;

impl Trie {
    /// A trie of `tokens` (bytes and id); empty ones are left out, the last of equals stays.
    pub fn new(mut tokens: Vec<(&[u8], u32)>) -> Trie {
        tokens.retain(|(bytes, _)| !bytes.is_empty());
        tokens.sort_by(|a, b| a.0.cmp(b.0));
        let mut trie = Trie { nodes: vec![Node { first: 0, count: 0, id: NONE }], bytes: vec![0] };
        // Node by node in the order of depth: the tokens under it, and how many bytes they share.
        let mut under = std::collections::VecDeque::from([(0usize, 0..tokens.len(), 0usize)]);
        while let Some((node, range, depth)) = under.pop_front() {
            let mut at = range.start;
            while at < range.end && tokens[at].0.len() == depth {
                trie.nodes[node].id = tokens[at].1;
                at += 1;
            }
            trie.nodes[node].first = trie.nodes.len() as u32;
            while at < range.end {
                let byte = tokens[at].0[depth];
                let end = at + tokens[at..range.end].partition_point(|(token, _)| token[depth] == byte);
                under.push_back((trie.nodes.len(), at..end, depth + 1));
                trie.nodes.push(Node { first: 0, count: 0, id: NONE });
                trie.bytes.push(byte);
                trie.nodes[node].count += 1;
                at = end;
            }
        }
        trie
    }

    /// Every token that `text` begins with, shortest first: its length in bytes and its id.
    pub fn prefixes<'a>(&'a self, text: &'a [u8]) -> impl Iterator<Item = (usize, u32)> + 'a {
        let mut node = &self.nodes[0];
        text.iter()
            .enumerate()
            .map_while(move |(i, byte)| {
                let first = node.first as usize;
                let child = self.bytes[first..first + usize::from(node.count)].binary_search(byte).ok()?;
                node = &self.nodes[first + child];
                Some((i + 1, node.id))
            })
            .filter(|(_, id)| *id != NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_come_shortest_first() {
        let trie = Trie::new(vec![(b"abc", 1), (b"a", 2), (b"b", 3), (b"", 4), (b"abcd\xff", 5), (b"a", 6)]);
        let found = |text: &[u8]| trie.prefixes(text).collect::<Vec<_>>();
        assert_eq!(found(b"abcd\xffz"), [(1, 6), (3, 1), (5, 5)]);
        assert_eq!(found(b"bc"), [(1, 3)]);
        assert_eq!(found(b"zz"), []);
        assert_eq!(found(b""), []);
    }
}
