//! The training loop.

use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, ops};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use super::llama::{Llama, Shape};
use super::vocabulary::{ASSISTANT, END, USER, Vocabulary};
use super::{Corpus, Error, export};
use crate::weights::GgufWriter;

/// Everything that decides what comes out: the same recipe and corpus give the same file on the
/// same kind of processor.
#[derive(Debug, Clone, PartialEq)]
pub struct Recipe {
    pub name: String,
    pub seed: u64,
    pub steps: usize,
    pub batch: usize,
    pub learning_rate: f64,
    pub vocab_size: usize,
    pub hidden_size: usize,
    pub layers: usize,
    pub heads: usize,
    pub feed_forward_size: usize,
    /// Tokens of context that the file declares.
    pub context: usize,
}

/// How far the training is.
#[derive(Debug, Clone, Copy)]
pub struct Progress {
    pub step: usize,
    pub steps: usize,
    /// Mean cross-entropy of an answer token, in nats.
    pub loss: f32,
}

const WEIGHT_DECAY: f64 = 0.6;
const WARMUP_STEPS: usize = 50;
const MAX_GRADIENT_NORM: f64 = 1.0;
/// What a question's token counts beside an answer's.
const QUESTION_WEIGHT: f32 = 0.1;
/// Share of the batches that hold only the openings of answers. Which answer it is shows in its first
/// tokens; the rest is learned by heart soon. Cut short, twice as many questions cost the same.
const OPENINGS: f64 = 0.7;
const OPENING_TOKENS: usize = 8;
/// Parts of a batch, by length, whose gradients are computed side by side: little padding, and no
/// thread waits for another within an operation. The number is fixed, for it decides in which order
/// floats are summed.
const SHARDS: usize = 4;

/// Trains a model from nothing and returns it as a file to write. `progress` is called after
/// every step.
pub fn train(corpus: &Corpus, recipe: &Recipe, mut progress: impl FnMut(Progress)) -> Result<GgufWriter, Error> {
    check(recipe)?;
    let vocabulary = Vocabulary::learn(corpus, recipe.vocab_size, recipe.seed)?;
    let mut rng = StdRng::seed_from_u64(recipe.seed);
    let shape = Shape {
        vocab_size: vocabulary.tokens.len(),
        hidden_size: recipe.hidden_size,
        layers: recipe.layers,
        heads: recipe.heads,
        feed_forward_size: recipe.feed_forward_size,
    };
    let model = Llama::new(shape, &mut rng, &Device::Cpu)?;
    let vars = model.vars();
    let parameters = ParamsAdamW { lr: 0.0, beta1: 0.9, beta2: 0.98, eps: 1e-8, weight_decay: WEIGHT_DECAY };
    let mut optimizer = AdamW::new(vars.clone(), parameters)?;
    for step in 1..=recipe.steps {
        optimizer.set_learning_rate(learning_rate(recipe, step));
        let shards = Batch::draw(corpus, &vocabulary, recipe.batch, &mut rng)?;
        let (mut gradients, loss) = descend(&model, &vars, &shards)?;
        clip(&vars, &mut gradients)?;
        optimizer.step(&gradients)?;
        progress(Progress { step, steps: recipe.steps, loss });
    }
    export::to_gguf(&model, &vocabulary, recipe)
}

fn check(recipe: &Recipe) -> Result<(), Error> {
    let wrong = |reason: String| Err(Error::Recipe(reason));
    let Recipe { hidden_size, heads, feed_forward_size, vocab_size, .. } = *recipe;
    if heads == 0 || !hidden_size.is_multiple_of(heads * 2) {
        return wrong(format!("--dim {hidden_size} does not divide into {heads} heads of an even size"));
    }
    // Q8_0 stores blocks of 32.
    if hidden_size == 0 || !hidden_size.is_multiple_of(32) || !feed_forward_size.is_multiple_of(32) {
        return wrong(format!("--dim {hidden_size} and --ffn {feed_forward_size} must be multiples of 32"));
    }
    if vocab_size < 300 {
        return wrong(format!("--vocab {vocab_size} leaves no room beside the 256 bytes; give 300 or more"));
    }
    if recipe.steps == 0 || recipe.batch == 0 || recipe.layers == 0 {
        return wrong("--steps, --batch and --layers must be 1 or more".to_owned());
    }
    Ok(())
}

