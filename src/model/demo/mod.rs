//! A model without a provider, so that the service can be tried without a key. It reads a handful of
//! sentences (`understand`, on top of `clause`), calls the task tools (`wish`), asks back where a title fits several
//! tasks (`doubt`), and tells what they said (`words`).

mod clause;
mod doubt;
mod understand;
mod wish;
mod words;

use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};

use super::{
    Provider, estimate,
    providers::Price,
    tab::{Tab, priced},
};
use crate::domain::{
    Finish, Item, Model, ModelError, ModelEvent, ModelIdentity, ModelRequest, RequestedCall, Tool,
    ToolChoice, ToolResult,
};

/// The most calls of one reply.
const CALL_LIMIT: usize = 20;

/// The demo model.
#[derive(Clone, Copy, Debug)]
pub struct Demo {
    pause_per_delta: Duration,
}

/// What the demo answers: words, calls or both.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    text: String,
    calls: Vec<RequestedCall>,
}

impl Demo {
    /// Makes a demo that waits before each word, as a real model does; zero is no wait.
    pub fn new(pause_per_delta: Duration) -> Self {
        Self { pause_per_delta }
    }
}

#[async_trait]
impl Model for Demo {
    fn identity(&self) -> ModelIdentity {
        ModelIdentity { provider: Provider::Demo.name().to_owned(), model: "demo".to_owned() }
    }

    async fn stream(
        &self,
        request: ModelRequest<'_>,
    ) -> Result<BoxStream<'static, Result<ModelEvent, ModelError>>, ModelError> {
        let pause = self.pause_per_delta;
        let mut tab = Tab::open(request.meter, Some(Price::FREE), read_bytes(&request));
        let mut written = 0;
        let events = stream::iter(events(&request, answer(&request))).inspect(move |event| match event {
            ModelEvent::Text(text) => {
                written += text.len();
                tab.has_written(written);
            }
            ModelEvent::Usage(_) => tab.close(),
            ModelEvent::Replaced { .. }
            | ModelEvent::Alive
            | ModelEvent::Reasoning(_)
            | ModelEvent::CallBegun
            | ModelEvent::Call(_)
            | ModelEvent::Meta(_)
            | ModelEvent::Finished(_) => {}
        });
        let paced = events.then(move |event| async move {
            if matches!(event, ModelEvent::Text(_)) && !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
            Ok(event)
        });
        Ok(paced.boxed())
    }
}

/// Decides what to answer: calls to a message, words to results.
fn answer(request: &ModelRequest<'_>) -> Answer {
    let wishes = match request.history.last() {
        Some(Item::User(message)) => understand::wishes(&message.text),
        Some(Item::Tool(_)) => return after_results(request),
        Some(Item::Assistant(_)) | None => Vec::new(),
    };
    let may_call = request.tool_choice != ToolChoice::None;
    if wishes.is_empty() {
        Answer::of_words(words::INTRODUCTION)
    } else if !may_call || !wishes.iter().all(|wish| is_on_offer(request.tools, wish.tool())) {
        Answer::of_words(words::UNAVAILABLE)
    } else {
        let text = if wishes.len() > CALL_LIMIT { words::TOO_MANY } else { "" };
        let calls = wishes.iter().take(CALL_LIMIT).enumerate().map(|(place, wish)| wish.call(place));
        Answer { text: text.to_owned(), calls: calls.collect() }
    }
}

/// Decides what to answer to the results of a turn: a look at the list where a title was in doubt, else words.
fn after_results(request: &ModelRequest<'_>) -> Answer {
    match doubt::look_up(request.history).filter(|call| is_on_offer(request.tools, &call.name)) {
        Some(call) => Answer { text: String::new(), calls: vec![call] },
        None => Answer::of_words(words::confirm(&latest_results(request.history))),
    }
}

impl Answer {
    fn of_words(text: impl Into<String>) -> Self {
        Self { text: text.into(), calls: Vec::new() }
    }

    fn bytes(&self) -> usize {
        let calls = self.calls.iter().map(|call| call.name.len() + call.arguments.len());
        self.text.len() + calls.sum::<usize>()
    }
}

