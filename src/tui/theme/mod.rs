//! How the pane looks: roles, and the themes that give each of them a style.
//!
//! A theme is a TOML file; the built-in ones lie in `themes/`, a user's own in a folder of theirs. What it says in
//! colours is reduced to what the terminal shows: 24 bits, 256 colours, 16, or attributes alone.

mod builtin;
mod colour;
mod depth;
mod error;
mod file;
mod role;
mod syntax;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;

use ratatui::style::Style;

pub use depth::Depth;
pub use error::Error;
pub use file::{ThemeName, names};
pub use role::Role;

/// Colours and attributes, already reduced to what the terminal can show.
#[derive(Debug, Clone)]
pub struct Theme {
    name: String,
    depth: Depth,
    /// By `role as usize`.
    roles: Vec<Style>,
    /// By the number that [`syntax::theme`] writes into a colour.
    code: Vec<Style>,
    syntax: syntect::highlighting::Theme,
    generation: u64,
}

impl Theme {
    /// No colour at all, attributes only: for `NO_COLOR`, and for tests.
    pub fn plain() -> Theme {
        Theme::of("plain", Depth::None, Role::ALL.map(Role::plain).to_vec(), syntax::plain())
    }

    /// The theme called `name`: a user's file `NAME.toml` in `user_folder` goes before a built-in theme of that name.
    ///
    /// Without colours (`Depth::None`) every theme has the attributes of [`Theme::plain`], by which roles differ that
    /// otherwise differ in colour alone.
    ///
    /// # Errors
    /// If there is no such theme, or its file, or one that it inherits from, cannot be read or holds a mistake: then
    /// with the file and the key.
    pub fn load(name: &str, user_folder: &Path, depth: Depth) -> Result<Theme, Error> {
        // A mistake is told whatever the terminal shows.
        let sheet = file::load(name, user_folder)?;
        if depth == Depth::None {
            return Ok(Theme { name: name.to_owned(), ..Theme::plain() });
        }
        let role = |role: Role| sheet.roles.get(role.name()).map_or(role.plain(), |look| look.style(depth));
        let code = |(kind, _): (&str, &str)| sheet.syntax.get(kind).map_or(Style::new(), |look| look.style(depth));
        Ok(Theme::of(name, depth, Role::ALL.map(role).to_vec(), syntax::KINDS.map(code).to_vec()))
    }

    /// `code` is by the order of [`syntax::KINDS`].
    fn of(name: &str, depth: Depth, roles: Vec<Style>, code: Vec<Style>) -> Theme {
        let mut hasher = DefaultHasher::new();
        (&roles, &code, depth).hash(&mut hasher);
        Theme { name: name.to_owned(), depth, roles, code, syntax: syntax::theme(name), generation: hasher.finish() }
    }

    /// The themes that there are: the built-in ones, the default first, then the user's by name.
    pub fn names(user_folder: &Path) -> Vec<ThemeName> {
        file::names(user_folder)
    }

    /// The theme that looks right on any ground, in the terminal's own colours.
    pub fn default_name() -> &'static str {
        builtin::DEFAULT
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn depth(&self) -> Depth {
        self.depth
    }

    pub fn style(&self, role: Role) -> Style {
        self.roles.get(role as usize).copied().unwrap_or_default()
    }

    /// The theme for syntect's highlighter. Its colours are numbers that only [`Theme::code_style`] can read.
    pub fn syntax(&self) -> &syntect::highlighting::Theme {
        &self.syntax
    }

    /// What syntect says of a piece of code, as this terminal can show it; never with a ground. Another theme of
    /// syntect's than [`Theme::syntax`] is understood too, its colours reduced.
    pub fn code_style(&self, style: syntect::highlighting::Style) -> Style {
        syntax::style(style, &self.code, self.depth)
    }

    /// Differs between any two themes that look different: rows laid out with another number are stale.
    pub fn generation(&self) -> u64 {
        self.generation
    }
}

#[cfg(test)]
mod tests {
    use ratatui::style::{Color, Modifier};

    use super::*;

    fn load(file: &str, depth: Depth) -> Result<Theme, Error> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine.toml"), file).unwrap();
        Theme::load("mine", folder.path(), depth)
    }

    #[test]
    fn a_role_gets_what_the_file_says_as_the_terminal_can_show_it() {
        let file = "[palette]\nsea = { rgb = \"#5fafd7\", ansi = \"cyan\" }\n[roles]\nlink = 81\n\
                    user = { fg = \"sea\", bold = true }\nquote = \"bright-red\"\nerror = \"#ff0000\"\n\
                    chip = { fg = \"#ffffff\", bg = \"#005f87\", ansi = \"black\", ansi-bg = \"blue\" }\n";
        let styles = |depth| {
            let theme = load(file, depth).unwrap();
            [Role::User, Role::Link, Role::Quote, Role::Error, Role::Chip].map(|role| theme.style(role))
        };
        let fg = |color| Style::new().fg(color);
        let sea = fg(Color::Rgb(0x5f, 0xaf, 0xd7)).add_modifier(Modifier::BOLD);
        let chip = fg(Color::Rgb(255, 255, 255)).bg(Color::Rgb(0, 0x5f, 0x87));
        let (link, quote) = (fg(Color::Indexed(81)), fg(Color::LightRed));
        assert_eq!(styles(Depth::True), [sea, link, quote, fg(Color::Rgb(255, 0, 0)), chip]);
        let chip = fg(Color::Indexed(231)).bg(Color::Indexed(24));
        assert_eq!(styles(Depth::Ansi256), [sea.fg(Color::Indexed(74)), link, quote, fg(Color::Indexed(196)), chip]);
        let (link, chip) = (fg(Color::Cyan), fg(Color::Black).bg(Color::Blue));
        assert_eq!(styles(Depth::Ansi16), [sea.fg(Color::Cyan), link, quote, fg(Color::LightRed), chip]);
        let plain = Theme::plain();
        assert_eq!(styles(Depth::None)[0], plain.style(Role::User));
    }

    #[test]
    fn what_a_file_leaves_out_looks_plain() {
        let theme = load("[roles]\nuser = \"red\"\n", Depth::True).unwrap();
        for role in Role::ALL.into_iter().filter(|role| *role != Role::User) {
            assert_eq!(theme.style(role), role.plain(), "{role:?}");
        }
        assert_eq!((theme.name(), theme.depth()), ("mine", Depth::True));
    }

    #[test]
    fn the_generation_tells_looks_apart_and_nothing_else() {
        let generation = |file: &str, depth| load(file, depth).unwrap().generation();
        let of = |file: &str| generation(file, Depth::True);
        let first = of("description = \"one\"\n[roles]\nuser = \"red\"\n[syntax]\nstring = \"green\"\n");
        let renamed = "[palette]\nrose = \"red\"\n[roles]\nuser = \"rose\"\n[syntax]\nstring = \"green\"\n";
        assert_eq!(first, of(renamed));
        for other in ["[roles]\nuser = \"red\"\n", "[roles]\nuser = \"blue\"\n[syntax]\nstring = \"green\"\n"] {
            assert_ne!(first, of(other));
        }
        let shallow = |depth| generation("[roles]\nuser = \"#123456\"\n", depth);
        assert_ne!(shallow(Depth::True), shallow(Depth::Ansi256));
        assert_eq!(shallow(Depth::None), Theme::plain().generation());
    }
}
