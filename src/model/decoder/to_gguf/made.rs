//! Matrices that a folder does not hold as GGUF wants them: made when they are read, those of one tensor at a time.

use std::sync::{Arc, Mutex, PoisonError};

use crate::model::Error;
use crate::model::decoder::linear::Matrix;
use crate::weights::MappedTensor;

type Recipe = dyn Fn() -> Result<Vec<Matrix>, Error> + Send + Sync;

/// What was made last, and for which tensor. All tensors of a model share it, so that memory holds the matrices of one.
pub type Last = Arc<Mutex<Option<(String, Arc<Vec<Matrix>>)>>>;

/// How the matrices of a tensor are made.
pub struct Made {
    /// Of the tensor.
    name: String,
    /// What they are made from.
    pub sources: Vec<MappedTensor>,
    recipe: Box<Recipe>,
    last: Last,
}

impl Made {
    pub fn new(
        name: String,
        sources: Vec<MappedTensor>,
        last: Last,
        recipe: impl Fn() -> Result<Vec<Matrix>, Error> + Send + Sync + 'static,
    ) -> Made {
        Made { name, sources, recipe: Box::new(recipe), last }
    }

    /// Other threads that want them wait meanwhile.
    pub fn matrices(&self) -> Result<Arc<Vec<Matrix>>, Error> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last {
            Some((name, made)) if *name == self.name => return Ok(made.clone()),
            // Gone before there are others.
            _ => *last = None,
        }
        let made = Arc::new((self.recipe)()?);
        *last = Some((self.name.clone(), made.clone()));
        Ok(made)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;
    use crate::weights::TensorType;

    #[test]
    fn matrices_are_made_once_and_gone_with_the_next() {
        let last = Last::default();
        let count = Arc::new(AtomicUsize::new(0));
        let made = |name: &str| {
            let count = count.clone();
            let bytes = || MappedTensor::owned("source".to_owned(), vec![1, 1], TensorType::F32, vec![0; 4]);
            Made::new(name.to_owned(), Vec::new(), last.clone(), move || {
                count.fetch_add(1, Ordering::Relaxed);
                Ok(vec![Matrix::new(bytes())])
            })
        };
        let [a, b] = ["a", "b"].map(made);
        let first = Arc::downgrade(&a.matrices().unwrap());
        a.matrices().unwrap();
        assert_eq!((count.load(Ordering::Relaxed), first.strong_count()), (1, 1));
        b.matrices().unwrap();
        assert_eq!((count.load(Ordering::Relaxed), first.strong_count()), (2, 0));
    }
}
