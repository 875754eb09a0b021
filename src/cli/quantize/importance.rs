//! The importance matrix that a run uses: read from a file, or collected from a text.

use std::path::Path;

use anyhow::Result;

use super::work::Work;
use super::{Args, plan};
use crate::engine;
use crate::hub::LocalModel;
use crate::model::GgufForm;
use crate::quant::{Imatrix, Part, write_nameless};
use crate::weights::Source;

/// `None` where none is asked for.
pub fn matrix(
    args: &Args,
    text: Option<&str>,
    model: &LocalModel,
    form: &GgufForm,
    out: &Path,
    work: &mut Work,
) -> Result<Option<Imatrix>> {
    if let Some(path) = &args.imatrix {
        return Ok(Some(Imatrix::open(path)?));
    }
    let (Some(path), Some(text)) = (&args.calibrate, text) else { return Ok(None) };
    // Activations are booked under the names of GGUF, so that a folder is converted first: to a file without a name,
    // which is gone when this is.
    let converted = match &model.source {
        Source::Path(folder) if folder.is_dir() => {
            work.begin("converting", form.elements());
            let part = Part { path: out.to_owned(), metadata: form.metadata.clone(), targets: plan::unchanged(form) };
            Some(write_nameless(&part, |name, done| work.at(done, name))?)
        }
        _ => None,
    };
    let source = converted.as_ref().map_or(model.source.clone(), |new| Source::Path(new.readable()));
    work.begin("calibrating", 0);
    let mut matrix = engine::calibrate(&source, text, None, |done, total| work.at_of(done as u64, total as u64, ""))?;
    matrix.datasets = vec![path.display().to_string()];
    if let Some(path) = &args.save_imatrix {
        matrix.write(path)?;
    }
    Ok(Some(matrix))
}