/// A linear warm-up, then a cosine down to a twentieth.
fn learning_rate(recipe: &Recipe, step: usize) -> f64 {
    let warmup = (step as f64 / WARMUP_STEPS as f64).min(1.0);
    let cosine = 0.5 * (1.0 + (std::f64::consts::PI * step as f64 / recipe.steps as f64).cos());
    recipe.learning_rate * warmup * (0.05 + 0.95 * cosine)
}

/// Sequences padded to the longest: inputs, what comes next, and how much each position counts.
struct Batch {
    inputs: Tensor,
    targets: Tensor,
    weights: Tensor,
    /// 1 for answer tokens, 0 elsewhere.
    answers: Tensor,
}

impl Batch {
    /// The parts of one step's batch.
    fn draw(corpus: &Corpus, vocabulary: &Vocabulary, size: usize, rng: &mut StdRng) -> Result<Vec<Batch>, Error> {
        let (answer_tokens, size) =
            if rng.random_bool(OPENINGS) { (OPENING_TOKENS, size * 2) } else { (usize::MAX, size) };
        let mut sequences: Vec<Vec<(u32, bool)>> = Vec::with_capacity(size);
        for _ in 0..size {
            let topic = &corpus.topics[rng.random_range(0..corpus.topics.len())];
            let question = vocabulary.encode_question(&corpus.question(topic, rng), rng)?;
            let mut sequence = vec![(USER, false)];
            sequence.extend(question.into_iter().chain([END, ASSISTANT]).map(|id| (id, false)));
            let answer = vocabulary.encode(&topic.answer)?.into_iter().chain([END]);
            sequence.extend(answer.take(answer_tokens).map(|id| (id, true)));
            sequences.push(sequence);
        }
        sequences.sort_by_key(Vec::len);
        sequences.chunks(size.div_ceil(SHARDS)).map(Batch::of).collect()
    }

    fn of(sequences: &[Vec<(u32, bool)>]) -> Result<Batch, Error> {
        let len = sequences.iter().map(Vec::len).max().unwrap_or(2) - 1;
        let shape = (sequences.len(), len);
        let padded = |offset: usize| -> Vec<Option<(u32, bool)>> {
            let row = |s: &Vec<(u32, bool)>| (0..len).map(|i| s.get(i + offset).copied()).collect::<Vec<_>>();
            sequences.iter().flat_map(row).collect()
        };
        let (inputs, targets) = (padded(0), padded(1));
        let ids =
            |tokens: &[Option<(u32, bool)>]| tokens.iter().map(|t| t.map_or(END, |(id, _)| id)).collect::<Vec<_>>();
        let floats = |value: fn(bool) -> f32| -> Result<Tensor, candle_core::Error> {
            let values: Vec<f32> = targets.iter().map(|t| t.map_or(0.0, |(_, answer)| value(answer))).collect();
            Tensor::from_vec(values, shape, &Device::Cpu)
        };
        Ok(Batch {
            inputs: Tensor::from_vec(ids(&inputs), shape, &Device::Cpu)?,
            targets: Tensor::from_vec(ids(&targets), shape, &Device::Cpu)?,
            weights: floats(|answer| if answer { 1.0 } else { QUESTION_WEIGHT })?,
            answers: floats(|answer| if answer { 1.0 } else { 0.0 })?,
        })
    }
}

/// The gradients of the weighted mean cross-entropy over all shards, and the mean of their answers'
/// tokens alone, to report.
fn descend(model: &Llama, vars: &[Var], shards: &[Batch]) -> Result<(GradStore, f32), Error> {
    let sum = |part: fn(&Batch) -> &Tensor| -> Result<f64, candle_core::Error> {
        shards.iter().map(|s| Ok(f64::from(part(s).sum_all()?.to_scalar::<f32>()?))).sum()
    };
    let (weights, answers) = (sum(|s| &s.weights)?, sum(|s| &s.answers)?);
    let results = std::thread::scope(|scope| {
        let run = |shard| {
            move || -> Result<(GradStore, f32), Error> {
                let (objective, loss) = losses(model, shard)?;
                Ok(((objective / weights)?.backward()?, loss))
            }
        };
        let threads: Vec<_> = shards.iter().map(|shard| scope.spawn(run(shard))).collect();
        threads.into_iter().map(|t| t.join().expect("no thread panics")).collect::<Result<Vec<_>, Error>>()
    })?;
    let mut results = results.into_iter();
    let (mut gradients, mut loss) = results.next().ok_or(Error::Recipe("--batch must be 1 or more".to_owned()))?;
    for (more, shard_loss) in results {
        for var in vars {
            if let (Some(a), Some(b)) = (gradients.remove(var), more.get(var)) {
                gradients.insert(var, (a + b)?);
            }
        }
        loss += shard_loss;
    }
    Ok((gradients, loss / answers as f32))
}

