//! What becomes of each tensor, and where it is written.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::Args;
use super::work::Work;
use crate::cli::exit::{Input, Usage};
use crate::cli::{model, output};
use crate::config::Settings;
use crate::engine::{self, Footprint};
use crate::fit::{self, Machine};
use crate::hub::LocalModel;
use crate::model::{FormTensor, GgufForm};
use crate::new_file;
use crate::quant::{self, Candidate, Choice, Imatrix, Part, Shape, Target};
use crate::tensor_type::TensorType;
use crate::weights::{Layout, Metadata, Value, split};

/// What a quantized file says of the layout of its blocks; ggml has had no other for years.
const QUANTIZATION_VERSION: u32 = 2;

/// What is written, and where.
pub struct Plan<'a> {
    pub parts: Vec<Part<'a>>,
    /// Of each tensor, in the order of the parts.
    pub choices: Vec<Choice>,
    pub parameters: u64,
    pub source_bytes: u64,
    pub size_bytes: u64,
    /// What the model will take of memory, and with how much context, where it was made to fit.
    pub memory: Option<(u64, u64)>,
}

/// Every tensor as it is.
pub fn unchanged(form: &GgufForm) -> Vec<Target<'_>> {
    form.tensors.iter().map(|tensor| Target { tensor, dtype: tensor.dtype, importance: None }).collect()
}

/// A name for files that are made of `model`: its own, without its type.
pub fn stem(model: &LocalModel) -> String {
    let path = Path::new(&model.name);
    let name = match path.extension().is_some_and(|extension| extension == "gguf") {
        true => path.file_stem(),
        false => path.file_name(),
    };
    // What a path such as `..` names has no name here.
    let name = name.map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().replace(':', "-"));
    let name = split::without_number(&name);
    let is_type = |suffix: &str| quant::Scheme::parse(suffix).is_ok();
    match name.rsplit_once(['-', '.']) {
        Some((stem, suffix)) if is_type(suffix) => stem.to_owned(),
        _ => name.to_owned(),
    }
}

/// The type of each tensor by the rules alone.
pub fn choices(args: &Args, form: &GgufForm) -> Result<Vec<Choice>> {
    Ok(quant::plan(&args.rules(), &form.metadata, &shapes(form))?)
}

fn shapes(form: &GgufForm) -> Vec<Shape<'_>> {
    form.tensors.iter().map(|tensor| Shape { name: &tensor.name, dims: &tensor.shape, dtype: tensor.dtype }).collect()
}

