//! Code in a theme's colours.
//!
//! syntect knows 24-bit colours only, and a theme has more to say: the terminal's own 16, and attributes. So the
//! theme that syntect gets holds no colours but numbers of styles, and what it answers is looked up again.

use ratatui::style::{Modifier, Style};
use syntect::highlighting::{Color, FontStyle, ScopeSelectors, StyleModifier, ThemeItem, ThemeSettings};

use super::colour::Colour;
use super::depth::Depth;

/// What `[syntax]` of a theme file may name, and the scopes that it is for
/// (<https://www.sublimetext.com/docs/scope_naming.html>). A later or longer selector wins over an earlier.
pub const KINDS: [(&str, &str); 16] = [
    ("comment", "comment, punctuation.definition.comment"),
    ("keyword", "keyword, storage, variable.language, keyword.operator.word, keyword.operator.logical.python"),
    ("string", "string, punctuation.definition.string, markup.raw"),
    ("number", "constant.numeric"),
    (
        "type",
        "entity.name.type, entity.name.class, entity.name.struct, entity.name.enum, entity.name.union, \
              entity.name.trait, entity.name.interface, entity.name.namespace, entity.name.impl, \
              entity.other.inherited-class, support.type, support.class, storage.type.numeric",
    ),
    ("function", "entity.name.function, variable.function, support.function, support.macro, entity.name.macro"),
    ("variable", "variable, variable.parameter, variable.other.member"),
    (
        "constant",
        "constant, constant.language, constant.character.escape, entity.name.constant, \
                  variable.other.constant, support.constant",
    ),
    ("operator", "keyword.operator"),
    (
        "punctuation",
        "punctuation.section, punctuation.separator, punctuation.terminator, punctuation.accessor, \
                     punctuation.definition, meta.brace",
    ),
    ("tag", "entity.name.tag, punctuation.definition.tag"),
    (
        "attribute",
        "entity.other.attribute-name, meta.annotation, variable.annotation, meta.attribute, \
                   entity.name.tag.yaml, source.toml entity.name.tag, meta.mapping.key string, \
                   support.type.property-name",
    ),
    (
        "heading",
        "markup.heading, entity.name.section, meta.diff.header, meta.diff.range, punctuation.definition.heading",
    ),
    ("link", "markup.underline.link, string.other.link, meta.link.inline.description"),
    ("inserted", "markup.inserted, punctuation.definition.inserted"),
    ("deleted", "markup.deleted, punctuation.definition.deleted"),
];

/// The alpha that marks a colour as a number: colours of other themes are opaque.
const NUMBER: u8 = 2;

/// Without colours: what is no code, and what is most of it, recede and stand out.
pub fn plain() -> Vec<Style> {
    let attributes = |kind: &str| match kind {
        "comment" => Modifier::DIM | Modifier::ITALIC,
        "keyword" | "heading" | "inserted" => Modifier::BOLD,
        "link" => Modifier::UNDERLINED,
        "deleted" => Modifier::DIM,
        _ => Modifier::empty(),
    };
    KINDS.iter().map(|(kind, _)| Style::new().add_modifier(attributes(kind))).collect()
}

/// What syntect highlights with: number 0 is code that no selector is for, number `n` is `KINDS[n - 1]`.
pub fn theme(name: &str) -> syntect::highlighting::Theme {
    let rule = |selectors: &str, style: StyleModifier| {
        let scope: Option<ScopeSelectors> = selectors.parse().ok();
        scope.map(|scope| ThemeItem { scope, style })
    };
    let kinds = KINDS.iter().zip(1..).filter_map(|((_, selectors), number)| {
        rule(selectors, StyleModifier { foreground: Some(numbered(number)), ..StyleModifier::default() })
    });
    let fonts = [("markup.bold", FontStyle::BOLD), ("markup.italic", FontStyle::ITALIC)];
    let fonts = fonts.into_iter().filter_map(|(selectors, font)| {
        rule(selectors, StyleModifier { font_style: Some(font), ..StyleModifier::default() })
    });
    syntect::highlighting::Theme {
        name: Some(name.to_owned()),
        author: None,
        settings: ThemeSettings { foreground: Some(numbered(0)), ..ThemeSettings::default() },
        scopes: kinds.chain(fonts).collect(),
    }
}

fn numbered(number: u8) -> Color {
    Color { r: number, g: 0, b: 0, a: NUMBER }
}

