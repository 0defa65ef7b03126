//! Processes that are measured: started, asked of the kernel what they cost, and ended by their id.

use std::{
    fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context, bail};
use rustix::process::{Pid, Signal, kill_process};

/// How long a process may take to end after it was asked to.
const END_LIMIT: Duration = Duration::from_secs(10);

/// How many ticks of the processor's clock are a second, for every Linux of today.
const TICKS_PER_SECOND: u64 = 100;

/// A process by its id; its children count as part of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process(u32);

impl Process {
    pub(crate) const fn of(pid: u32) -> Self {
        Self(pid)
    }

    /// Returns the time that the process, its children and those that it has waited for have worked.
    pub(crate) fn cpu(&self) -> Duration {
        let ticks: u64 = family(self.0).into_iter().filter_map(ticks_of).sum();
        Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
    }

    /// Returns the memory that the process and its children take, shared pages by their share, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        family(self.0).into_iter().filter_map(memory_of).sum()
    }
}

/// Returns a process and all its descendants.
fn family(of: u32) -> Vec<u32> {
    let mut found = vec![of];
    let mut next = 0;
    while let Some(&pid) = found.get(next) {
        next += 1;
        for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
            let children = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            found.extend(children.split_whitespace().filter_map(|pid| pid.parse::<u32>().ok()));
        }
    }
    found
}

/// Reads the four times of a process: user and system, its own and those of children that it has waited for.
fn ticks_of(pid: u32) -> Option<u64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = stat.rsplit_once(") ")?;
    Some(fields.split(' ').skip(11).take(4).filter_map(|ticks| ticks.parse::<u64>().ok()).sum())
}

fn memory_of(pid: u32) -> Option<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:"))?;
    line.trim().trim_end_matches(" kB").trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1_024)
}

/// A process that this one has started. It ends with this value.
pub(crate) struct Started {
    child: Child,
}

impl Started {
    /// Starts another role of this program and returns where it listens.
    pub(crate) fn role(arguments: &[&str]) -> anyhow::Result<(Self, SocketAddr)> {
        let mut command = Command::new("/proc/self/exe");
        let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
        let mut started = Self { child };
        let out = started.child.stdout.take().context("no output")?;
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line)?;
        let address = line.trim().parse().with_context(|| format!("{arguments:?} said {line:?}"))?;
        Ok((started, address))
    }

    /// Starts a program with nothing but the given environment.
    pub(crate) fn program(command: &mut Command) -> anyhow::Result<Self> {
        Ok(Self { child: command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()? })
    }

    pub(crate) fn process(&self) -> Process {
        Process(self.child.id())
    }

    /// Fails if the process has ended.
    pub(crate) fn check(&mut self) -> anyhow::Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("a process ended early: {status}"),
            None => Ok(()),
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        if let Some(pid) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        let asked = Instant::now();
        while asked.elapsed() < END_LIMIT {
            if !matches!(self.child.try_wait(), Ok(None)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
