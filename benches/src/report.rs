//! What was measured, and how it is shown: medians over the rounds, beside the floor's.

use std::collections::BTreeMap;

use serde::Serialize;

/// One measurement.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sample {
    figure: String,
    unit: &'static str,
    target: &'static str,
    round: usize,
    value: f64,
}

/// All measurements of a run, in the order in which they were made.
#[derive(Debug, Default)]
pub(crate) struct Report {
    round: usize,
    samples: Vec<Sample>,
}

impl Report {
    pub(crate) fn begin_round(&mut self, round: usize) {
        self.round = round;
    }

    pub(crate) fn add(&mut self, figure: &str, unit: &'static str, target: &'static str, value: f64) {
        eprintln!("  {figure:<44} {target:<18} {value:>11.3} {unit}");
        self.samples.push(Sample { figure: figure.to_owned(), unit, target, round: self.round, value });
    }

    pub(crate) fn to_json(&self) -> anyhow::Result<String> {
        Ok(serde_json::to_string_pretty(&self.samples)?)
    }

    /// Makes a table in Markdown: per figure and target the median of all rounds, its spread, and the ratio to the floor.
    pub(crate) fn table(&self) -> String {
        let mut figures: Vec<(&str, &str)> = Vec::new();
        for sample in &self.samples {
            if !figures.contains(&(&sample.figure, sample.unit)) {
                figures.push((&sample.figure, sample.unit));
            }
        }
        let mut table = String::from(
            "| figure | unit | target | median | from … to | × floor |\n|---|---|---|--:|--:|--:|\n",
        );
        for (figure, unit) in figures {
            for (target, values) in self.by_target(figure) {
                let (low, high) = (
                    values.iter().copied().fold(f64::MAX, f64::min),
                    values.iter().copied().fold(0.0, f64::max),
                );
                let ratio =
                    self.ratio(figure, target).map_or_else(String::new, |ratio| format!("{ratio:.2}"));
                table.push_str(&format!(
                    "| {figure} | {unit} | {target} | {} | {} … {} | {ratio} |\n",
                    shown(median(values.clone())),
                    shown(low),
                    shown(high)
                ));
            }
        }
        table
    }

    fn by_target(&self, figure: &str) -> Vec<(&'static str, Vec<f64>)> {
        let mut order = Vec::new();
        let mut values: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for sample in self.samples.iter().filter(|sample| sample.figure == figure) {
            if !order.contains(&sample.target) {
                order.push(sample.target);
            }
            values.entry(sample.target).or_default().push(sample.value);
        }
        order.into_iter().map(|target| (target, values.remove(target).unwrap_or_default())).collect()
    }

    /// Returns the median of the ratios, each to the floor of the same round.
    fn ratio(&self, figure: &str, target: &str) -> Option<f64> {
        let of = |target: &str| -> BTreeMap<usize, f64> {
            let same =
                self.samples.iter().filter(|sample| sample.figure == figure && sample.target == target);
            same.map(|sample| (sample.round, sample.value)).collect()
        };
        let floor = of("floor");
        let ratios: Vec<f64> =
            of(target).iter().filter_map(|(round, value)| Some(value / floor.get(round)?)).collect();
        (!ratios.is_empty() && target != "floor").then(|| median(ratios))
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn shown(value: f64) -> String {
    match value {
        value if value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.3}"),
    }
}
