//! What a run measures, and for how long.

use std::{path::PathBuf, time::Duration};

use anyhow::{Context, bail};

/// The settings of a run.
#[derive(Debug)]
pub(crate) struct Settings {
    /// The service's program.
    pub(crate) service: PathBuf,
    /// How often everything is measured.
    pub(crate) rounds: usize,
    /// How long one load lasts.
    pub(crate) window: Duration,
    /// How many turns may be under way where there is too much load: what it is unless told otherwise, and fewer.
    pub(crate) places: Vec<u32>,
    /// The figures that are measured; all if there are none.
    only: Vec<String>,
    /// Where the measurements go as JSON.
    pub(crate) json: Option<PathBuf>,
    /// A folder in memory, for a disk that costs nothing.
    pub(crate) memory: PathBuf,
    /// The server for the runs on Postgres.
    pub(crate) postgres: String,
}

impl Settings {
    pub(crate) fn read(mut arguments: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let mut settings = Self {
            service: PathBuf::new(),
            rounds: 3,
            window: Duration::from_secs(3),
            places: vec![2_000, 256, 64],
            only: Vec::new(),
            json: None,
            memory: "/dev/shm".into(),
            postgres: "postgres://postgres@127.0.0.1:5432/postgres".into(),
        };
        while let Some(name) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--service" => settings.service = value.into(),
                "--rounds" => settings.rounds = value.parse()?,
                "--seconds" => settings.window = Duration::from_secs_f64(value.parse()?),
                "--only" => settings.only = value.split(',').map(str::to_owned).collect(),
                "--places" => settings.places = value.split(',').map(str::parse).collect::<Result<_, _>>()?,
                "--json" => settings.json = Some(value.into()),
                "--memory" => settings.memory = value.into(),
                "--postgres" => settings.postgres = value,
                _ => bail!("{name} is no setting"),
            }
        }
        settings.service = settings.service.canonicalize().context("--service names no program")?;
        Ok(settings)
    }

    /// Tells whether a figure is to be measured.
    pub(crate) fn wants(&self, figure: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == figure)
    }
}
