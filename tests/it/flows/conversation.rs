//! What a newcomer does on the first evening: the demo, a conversation, a restart.

use parlor_db::on_both;
use serde_json::{Value, json};

use crate::support::{
    app::conversation_of,
    migrations,
    process::{Process, children},
    stream::{Event, data, names},
};

async fn say(service: &Process, message: &str, conversation: Option<&str>) -> Vec<Event> {
    let events = service.say("local", message, conversation).await.rest().await;
    assert_eq!(names(&events).last(), Some(&"run.completed"), "{message}: {events:?}");
    events
}

async fn tasks(service: &Process) -> Vec<Value> {
    let page = service.read("/api/local/tasks").await;
    let tasks = page["data"].as_array().expect("a page").iter();
    tasks.map(|task| json!([task["number"], task["title"], task["status"], task["priority"]])).collect()
}

on_both! { migrations();
    async fn a_conversation_goes_on_over_a_restart(place: Place) {
        let service = Process::start(&place, &[]).await;
        let first = say(&service, "add buy milk and call mom", None).await;
        let calls: Vec<&str> = names(&first).into_iter().filter(|name| name.starts_with("tool.")).collect();
        assert_eq!(calls, ["tool.started", "tool.completed", "tool.started", "tool.completed"]);
        let conversation = conversation_of(&first);
        let seen = say(&service, "what is on my list", Some(&conversation)).await;
        let content = data(&seen, "message.completed")["content"].as_str().unwrap().to_owned();
        assert!(content.contains("buy milk") && content.contains("call mom"), "{content}");
        for message in ["done 1", "rename 2 to call dad", "make 2 high priority"] {
            say(&service, message, Some(&conversation)).await;
        }
        let expected = [json!([1, "buy milk", "completed", "medium"]), json!([2, "call dad", "pending", "high"])];
        assert_eq!(tasks(&service).await, expected);
        let ended = service.terminate().await;
        assert_eq!(ended.code, Some(0), "{}", ended.log);

        let service = Process::start(&place, &[]).await;
        assert_eq!(tasks(&service).await, expected);
        let kept = service.read(&format!("/api/local/conversations/{conversation}")).await;
        assert_eq!(kept["title"], "add buy milk and call mom");
        say(&service, "delete the dad task", Some(&conversation)).await;
        assert_eq!(tasks(&service).await, expected[..1]);
        let again = say(&service, "add water plants", Some(&conversation)).await;
        assert_eq!(data(&again, "tool.completed")["result"]["task"]["number"], 3, "numbers are never used again");
    }

    async fn a_thousand_chats_share_one_task_server(place: Place) {
        let service = Process::start(&place, &[]).await;
        let before = children(service.id());
        for _ in 0..125 {
            let chats = (0..8).map(|user| {
                let service = &service;
                async move {
                    let user = format!("user-{user}");
                    service.say(&user, "add one more thing", None).await.rest().await
                }
            });
            for events in futures_util::future::join_all(chats).await {
                assert_eq!(names(&events).last(), Some(&"run.completed"));
            }
        }
        assert_eq!(before.len(), 1);
        assert_eq!(children(service.id()), before);
    }

    async fn the_task_server_sees_little_of_our_environment(place: Place) {
        let secret = ("OPENAI_API_KEY", "sk-canary-5f1e");
        let service = Process::start(&place, &[secret, ("LLM_PROVIDER", "demo")]).await;
        let child = children(service.id())[0];
        let environment = std::fs::read_to_string(format!("/proc/{child}/environ")).unwrap();
        let mut names: Vec<&str> = environment.split('\0').filter_map(|pair| Some(pair.split_once('=')?.0)).collect();
        names.sort_unstable();
        assert_eq!(names, ["PATH", "TASKS_DATABASE_URL"]);
    }
}
