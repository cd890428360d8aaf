//! Samples as they come from files.

use std::collections::BTreeMap;
use std::fmt;

use crate::nn::Dataset;
use crate::{Error, Result};

/// Samples of one shape with their classes: `f32` for what networks take, `i16` for sound.
#[derive(Clone, Debug, PartialEq)]
pub struct Examples<T> {
    /// Dimensions of a sample.
    pub dims: Vec<usize>,
    /// The samples, one behind the other.
    pub x: Vec<T>,
    /// The class of each; 0 where numbers are to be found out.
    pub labels: Vec<usize>,
    /// Names of the classes.
    pub classes: Vec<String>,
    /// What the name of each sample's file says; without entries for samples from one file.
    pub fields: Vec<BTreeMap<String, String>>,
    /// The numbers that are to be found out of each, as many for every sample; empty where that is the class.
    pub targets: Vec<f32>,
}

/// Which samples are the test's: training never sees them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Split {
    /// The last so many.
    Last(usize),
    /// Of each class every so many-th, in the order of the data.
    Every(usize),
    /// Those whose file's name has one of these values for a field.
    Field {
        /// The field.
        name: String,
        /// Its values in the test.
        values: Vec<String>,
    },
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Split::Last(n) => write!(f, "the last {n}"),
            Split::Every(n) => write!(f, "of each class one in {n}"),
            Split::Field { name, values } => write!(f, "those whose `{name}` is {}", values.join(" or ")),
        }
    }
}

impl<T: Copy> Examples<T> {
    /// Samples of one file; the classes are named by their numbers.
    ///
    /// # Errors
    /// If there is not one label a sample, or there are no samples.
    pub fn new(dims: &[usize], x: Vec<T>, labels: Vec<usize>) -> Result<Examples<T>> {
        let len: usize = dims.iter().product();
        if labels.is_empty() || labels.len().checked_mul(len) != Some(x.len()) {
            let (n, n_labels) = (x.len(), labels.len());
            return Err(Error::Invalid(format!("{n} numbers are not {n_labels} samples of shape {dims:?}")));
        }
        let n_classes = labels.iter().max().map_or(0, |&greatest| greatest + 1);
        let classes = (0..n_classes).map(|class| class.to_string()).collect();
        Ok(Examples { dims: dims.to_vec(), x, labels, classes, fields: Vec::new(), targets: Vec::new() })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Sample `i`.
    pub fn sample(&self, i: usize) -> &[T] {
        let len: usize = self.dims.iter().product();
        &self.x[i * len..][..len]
    }

    /// The samples of these indices, in this order.
    pub fn subset(&self, indices: &[usize]) -> Examples<T> {
        Examples {
            dims: self.dims.clone(),
            x: indices.iter().flat_map(|&i| self.sample(i)).copied().collect(),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
            classes: self.classes.clone(),
            fields: indices.iter().filter_map(|&i| self.fields.get(i)).cloned().collect(),
            targets: indices.iter().flat_map(|&i| self.target(i)).copied().collect(),
        }
    }

    /// The numbers that are to be found out of sample `i`.
    fn target(&self, i: usize) -> &[f32] {
        let len = self.targets.len() / self.len();
        &self.targets[i * len..][..len]
    }

    /// Training samples, and those of the test.
    ///
    /// # Errors
    /// If one of both would be empty; says why.
    pub fn split(&self, split: &Split) -> Result<[Examples<T>; 2]> {
        let mut seen = vec![0usize; self.classes.len()];
        let is_test: Vec<bool> = match split {
            Split::Last(n) => (0..self.len()).map(|i| i + n >= self.len()).collect(),
            Split::Every(n) => {
                let every = |&label: &usize| {
                    seen[label] += 1;
                    seen[label].is_multiple_of(*n)
                };
                self.labels.iter().map(every).collect()
            }
            Split::Field { name, values } => {
                let of = |fields: &BTreeMap<String, String>| {
                    fields.get(name).is_some_and(|value| values.contains(value))
                };
                (0..self.len()).map(|i| self.fields.get(i).is_some_and(of)).collect()
            }
        };
        let side = |test: bool| -> Vec<usize> { (0..self.len()).filter(|&i| is_test[i] == test).collect() };
        let [training, test] = [false, true].map(side);
        if training.is_empty() || test.is_empty() {
            let (n, n_training, n_test) = (self.len(), training.len(), test.len());
            let known: Vec<&str> =
                self.fields.iter().take(1).flat_map(|f| f.keys().map(String::as_str)).collect();
            let known = match split {
                Split::Field { .. } => format!("; what is known of a sample: {}", known.join(", ")),
                Split::Last(_) | Split::Every(_) => String::new(),
            };
            return Err(Error::Invalid(format!(
                "to hold out {split} of {n} samples leaves {n_training} to train on and {n_test} to test on{known}"
            )));
        }
        Ok([self.subset(&training), self.subset(&test)])
    }
}

impl Examples<f32> {
    /// For a network that names the class.
    ///
    /// # Errors
    /// As [`Dataset::classification`].
    pub fn classification(&self) -> Result<Dataset> {
        Dataset::classification(&self.dims, self.x.clone(), &self.labels, self.classes.len())
    }

