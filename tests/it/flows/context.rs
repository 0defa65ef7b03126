//! What a model is shown of a long conversation: requests that begin alike, requests that were too long, and how much is
//! read for one.

use parlor_db::{Db, DbError, on_both, testing::Place};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{
    app::conversation_of,
    migrations,
    process::Process,
    provider::{Act, Answer, Provider, said},
    stream::{Event, data, names, text},
};

const TOO_LONG: &str = r#"{"error":{"code":"context_length_exceeded","message":"too long"}}"#;

/// How many bytes the small provider takes, and how many tokens it says that these are.
const SMALL: (usize, usize) = (16_000, 5_000);

async fn say(service: &Process, conversation: &str, message: &str) -> Vec<Event> {
    service.say("ada", message, Some(conversation)).await.rest().await
}

/// Returns the messages of every request, without the instructions.
fn sent(provider: &Provider) -> Vec<Vec<Value>> {
    let messages = |request: &Value| request["messages"].as_array().unwrap()[1..].to_vec();
    provider.requests().iter().map(messages).collect()
}

/// Returns what the user says in a request, without the lines before. What got no reply is one message with what follows.
fn said_in(messages: &[Value]) -> Vec<&str> {
    let of_user = messages.iter().filter(|message| message["role"] == "user");
    let said = of_user.flat_map(|message| message["content"].as_str().unwrap().split("\n\n"));
    said.map(|said| said.split_once('\n').unwrap().1).collect()
}

fn is_trimmed(events: &[Event]) -> bool {
    events.iter().any(|event| event.name == "notice" && event.data["code"] == "history_trimmed")
}

/// Answers as a server does that takes only so much and says how much that is.
fn small(request: &Value) -> Answer {
    if request.to_string().len() > SMALL.0 {
        let error = json!({"code": 400, "type": "exceed_context_size_error", "n_ctx": SMALL.1});
        return Answer::error(400, &json!({"error": error}).to_string());
    }
    Answer::text(["ok"])
}

/// Counts the tokens of a request, more of them than we do.
fn counted(request: &Value) -> usize {
    request.to_string().len() * 2 / 5
}

/// Answers and says so.
fn counting(request: &Value) -> Answer {
    let usage = json!({"prompt_tokens": counted(request), "completion_tokens": 1});
    let last = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": usage});
    Answer::acts([Act::Send(said("ok")), Act::Send(format!("data: {last}\n\ndata: [DONE]\n\n"))])
}

/// Makes a conversation that long, of copies of its first two items.
async fn grow(place: &Place, conversation: &str, length: i64) {
    let id: Uuid = conversation.parse().unwrap();
    let (copied, kept) =
        (["user_id", "run_id", "event_id", "kind", "body", "created_at"], Alias::new("position"));
    let copies = (3..=length).map(|position| {
        let mut select = Query::select();
        select.exprs([Expr::val(id), Expr::val(position), Expr::val(Uuid::now_v7())]);
        select.columns(copied.map(Alias::new)).from(Alias::new("items"));
        select.and_where(Expr::col(Alias::new("conversation_id")).eq(id));
        select.and_where(Expr::col(kept.clone()).eq(2 - position % 2));
        let columns =
            [&["conversation_id", "position", "id"][..], &copied].concat().into_iter().map(Alias::new);
        let mut insert = Query::insert();
        insert.into_table(Alias::new("items")).columns(columns).select_from(select).unwrap().to_owned()
    });
    let copies: Vec<_> = copies.collect();
    let end = Query::update()
        .table(Alias::new("conversations"))
        .value(Alias::new("last_position"), length)
        .and_where(Expr::col(Alias::new("id")).eq(id))
        .to_owned();
    let db = Db::open(&place.url, 2);
    let unit = db.write(move |tx| {
        Box::pin(async move {
            for copy in copies {
                tx.execute(&copy).await?;
            }
            tx.execute(&end).await?;
            Ok::<_, DbError>(())
        })
    });
    unit.await.unwrap();
    db.close().await;
}

/// Returns how many rows of history were read for each turn of a conversation.
fn rows_read(service: &Process, conversation: &str) -> Vec<u64> {
    let lines = service.log();
    let lines = lines.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let of_conversation = lines.filter(|line| line["conversation.id"] == conversation);
    of_conversation.filter_map(|line| line["rows"].as_u64()).collect()
}

