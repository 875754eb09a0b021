//! What has changed since a run that was kept.

use anyhow::{Result, anyhow};

use super::{Args, shown};
use crate::bench::saved::{Change, Comparison, Verdict};
use crate::cli::output;

/// Tells what has changed since `name`, unless the JSON has told it; fails if a test is slower.
pub fn conclude(comparison: &Comparison, name: &str, args: &Args) -> Result<()> {
    comparison.warnings.iter().for_each(|warning| output::note(&format!("oai: {warning}")));
    let cells = cells(comparison);
    if args.markdown {
        output::line(&format!("\n{}", shown::markdown(&cells).trim_end()))?;
    } else if args.csv {
        // Programs read the rows; people read this.
        output::note(output::table(&cells).trim_end());
    } else if !args.json {
        output::line(&format!("\n{}", output::table(&cells).trim_end()))?;
    }
    if !comparison.has_regression() {
        return Ok(());
    }
    let slower = comparison.changes.iter().filter(|change| change.verdict == Verdict::Slower);
    let slower: Vec<String> =
        slower.map(|change| format!("{} by {:.1} %", change.test, 100.0 * (1.0 - change.ratio))).collect();
    Err(anyhow!("slower than {name}: {}", slower.join(", ")))
}

fn cells(comparison: &Comparison) -> Vec<Vec<String>> {
    let mut rows = vec![["TEST", "BEFORE", "NOW", "CHANGE", "95 % SURE", "VERDICT"].map(str::to_owned).to_vec()];
    rows.extend(comparison.changes.iter().map(|change| {
        let Change { test, old_tokens_per_s, new_tokens_per_s, ratio, ratio_low, ratio_high, verdict } = change;
        let percent = |ratio: f64| format!("{:+.1} %", 100.0 * (ratio - 1.0));
        let sure = ratio_low.zip(*ratio_high);
        let verdict = match verdict {
            Verdict::Faster => "faster",
            Verdict::Slower => "slower",
            Verdict::Same => "same",
            Verdict::Uncertain => "uncertain",
        };
        vec![
            output::neutralize(test),
            format!("{old_tokens_per_s:.2}"),
            format!("{new_tokens_per_s:.2}"),
            percent(*ratio),
            sure.map_or("-".to_owned(), |(low, high)| format!("{} to {}", percent(low), percent(high))),
            verdict.to_owned(),
        ]
    }));
    for (tests, verdict) in [(&comparison.only_old, "only before"), (&comparison.only_new, "only now")] {
        let none = || "-".to_owned();
        let row = |test: &String| vec![output::neutralize(test), none(), none(), none(), none(), verdict.to_owned()];
        rows.extend(tests.iter().map(row));
    }
    rows
}
