//! `parlor chat`: a terminal client of a running service.
//!
//! It knows of the service what every client knows, which is its public API, and uses no other room of the house: what
//! is awkward here is awkward for everybody who writes a client.

mod line;
mod plain;
mod screen;
mod service;
mod sse;
mod told;
mod turn;

use std::{
    io::{self, IsTerminal, Stderr, Stdout},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use reqwest::StatusCode;
use secrecy::SecretString;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    signal::unix::{Signal, SignalKind, signal},
};

use super::{Failure, on_runtime};
use line::Line;
use screen::Screen;
use service::{Fault, Service, Token};
use told::{Ending, Told};
use turn::{Step, Turn};

/// The exit code of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// What can be said about a chat on the command line.
#[derive(clap::Args)]
pub(super) struct Options {
    /// Where the service is.
    #[arg(long, default_value = "http://127.0.0.1:8000")]
    url: String,
    /// Who speaks.
    #[arg(long, default_value = "local")]
    user: String,
    /// A file with a token, read again for each request; without it the token is that of PARLOR_TOKEN, if it is set.
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// A conversation to go on with.
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
    /// What to say. Exit 0 if it is answered, 1 if that fails, 130 if Ctrl-C has stopped it.
    message: Vec<String>,
}

/// How a turn ended for whoever asked.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Answered,
    Failed,
    Stopped,
    /// The person left before its end.
    Left,
}

/// How far the wish is that a turn should end.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Unwanted,
    Wanted,
    Asked,
}

struct Chat {
    service: Service,
    screen: Screen<Stdout, Stderr>,
    interrupts: Interrupts,
    conversation: Option<String>,
}

/// Talks to a service, for one turn or for many.
pub(super) fn chat(options: Options, token: Option<String>) -> Result<ExitCode, Failure> {
    let Options { url, user, token_file, conversation, message } = options;
    let token = match (token_file, token.filter(|token| !token.is_empty())) {
        (Some(path), _) => Token::File(path),
        (None, Some(token)) => Token::Known(SecretString::from(token)),
        (None, None) => Token::None,
    };
    let service = Service::new(&url, &user, token);
    let service = service.map_err(|error| Failure::Configuration(format!("{error:#}")))?;
    on_runtime(async move {
        let screen = Screen::new(io::stdout(), io::stderr());
        let mut chat = Chat { service, screen, interrupts: Interrupts::new()?, conversation };
        chat.service.greet(chat.conversation.as_deref()).await.map_err(|fault| harmless(&fault))?;
        if message.is_empty() { chat.converse().await } else { chat.say_once(&message.join(" ")).await }
    })
}

impl Chat {
    async fn say_once(&mut self, message: &str) -> anyhow::Result<ExitCode> {
        Ok(match self.say(message).await? {
            Outcome::Answered => ExitCode::SUCCESS,
            Outcome::Failed => ExitCode::FAILURE,
            Outcome::Stopped | Outcome::Left => ExitCode::from(INTERRUPTED),
        })
    }

