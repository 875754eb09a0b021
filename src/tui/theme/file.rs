//! Theme files: found, read, laid over what they inherit from, and understood. The form is told at the top of each of
//! the built-in ones.

use std::collections::BTreeMap;
use std::path::Path;

use ratatui::style::{Modifier, Style};
use toml::Value;

use super::builtin;
use super::colour::Colour;
use super::depth::Depth;
use super::error::Error;
use super::role::Role;
use super::syntax;

/// A theme that may be loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ThemeName {
    pub name: String,
    /// Made for a dark ground; a theme may be for both.
    pub dark: bool,
    /// Made for a light ground.
    pub light: bool,
    /// Not a user's own file.
    pub builtin: bool,
    /// What the file says of itself, or what is wrong with it.
    pub description: String,
}

/// A theme as it is written, its palette looked up.
#[derive(Debug, Default)]
pub struct Sheet {
    /// Which ground it is for; `None` is any.
    pub dark: Option<bool>,
    pub description: String,
    /// By [`Role::name`].
    pub roles: BTreeMap<String, Look>,
    /// By the names in [`syntax::KINDS`].
    pub syntax: BTreeMap<String, Look>,
}

/// How a role or a kind of code looks, with all the colours that there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Look {
    pub fg: Option<Paint>,
    pub bg: Option<Paint>,
    pub attributes: Modifier,
}

impl Look {
    pub fn style(&self, depth: Depth) -> Style {
        let shown = |paint: Option<Paint>| paint.and_then(|paint| paint.of(depth).shown(depth));
        Style { fg: shown(self.fg), bg: shown(self.bg), ..Style::new() }.add_modifier(self.attributes)
    }
}

/// A colour, and what to take for it among 16.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paint {
    pub colour: Colour,
    pub ansi: Option<Colour>,
}

impl Paint {
    fn of(self, depth: Depth) -> Colour {
        self.ansi.filter(|_| depth == Depth::Ansi16).unwrap_or(self.colour)
    }
}

/// One value of a file, which an error can name.
#[derive(Debug, Clone)]
struct Entry {
    file: String,
    key: String,
    value: Value,
}

impl Entry {
    fn wrong(&self, reason: impl Into<String>) -> Error {
        Error::Value { file: self.file.clone(), key: self.key.clone(), reason: reason.into() }
    }

    fn text(&self) -> Result<String, Error> {
        self.value.as_str().map(str::to_owned).ok_or_else(|| self.wrong(format!("{} is no text", self.value)))
    }

    fn switch(&self) -> Result<bool, Error> {
        self.value.as_bool().ok_or_else(|| self.wrong(format!("{} is neither true nor false", self.value)))
    }

    /// The entries of a table.
    fn parts(&self) -> Result<Vec<(String, Entry)>, Error> {
        let table = self.value.as_table().ok_or_else(|| self.wrong("is no table"))?;
        let part = |(name, value): (&String, &Value)| {
            let key = format!("{}.{name}", self.key);
            (name.clone(), Entry { file: self.file.clone(), key, value: value.clone() })
        };
        Ok(table.iter().map(part).collect())
    }
}

/// A file, or several laid over each other; nothing is looked up yet.
#[derive(Debug, Default)]
struct Draft {
    description: Option<String>,
    dark: Option<bool>,
    inherits: Option<Entry>,
    palette: BTreeMap<String, Entry>,
    roles: BTreeMap<String, Entry>,
    syntax: BTreeMap<String, Entry>,
}

