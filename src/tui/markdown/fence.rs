//! The fences of code blocks (<https://spec.commonmark.org/0.31.2/#fenced-code-blocks>).

/// An opening fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence {
    mark: char,
    len: usize,
}

impl Fence {
    /// The fence that `line` opens, where the line starts with one (no indentation).
    pub fn opening(line: &str) -> Option<Fence> {
        let line = line.split('\n').next()?;
        let mark = line.chars().next().filter(|c| matches!(c, '`' | '~'))?;
        let rest = line.trim_start_matches(mark);
        let len = line.len() - rest.len();
        (len >= 3 && !(mark == '`' && rest.contains('`'))).then_some(Fence { mark, len })
    }

    /// Whether `line` ends the block.
    pub fn is_closed_by(&self, line: &str) -> bool {
        let inner = line.trim_start_matches(' ');
        if line.len() - inner.len() > 3 {
            return false;
        }
        let rest = inner.trim_start_matches(self.mark);
        inner.len() - rest.len() >= self.len && rest.trim_matches([' ', '\t', '\r', '\n']).is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fence_is_closed_by_one_at_least_as_long() {
        let fence = Fence::opening("````rust\n").unwrap();
        assert!(fence.is_closed_by("````\n") && fence.is_closed_by("   ````` "));
        assert!(!fence.is_closed_by("```") && !fence.is_closed_by("~~~~") && !fence.is_closed_by("    ````"));
        assert!(!fence.is_closed_by("```` x"));
        assert_eq!(Fence::opening("``` a`b"), None);
        assert_eq!(Fence::opening("``"), None);
    }
}