/// Returns the results since the user spoke, in their order.
fn latest_results(history: &[Item]) -> Vec<&ToolResult> {
    let mut results = Vec::new();
    for item in history.iter().rev() {
        match item {
            Item::User(_) => break,
            Item::Assistant(_) => {}
            Item::Tool(result) => results.push(result),
        }
    }
    results.reverse();
    results
}

fn is_on_offer(tools: &[Tool], name: &str) -> bool {
    tools.iter().any(|tool| tool.name == name)
}

/// Writes an answer as a model would send it.
fn events(request: &ModelRequest<'_>, answer: Answer) -> Vec<ModelEvent> {
    let usage = priced(estimate::usage(read_bytes(request), answer.bytes()), Some(Price::FREE));
    let mut events: Vec<_> =
        words::split(&answer.text).map(|word| ModelEvent::Text(word.to_owned())).collect();
    events.extend(answer.calls.into_iter().map(ModelEvent::Call));
    events.extend([ModelEvent::Usage(usage), ModelEvent::Finished(Finish::Stop)]);
    events
}

/// Tells how much the demo reads, in bytes.
fn read_bytes(request: &ModelRequest<'_>) -> usize {
    request.history.iter().map(bytes_of).sum::<usize>() + request.instructions.len()
}

fn bytes_of(item: &Item) -> usize {
    match item {
        Item::User(message) => message.context.len() + message.text.len(),
        Item::Assistant(reply) => reply.text.len(),
        Item::Tool(result) => result.text.len(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use tokio::time::Instant;

    use crate::domain::{
        CallId, CallStatus, ConversationId, Meter, Reply, ToolCall, ToolSchema, Usage, UserMessage,
    };
    use crate::model::fake::ALONE;

    use super::*;

    const TOOLS: [&str; 6] =
        ["add_task", "list_tasks", "complete_task", "delete_task", "update_task", "set_priority"];

    fn tools(names: &[&str]) -> Vec<Tool> {
        let tool = |name: &&str| Tool {
            server: "tasks".into(),
            name: (*name).to_owned(),
            description: String::new(),
            schema: ToolSchema::compile(json!({"type": "object"})).unwrap(),
            is_read_only: false,
            is_keyed: true,
        };
        names.iter().map(tool).collect()
    }

    fn request<'a>(history: &'a [Item], tools: &'a [Tool]) -> ModelRequest<'a> {
        let conversation_id = ConversationId::new();
        ModelRequest {
            instructions: "",
            history,
            transcript: None,
            tools,
            tool_choice: ToolChoice::Auto,
            conversation_id,
            meter: Box::leak(Box::default()),
            asker: &ALONE,
        }
    }

    fn user(text: &str) -> Item {
        Item::User(UserMessage { text: text.into(), context: "Friday".into() })
    }

    fn answer_to(message: &str) -> Answer {
        answer(&request(&[user(message)], &tools(&TOOLS)))
    }

    fn calls_to(message: &str) -> Vec<String> {
        answer_to(message).calls.iter().map(|call| format!("{} {}", call.name, call.arguments)).collect()
    }

    /// A turn in which the tools said `results`.
    fn turn(results: &[(&str, CallStatus, &str)]) -> Vec<Item> {
        let call = |name: &str| ToolCall {
            id: CallId::new(),
            provider_id: String::new(),
            server: "tasks".into(),
            name: name.into(),
            arguments: serde_json::Map::new(),
            unparsed: None,
            provider_meta: None,
        };
        let calls: Vec<_> = results.iter().map(|(name, ..)| call(name)).collect();
        let said = calls
            .iter()
            .zip(results)
            .map(|(call, (_, status, text))| Item::Tool(ToolResult::without_output(call, *status, *text)));
        let said: Vec<_> = said.collect();
        let reply = Item::Assistant(Reply { calls, ..Reply::of_text("") });
        [user("…"), reply].into_iter().chain(said).collect()
    }

    #[test]
    fn the_sentences_of_the_documentation_become_calls() {
        let table: [(&str, &[&str]); 9] = [
            (
                "add buy milk and call mom",
                &[r#"add_task {"title":"buy milk"}"#, r#"add_task {"title":"call mom"}"#],
            ),
            ("what is on my list", &["list_tasks {}"]),
            ("done 1", &[r#"complete_task {"number":1}"#]),
            ("rename 2 to call dad", &[r#"update_task {"number":2,"title":"call dad"}"#]),
            ("make 2 high priority", &[r#"set_priority {"number":2,"priority":"high"}"#]),
            ("delete the dad task", &[r#"delete_task {"title_contains":"dad"}"#]),
            (
                "remind me to water plants; pay rent",
                &[r#"add_task {"title":"water plants"}"#, r#"add_task {"title":"pay rent"}"#],
            ),
            (r#"add "salt and pepper""#, &[r#"add_task {"title":"salt and pepper"}"#]),
            ("show my completed tasks", &[r#"list_tasks {"status":"completed"}"#]),
        ];
        for (message, expected) in table {
            assert_eq!(calls_to(message), expected, "{message}");
        }
    }

    #[test]
    fn every_call_of_a_reply_has_an_id_of_its_own() {
        let ids: Vec<_> = answer_to("add a, b").calls.into_iter().map(|call| call.provider_id).collect();
        assert_eq!(ids, ["demo_1", "demo_2"]);
    }

    #[test]
    fn a_message_that_asks_for_too_much_is_begun_and_told_so() {
        let answer = answer_to(&format!("add {}", "tea, ".repeat(9_000)));
        assert_eq!((answer.calls.len(), answer.text.as_str()), (CALL_LIMIT, words::TOO_MANY));
    }

    #[test]
    fn small_talk_gets_an_introduction_and_no_calls() {
        assert_eq!(answer_to("how are you?"), Answer::of_words(words::INTRODUCTION));
    }

    #[test]
    fn without_its_tools_the_demo_says_that_the_list_is_unavailable() {
        let history = [user("add milk")];
        for names in [&[][..], &["list_tasks"][..]] {
            assert_eq!(answer(&request(&history, &tools(names))), Answer::of_words(words::UNAVAILABLE));
        }
    }

    #[test]
    fn what_the_tools_said_since_the_user_spoke_is_told() {
        let old = turn(&[("add_task", CallStatus::Ok, "Task created: old")]);
        let new = turn(&[("add_task", CallStatus::Ok, "Task created: new")]);
        let history = [old, new].concat();
        assert_eq!(answer(&request(&history, &[])), Answer::of_words("Done! Task created: new"));
    }

    #[tokio::test]
    async fn a_reply_comes_word_by_word_and_ends_with_an_estimate() {
        let history = turn(&[("list_tasks", CallStatus::Ok, "Your tasks:\n1. buy  milk")]);
        let events = Demo::new(Duration::ZERO).stream(request(&history, &[])).await.unwrap();
        let events: Vec<_> = events.map(Result::unwrap).collect().await;
        let text = |text: &str| ModelEvent::Text(text.into());
        let usage = estimate::usage(history.iter().map(bytes_of).sum(), 24);
        assert_eq!(
            events,
            [
                text("Your "),
                text("tasks:\n"),
                text("1. "),
                text("buy  "),
                text("milk"),
                ModelEvent::Usage(Usage { cost_micros: Some(0), ..usage }),
                ModelEvent::Finished(Finish::Stop),
            ]
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_demo_pauses_before_each_word() {
        let history = turn(&[("list_tasks", CallStatus::Ok, "one two three")]);
        let events = Demo::new(Duration::from_millis(15)).stream(request(&history, &[])).await.unwrap();
        let start = Instant::now();
        assert_eq!(events.count().await, 5);
        assert_eq!(start.elapsed(), Duration::from_millis(45));
    }

    #[tokio::test]
    async fn a_demo_that_is_cut_short_counts_what_it_read_and_said() {
        let (history, meter) = ([user("how are you?")], Meter::default());
        let asked = ModelRequest { meter: &meter, ..request(&history, &[]) };
        let mut events = Demo::new(Duration::ZERO).stream(asked).await.unwrap();
        let first = events.next().await.unwrap().unwrap();
        drop(events);
        let ModelEvent::Text(word) = first else { panic!("{first:?}") };
        let usage = estimate::usage(bytes_of(&history[0]), word.len());
        assert_eq!(meter.take(), Usage { cost_micros: Some(0), ..usage });
    }
}
