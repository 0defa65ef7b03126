//! When a title fits several tasks: the demo looks them up and asks which one is meant, as a careful model would.

use serde_json::{Value, json};

use crate::domain::{Item, RequestedCall, ToolCall, ToolResult};

/// The code of the task server's error for a title that fits several tasks.
const AMBIGUOUS: &str = "ambiguous_title";

/// Returns the call that shows the tasks which a title of this turn fits, unless they were shown already.
pub(super) fn look_up(history: &[Item]) -> Option<RequestedCall> {
    let turn = since_the_user_spoke(history);
    let results =
        || turn.iter().filter_map(|item| if let Item::Tool(result) = item { Some(result) } else { None });
    if results().any(|result| result.name == "list_tasks") {
        return None;
    }
    let doubtful = results().find(|result| is_doubtful(result))?;
    let title = calls(turn).find(|call| call.id == doubtful.call_id)?.arguments.get("title_contains")?;
    Some(RequestedCall {
        provider_id: "demo_list".to_owned(),
        name: "list_tasks".to_owned(),
        arguments: json!({"search": title}).to_string(),
        provider_meta: None,
    })
}

/// Asks which of the tasks that were shown is meant; nothing if no title was in doubt.
pub(super) fn question(results: &[&ToolResult]) -> Option<String> {
    let doubtful = results.iter().find(|result| is_doubtful(result))?;
    let shown = results.iter().find(|result| result.name == "list_tasks")?;
    let word = match doubtful.name.as_str() {
        "complete_task" => "done 2",
        "delete_task" => "delete 2",
        "update_task" => "rename 2 to …",
        _ => "make 2 high priority",
    };
    Some(format!(
        "Several tasks fit. Which one do you mean? Say its number, such as “{word}”.\n{}",
        shown.text.trim()
    ))
}

fn is_doubtful(result: &ToolResult) -> bool {
    result.status.is_error() && result.result.get("code").and_then(Value::as_str) == Some(AMBIGUOUS)
}

fn since_the_user_spoke(history: &[Item]) -> &[Item] {
    let spoke = history.iter().rposition(|item| matches!(item, Item::User(_))).unwrap_or(0);
    history.get(spoke..).unwrap_or_default()
}

fn calls(turn: &[Item]) -> impl Iterator<Item = &ToolCall> {
    turn.iter()
        .filter_map(|item| if let Item::Assistant(reply) = item { Some(&reply.calls) } else { None })
        .flatten()
}

#[cfg(test)]
mod tests {
    use crate::domain::{CallId, CallStatus, Reply, UserMessage};

    use super::*;

    fn call(name: &str, arguments: Value) -> ToolCall {
        ToolCall {
            id: CallId::new(),
            provider_id: "demo_1".into(),
            server: "tasks".into(),
            name: name.into(),
            arguments: serde_json::from_value(arguments).unwrap(),
            unparsed: None,
            provider_meta: None,
        }
    }

    fn asked(call: &ToolCall) -> Item {
        Item::Assistant(Reply { calls: vec![call.clone()], ..Reply::of_text("") })
    }

    fn doubtful(call: &ToolCall) -> ToolResult {
        let result = json!({"code": AMBIGUOUS, "message": "2 tasks match: 1, 3"});
        ToolResult { result, ..ToolResult::without_output(call, CallStatus::Error, "2 tasks match: 1, 3") }
    }

    fn turn() -> (ToolCall, Vec<Item>) {
        let delete = call("delete_task", json!({"title_contains": "dad"}));
        let user = Item::User(UserMessage { text: "delete the dad task".into(), context: String::new() });
        let history = vec![user, asked(&delete), Item::Tool(doubtful(&delete))];
        (delete, history)
    }

    #[test]
    fn a_title_in_doubt_is_looked_up_once() {
        let (_, mut history) = turn();
        let found = look_up(&history).unwrap();
        assert_eq!((found.name.as_str(), found.arguments.as_str()), ("list_tasks", r#"{"search":"dad"}"#));
        let list = call("list_tasks", json!({"search": "dad"}));
        history
            .extend([asked(&list), Item::Tool(ToolResult::without_output(&list, CallStatus::Ok, "1. dad"))]);
        assert_eq!(look_up(&history), None);
    }

    #[test]
    fn then_the_user_is_asked_which_one_is_meant() {
        let (delete, _) = turn();
        let list = call("list_tasks", json!({"search": "dad"}));
        let (doubt, shown) = (
            doubtful(&delete),
            ToolResult::without_output(&list, CallStatus::Ok, "Your tasks:\n1. call dad"),
        );
        let question = question(&[&doubt, &shown]).unwrap();
        assert!(question.contains("“delete 2”") && question.ends_with("1. call dad"), "{question}");
        assert_eq!(super::question(&[&shown]), None);
    }
}