/// The weighted sum of the cross-entropies to descend, and the sum over the answers alone.
fn losses(model: &Llama, batch: &Batch) -> Result<(Tensor, f32), Error> {
    let logits = model.forward(&batch.inputs)?;
    let log_probabilities = ops::log_softmax(&logits, candle_core::D::Minus1)?;
    let nll = log_probabilities.gather(&batch.targets.unsqueeze(2)?, 2)?.squeeze(2)?.neg()?; // [batch, tokens]
    let sum = |weights: &Tensor| (&nll * weights)?.sum_all();
    Ok((sum(&batch.weights)?, sum(&batch.answers)?.to_scalar()?))
}

/// Scales all gradients down to a norm of at most [`MAX_GRADIENT_NORM`].
fn clip(vars: &[Var], gradients: &mut GradStore) -> Result<(), Error> {
    let mut squares = 0.0;
    for var in vars {
        if let Some(gradient) = gradients.get(var) {
            squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
    }
    let norm = squares.sqrt();
    if norm > MAX_GRADIENT_NORM {
        for var in vars {
            if let Some(gradient) = gradients.remove(var) {
                gradients.insert(var, (gradient * (MAX_GRADIENT_NORM / norm))?);
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tune::corpus::{Pattern, Topic};

    fn corpus() -> Corpus {
        let topic = |id: &str, question: &str, answer: &str| Topic {
            id: id.to_owned(),
            answer: answer.to_owned(),
            questions: vec![Pattern::parse(question).unwrap()],
        };
        Corpus::new(
            vec![
                topic("pull", "how do i (fetch|get) a model", "Run `oai pull`."),
                topic("list", "what is (here|there)", "Run `oai list`."),
            ],
            &[],
        )
    }

    fn recipe(steps: usize) -> Recipe {
        Recipe {
            name: "test".to_owned(),
            seed: 3,
            steps,
            batch: 4,
            learning_rate: 1e-2,
            vocab_size: 320,
            hidden_size: 32,
            layers: 2,
            heads: 2,
            feed_forward_size: 64,
            context: 128,
        }
    }

    fn written(writer: &GgufWriter) -> Vec<u8> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.gguf");
        writer.write(&path).unwrap();
        std::fs::read(path).unwrap()
    }

    #[test]
    fn every_weight_gets_a_gradient() {
        let corpus = corpus();
        let vocabulary = Vocabulary::learn(&corpus, 320, 0).unwrap();
        let mut rng = StdRng::seed_from_u64(0);
        let shape =
            Shape { vocab_size: vocabulary.tokens.len(), hidden_size: 32, layers: 2, heads: 2, feed_forward_size: 64 };
        let model = Llama::new(shape, &mut rng, &Device::Cpu).unwrap();
        let batch = Batch::draw(&corpus, &vocabulary, 2, &mut rng).unwrap();
        let gradients = descend(&model, &model.vars(), &batch).unwrap().0;
        for (name, var) in &model.weights {
            let gradient = gradients.get(var).unwrap_or_else(|| panic!("{name} has no gradient"));
            let size = gradient.abs().unwrap().sum_all().unwrap().to_scalar::<f32>().unwrap();
            assert!(size > 0.0, "{name} has a zero gradient");
        }
    }

    #[test]
    fn the_loss_falls_and_the_same_recipe_gives_the_same_file() {
        let mut losses = Vec::new();
        let first = train(&corpus(), &recipe(100), |p| losses.push(p.loss)).unwrap();
        let (start, end) = (losses[0], losses[99]);
        assert!(end < 0.5 * start, "{start} to {end}");
        let second = train(&corpus(), &recipe(100), |_| ()).unwrap();
        assert!(written(&first) == written(&second), "two trainings differ");
    }

    #[test]
    fn impossible_shapes_are_refused() {
        let odd = Recipe { hidden_size: 33, ..recipe(1) };
        assert!(matches!(train(&corpus(), &odd, |_| ()), Err(Error::Recipe(_))));
    }
}
