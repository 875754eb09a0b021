//! Which of the models of a repository is meant.

use std::io::{BufRead, Write};

use anyhow::Result;

use super::{model, output};
use crate::config::Settings;
use crate::fit::{self, Candidate, Machine, Verdict};
use crate::hub::{self, Choice, ModelRef, Repository, Variant};

/// Models of which no form is larger are fast anywhere.
const SMALL_BYTES: u64 = 1_500_000_000;

/// The model of `repository` that `name` picks. Where that names none of its forms, the best for a
/// machine with `memory_bytes`, or this one: the short name's own if it fits, else what [`fit::best`]
/// says. What is left open is asked on a terminal; elsewhere it is an error that lists the choices.
pub fn one_of(
    repository: &Repository,
    name: &ModelRef,
    memory_bytes: Option<u64>,
    settings: &Settings,
) -> Result<Variant> {
    let (repo, all) = (&repository.name, hub::variants(&repository.files));
    if all.is_empty() {
        return Err(hub::no_model(repo, &repository.files).into());
    }
    let (tag, asked, typed) = match name {
        ModelRef::Repo { tag, asked, typed, .. } => (tag.as_deref(), *asked, typed.as_str()),
        _ => (None, false, ""),
    };
    // A short name's own form is what people mean by it, if it fits.
    let several = match hub::choose(repo, &all, tag.filter(|_| asked))? {
        Choice::One(one) => return Ok(one),
        Choice::Several(several) => several,
    };
    let usual = match tag.filter(|_| !asked).map(|tag| hub::choose(repo, &all, Some(tag))) {
        Some(Ok(Choice::One(one))) => Some(one.tag),
        // The repository has changed since the table was made.
        _ => None,
    };
    let comparable = !asked && hub::usual(&several).is_some();
    let best =
        if comparable { best(repository, &several, usual.as_deref(), typed, memory_bytes, settings)? } else { None };
    match best {
        Some(best) => Ok(best),
        None if output::stdin_is_terminal() && output::stderr_is_terminal() => ask(repo, several),
        None => Err(hub::Error::Ambiguous { repo: repo.clone(), choices: hub::list(&several) }.into()),
    }
}

/// What [`fit::best`] says of the quantizations among `several`; none where two have the same name.
fn best(
    repository: &Repository,
    several: &[Variant],
    usual: Option<&str>,
    typed: &str,
    memory_bytes: Option<u64>,
    settings: &Settings,
) -> Result<Option<Variant>> {
    let forms: Vec<&Variant> = several.iter().filter(|v| hub::is_quantization(&v.tag)).collect();
    let candidates: Vec<Candidate> =
        forms.iter().map(|v| Candidate { tag: v.tag.clone(), size_bytes: v.size_bytes }).collect();
    let names = model::names(settings)?;
    let alias = names.alias(typed).or_else(|| names.of_repo(&repository.name));
    let shape = fit::shape_of(alias, repository.gguf.as_ref(), &candidates);
    let largest = candidates.iter().map(|of| of.size_bytes).max().unwrap_or(0);
    // Measuring takes a second, and how fast a small model is does not matter to the choice.
    let mut machine =
        if largest < SMALL_BYTES { Machine::unmeasured() } else { Machine::this(&settings.paths.machine_file, false) };
    machine.memory_bytes = memory_bytes.unwrap_or(machine.memory_bytes);
    let context = settings.count("context").unwrap_or(fit::CONTEXT).min(shape.context_length.max(1));
    let Some(choice) = fit::best(&candidates, usual, &shape, &machine, context, model::kv_type(settings)) else {
        return Ok(None);
    };
    let chosen = forms[choice.index];
    if forms.iter().filter(|v| v.tag.eq_ignore_ascii_case(&chosen.tag)).count() > 1 {
        return Ok(None);
    }
    let (needs, has) = (output::bytes(choice.estimate.memory_bytes), output::bytes(machine.memory_bytes));
    match choice.estimate.fits {
        Verdict::No => output::note(&format!(
            "{} needs about {needs} of memory, and there are {has}: see oai fit {typed}",
            chosen.tag
        )),
        Verdict::Tight => {
            output::note(&format!("{} needs about {needs} of {has} of memory: it fits if little else runs", chosen.tag))
        }
        Verdict::Fits if usual.is_some_and(|tag| !tag.eq_ignore_ascii_case(&chosen.tag)) => {
            output::note(&format!(
                "{} instead of {}, which does not fit {has} of memory",
                chosen.tag,
                usual.unwrap_or_default()
            ));
        }
        Verdict::Fits => {}
    }
    Ok(Some(chosen.clone()))
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