impl Draft {
    fn read(name: &str, file: &str, text: &str) -> Result<Draft, Error> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| Error::Syntax {
            file: file.to_owned(),
            reason: e.to_string().trim().replace('\n', " "),
        })?;
        let mut draft = Draft::default();
        for (key, value) in table {
            let entry = Entry { file: file.to_owned(), key: key.clone(), value };
            match key.as_str() {
                "name" if entry.text()? != name => {
                    return Err(entry.wrong(format!("{} is not what the file is called, {name}", entry.value)));
                }
                "name" => {}
                "description" => draft.description = Some(entry.text()?),
                "dark" => draft.dark = Some(entry.switch()?),
                "inherits" => draft.inherits = Some(entry),
                "palette" => draft.palette.extend(entry.parts()?),
                "roles" => draft.roles.extend(entry.parts()?),
                "syntax" => draft.syntax.extend(entry.parts()?),
                _ => {
                    return Err(entry.wrong("is none of name, description, dark, inherits, palette, roles, syntax"));
                }
            }
        }
        let roles = Role::ALL.map(Role::name);
        let kinds = syntax::KINDS.map(|(kind, _)| kind);
        for (entries, known, what) in [(&draft.roles, &roles[..], "roles"), (&draft.syntax, &kinds, "kinds of code")] {
            if let Some((_, entry)) = entries.iter().find(|(name, _)| !known.contains(&name.as_str())) {
                return Err(entry.wrong(format!("is none of the {what}: {}", known.join(", "))));
            }
        }
        Ok(draft)
    }

    /// What this one leaves out, `parent` says.
    fn over(self, mut parent: Draft) -> Draft {
        parent.palette.extend(self.palette);
        parent.roles.extend(self.roles);
        parent.syntax.extend(self.syntax);
        Draft { description: self.description, dark: self.dark.or(parent.dark), inherits: parent.inherits, ..parent }
    }

    fn sheet(self) -> Result<Sheet, Error> {
        let none = BTreeMap::new();
        let palette = each(self.palette, |entry| match &entry.value {
            Value::Table(_) => {
                let (mut rgb, mut ansi) = (None, None);
                for (name, part) in entry.parts()? {
                    match name.as_str() {
                        "rgb" => rgb = Some(paint(&part, &none)?.colour),
                        "ansi" => ansi = Some(of_16(&part, &none)?),
                        _ => return Err(part.wrong("is neither rgb nor ansi")),
                    }
                }
                let colour = rgb.ok_or_else(|| entry.wrong("has no rgb"))?;
                Ok(Paint { colour, ansi })
            }
            _ => paint(entry, &none),
        })?;
        Ok(Sheet {
            dark: self.dark,
            description: self.description.unwrap_or_default(),
            roles: each(self.roles, |entry| look(entry, &palette))?,
            syntax: each(self.syntax, |entry| {
                let look = look(entry, &palette)?;
                if look.bg.is_some() || look.attributes.contains(Modifier::REVERSED) {
                    return Err(entry.wrong("has a ground: code stands on that of its block"));
                }
                Ok(look)
            })?,
        })
    }
}

fn each<T>(
    entries: BTreeMap<String, Entry>,
    read: impl Fn(&Entry) -> Result<T, Error>,
) -> Result<BTreeMap<String, T>, Error> {
    entries.into_iter().map(|(name, entry)| Ok((name, read(&entry)?))).collect()
}

/// A colour, or the name of one in the palette.
fn paint(entry: &Entry, palette: &BTreeMap<String, Paint>) -> Result<Paint, Error> {
    if let Some(paint) = entry.value.as_str().and_then(|name| palette.get(name)) {
        return Ok(*paint);
    }
    let colour = match &entry.value {
        Value::String(text) => Colour::of_text(text),
        Value::Integer(number) => Colour::of_number(*number),
        _ => None,
    };
    let colour = colour.ok_or_else(|| {
        entry.wrong(format!(
            "{} is no colour: write \"#rrggbb\", a name (red, bright-blue, default, one of the palette) or 0 to 255",
            entry.value
        ))
    })?;
    Ok(Paint { colour, ansi: None })
}

/// One of the 16 colours, or the palette's that says which it is.
fn of_16(entry: &Entry, palette: &BTreeMap<String, Paint>) -> Result<Colour, Error> {
    match paint(entry, palette)?.of(Depth::Ansi16) {
        colour @ (Colour::Ansi(_) | Colour::Default) => Ok(colour),
        _ => Err(entry.wrong(format!("{} is none of a terminal's 16 colours", entry.value))),
    }
}

/// A colour alone, or a table of colours and attributes.
fn look(entry: &Entry, palette: &BTreeMap<String, Paint>) -> Result<Look, Error> {
    if !entry.value.is_table() {
        return Ok(Look { fg: Some(paint(entry, palette)?), ..Look::default() });
    }
    let mut look = Look::default();
    let (mut ansi, mut ansi_bg) = (None, None);
    for (name, part) in entry.parts()? {
        let attribute = match name.as_str() {
            "bold" => Modifier::BOLD,
            "italic" => Modifier::ITALIC,
            "underline" => Modifier::UNDERLINED,
            "dim" => Modifier::DIM,
            "reverse" => Modifier::REVERSED,
            "fg" => {
                look.fg = Some(paint(&part, palette)?);
                continue;
            }
            "bg" => {
                look.bg = Some(paint(&part, palette)?);
                continue;
            }
            "ansi" => {
                ansi = Some((of_16(&part, palette)?, part));
                continue;
            }
            "ansi-bg" => {
                ansi_bg = Some((of_16(&part, palette)?, part));
                continue;
            }
            _ => {
                return Err(part.wrong("is none of fg, bg, ansi, ansi-bg, bold, italic, underline, dim, reverse"));
            }
        };
        look.attributes.set(attribute, part.switch()?);
    }
    for (paint, ansi, of) in [(&mut look.fg, ansi, "fg"), (&mut look.bg, ansi_bg, "bg")] {
        match (paint, ansi) {
            (Some(paint), Some((colour, _))) => paint.ansi = Some(colour),
            (None, Some((_, part))) => return Err(part.wrong(format!("stands for {of}, which is not there"))),
            _ => {}
        }
    }
    Ok(look)
}

