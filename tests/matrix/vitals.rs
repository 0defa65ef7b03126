//! What a process holds on to, as the kernel tells it.

use std::{fmt, fs};

use rustix::process::Pid;

/// How many more files or threads a process may have than at first: a few come and go.
const FEW: usize = 8;

/// How much more memory a process may take in the last quarter of its life than in the second, in KiB.
const SOME: usize = 4 * 1_024;

/// A process at some moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Vitals {
    /// Open files and sockets.
    pub files: usize,
    pub threads: usize,
    /// Children that have ended and that nobody has asked for.
    pub zombies: usize,
    /// Memory of its own, in KiB.
    pub memory: usize,
}

impl fmt::Display for Vitals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, threads, zombies, memory } = self;
        write!(f, "{files} files, {threads} threads, {zombies} zombies, {memory} KiB")
    }
}

impl Vitals {
    /// Looks at a process.
    pub fn of(process: Pid) -> Self {
        let folder = format!("/proc/{}", process.as_raw_nonzero());
        let status = fs::read_to_string(format!("{folder}/status")).unwrap();
        let value = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        Self {
            files: fs::read_dir(format!("{folder}/fd")).unwrap().count(),
            threads: value("Threads:"),
            zombies: zombies(&folder),
            memory: value("RssAnon:"),
        }
    }
}

fn zombies(folder: &str) -> usize {
    let threads = fs::read_dir(format!("{folder}/task")).unwrap().flatten();
    let children = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    let children: String = children.collect();
    let is_zombie = |child: &&str| {
        let stat = fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        stat.rsplit_once(')').is_some_and(|(_, rest)| rest.trim_start().starts_with('Z'))
    };
    children.split_whitespace().filter(is_zombie).count()
}

/// Says what grew over a life, of which these are moments at rest.
pub fn growth(moments: &[Vitals]) -> Vec<String> {
    let (Some(first), Some(last)) = (moments.first(), moments.last()) else {
        return vec!["nobody looked".into()];
    };
    let mut faults = Vec::new();
    if moments.iter().any(|moment| moment.zombies > 0) {
        faults.push("there are zombies".to_owned());
    }
    if last.files > first.files + FEW {
        faults.push(format!("{} open files became {}", first.files, last.files));
    }
    if last.threads > first.threads + FEW {
        faults.push(format!("{} threads became {}", first.threads, last.threads));
    }
    let quarter = moments.len().div_ceil(4);
    let early = median(moments.iter().skip(quarter).take(quarter));
    let late = median(moments.iter().rev().take(quarter));
    if late > early + SOME {
        faults.push(format!("{early} KiB of memory became {late}"));
    }
    faults
}

fn median<'a>(moments: impl Iterator<Item = &'a Vitals>) -> usize {
    let mut memory: Vec<usize> = moments.map(|moment| moment.memory).collect();
    memory.sort_unstable();
    memory.get(memory.len() / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WELL: Vitals = Vitals { files: 30, threads: 9, zombies: 0, memory: 40_000 };

    #[test]
    fn a_process_that_stays_as_it_is_has_not_grown() {
        assert_eq!(growth(&[WELL; 8]), [""; 0]);
        assert_eq!(growth(&[Vitals { memory: 10_000, ..WELL }, WELL, WELL, WELL]), [""; 0], "it warms up");
    }

    #[test]
    fn whatever_grows_is_named() {
        let end = |end: Vitals| growth(&[WELL, WELL, WELL, end]).join(", ");
        assert_eq!(end(Vitals { files: 39, ..WELL }), "30 open files became 39");
        assert_eq!(end(Vitals { threads: 18, ..WELL }), "9 threads became 18");
        assert_eq!(end(Vitals { zombies: 1, ..WELL }), "there are zombies");
        assert_eq!(end(Vitals { memory: 60_000, ..WELL }), "40000 KiB of memory became 60000");
        assert_eq!(growth(&[]), ["nobody looked"]);
    }
}