    /// Says each line of standard input. A pipe wants to know whether all went well, a person has seen it.
    async fn converse(&mut self) -> anyhow::Result<ExitCode> {
        let is_terminal = io::stdin().is_terminal();
        let mut lines = BufReader::new(tokio::io::stdin()).lines();
        let mut has_failed = false;
        loop {
            if is_terminal {
                self.screen.prompt()?;
            }
            let line = tokio::select! {
                line = lines.next_line() => line.context("standard input cannot be read")?,
                () = self.interrupts.next() => None,
            };
            let Some(line) = line else {
                if is_terminal {
                    self.screen.leave_prompt()?;
                }
                break;
            };
            match Line::read(&line) {
                Line::Nothing => {}
                Line::Quit => break,
                Line::New => self.conversation = None,
                Line::Help => self.screen.note(line::HELP)?,
                Line::Unknown(command) => {
                    self.screen.note(&format!("there is no {command}; /help says what there is"))?;
                }
                Line::Say(message) => match self.say(message).await? {
                    Outcome::Left => return Ok(ExitCode::from(INTERRUPTED)),
                    outcome => has_failed |= outcome == Outcome::Failed,
                },
            }
        }
        Ok(if has_failed && !is_terminal { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }

    /// Says something and shows what comes of it. The first Ctrl-C asks the run to end, the second one leaves.
    async fn say(&mut self, message: &str) -> anyhow::Result<Outcome> {
        let Self { service, screen, interrupts, conversation } = self;
        let mut turn = Turn::new(service, conversation.as_deref(), message);
        let mut stop = Stop::Unwanted;
        loop {
            if stop == Stop::Wanted
                && let Some(run) = turn.run()
            {
                stop = Stop::Asked;
                tokio::select! {
                    asked = service.cancel(run) => if let Err(fault) = asked {
                        screen.note(&format!("it could not be stopped: {fault}"))?;
                    },
                    () = interrupts.next() => return Ok(Outcome::Left),
                }
            }
            let step = tokio::select! {
                step = turn.next() => step,
                () = interrupts.next() => match stop {
                    Stop::Unwanted if turn.is_unsent() => return Ok(Outcome::Stopped),
                    Stop::Unwanted => {
                        stop = Stop::Wanted;
                        screen.note("stopping; Ctrl-C once more leaves")?;
                        continue;
                    }
                    Stop::Wanted | Stop::Asked => return Ok(Outcome::Left),
                },
            };
            if let Some(id) = turn.conversation().filter(|id| conversation.as_deref() != Some(*id)) {
                screen.note(&format!("conversation {id}"))?;
                *conversation = Some(id.to_owned());
            }
            if let Some(outcome) = show(screen, step)? {
                return Ok(outcome);
            }
        }
    }
}

/// Shows a step of a turn; returns how the turn ended, if it did.
fn show(screen: &mut Screen<Stdout, Stderr>, step: Result<Step, Fault>) -> anyhow::Result<Option<Outcome>> {
    match step {
        Ok(Step::Told(told)) => {
            screen.take(&told)?;
            return Ok(outcome(&told));
        }
        Ok(Step::TriesAgain(reason)) => screen.note(&format!("{reason}; trying again"))?,
        Ok(Step::Waits) => screen.note("this conversation is still answering another message; waiting")?,
        Err(fault) => {
            screen.fresh_line()?;
            return match &fault {
                Fault::Refused { status, .. } if is_of_the_message(*status) => {
                    screen.note(&fault.to_string())?;
                    Ok(Some(Outcome::Failed))
                }
                Fault::Refused { .. } | Fault::Lost { .. } => Err(harmless(&fault)),
            };
        }
    }
    Ok(None)
}

const fn outcome(told: &Told) -> Option<Outcome> {
    match told {
        Told::Ended(Ending::Completed) => Some(Outcome::Answered),
        Told::Ended(Ending::Cancelled) => Some(Outcome::Stopped),
        Told::Ended(Ending::Failed(_) | Ending::Waits) => Some(Outcome::Failed),
        Told::Words { .. }
        | Told::Whole { .. }
        | Told::Withdrawn { .. }
        | Told::Started { .. }
        | Told::Answered { .. }
        | Told::Noted { .. } => None,
    }
}

/// Tells whether another message may fare better.
fn is_of_the_message(status: StatusCode) -> bool {
    matches!(status, StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY)
}

/// What a service says of itself is shown on a terminal too.
fn harmless(fault: &Fault) -> anyhow::Error {
    anyhow::anyhow!("{}", plain::line(&fault.to_string(), usize::MAX))
}

/// Ctrl-C, as often as it is pressed.
struct Interrupts(Signal);

impl Interrupts {
    fn new() -> anyhow::Result<Self> {
        Ok(Self(signal(SignalKind::interrupt()).context("SIGINT cannot be awaited")?))
    }

    /// Waits for the next one.
    async fn next(&mut self) {
        self.0.recv().await;
    }
}