/// Reads the theme called `name` with all that it inherits from.
pub fn load(name: &str, user_folder: &Path) -> Result<Sheet, Error> {
    let unknown = || {
        let known: Vec<String> = names(user_folder).into_iter().map(|theme| theme.name).collect();
        let near = |other: &String| strsim::jaro_winkler(&name.to_lowercase(), &other.to_lowercase());
        let nearest = known.iter().filter(|other| near(other) > 0.8).max_by(|a, b| near(a).total_cmp(&near(b)));
        Error::Unknown { name: name.to_owned(), nearest: nearest.cloned(), known: known.clone() }
    };
    let mut seen = Vec::new();
    let mut draft = find(name, user_folder, &mut seen)?.ok_or_else(unknown)?;
    while let Some(entry) = draft.inherits.take() {
        let parent = entry.text()?;
        let found = find(&parent, user_folder, &mut seen)?;
        let missing = || match seen.iter().any(|(name, _)| *name == parent) {
            true => entry.wrong(format!("{parent} inherits from itself")),
            false => entry.wrong(format!("there is no theme {parent}")),
        };
        draft = draft.over(found.ok_or_else(missing)?);
    }
    draft.sheet()
}

/// The user's file of that name or the built-in one, whichever was not `seen` yet: a user's may inherit from the
/// built-in one that it stands before.
fn find(name: &str, user_folder: &Path, seen: &mut Vec<(String, bool)>) -> Result<Option<Draft>, Error> {
    let own = (name.to_owned(), false);
    if is_name(name) && !seen.contains(&own) {
        let file = user_folder.join(format!("{name}.toml"));
        match std::fs::read_to_string(&file) {
            Ok(text) => {
                seen.push(own);
                return Draft::read(name, &file.display().to_string(), &text).map(Some);
            }
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {}
            Err(source) => return Err(Error::Read { file, source }),
        }
    }
    let ours = (name.to_owned(), true);
    match builtin::THEMES.iter().find(|(known, _)| *known == name).filter(|_| !seen.contains(&ours)) {
        Some((_, text)) => {
            seen.push(ours);
            Draft::read(name, &format!("the built-in theme {name}"), text).map(Some)
        }
        None => Ok(None),
    }
}

/// A name is part of a path, and must not lead out of the folder.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
}

