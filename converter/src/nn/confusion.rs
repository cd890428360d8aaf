//! Which classes are taken for which.

use std::fmt;

use super::{Loss, Predictions};
use crate::report::table;
use crate::samples::argmax;
use crate::{Error, Result};

/// How often samples of each class were taken for each class.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ConfusionMatrix {
    /// `[class][named]`.
    pub counts: Vec<Vec<usize>>,
    /// Names of the classes.
    pub classes: Vec<String>,
}

impl ConfusionMatrix {
    /// Of a network that ends in a softmax, or in a single sigmoid (of the classes "no" and "yes").
    ///
    /// # Errors
    /// If the network names no classes, or there are not as many names.
    pub fn of(predictions: &Predictions, classes: &[String]) -> Result<ConfusionMatrix> {
        let n = match (predictions.loss(), predictions.row_len()) {
            (Loss::CrossEntropy, n) => n,
            (Loss::BinaryCrossEntropy, 1) => 2,
            (loss, n) => {
                return Err(Error::Invalid(format!(
                    "{n} numbers trained with {loss:?} name no class: there is no confusion matrix"
                )));
            }
        };
        if classes.len() != n {
            let n_names = classes.len();
            return Err(Error::Invalid(format!("{n_names} names for the {n} classes of a confusion matrix")));
        }
        let class = |row: &[f32]| if row.len() == 1 { usize::from(row[0] > 0.5) } else { argmax(row) };
        let mut counts = vec![vec![0; n]; n];
        for (output, target) in predictions.rows() {
            counts[class(target)][class(output)] += 1;
        }
        Ok(ConfusionMatrix { counts, classes: classes.to_vec() })
    }

    /// What is taken for something else most often: the class, what it is taken for, and how often. The first of equals;
    /// `None` if nothing is.
    pub fn worst(&self) -> Option<(&str, &str, usize)> {
        let n = self.classes.len();
        let pairs = (0..n).flat_map(|class| (0..n).map(move |named| (class, named)));
        let wrong = pairs.filter(|&(class, named)| class != named && self.counts[class][named] > 0);
        let (class, named) = wrong.rev().max_by_key(|&(class, named)| self.counts[class][named])?;
        Some((&self.classes[class], &self.classes[named], self.counts[class][named]))
    }
}

impl fmt::Display for ConfusionMatrix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let header: Vec<&str> =
            ["is \\ named"].into_iter().chain(self.classes.iter().map(String::as_str)).collect();
        let mut lines = table(&header, &(1..header.len()).collect::<Vec<_>>());
        for (name, row) in self.classes.iter().zip(&self.counts) {
            lines.add_row([name.clone()].into_iter().chain(row.iter().map(usize::to_string)));
        }
        write!(f, "{lines}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_classes_and_columns_what_is_named() {
        let outputs = vec![0.9, 0.1, 0.2, 0.8, 0.3, 0.7, 0.6, 0.4];
        let targets = vec![1.0, 0.0, 1.0, 0.0, 0.0, 1.0, 1.0, 0.0];
        let predictions = Predictions::new(Loss::CrossEntropy, 2, outputs, targets).unwrap();
        let names = ["cat", "dog"].map(String::from);
        let matrix = ConfusionMatrix::of(&predictions, &names).unwrap();
        assert_eq!(matrix.counts, [[2, 1], [0, 1]]);
        assert_eq!(matrix.worst(), Some(("cat", "dog", 1)));
        let text = matrix.to_string();
        assert!(text.contains("cat") && text.lines().count() >= 3, "{text}");
        assert!(ConfusionMatrix::of(&predictions, &names[..1]).is_err());
        let yes = Predictions::new(Loss::BinaryCrossEntropy, 1, vec![0.7, 0.2], vec![1.0, 1.0]).unwrap();
        assert_eq!(
            ConfusionMatrix::of(&yes, &["no", "yes"].map(String::from)).unwrap().counts,
            [[0, 0], [1, 1]]
        );
        let numbers = Predictions::new(Loss::MeanSquaredError, 1, vec![0.7], vec![1.0]).unwrap();
        assert!(ConfusionMatrix::of(&numbers, &names).is_err());
    }
}
