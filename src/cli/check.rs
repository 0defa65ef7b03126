//! `parlor check`: the settings, and whether what they name is there.

use std::process::ExitCode;

use super::{Failure, on_runtime};
use crate::{
    app::{self, Finding, Outcome},
    config,
};

/// Whether the check leaves this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// Only the settings are looked at.
    Settings,
    /// Databases, tool server, provider and keys are asked too.
    Everything,
}

/// Shows every setting; then, unless told not to, what was found at the places that they name. Exit 1 if one of them
/// would keep the service from its work.
pub(super) fn check(reach: Reach) -> Result<ExitCode, Failure> {
    let (config, report) = config::read().map_err(|faults| Failure::Configuration(faults.to_string()))?;
    let models = app::models(&config.model).map_err(|error| Failure::Configuration(error.to_string()))?;
    println!("{}", report.table());
    for name in &report.unread {
        println!("{name} is set, but nothing reads it.");
    }
    let usual = models.usual().identity();
    println!("Answers come from {} {}.", usual.provider, usual.model);
    match reach {
        Reach::Settings => Ok(ExitCode::SUCCESS),
        Reach::Everything => on_runtime(async move {
            let findings = Box::pin(app::reach_out(&config)).await;
            println!();
            for finding in &findings {
                println!("{}", line(finding));
            }
            let has_failed = findings.iter().any(|finding| finding.outcome == Outcome::Failed);
            Ok(if has_failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
        }),
    }
}

fn line(finding: &Finding) -> String {
    let outcome = match finding.outcome {
        Outcome::Ok => "ok",
        Outcome::Warning => "warning",
        Outcome::Failed => "failed",
    };
    // What a server or a driver said may hold anything.
    let detail = finding.detail.replace(char::is_control, " ");
    format!("{outcome:7}  {:11}  {detail}", finding.subject)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_one_line_whatever_was_said() {
        let detail = "refused:\n\u{1b}[31mno".to_owned();
        let finding = Finding { subject: "provider", outcome: Outcome::Failed, detail };
        assert_eq!(line(&finding), "failed   provider     refused:  [31mno");
    }
}