on_both! { migrations();
    async fn a_request_begins_with_all_of_the_one_before_until_much_is_left_out_at_once(place: Place) {
        let provider = Provider::start().await;
        provider.otherwise(Answer::text(["ok"]));
        let settings = [&provider.settings()[..], &[("MAX_HISTORY_TOKENS", "6000")]].concat();
        let mut service = Process::start(&place, &settings).await;
        let first = service.say("ada", "turn 0", None).await.rest().await;
        let conversation = conversation_of(&first);
        let mut told = vec![is_trimmed(&first)];
        for turn in 1..24 {
            if turn == 16 {
                service.terminate().await;
                service = Process::start(&place, &settings).await;
            }
            let message = format!("turn {turn} {}", "long ".repeat(200));
            told.push(is_trimmed(&say(&service, &conversation, &message).await));
        }
        let requests = sent(&provider);
        let begins_alike: Vec<bool> =
            requests.windows(2).map(|pair| pair[1].starts_with(&pair[0])).collect();
        assert_eq!(told[1..].iter().map(|told| !told).collect::<Vec<_>>(), begins_alike);
        let cuts = told.iter().filter(|told| **told).count();
        assert!((2..=6).contains(&cuts), "{cuts} cuts in 24 turns");
        let tools = |request: &Value| request["tools"].clone();
        assert!(provider.requests().windows(2).all(|pair| tools(&pair[0]) == tools(&pair[1])));
    }

    async fn a_request_that_is_too_long_is_sent_once_more_with_half_of_it(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.otherwise(Answer::text(["ok"]));
        let conversation = conversation_of(&service.say("ada", "one", None).await.rest().await);
        for message in ["two", "three"] {
            say(&service, &conversation, message).await;
        }
        provider.then(Answer::error(400, TOO_LONG)).then(Answer::text(["Here ", "I am."]));
        let events = say(&service, &conversation, "four").await;
        assert_eq!(text(&events), "Here I am.");
        assert_eq!(names(&events).last(), Some(&"run.completed"));
        assert!(is_trimmed(&events));
        service.terminate().await;
        let service = Process::start(&place, &provider.settings()).await;
        assert!(!is_trimmed(&say(&service, &conversation, "five").await));
        let requests = sent(&provider);
        let said: Vec<Vec<&str>> = requests.iter().map(|messages| said_in(messages)).collect();
        assert_eq!(said[3..], [vec!["one", "two", "three", "four"], vec!["three", "four"], vec!["three", "four", "five"]]);
    }

    async fn a_request_that_stays_too_long_fails_the_run_and_the_next_begins_where_it_was_cut(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::text(["ok"])).then(Answer::text(["ok"]));
        let conversation = conversation_of(&service.say("ada", "one", None).await.rest().await);
        say(&service, &conversation, "two").await;
        provider.otherwise(Answer::error(400, TOO_LONG));
        let events = say(&service, &conversation, "three").await;
        assert_eq!(names(&events), ["run.created", "notice", "run.failed"]);
        assert_eq!(data(&events, "run.failed")["code"], "model_context_overflow");
        provider.otherwise(Answer::text(["ok"]));
        say(&service, &conversation, "four").await;
        let requests = sent(&provider);
        let said: Vec<Vec<&str>> = requests.iter().map(|messages| said_in(messages)).collect();
        assert_eq!(said[2..], [vec!["one", "two", "three"], vec!["three"], vec!["three", "four"]]);
    }

    async fn what_cannot_be_made_shorter_is_not_sent_again(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.otherwise(Answer::error(400, TOO_LONG));
        let events = service.say("ada", &"long ".repeat(1_000), None).await.rest().await;
        assert_eq!(data(&events, "run.failed")["code"], "model_context_overflow");
        assert_eq!(provider.requests().len(), 1);
    }

    async fn what_was_heard_is_not_asked_for_again(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::text(["ok"]));
        let conversation = conversation_of(&service.say("ada", "one", None).await.rest().await);
        provider.then(Answer::acts([Act::Send(said("Well")), Act::Send(format!("data: {TOO_LONG}\n\n"))]));
        let events = say(&service, &conversation, "two").await;
        assert_eq!(data(&events, "run.failed")["code"], "model_context_overflow");
        assert_eq!((text(&events).as_str(), provider.requests().len()), ("Well", 2));
    }

    async fn a_model_that_says_how_much_it_takes_is_sent_too_much_only_once(place: Place) {
        for (quirks, refusals) in [("", 1), ("custom context_window=5000", 0)] {
            let provider = Provider::answering(small).await;
            let settings = [&provider.settings()[..], &[("LLM_QUIRKS", quirks)]].concat();
            let service = Process::start(&place, &settings).await;
            let conversation = conversation_of(&service.say("ada", "hello", None).await.rest().await);
            for turn in 0..16 {
                let message = format!("turn {turn} {}", "long ".repeat(300));
                assert_eq!(text(&say(&service, &conversation, &message).await), "ok", "turn {turn}");
            }
            let requests = provider.requests();
            let refused = requests.iter().filter(|request| request.to_string().len() > SMALL.0).count();
            assert_eq!(refused, refusals, "{quirks}");
            service.terminate().await;
        }
    }

    async fn a_stand_in_that_takes_less_is_sent_less_and_the_usual_model_gets_all_of_it_again(place: Place) {
        let (usual, other) = (Provider::start().await, Provider::start().await);
        usual.otherwise(Answer::text(["ok"]));
        other.otherwise(Answer::text(["ok"]));
        let settings = [
            ("OPENAI_API_KEY", "k"),
            ("OPENAI_BASE_URL", usual.url.as_str()),
            ("OPENAI_DEFAULT_MODEL", "gpt-4o-mini"),
            ("LLM_BASE_URL", &other.url),
            ("LLM_FALLBACKS", "custom/llama3"),
            ("LLM_QUIRKS", "custom context_window=6000"),
        ];
        let service = Process::start(&place, &settings).await;
        let conversation = conversation_of(&service.say("ada", "turn 0", None).await.rest().await);
        for turn in 1..10 {
            say(&service, &conversation, &format!("turn {turn} {}", "long ".repeat(200))).await;
        }
        usual.then(Answer::error(401, "{}"));
        let events = say(&service, &conversation, "who is there?").await;
        assert!(is_trimmed(&events), "{events:?}");
        let (all, some) = (sent(&usual).pop().unwrap(), sent(&other).pop().unwrap());
        assert_eq!(all.len(), 2 * 10 + 1);
        assert!((3..all.len()).contains(&some.len()), "{}", some.len());
        assert_eq!(some[..], all[all.len() - some.len()..], "the newest of it");
        assert!(other.requests()[0].to_string().len() / 3 < 6_000);
        say(&service, &conversation, "and now?").await;
        assert_eq!(sent(&usual).pop().unwrap()[..all.len()], all);
    }

    async fn a_model_that_counts_more_tokens_than_we_do_is_sent_less(place: Place) {
        let provider = Provider::answering(counting).await;
        let settings = [&provider.settings()[..], &[("MAX_HISTORY_TOKENS", "6000")]].concat();
        let service = Process::start(&place, &settings).await;
        let conversation = conversation_of(&service.say("ada", "turn 0", None).await.rest().await);
        for turn in 1..30 {
            say(&service, &conversation, &format!("turn {turn} {}", "long ".repeat(200))).await;
        }
        let most = provider.requests().iter().map(counted).max().unwrap();
        assert!((4_500..6_300).contains(&most), "{most} tokens by its own count");
    }

    async fn a_turn_of_a_long_conversation_reads_no_more_than_one_of_a_short_one(place: Place) {
        let provider = Provider::start().await;
        provider.otherwise(Answer::text(["ok"]));
        let own = [("MAX_HISTORY_TOKENS", "8000"), ("LOG_FORMAT", "json"), ("RUST_LOG", "info,parlor=debug")];
        let service = Process::start(&place, &[&provider.settings()[..], &own].concat()).await;
        let mut read = Vec::new();
        for length in [100, 10_000] {
            let first = service.say("ada", &"long ".repeat(120), None).await.rest().await;
            let conversation = conversation_of(&first);
            grow(&place, &conversation, length).await;
            for message in ["again", "and again"] {
                say(&service, &conversation, message).await;
            }
            read.push(rows_read(&service, &conversation));
        }
        // Whether a message itself is read depends on whether it was stored by then.
        assert!(read[0].iter().zip(&read[1]).all(|(short, long)| short.abs_diff(*long) <= 4), "{read:?}");
        // Of the first turn nothing is read: there is only its message.
        let [cut, after] = read[1][..] else { panic!("two turns: {read:?}") };
        assert!((51..=100).contains(&cut) && after < cut, "{read:?}");
    }
}
