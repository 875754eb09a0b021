//! `oai quantize`: a model in fewer bits, as a GGUF file.

mod importance;
mod plan;
mod report;
mod work;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::Result;

use self::plan::Plan;
use self::work::Work;
use super::compute::ComputeArgs;
use super::exit::{Input, Usage};
use super::{fit, interrupt, model, text};
use crate::config::Settings;
use crate::hub::LocalModel;
use crate::model::Checkpoint;
use crate::new_file;
use crate::quant::{self, Pattern, Rules, Scheme};
use crate::tensor_type::TensorType;

/// Make a model smaller, as a GGUF file
#[derive(Debug, clap::Args)]
#[command(
    after_help = "SOURCE may be a GGUF file of any type or a folder of safetensors, GPTQ and AWQ too; what is written is a GGUF file that llama.cpp, ollama and oai read. Without TYPE, --fit or --bits every tensor keeps its type: that converts a folder, joins the parts of a model or, with --split, cuts it.\n\nTypes: F32 F16 BF16 Q8_0 Q6_K Q5_K_M Q5_K_S Q5_1 Q5_0 Q4_K_M Q4_K_S Q4_1 Q4_0 IQ4_NL IQ4_XS MXFP4 Q3_K_L Q3_K_M Q3_K_S Q2_K Q2_K_S. Which tensor gets which type is as llama-quantize has it. With an importance matrix (--calibrate, --imatrix) the weights that matter more for real text lose less.\n\n--fit and --bits choose each tensor's type by the error that it makes, measured on this model, so that the whole is as near to the source as that size allows.\n\nThe file gets its name when it is complete; a run that is stopped leaves nothing behind.\n\nExamples:\n  oai quantize ./model-F16.gguf Q4_K_M\n  oai quantize ./Qwen3-0.6B/ Q4_K_M --calibrate wiki.train.raw -o qwen3.gguf\n  oai quantize ./model-F16.gguf --fit 6G --context 8192 --calibrate text.txt --report other.txt\n  oai quantize ./model-F16.gguf --bits 4.25 --dry-run\n  oai quantize ./model-F16.gguf Q4_K_M --tensor 'ffn_down=Q6_K' --keep-output F16\n  oai quantize ./model-Q4_K_M.gguf --split 2G\n  oai quantize ./model-Q4_K_M-00001-of-00003.gguf -o whole.gguf"
)]
pub struct Args {
    /// The model: an alias, org/repo[:TAG], a GGUF file, a folder of safetensors, or guide
    #[arg(value_name = "SOURCE")]
    source: String,
    /// The type, such as Q4_K_M [default: each tensor's own]
    #[arg(value_name = "TYPE", value_parser = Scheme::parse, conflicts_with_all = ["fit", "bits"])]
    scheme: Option<Scheme>,
    /// The file to write [default: SOURCE's name with TYPE, in this folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Choose each tensor's type so that the model runs in so much memory: 6G, 7.5GiB, 800M
    #[arg(long, value_name = "SIZE", value_parser = fit::size, conflicts_with = "bits")]
    fit: Option<u64>,
    /// Tokens of context that --fit makes room for [default: 8192, or the model's own if that is less]
    #[arg(short, long, value_name = "N", requires = "fit", value_parser = clap::value_parser!(u64).range(1..))]
    context: Option<u64>,
    /// Choose each tensor's type so that a weight has so many bits in the mean
    #[arg(long, value_name = "BITS", value_parser = bits)]
    bits: Option<f64>,
    /// Collect an importance matrix from this text, and use it
    #[arg(long, value_name = "TEXT", conflicts_with = "imatrix")]
    calibrate: Option<PathBuf>,
    /// Use this importance matrix, of oai or llama-imatrix
    #[arg(long, value_name = "FILE")]
    imatrix: Option<PathBuf>,
    /// Write the importance matrix that --calibrate collects to a file
    #[arg(long, value_name = "FILE", requires = "calibrate", conflicts_with = "dry_run")]
    save_imatrix: Option<PathBuf>,
    /// Give the tensors whose names match PATTERN a type of their own; may be given several times
    #[arg(long, value_name = "PATTERN=TYPE", value_parser = exception)]
    tensor: Vec<(Pattern, TensorType)>,
    /// The type of the output layer's tensor
    #[arg(long, value_name = "TYPE", value_parser = quant::tensor_type)]
    keep_output: Option<TensorType>,
    /// The type of the token embedding's tensor
    #[arg(long, value_name = "TYPE", value_parser = quant::tensor_type)]
    keep_embedding: Option<TensorType>,
    /// Give all tensors the same type
    #[arg(long, requires = "scheme")]
    pure: bool,
    /// Write files of at most this size: 2G, 800M
    #[arg(long, value_name = "SIZE", value_parser = fit::size)]
    split: Option<u64>,
    /// Compare the result with the source on this text: perplexity, KL divergence, top-1 agreement
    #[arg(long, value_name = "TEXT", conflicts_with = "dry_run")]
    report: Option<PathBuf>,
    /// Overwrite FILE if it is there
    #[arg(short, long)]
    force: bool,
    /// Print what would be done to each tensor, and write nothing
    #[arg(long)]
    dry_run: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub compute: ComputeArgs,
}

fn bits(text: &str) -> Result<f64, String> {
    let value = text.parse::<f64>().ok().filter(|value| (1.0..=32.0).contains(value));
    value.ok_or_else(|| format!("{text:?} is not a number of bits from 1 to 32"))
}