    /// For a network that finds numbers out.
    ///
    /// # Errors
    /// If the samples have none.
    pub fn regression(&self) -> Result<Dataset> {
        if self.targets.is_empty() {
            let what =
                "the data have classes, and no numbers to find out: name `targets`, which CSV files have";
            return Err(Error::Invalid(what.to_string()));
        }
        let dims = [self.targets.len() / self.len()];
        Dataset::new(&self.dims, self.x.clone(), &dims, self.targets.clone())
    }

    /// For a network that makes its input again.
    ///
    /// # Errors
    /// As [`Dataset::new`].
    pub fn reconstruction(&self) -> Result<Dataset> {
        Dataset::new(&self.dims, self.x.clone(), &self.dims, self.x.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn six() -> Examples<f32> {
        Examples::new(&[1], vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0], vec![0, 0, 1, 1, 0, 1]).unwrap()
    }

    #[test]
    fn splits_are_disjoint_and_whole() {
        let parts = |split: &Split| six().split(split).unwrap().map(|part| part.x);
        assert_eq!(parts(&Split::Last(2)), [vec![0.0, 1.0, 2.0, 3.0], vec![4.0, 5.0]]);
        assert_eq!(parts(&Split::Every(2)), [vec![0.0, 2.0, 4.0, 5.0], vec![1.0, 3.0]]);
        let fields = (0..6).map(|i| BTreeMap::from([("take".to_string(), (i % 3).to_string())])).collect();
        let named = Examples { fields, ..six() };
        let split = Split::Field { name: "take".into(), values: vec!["0".into()] };
        let [training, test] = named.split(&split).unwrap();
        assert_eq!((training.x, test.x), (vec![1.0, 2.0, 4.0, 5.0], vec![0.0, 3.0]));
        assert_eq!((test.labels, test.fields[1]["take"].as_str()), (vec![0, 1], "0"));
    }

    #[test]
    fn empty_sides_are_refused() {
        for split in [Split::Last(6), Split::Last(0), Split::Every(9)] {
            let error = six().split(&split).unwrap_err().to_string();
            assert!(error.contains("of 6 samples leaves"), "{error}");
        }
        assert!(Examples::new(&[2], vec![0.0; 3], vec![0, 1]).is_err());
        let fields = vec![BTreeMap::from([("take".to_string(), "1".to_string())]); 6];
        let split = Split::Field { name: "who".into(), values: vec!["ann".into(), "bob".into()] };
        assert_eq!(
            Examples { fields, ..six() }.split(&split).unwrap_err().to_string(),
            "to hold out those whose `who` is ann or bob of 6 samples leaves 6 to train on and 0 to test on; \
             what is known of a sample: take"
        );
    }
}