impl<'a> Plan<'a> {
    /// With the types of `choices`; where a size is asked for, those that may be others are chosen by what each would cost.
    pub fn make(
        args: &Args,
        model: &LocalModel,
        form: &'a GgufForm,
        mut choices: Vec<Choice>,
        matrix: Option<&Imatrix>,
        work: &mut Work,
        settings: &Settings,
    ) -> Result<Plan<'a>> {
        let mut importance = importance(form, &choices, matrix)?;
        let parameters = form.elements();
        let footprint = args.fit.map(|_| engine::footprint(&model.source)).transpose()?.map(|(footprint, _)| footprint);
        let budget = match (args.fit, args.bits, &footprint) {
            (Some(memory), _, Some(footprint)) => Some(Budget::of_memory(memory, args, footprint, settings)),
            (_, Some(bits), _) => Some(Budget::of_bits(bits, parameters)),
            _ => None,
        };
        let mut metadata = metadata(form, args, matrix);
        if let Some(budget) = &budget {
            let header = header_bytes(&metadata, form, &choices)?;
            choose(budget, header, form, &mut choices, &importance, work)?;
            metadata.set("general.file_type", Value::U32(file_type(form, &choices)));
        }
        let order = match args.keeps_order() {
            true => (0..form.tensors.len()).collect(),
            false => quant::visit_order(&shapes(form)),
        };
        let target = |index: &usize| Target {
            tensor: &form.tensors[*index],
            dtype: choices[*index].dtype,
            importance: importance[*index].take(),
        };
        let targets: Vec<Target> = order.iter().map(target).collect();
        let choices: Vec<Choice> = order.iter().map(|index| choices[*index]).collect();
        let parts = quant::parts(&args.out(model), metadata, targets, args.split.unwrap_or(u64::MAX))?;
        let sizes: Vec<u64> =
            parts.iter().map(|part| part.layout().map(|layout| layout.size_bytes())).collect::<Result<_, _>>()?;
        let size_bytes = sizes.iter().sum();
        let memory = budget.as_ref().and_then(|budget| Some((size_bytes + budget.beside_bytes, budget.context?)));
        Ok(Plan { parts, choices, parameters, source_bytes: model.size_bytes, size_bytes, memory })
    }

    pub fn targets(&self) -> impl Iterator<Item = (&Target<'a>, &Choice)> {
        self.parts.iter().flat_map(|part| &part.targets).zip(&self.choices)
    }

    pub fn bits_per_weight(&self) -> f64 {
        let bytes = self.targets().filter_map(|(target, _)| target.entry().bytes());
        8.0 * bytes.map(|bytes| bytes as f64).sum::<f64>() / self.parameters.max(1) as f64
    }

    /// Writes the files.
    pub fn carry_out(&self, overwrite: bool, work: &mut Work) -> Result<()> {
        if let Some(part) = self.parts.iter().find(|part| !overwrite && part.path.exists()) {
            return Err(quant::Error::Exists { path: part.path.clone() }.into());
        }
        // Where it cannot be asked, the disk will say so itself.
        if let Ok(free) = fs4::available_space(new_file::folder(&self.parts[0].path))
            && free < self.size_bytes
        {
            let (path, needed) = (self.parts[0].path.display(), output::bytes(self.size_bytes));
            let free = output::bytes(free);
            return Err(Input(format!("no room for {path}: it takes {needed} and the disk has {free} free")).into());
        }
        work.begin("quantizing", self.parameters);
        Ok(quant::write(&self.parts, overwrite, |name, done| work.at(done, name))?)
    }
}

/// What the tensors may take.
struct Budget {
    bytes: u64,
    /// What the model takes besides its file.
    beside_bytes: u64,
    /// As the user said it.
    asked: String,
    context: Option<u64>,
}

impl Budget {
    fn of_memory(memory: u64, args: &Args, footprint: &Footprint, settings: &Settings) -> Budget {
        let usual = fit::CONTEXT.min(footprint.context_length);
        let context = args.context.or(settings.count("context")).unwrap_or(usual);
        let nothing = fit::Candidate { tag: String::new(), size_bytes: 0 };
        let kv_type = model::kv_type(settings);
        let beside_bytes = fit::estimate(&nothing, footprint, &Machine::unmeasured(), context, kv_type).memory_bytes;
        let asked = format!("{} with a context of {context} tokens", output::bytes(memory));
        Budget { bytes: memory.saturating_sub(beside_bytes), beside_bytes, asked, context: Some(context) }
    }

    /// The file's header, with its vocabulary, does not count: bits are of weights.
    fn of_bits(bits: f64, parameters: u64) -> Budget {
        let asked = format!("{bits} bits a weight");
        Budget { bytes: (bits / 8.0 * parameters as f64) as u64, beside_bytes: 0, asked, context: None }
    }
}

