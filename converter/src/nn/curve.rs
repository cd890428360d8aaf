//! The course of a training as a picture.

use std::fmt::Write;

use super::{History, Metrics};

const PLOT: [f64; 2] = [560.0, 240.0];
const LEFT: f64 = 64.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 52.0;
/// Distance of two plots, one above the other.
const GAP: f64 = 56.0;
const TRAINING: &str = "#0055bb";
const VALIDATION: &str = "#cc5500";

type Value = Box<dyn Fn(&Metrics) -> Option<f64>>;

/// A quantity over the epochs.
struct Plot {
    name: String,
    value: Value,
    /// What stands at a height.
    label: fn(f64) -> String,
    /// What no value is above.
    most: f64,
}

impl History {
    /// Loss (on a logarithmic scale), accuracy and the other metrics of each epoch as SVG, those of the validation samples
    /// in another colour.
    pub fn picture(&self, title: &str) -> String {
        let plots = self.plots();
        let width = LEFT + PLOT[0] + RIGHT;
        let height = TOP + plots.len() as f64 * (PLOT[1] + GAP);
        let mut svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0} {height:.0}' width='{width:.0}' \
             height='{height:.0}' font-family='sans-serif' font-size='11'>\n\
             <rect width='100%' height='100%' fill='white'/>\n"
        );
        let title = title.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(svg, "<text x='12' y='22' font-size='16' font-weight='bold'>{title}</text>");
        for (i, plot) in plots.iter().enumerate() {
            self.plot(&mut svg, TOP + i as f64 * (PLOT[1] + GAP), plot);
        }
        svg.push_str("</svg>\n");
        svg
    }

    fn plots(&self) -> Vec<Plot> {
        // A loss of 0 has no logarithm.
        let log = |metrics: &Metrics| Some(metrics.loss.max(1e-9).log10());
        let loss_label = |log: f64| significant(10f64.powf(log));
        let mut plots =
            vec![Plot { name: "loss".into(), value: Box::new(log), label: loss_label, most: f64::INFINITY }];
        let Some(first) = self.epochs.first() else { return plots };
        if first.accuracy.is_some() {
            let percent = |metrics: &Metrics| metrics.accuracy.map(|accuracy| 100.0 * accuracy);
            let label = |percent: f64| format!("{percent:.1} %");
            plots.push(Plot { name: "accuracy".into(), value: Box::new(percent), label, most: 100.0 });
        }
        for (i, (metric, _)) in first.more.iter().enumerate() {
            let value = move |metrics: &Metrics| metrics.more.get(i).map(|&(_, value)| value);
            let most = if metric.is_error() { f64::INFINITY } else { 1.0 };
            plots.push(Plot { name: metric.to_string(), value: Box::new(value), label: significant, most });
        }
        plots
    }

    /// One of the plots, its upper edge at `top`.
    fn plot(&self, svg: &mut String, top: f64, plot: &Plot) {
        let values = |metrics: &[Metrics]| -> Vec<Option<f64>> {
            metrics.iter().map(|metrics| (plot.value)(metrics).filter(|value| value.is_finite())).collect()
        };
        let lines = [
            ("training", values(&self.epochs), TRAINING),
            ("validation", values(&self.validation), VALIDATION),
        ];
        let all = || lines.iter().flat_map(|(_, values, _)| values).flatten().copied();
        let (least, greatest) =
            (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        if least > greatest {
            return;
        }
        let room = (0.05 * (greatest - least)).max(1e-3);
        let (low, high) = (least - room, (greatest + room).min(plot.most.max(greatest)));
        let n_epochs = self.epochs.len();
        let x = |epoch: usize| LEFT + PLOT[0] * epoch as f64 / (n_epochs.max(2) - 1) as f64;
        let y = |value: f64| top + PLOT[1] * (high - value) / (high - low);
        for i in 0..=4 {
            let value = low + (high - low) * f64::from(i) / 4.0;
            let (at, text, right) = (y(value), (plot.label)(value), LEFT + PLOT[0]);
            let _ = writeln!(
                svg,
                "<line x1='{LEFT}' y1='{at:.1}' x2='{right}' y2='{at:.1}' stroke='#dddddd'/>\
                 <text x='{}' y='{:.1}' text-anchor='end'>{text}</text>",
                LEFT - 6.0,
                at + 4.0
            );
        }
        let below = top + PLOT[1] + 16.0;
        for epoch in ticks(n_epochs) {
            let _ = writeln!(
                svg,
                "<text x='{:.1}' y='{below:.1}' text-anchor='middle'>{epoch}</text>",
                x(epoch - 1)
            );
        }
        let _ = writeln!(svg, "<text x='{}' y='{below:.1}' text-anchor='end'>epoch</text>", LEFT - 16.0);
        let head = top - 8.0;
        let _ = writeln!(svg, "<text x='{LEFT}' y='{head:.1}' font-weight='bold'>{}</text>", plot.name);
        let mut right = LEFT + PLOT[0];
        for (what, values, colour) in lines.iter().rev() {
            let points: Vec<[f64; 2]> =
                (0..).zip(values).filter_map(|(epoch, value)| Some([x(epoch), y((*value)?)])).collect();
            let (Some([end_x, end_y]), Some(last)) = (points.last(), values.iter().flatten().next_back())
            else {
                continue;
            };
            let text: Vec<String> = points.iter().map(|[x, y]| format!("{x:.1},{y:.1}")).collect();
            let _ = writeln!(
                svg,
                "<polyline points='{}' fill='none' stroke='{colour}' stroke-width='1.5' stroke-linejoin='round'/>\
                 <circle cx='{end_x:.1}' cy='{end_y:.1}' r='2.5' fill='{colour}'/>\
                 <text x='{right}' y='{head:.1}' text-anchor='end' fill='{colour}'>{what}: {}</text>",
                text.join(" "),
                (plot.label)(*last)
            );
            right -= 130.0;
        }
    }
}

