//! The themes that ship inside.

/// What nobody chose: right on any ground.
pub const DEFAULT: &str = "terminal";

/// By name, as they are listed.
pub const THEMES: [(&str, &str); 11] = [
    (DEFAULT, include_str!("../../../themes/terminal.toml")),
    ("fjord", include_str!("../../../themes/fjord.toml")),
    ("lantern", include_str!("../../../themes/lantern.toml")),
    ("heather", include_str!("../../../themes/heather.toml")),
    ("kelp", include_str!("../../../themes/kelp.toml")),
    ("porcelain", include_str!("../../../themes/porcelain.toml")),
    ("oatmeal", include_str!("../../../themes/oatmeal.toml")),
    ("orchard", include_str!("../../../themes/orchard.toml")),
    ("beacon", include_str!("../../../themes/beacon.toml")),
    ("beacon-light", include_str!("../../../themes/beacon-light.toml")),
    ("pencil", include_str!("../../../themes/pencil.toml")),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use ratatui::style::{Color, Modifier, Style};

    use super::super::colour::{distance_seen, indexed, linear, oklab};
    use super::super::{Depth, Role, Theme, ThemeName, file, syntax};
    use super::*;

    const NOWHERE: &str = "/nowhere";
    const DEPTHS: [Depth; 4] = [Depth::None, Depth::Ansi16, Depth::Ansi256, Depth::True];

    fn load(name: &str, depth: Depth) -> Theme {
        Theme::load(name, Path::new(NOWHERE), depth).unwrap()
    }

    fn all() -> Vec<ThemeName> {
        Theme::names(Path::new(NOWHERE))
    }

    /// Every style of a theme with its name: roles, then kinds of code.
    fn styles(theme: &Theme) -> Vec<(String, Style)> {
        let roles = Role::ALL.iter().map(|role| (role.name().to_owned(), theme.style(*role)));
        let kinds = syntax::KINDS.iter().zip(&theme.code).map(|((kind, _), style)| (format!("syntax.{kind}"), *style));
        roles.chain(kinds).collect()
    }

    /// The 24 bits of a colour that is not the terminal's own.
    fn rgb(color: Color) -> Option<[u8; 3]> {
        match color {
            Color::Rgb(r, g, b) => Some([r, g, b]),
            Color::Indexed(number) => Some(indexed(number)),
            _ => None,
        }
    }

    /// From 1 to 21 (<https://www.w3.org/TR/WCAG21/#dfn-contrast-ratio>).
    fn contrast(a: [u8; 3], b: [u8; 3]) -> f64 {
        let light = |[r, g, b]: [u8; 3]| 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b) + 0.05;
        light(a).max(light(b)) / light(a).min(light(b))
    }

    #[test]
    fn all_are_whole_and_tell_of_themselves() {
        let all = all();
        assert_eq!(all[0].name, Theme::default_name());
        for (theme, (name, text)) in all.iter().zip(THEMES) {
            assert!(theme.name == name && theme.builtin && (theme.dark || theme.light), "{theme:?}");
            assert!(
                text.contains(&format!("\nname = \"{name}\"\n")) && text.starts_with("# A theme of oai."),
                "{name}"
            );
            assert!(!theme.description.is_empty() && !theme.description.contains("built-in theme"), "{theme:?}");
            let sheet = file::load(name, Path::new(NOWHERE)).unwrap();
            assert_eq!((sheet.roles.len(), sheet.syntax.len()), (Role::ALL.len(), syntax::KINDS.len()), "{name}");
        }
        let count = |is: &dyn Fn(&ThemeName) -> bool| all.iter().filter(|theme| is(theme)).count();
        assert!(count(&|t| t.dark && !t.light) >= 4 && count(&|t| t.light && !t.dark) >= 3);
        let mut generations: Vec<u64> = all.iter().map(|t| load(&t.name, Depth::True).generation()).collect();
        generations.sort_unstable();
        generations.dedup();
        assert_eq!(generations.len(), THEMES.len(), "no two look alike");
    }

    #[test]
    fn everything_is_legible_on_the_grounds_that_a_theme_is_for() {
        for name in all() {
            let grounds: &[[u8; 3]] = match (name.dark, name.light) {
                (true, false) => &[[0x10; 3], [0x1e; 3]],
                (false, true) => &[[0xff; 3], [0xf5; 3]],
                _ => &[],
            };
            // The nearest of 256 may be a little off.
            for (depth, slack) in [(Depth::True, 1.0), (Depth::Ansi256, 0.9)] {
                for (role, style) in styles(&load(&name.name, depth)) {
                    let quiet = ["muted", "rule", "border", "gauge-empty"].contains(&role.as_str());
                    let least = if quiet { 3.0 } else { 4.5 } * slack;
                    let Some(fg) = style.fg.and_then(rgb) else { continue };
                    let own = style.bg.and_then(rgb);
                    for ground in own.as_ref().map_or(grounds, std::slice::from_ref) {
                        let found = contrast(fg, *ground);
                        assert!(found >= least, "{} at {depth:?}: {role} has {found:.2} on {ground:?}", name.name);
                    }
                }
            }
        }
    }

    #[test]
    fn whoever_sets_a_ground_sets_what_stands_on_it() {
        for depth in DEPTHS {
            for name in all() {
                let theme = load(&name.name, depth);
                for (role, style) in styles(&theme) {
                    assert!(style.bg.is_none() || (style.fg.is_some() && style.fg != style.bg), "{} {role}", name.name);
                    let small = ["selection", "code-label", "chip", "current-match"].contains(&role.as_str());
                    assert!(style.bg.is_none() || small, "{}: {role} is too large for a ground", name.name);
                }
                assert_eq!(theme.style(Role::Text), Style::new(), "{}", name.name);
            }
        }
    }

    #[test]
    fn themes_for_any_ground_take_nothing_that_vanishes_on_one() {
        let safe = [Color::Red, Color::Green, Color::Yellow, Color::Blue, Color::Magenta, Color::Cyan];
        for name in all().iter().filter(|name| name.dark && name.light) {
            for depth in DEPTHS {
                for (role, style) in styles(&load(&name.name, depth)) {
                    assert!(style.fg.is_none_or(|fg| safe.contains(&fg)), "{}: {role}", name.name);
                    assert!(style.bg.is_none(), "{}: {role}", name.name);
                }
            }
        }
        let both: Vec<String> = all().into_iter().filter(|t| t.dark && t.light).map(|t| t.name).collect();
        assert_eq!(both, [DEFAULT, "pencil"]);
        assert!(styles(&load("pencil", Depth::True)).iter().all(|(_, style)| style.fg.is_none()));
    }

    #[test]
    fn roles_that_meet_differ_at_every_depth() {
        for name in all() {
            for depth in DEPTHS {
                let theme = load(&name.name, depth);
                for group in [
                    &[Role::Text, Role::Success, Role::Warning, Role::Error, Role::Muted][..],
                    &[Role::Text, Role::User, Role::Assistant, Role::System],
                    &[Role::Text, Role::Strong, Role::Emphasis, Role::Link, Role::Code, Role::Heading],
                    &[Role::Text, Role::Match, Role::CurrentMatch, Role::Selection],
                    &[Role::Gauge, Role::GaugeEmpty],
                    &[Role::SparklineDecode, Role::SparklinePrefill],
                ] {
                    for (i, a) in group.iter().enumerate() {
                        for b in &group[..i] {
                            assert_ne!(theme.style(*a), theme.style(*b), "{} at {depth:?}: {a:?}, {b:?}", name.name);
                        }
                    }
                }
            }
        }
    }

    /// What a dichromat sees of linear sRGB: the matrices of severity 1.0 of Machado, Oliveira and Fernandes,
    /// "A Physiologically-based Model for Simulation of Color Vision Deficiency", IEEE TVCG 15(6), 2009
    /// (<https://www.inf.ufrgs.br/~oliveira/pubs_files/CVD_Simulation/CVD_Simulation.html>).
    const DICHROMATS: [(&str, [[f64; 3]; 3]); 3] = [
        (
            "protanopia",
            [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        ),
        (
            "deuteranopia",
            [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        ),
        (
            "tritanopia",
            [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
        ),
    ];

    /// The least distance between the five colours that have a meaning, by who sees them.
    fn least_distance(theme: &Theme, seen: &dyn Fn([f64; 3]) -> [f64; 3]) -> f64 {
        let roles = [Role::Success, Role::Warning, Role::Error, Role::User, Role::Assistant];
        let colours = roles.map(|role| oklab(seen(rgb(theme.style(role).fg.unwrap()).unwrap().map(linear))));
        let pairs = (0..colours.len()).flat_map(|i| (0..i).map(move |j| (i, j)));
        pairs.map(|(i, j)| distance_seen(colours[i], colours[j])).fold(f64::INFINITY, f64::min)
    }

    #[test]
    fn the_beacons_are_told_apart_with_any_colour_vision() {
        for name in ["beacon", "beacon-light"] {
            let theme = load(name, Depth::True);
            assert!(least_distance(&theme, &|colour| colour) > 0.12, "{name}");
            for (who, matrix) in DICHROMATS {
                let seen = |colour: [f64; 3]| {
                    matrix.map(|row| row.iter().zip(colour).map(|(a, b)| a * b).sum::<f64>().clamp(0.0, 1.0))
                };
                let found = least_distance(&theme, &seen);
                // Six times what is just seen.
                assert!(found > 0.12, "{name} with {who}: {found:.3}");
            }
        }
        // The measure itself can fail: red and green as they usually are.
        let seen =
            |colour: [f64; 3]| DICHROMATS[1].1.map(|row| row.iter().zip(colour).map(|(a, b)| a * b).sum::<f64>());
        assert!(least_distance(&load("orchard", Depth::True), &seen) < 0.1);
    }

    #[test]
    fn without_colours_all_themes_are_the_plain_one() {
        for name in all() {
            let theme = load(&name.name, Depth::None);
            assert_eq!(theme.generation(), Theme::plain().generation());
            assert!(styles(&theme).iter().all(|(_, style)| style.fg.is_none() && style.bg.is_none()));
            assert_eq!(theme.name(), name.name);
        }
        assert_eq!(Theme::plain().style(Role::Selection).add_modifier, Modifier::REVERSED);
    }
}
