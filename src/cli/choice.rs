//! Which of the models of a repository is meant.

use std::io::{BufRead, Write};

use anyhow::Result;

use super::output;
use crate::hub::{self, Choice, Repository, Variant};

/// The model of `repository` that `tag` picks, without one the usual quantization. What is left open
/// is asked on a terminal; elsewhere it is an error that lists the choices.
pub fn one_of(repository: &Repository, tag: Option<&str>) -> Result<Variant> {
    let (repo, all) = (&repository.name, hub::variants(&repository.files));
    if all.is_empty() {
        return Err(hub::no_model(repo, &repository.files).into());
    }
    let several = match hub::choose(repo, &all, tag)? {
        Choice::One(one) => return Ok(one),
        Choice::Several(several) => several,
    };
    match hub::usual(&several) {
        Some(usual) if tag.is_none() => Ok(usual.clone()),
        _ if output::stdin_is_terminal() && output::stderr_is_terminal() => ask(repo, several),
        _ => Err(hub::Error::Ambiguous { repo: repo.clone(), choices: hub::list(&several) }.into()),
    }
}

fn ask(repo: &str, mut several: Vec<Variant>) -> Result<Variant> {
    let rows: Vec<Vec<String>> = several
        .iter()
        .enumerate()
        .map(|(i, v)| vec![format!("{:>3}", i + 1), output::neutralize(&v.tag), output::bytes(v.size_bytes)])
        .collect();
    eprint!("{}", output::table(&rows));
    loop {
        eprint!("which of {}? [1-{}] ", output::neutralize(repo), several.len());
        std::io::stderr().flush()?;
        let mut answer = String::new();
        if std::io::stdin().lock().read_line(&mut answer)? == 0 {
            eprintln!();
            return Err(hub::Error::Ambiguous { repo: repo.to_owned(), choices: hub::list(&several) }.into());
        }
        if let Some(index) = answered(answer.trim(), &several) {
            return Ok(several.swap_remove(index));
        }
    }
}

/// A number of the list, or a tag.
fn answered(answer: &str, several: &[Variant]) -> Option<usize> {
    let by_number = answer.parse::<usize>().ok().and_then(|n| n.checked_sub(1)).filter(|n| *n < several.len());
    by_number.or_else(|| several.iter().position(|v| v.tag.eq_ignore_ascii_case(answer)))
}