fn exception(text: &str) -> Result<(Pattern, TensorType), String> {
    let (pattern, dtype) =
        text.rsplit_once('=').ok_or_else(|| format!("{text:?} is not PATTERN=TYPE, such as ffn_down=Q6_K"))?;
    Ok((Pattern::parse(pattern)?, quant::tensor_type(dtype)?))
}

pub fn run(args: &Args, settings: &Settings) -> Result<()> {
    interrupt::exit_with("stopped")?;
    let mut model = model::find(&args.source, settings)?;
    let checkpoint = Checkpoint::open(&model.source)?;
    model.size_bytes = checkpoint.size_bytes();
    let form = checkpoint.gguf_form()?;
    let out = args.out(&model);
    let texts = [&args.calibrate, &args.report, &args.imatrix];
    let mut inputs: Vec<PathBuf> = texts.into_iter().flatten().cloned().collect();
    inputs.extend(BTreeSet::from_iter(checkpoint.tensors().map(|tensor| PathBuf::from(tensor.file()))));
    // What cannot be is found out before the work.
    if args.changes_nothing() && (args.calibrate.is_some() || args.imatrix.is_some()) {
        return Err(Usage(
            "an importance matrix is of use where types change; give a TYPE, --bits or --fit".to_owned(),
        )
        .into());
    }
    let choices = plan::choices(args, &form)?;
    if !args.dry_run {
        check_names(&inputs, &out, args)?;
    }
    // Texts that cannot be read are found out before the work.
    let read = |path: &Option<PathBuf>| path.as_deref().map(text::of_file).transpose();
    let (calibration, compared) = (read(&args.calibrate)?, read(&args.report)?);
    let mut work = Work::new(&model, args, settings)?;
    let matrix = importance::matrix(args, calibration.as_deref(), &model, &form, &out, &mut work)?;
    let plan = Plan::make(args, &model, &form, choices, matrix.as_ref(), &mut work, settings)?;
    for part in &plan.parts {
        check_input(&inputs, &part.path)?;
    }
    report::warn(&model, &plan);
    if args.dry_run {
        work.done();
        return report::planned(&model, &plan, args.json);
    }
    plan.carry_out(args.force, &mut work)?;
    let divergence = compared.map(|text| report::measure(&text, &model.source, &plan, &mut work, settings)).transpose();
    let took = work.done();
    // The file is there, whatever became of the comparison.
    report::written(&model, &plan, divergence.as_ref().ok().and_then(Option::as_ref), took, args.json)?;
    divergence.map(drop)
}

impl Args {
    fn rules(&self) -> Rules {
        Rules {
            scheme: self.scheme,
            has_importance: self.calibrate.is_some() || self.imatrix.is_some(),
            output: self.keep_output,
            embedding: self.keep_embedding,
            overrides: self.tensor.clone(),
            pure: self.pure,
        }
    }

    /// Whether every tensor keeps its type.
    fn changes_nothing(&self) -> bool {
        self.keeps_order() && self.tensor.is_empty() && self.keep_output.is_none() && self.keep_embedding.is_none()
    }

    /// Whether tensors keep their places: types change by name alone.
    fn keeps_order(&self) -> bool {
        self.scheme.is_none() && self.fit.is_none() && self.bits.is_none()
    }

    /// Where the result goes if nothing else is said: to this folder, for a source may lie in a cache.
    fn out(&self, model: &LocalModel) -> PathBuf {
        if let Some(path) = &self.output {
            return path.clone();
        }
        let suffix = match (self.scheme, self.fit, self.bits) {
            (Some(scheme), ..) => Some(scheme.name().to_owned()),
            (None, Some(_), _) => Some("fit".to_owned()),
            (.., Some(bits)) => Some(format!("{bits}bits")),
            _ => None,
        };
        let stem = plan::stem(model);
        PathBuf::from(suffix.map_or_else(|| format!("{stem}.gguf"), |suffix| format!("{stem}-{suffix}.gguf")))
    }
}

/// Fails before any work where the result could not get its name.
fn check_names(inputs: &[PathBuf], out: &Path, args: &Args) -> Result<()> {
    if out.is_dir() {
        return Err(Usage(format!("{} is a folder; give a file with -o", out.display())).into());
    }
    if out.extension().is_none_or(|extension| extension != "gguf") {
        return Err(Usage(format!("{} does not end in .gguf; give such a name with -o", out.display())).into());
    }
    let folder = new_file::folder(out);
    if !folder.is_dir() {
        return Err(Input(format!("there is no folder {}; make it first", folder.display())).into());
    }
    for output in [Some(out), args.save_imatrix.as_deref()].into_iter().flatten() {
        check_input(inputs, output)?;
    }
    if args.save_imatrix.as_deref() == Some(out) {
        return Err(Usage(format!("{} cannot be the model and its importance matrix", out.display())).into());
    }
    let mut files = args.split.is_none().then_some(out).into_iter().chain(args.save_imatrix.as_deref());
    if let Some(path) = files.find(|path| !args.force && path.exists()) {
        return Err(quant::Error::Exists { path: path.to_owned() }.into());
    }
    Ok(())
}

/// Fails where `output` would be written over one of `inputs`.
fn check_input(inputs: &[PathBuf], output: &Path) -> Result<(), Usage> {
    let Ok(there) = output.canonicalize() else { return Ok(()) };
    match inputs.iter().any(|input| input.canonicalize().is_ok_and(|input| input == there)) {
        true => Err(Usage(format!("{} is read: it is the source itself; give another name with -o", output.display()))),
        false => Ok(()),
    }
}