/// Gives each tensor that may have another type the one that makes the whole best.
fn choose(
    budget: &Budget,
    header_bytes: u64,
    form: &GgufForm,
    choices: &mut [Choice],
    importance: &[Option<Vec<f32>>],
    work: &mut Work,
) -> Result<()> {
    work.begin("measuring", form.elements());
    let architecture = form.metadata.str("general.architecture").unwrap_or_default();
    let measured = quant::Measured {
        layers: form.metadata.u64(&format!("{architecture}.block_count")).unwrap_or(1) as usize,
        is_tied: form.tensors.iter().all(|tensor| tensor.name != "output.weight"),
    };
    let (mut all, mut done) = (Vec::new(), 0);
    for ((tensor, choice), importance) in form.tensors.iter().zip(&*choices).zip(importance) {
        all.push(match choice.free {
            true => measured.candidates(tensor, importance.as_deref())?,
            false => quant::only(tensor, choice.dtype),
        });
        done += (tensor.row_count() * tensor.columns()) as u64;
        work.at(done, &tensor.name);
    }
    let header_bytes = if budget.context.is_some() { header_bytes } else { 0 };
    let chosen = quant::choose(&all, budget.bytes.saturating_sub(header_bytes)).map_err(|least| {
        let bytes = least.least_bytes + header_bytes + budget.beside_bytes;
        let needs = match budget.context {
            Some(_) => format!("the least is {}", output::bytes(bytes)),
            None => format!("the least is {:.2}", 8.0 * bytes as f64 / form.elements().max(1) as f64),
        };
        Usage(format!("{} is too little for this model: {needs}", budget.asked))
    })?;
    for ((choice, all), index) in choices.iter_mut().zip(&all).zip(chosen) {
        let candidate: &Candidate = &all[index];
        choice.dtype = candidate.dtype;
    }
    Ok(())
}

/// What most of a file of chosen types is, as `general.file_type`.
fn file_type(form: &GgufForm, choices: &[Choice]) -> u32 {
    let mut bytes: Vec<(TensorType, u64)> = Vec::new();
    for (tensor, choice) in form.tensors.iter().zip(choices) {
        let elements = (tensor.row_count() * tensor.columns()) as u64;
        match bytes.iter_mut().find(|(dtype, _)| *dtype == choice.dtype) {
            Some((_, sum)) => *sum += elements,
            None => bytes.push((choice.dtype, elements)),
        }
    }
    let most = bytes.into_iter().max_by_key(|(_, elements)| *elements).map(|(dtype, _)| dtype);
    let scheme = quant::Scheme::ALL.iter().find(|scheme| Some(scheme.base()) == most);
    scheme.map_or(0, |scheme| scheme.file_type())
}

/// What of `matrix` belongs to each tensor that is quantized.
fn importance(form: &GgufForm, choices: &[Choice], matrix: Option<&Imatrix>) -> Result<Vec<Option<Vec<f32>>>> {
    let Some(matrix) = matrix else { return Ok(vec![None; form.tensors.len()]) };
    let of = |(tensor, choice): (&FormTensor, &Choice)| {
        if !choice.free && choice.dtype == tensor.dtype {
            return Ok(None);
        }
        let experts = if tensor.shape.len() > 2 { tensor.shape[0] } else { 1 };
        Ok(matrix.importance(&tensor.name, tensor.columns(), experts)?)
    };
    let found: Vec<Option<Vec<f32>>> = form.tensors.iter().zip(choices).map(of).collect::<Result<_>>()?;
    if found.iter().all(Option::is_none) {
        return Err(
            Usage("the importance matrix is of none of these tensors; take one of this model".to_owned()).into()
        );
    }
    Ok(found)
}

/// The source's own, and what was done to it.
fn metadata(form: &GgufForm, args: &Args, matrix: Option<&Imatrix>) -> Metadata {
    let mut metadata = form.metadata.clone();
    metadata.set("general.quantization_version", Value::U32(QUANTIZATION_VERSION));
    if let Some(scheme) = args.scheme {
        metadata.set("general.file_type", Value::U32(scheme.file_type()));
    }
    if let Some(matrix) = matrix {
        let file = args.imatrix.as_ref().or(args.save_imatrix.as_ref());
        let file = file.map(|path| path.display().to_string()).unwrap_or_default();
        matrix.note(&file, &mut metadata);
    }
    metadata
}

/// What a file takes besides its tensors.
fn header_bytes(metadata: &Metadata, form: &GgufForm, choices: &[Choice]) -> Result<u64> {
    let targets = form.tensors.iter().zip(choices);
    let targets = targets.map(|(tensor, choice)| Target { tensor, dtype: choice.dtype, importance: None }).collect();
    let part = Part { path: PathBuf::new(), metadata: metadata.clone(), targets };
    let padding = Layout::alignment(metadata) * form.tensors.len() as u64;
    Ok(part.layout()?.header().len() as u64 + padding)
}
