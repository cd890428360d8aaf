//! The course of a training as a picture.

use std::fmt::Write;

use super::{History, Metrics};

const PLOT: [f64; 2] = [560.0, 240.0];
const LEFT: f64 = 64.0;
const TOP: f64 = 40.0;
/// Distance of two plots, one above the other.
const GAP: f64 = 56.0;
const TRAINING: &str = "#0055bb";
const VALIDATION: &str = "#cc5500";

impl History {
    /// Loss (on a logarithmic scale) and accuracy of each epoch as SVG, those of the validation samples in another colour.
    pub fn picture(&self, title: &str) -> String {
        let has_accuracy = self.epochs.iter().any(|metrics| metrics.accuracy.is_some());
        let n_plots = if has_accuracy { 2.0 } else { 1.0 };
        let (width, height) = (LEFT + PLOT[0] + 24.0, TOP + n_plots * (PLOT[1] + GAP));
        let mut svg = format!(
            "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {width:.0} {height:.0}' font-family='sans-serif' \
             font-size='11'>\n<rect width='100%' height='100%' fill='white'/>\n"
        );
        let title = title.replace('&', "&amp;").replace('<', "&lt;");
        let _ = writeln!(svg, "<text x='12' y='22' font-size='16' font-weight='bold'>{title}</text>");
        // A loss of 0 has no logarithm.
        let loss = |metrics: &Metrics| Some(metrics.loss.max(1e-9).log10());
        self.plot(&mut svg, TOP, "loss", loss, |log| format!("{:.3}", 10f64.powf(log)));
        if has_accuracy {
            let percent = |metrics: &Metrics| metrics.accuracy.map(|accuracy| 100.0 * accuracy);
            self.plot(&mut svg, TOP + PLOT[1] + GAP, "accuracy", percent, |percent| {
                format!("{percent:.1} %")
            });
        }
        svg.push_str("</svg>\n");
        svg
    }

    /// One of the plots, its upper edge at `top`.
    fn plot(
        &self,
        svg: &mut String,
        top: f64,
        name: &str,
        value: impl Fn(&Metrics) -> Option<f64>,
        label: impl Fn(f64) -> String,
    ) {
        let values = |metrics: &[Metrics]| -> Vec<f64> { metrics.iter().filter_map(&value).collect() };
        let lines = [
            ("training", values(&self.epochs), TRAINING),
            ("validation", values(&self.validation), VALIDATION),
        ];
        let all = || lines.iter().flat_map(|(_, values, _)| values).copied();
        let (least, greatest) =
            (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
        if least > greatest {
            return;
        }
        let room = (0.05 * (greatest - least)).max(1e-3);
        let (low, high) = (least - room, greatest + room);
        let n_epochs = self.epochs.len();
        let x = |epoch: usize| LEFT + PLOT[0] * epoch as f64 / (n_epochs.max(2) - 1) as f64;
        let y = |value: f64| top + PLOT[1] * (high - value) / (high - low);
        for i in 0..=4 {
            let value = low + (high - low) * f64::from(i) / 4.0;
            let (at, text) = (y(value), label(value));
            let right = LEFT + PLOT[0];
            let _ =
                writeln!(svg, "<line x1='{LEFT}' y1='{at:.1}' x2='{right}' y2='{at:.1}' stroke='#dddddd'/>");
            let _ =
                writeln!(svg, "<text x='{}' y='{:.1}' text-anchor='end'>{text}</text>", LEFT - 6.0, at + 4.0);
        }
        let every = n_epochs.div_ceil(10).max(1);
        for epoch in (0..n_epochs).step_by(every) {
            let (at, below, number) = (x(epoch), top + PLOT[1] + 16.0, epoch + 1);
            let _ = writeln!(svg, "<text x='{at:.1}' y='{below:.1}' text-anchor='middle'>{number}</text>");
        }
        let _ = writeln!(svg, "<text x='{LEFT}' y='{:.1}' font-weight='bold'>{name}</text>", top - 6.0);
        for (i, (what, values, colour)) in
            lines.iter().filter(|(_, values, _)| !values.is_empty()).enumerate()
        {
            let points: Vec<String> =
                values.iter().enumerate().map(|(i, &value)| format!("{:.1},{:.1}", x(i), y(value))).collect();
            let points = points.join(" ");
            let _ =
                writeln!(svg, "<polyline points='{points}' fill='none' stroke='{colour}' stroke-width='2'/>");
            let at = LEFT + 80.0 + 90.0 * i as f64;
            let _ = writeln!(svg, "<text x='{at}' y='{:.1}' fill='{colour}'>{what}</text>", top - 6.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_for_each_epoch_and_a_line_for_each_set() {
        let metrics = |loss: f64, accuracy: f64| Metrics { loss, accuracy: Some(accuracy), more: Vec::new() };
        let epochs: Vec<_> = (0..12).map(|i| metrics(2.0 / (1 + i) as f64, i as f64 / 12.0)).collect();
        let history = History { validation: epochs[..11].to_vec(), epochs };
        let svg = history.picture("a < b");
        let lines: Vec<_> = svg.lines().filter(|line| line.starts_with("<polyline")).collect();
        let counts: Vec<_> = lines.iter().map(|line| line.matches(',').count()).collect();
        assert_eq!(counts, [12, 11, 12, 11]);
        assert!(svg.contains("a &lt; b") && !svg.contains("NaN"), "{svg}");
        assert!(!History::default().picture("nothing").contains("NaN"));
    }
}
