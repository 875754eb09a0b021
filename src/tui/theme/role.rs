//! What the pieces of the screen are.

use ratatui::style::{Modifier, Style};

/// What a piece of the screen is; the theme says how that looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// Ordinary text: the terminal's own foreground unless the theme says otherwise.
    Text,
    /// Less important: hints, times, reasoning.
    Muted,
    Accent,
    /// The label and mark of a turn.
    User,
    Assistant,
    System,
    Heading,
    Strong,
    Emphasis,
    Link,
    /// Inline code.
    Code,
    /// A code block's ground and its border or label.
    CodeBlock,
    CodeLabel,
    Quote,
    Rule,
    Border,
    /// The selected row of a list, the selected message.
    Selection,
    Match,
    CurrentMatch,
    /// A chip: pasted text or a file in the composer.
    Chip,
    StatusLine,
    Success,
    Warning,
    Error,
    Gauge,
    GaugeEmpty,
    SparklineDecode,
    SparklinePrefill,
}

impl Role {
    /// In the order of their numbers.
    pub const ALL: [Role; 28] = [
        Role::Text,
        Role::Muted,
        Role::Accent,
        Role::User,
        Role::Assistant,
        Role::System,
        Role::Heading,
        Role::Strong,
        Role::Emphasis,
        Role::Link,
        Role::Code,
        Role::CodeBlock,
        Role::CodeLabel,
        Role::Quote,
        Role::Rule,
        Role::Border,
        Role::Selection,
        Role::Match,
        Role::CurrentMatch,
        Role::Chip,
        Role::StatusLine,
        Role::Success,
        Role::Warning,
        Role::Error,
        Role::Gauge,
        Role::GaugeEmpty,
        Role::SparklineDecode,
        Role::SparklinePrefill,
    ];

    /// What theme files call it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Text => "text",
            Role::Muted => "muted",
            Role::Accent => "accent",
            Role::User => "user",
            Role::Assistant => "assistant",
            Role::System => "system",
            Role::Heading => "heading",
            Role::Strong => "strong",
            Role::Emphasis => "emphasis",
            Role::Link => "link",
            Role::Code => "code",
            Role::CodeBlock => "code-block",
            Role::CodeLabel => "code-label",
            Role::Quote => "quote",
            Role::Rule => "rule",
            Role::Border => "border",
            Role::Selection => "selection",
            Role::Match => "match",
            Role::CurrentMatch => "current-match",
            Role::Chip => "chip",
            Role::StatusLine => "status-line",
            Role::Success => "success",
            Role::Warning => "warning",
            Role::Error => "error",
            Role::Gauge => "gauge",
            Role::GaugeEmpty => "gauge-empty",
            Role::SparklineDecode => "sparkline-decode",
            Role::SparklinePrefill => "sparkline-prefill",
        }
    }

    /// By attributes alone: roles that meet on the screen differ.
    pub fn plain(self) -> Style {
        let attributes = match self {
            Role::Text | Role::CodeBlock | Role::Gauge | Role::SparklineDecode => Modifier::empty(),
            Role::Muted | Role::Rule | Role::Border | Role::GaugeEmpty | Role::SparklinePrefill => Modifier::DIM,
            Role::Accent | Role::User | Role::Strong | Role::Success => Modifier::BOLD,
            Role::Assistant | Role::Code => Modifier::BOLD | Modifier::ITALIC,
            Role::Heading | Role::Match | Role::Warning => Modifier::BOLD | Modifier::UNDERLINED,
            Role::System | Role::CodeLabel => Modifier::DIM | Modifier::ITALIC,
            Role::Emphasis | Role::Quote => Modifier::ITALIC,
            Role::Link => Modifier::UNDERLINED,
            Role::Selection | Role::Chip | Role::StatusLine => Modifier::REVERSED,
            Role::CurrentMatch | Role::Error => Modifier::BOLD | Modifier::REVERSED,
        };
        Style::new().add_modifier(attributes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_role_has_its_number_and_its_name() {
        for (number, role) in Role::ALL.into_iter().enumerate() {
            assert_eq!(role as usize, number, "{role:?}");
            assert_eq!(role.name().replace('-', ""), format!("{role:?}").to_lowercase());
        }
        assert_eq!(Role::ALL.len(), Role::SparklinePrefill as usize + 1);
    }

    #[test]
    fn roles_that_meet_differ_without_colours() {
        for group in [
            &[Role::Text, Role::Strong, Role::Emphasis, Role::Link, Role::Code, Role::Muted, Role::Heading][..],
            &[Role::User, Role::Assistant, Role::System, Role::Text, Role::Muted],
            &[Role::Text, Role::Success, Role::Warning, Role::Error, Role::Muted],
            &[Role::Text, Role::Match, Role::CurrentMatch, Role::Selection],
            &[Role::Text, Role::Chip, Role::Link],
            &[Role::CodeBlock, Role::CodeLabel, Role::Border],
            &[Role::Gauge, Role::GaugeEmpty],
            &[Role::SparklineDecode, Role::SparklinePrefill],
        ] {
            for (i, a) in group.iter().enumerate() {
                for b in &group[..i] {
                    assert_ne!(a.plain(), b.plain(), "{a:?} and {b:?}");
                }
            }
        }
    }
}