/// The themes that there are: the built-in ones in their order, then the user's by name.
pub fn names(user_folder: &Path) -> Vec<ThemeName> {
    // A folder that cannot be read holds no themes.
    let files = std::fs::read_dir(user_folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let toml = files.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    let mut own: Vec<String> = toml.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    own.retain(|name| is_name(name));
    own.sort_unstable();
    let ours = builtin::THEMES.iter().map(|(name, _)| (*name).to_owned());
    let all = ours.chain(own.iter().filter(|name| builtin::THEMES.iter().all(|(known, _)| known != name)).cloned());
    all.map(|name| {
        let builtin = !own.contains(&name);
        match load(&name, user_folder) {
            Ok(Sheet { dark, description, .. }) => {
                ThemeName { name, dark: dark != Some(false), light: dark != Some(true), builtin, description }
            }
            Err(error) => ThemeName { name, dark: false, light: false, builtin, description: error.to_string() },
        }
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        folder
    }

    #[test]
    fn mistakes_name_the_file_and_the_key() {
        for (text, key, reason) in [
            ("[roles]\nhedding = \"red\"\n", "roles.hedding", "none of the roles: text, muted"),
            ("[syntax]\nmacro = \"red\"\n", "syntax.macro", "none of the kinds of code: comment"),
            ("[roles]\nuser = \"sea\"\n", "roles.user", "\"sea\" is no colour"),
            ("[roles]\nuser = 256\n", "roles.user", "256 is no colour"),
            ("[roles]\nuser = { fg = \"red\", bolt = true }\n", "roles.user.bolt", "none of fg, bg"),
            ("[roles]\nuser = { bold = \"yes\" }\n", "roles.user.bold", "neither true nor false"),
            ("[roles]\nuser = { ansi = \"red\" }\n", "roles.user.ansi", "stands for fg"),
            ("[roles]\nuser = { fg = \"#ffffff\", ansi = \"#ff0000\" }\n", "roles.user.ansi", "16 colours"),
            ("[syntax]\nstring = { bg = \"red\" }\n", "syntax.string", "ground"),
            ("[syntax]\nstring = { reverse = true }\n", "syntax.string", "ground"),
            ("[palette]\nsea = \"blau\"\n", "palette.sea", "\"blau\" is no colour"),
            ("[palette]\nsea = { ansi = \"blue\" }\n", "palette.sea", "has no rgb"),
            ("[palette]\nsea = { rgb = \"#123456\", fg = 3 }\n", "palette.sea.fg", "neither rgb nor ansi"),
            ("roles = 3\n", "roles", "is no table"),
            ("dark = 1\n", "dark", "neither true nor false"),
            ("title = \"x\"\n", "title", "none of name, description"),
            ("name = \"yours\"\n", "name", "not what the file is called"),
            ("inherits = \"nothing\"\n", "inherits", "there is no theme nothing"),
            ("inherits = \"../mine\"\n", "inherits", "there is no theme ../mine"),
            ("inherits = \"mine\"\n", "inherits", "mine inherits from itself"),
        ] {
            let folder = folder(&[("mine.toml", text)]);
            let error = load("mine", folder.path()).unwrap_err().to_string();
            let start = format!("{}: {key}: ", folder.path().join("mine.toml").display());
            assert!(error.starts_with(&start) && error.contains(reason), "{text}{error}");
        }
        let folder = folder(&[("mine.toml", "[roles\n")]);
        let error = load("mine", folder.path()).unwrap_err();
        assert!(matches!(&error, Error::Syntax { file, .. } if file.ends_with("mine.toml")), "{error}");
    }

    #[test]
    fn what_inherits_changes_only_what_it_says() {
        let parent = "dark = false\ndescription = \"parent\"\n[palette]\nsea = \"#0000ff\"\nsun = \"yellow\"\n\
                      [roles]\nuser = \"sea\"\nlink = { fg = \"sun\", underline = true }\n[syntax]\nstring = \"sun\"\n";
        let child = "inherits = \"parent\"\n[palette]\nsea = \"#00ffff\"\n[roles]\nlink = \"sea\"\n";
        let folder = folder(&[("parent.toml", parent), ("child.toml", child)]);
        let sheet = load("child", folder.path()).unwrap();
        let colour = |look: &Look| look.fg.unwrap().colour;
        assert_eq!(colour(&sheet.roles["user"]), Colour::Rgb([0, 255, 255]), "the palette is looked up last");
        assert_eq!(sheet.roles["link"], sheet.roles["user"]);
        assert_eq!(colour(&sheet.syntax["string"]), Colour::Ansi(3));
        assert_eq!((sheet.dark, sheet.description.as_str()), (Some(false), ""));
    }

    #[test]
    fn a_mistake_of_the_parents_names_the_parents_file() {
        let files = [("parent.toml", "[roles]\nuser = \"sea\"\n"), ("child.toml", "inherits = \"parent\"\n")];
        let folder = folder(&files);
        let error = load("child", folder.path()).unwrap_err().to_string();
        assert!(error.contains("parent.toml: roles.user"), "{error}");
        let circle = [("a.toml", "inherits = \"b\"\n"), ("b.toml", "inherits = \"a\"\n")];
        let folder = self::folder(&circle);
        let error = load("a", folder.path()).unwrap_err().to_string();
        assert!(error.contains("b.toml: inherits: a inherits from itself"), "{error}");
    }

    #[test]
    fn a_users_theme_goes_before_the_built_in_one_and_may_inherit_from_it() {
        let name = builtin::DEFAULT;
        let text = format!("inherits = \"{name}\"\ndescription = \"mine\"\n[roles]\nuser = \"#123456\"\n");
        let folder = folder(&[(&format!("{name}.toml"), &text), ("zebra.toml", "dark = true\n"), ("bad.toml", "x")]);
        let sheet = load(name, folder.path()).unwrap();
        assert_eq!(sheet.roles["user"].fg.unwrap().colour, Colour::Rgb([0x12, 0x34, 0x56]));
        assert!(sheet.roles.len() > 10);
        let all = names(folder.path());
        assert_eq!(all.len(), builtin::THEMES.len() + 2);
        assert_eq!((all[0].name.as_str(), all[0].builtin, all[0].description.as_str()), (name, false, "mine"));
        assert!(all[1].builtin);
        let [bad, zebra] = &all[all.len() - 2..] else { panic!() };
        assert!(bad.description.contains("bad.toml") && !bad.dark && !bad.light);
        assert!(zebra.name == "zebra" && zebra.dark && !zebra.light);
    }

    #[test]
    fn an_unknown_theme_is_told_with_the_nearest() {
        let folder = folder(&[("meadow.toml", "")]);
        let error = load("medow", folder.path()).unwrap_err().to_string();
        assert!(error.contains("did you mean meadow?") && error.contains(builtin::DEFAULT), "{error}");
        let error = load("../meadow", &folder.path().join("below")).unwrap_err();
        assert!(matches!(error, Error::Unknown { .. }));
    }
}