/// Numbers of epochs to write below a plot, from 1 on: at most ten, round ones.
fn ticks(n_epochs: usize) -> Vec<usize> {
    let steps = (0..).flat_map(|power| [1, 2, 5].map(|digit| digit * 10usize.pow(power)));
    let step = steps.into_iter().find(|step| n_epochs / step <= 10).unwrap_or(n_epochs.max(1));
    if step == 1 { (1..=n_epochs).collect() } else { (1..=n_epochs / step).map(|i| i * step).collect() }
}

/// Three digits that count.
fn significant(value: f64) -> String {
    let exponent = if value == 0.0 { 0.0 } else { value.abs().log10().floor() };
    if exponent < -4.0 {
        format!("{value:.2e}")
    } else {
        format!("{value:.*}", (2.0 - exponent).max(0.0) as usize)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Metric;

    #[test]
    fn a_point_for_each_epoch_and_a_line_for_each_set() {
        let metrics = |loss: f64, accuracy: f64| Metrics {
            loss,
            accuracy: Some(accuracy),
            more: vec![(Metric::Auc, if accuracy == 0.0 { f64::NAN } else { accuracy })],
        };
        let epochs: Vec<_> = (0..12).map(|i| metrics(2.0 / (1 + i) as f64, i as f64 / 12.0)).collect();
        let history = History { validation: epochs[..11].to_vec(), epochs };
        let svg = history.picture("a < b");
        let lines: Vec<_> = svg.lines().filter(|line| line.starts_with("<polyline")).collect();
        let points = |line: &&str| line.split('\'').nth(1).unwrap().split(' ').count();
        let counts: Vec<_> = lines.iter().map(points).collect();
        assert_eq!(counts, [11, 12, 11, 12, 10, 11], "what is not defined is left out");
        assert!(svg.contains("a &lt; b") && !svg.contains("NaN"), "{svg}");
        assert!(!History::default().picture("nothing").contains("NaN"));
        let one = History { epochs: history.epochs[..1].to_vec(), validation: Vec::new() };
        assert!(one.picture("one").contains("<circle"));
    }

    #[test]
    fn numbers_are_round() {
        assert_eq!(ticks(7), [1, 2, 3, 4, 5, 6, 7]);
        assert_eq!(ticks(12), [2, 4, 6, 8, 10, 12]);
        assert_eq!(ticks(120), [20, 40, 60, 80, 100, 120]);
        assert!(ticks(0).is_empty());
        let texts = [1234.5, 12.345, 0.5, 0.00123, 1.234e-7, 0.0].map(significant);
        assert_eq!(texts, ["1234", "12.3", "0.500", "0.00123", "1.23e-7", "0.00"]);
    }
}