/// What syntect answered, with the styles of `KINDS` in `code`.
pub fn style(style: syntect::highlighting::Style, code: &[Style], depth: Depth) -> Style {
    let Color { r, g, b, a } = style.foreground;
    let mut out = match (a, usize::from(r).checked_sub(1)) {
        (NUMBER, None) => Style::new(),
        (NUMBER, Some(index)) => code.get(index).copied().unwrap_or_default(),
        _ => Style { fg: Colour::Rgb([r, g, b]).shown(depth), ..Style::new() },
    };
    for (font, modifier) in [
        (FontStyle::BOLD, Modifier::BOLD),
        (FontStyle::ITALIC, Modifier::ITALIC),
        (FontStyle::UNDERLINE, Modifier::UNDERLINED),
    ] {
        if style.font_style.contains(font) {
            out = out.add_modifier(modifier);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use syntect::highlighting::Highlighter;
    use syntect::parsing::Scope;

    use super::*;

    /// The style of a piece of code in `scopes`, each kind's style being its number as an indexed colour.
    fn number(scopes: &[&str]) -> Option<ratatui::style::Color> {
        let code: Vec<Style> =
            (0..KINDS.len()).map(|i| Style::new().fg(ratatui::style::Color::Indexed(i as u8))).collect();
        let theme = theme("test");
        let stack: Vec<Scope> = scopes.iter().map(|scope| Scope::new(scope).unwrap()).collect();
        style(Highlighter::new(&theme).style_for_stack(&stack), &code, Depth::Ansi16).fg
    }

    #[test]
    fn every_selector_is_understood_and_every_scope_finds_its_kind() {
        assert_eq!(theme("test").scopes.len(), KINDS.len() + 2);
        for (scopes, kind) in [
            (&["source.rust", "comment.line.double-slash.rust"][..], "comment"),
            (&["source.rust", "comment.line", "punctuation.definition.comment.rust"], "comment"),
            (&["source.rust", "keyword.control.rust"], "keyword"),
            (&["source.rust", "storage.type.function.rust"], "keyword"),
            (&["source.rust", "keyword.operator.assignment.rust"], "operator"),
            (&["source.rust", "string.quoted.double.rust"], "string"),
            (&["source.rust", "string.quoted.double", "punctuation.definition.string.begin.rust"], "string"),
            (&["source.rust", "string.quoted.double", "constant.character.escape.rust"], "constant"),
            (&["source.rust", "constant.numeric.integer.decimal.rust"], "number"),
            (&["source.python", "constant.language.python"], "constant"),
            (&["source.rust", "entity.name.struct.rust"], "type"),
            (&["source.rust", "meta.function", "entity.name.function.rust"], "function"),
            (&["source.python", "meta.function-call", "variable.function.python"], "function"),
            (&["source.rust", "variable.parameter.rust"], "variable"),
            (&["source.rust", "punctuation.section.block.begin.rust"], "punctuation"),
            (&["text.html", "entity.name.tag.inline.html"], "tag"),
            (&["text.html", "meta.tag", "entity.other.attribute-name.html"], "attribute"),
            (&["text.html.markdown", "markup.heading.1.markdown"], "heading"),
            (&["text.html.markdown", "markup.underline.link.markdown"], "link"),
            (&["source.diff", "markup.inserted.diff"], "inserted"),
            (&["source.diff", "markup.deleted.diff"], "deleted"),
        ] {
            let expected = KINDS.iter().position(|(name, _)| *name == kind).unwrap() as u8;
            assert_eq!(number(scopes), Some(ratatui::style::Color::Indexed(expected)), "{scopes:?} is {kind}");
        }
        assert_eq!(number(&["source.rust"]), None);
    }

    #[test]
    fn code_has_no_ground_and_other_themes_of_syntects_are_reduced() {
        let white = Color { r: 255, g: 255, b: 255, a: 255 };
        let foreign = syntect::highlighting::Style {
            foreground: Color { r: 255, g: 0, b: 0, a: 255 },
            background: white,
            font_style: FontStyle::BOLD,
        };
        for (depth, fg) in [
            (Depth::True, Some(ratatui::style::Color::Rgb(255, 0, 0))),
            (Depth::Ansi256, Some(ratatui::style::Color::Indexed(196))),
            (Depth::Ansi16, Some(ratatui::style::Color::LightRed)),
            (Depth::None, None),
        ] {
            let shown = style(foreign, &[], depth);
            assert_eq!((shown.fg, shown.bg, shown.add_modifier), (fg, None, Modifier::BOLD));
        }
        // A number that no kind has is plain code.
        let beyond = syntect::highlighting::Style { foreground: numbered(200), ..foreign };
        assert_eq!(style(beyond, &plain(), Depth::True), Style::new().add_modifier(Modifier::BOLD));
    }
}
