//! The question to the model goes ahead while its message is being stored, and nothing of it is told before that.

use parlor_db::{Db, DbError, on_both, testing::Place};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use uuid::Uuid;

use crate::support::{
    app::conversation_of,
    eventually, migrations,
    process::Process,
    provider::{Answer, Provider},
    soon,
    stream::{Turn, data, names, text},
};

/// Holds a conversation back from all other writers and adds the item with this text to it, to be kept once the sender is
/// used.
async fn held_back(
    place: &Place,
    conversation: &str,
    added: &str,
) -> (oneshot::Sender<()>, impl Future<Output = ()>) {
    let (id, body) =
        (conversation.parse::<Uuid>().unwrap(), json!({"type": "user", "text": added, "context": ""}));
    let (is_held, held) = oneshot::channel();
    let (let_go, gone) = oneshot::channel();
    let places = Query::update()
        .table(Alias::new("conversations"))
        .value(Alias::new("last_position"), 3)
        .and_where(Expr::col(Alias::new("id")).eq(id))
        .to_owned();
    let copied = ["user_id", "run_id", "event_id", "kind", "created_at"];
    let mut select = Query::select();
    select.exprs([Expr::val(id), Expr::val(3), Expr::val(Uuid::now_v7()), Expr::val(body.to_string())]);
    select.columns(copied.map(Alias::new)).from(Alias::new("items"));
    select.and_where(Expr::col(Alias::new("conversation_id")).eq(id));
    select.and_where(Expr::col(Alias::new("position")).eq(1));
    let columns = [&["conversation_id", "position", "id", "body"][..], &copied].concat().into_iter();
    let mut item = Query::insert();
    item.into_table(Alias::new("items")).columns(columns.map(Alias::new)).select_from(select).unwrap();
    let db = Db::open(&place.url, 2);
    let writing = tokio::spawn(async move {
        let unit = db.write(move |tx| {
            Box::pin(async move {
                tx.execute(&places).await?;
                tx.execute(&item).await?;
                is_held.send(()).unwrap();
                gone.await.unwrap();
                Ok::<_, DbError>(())
            })
        });
        unit.await.unwrap();
        db.close().await;
    });
    soon("the conversation is held", held).await.unwrap();
    (let_go, async move { soon("it is let go", writing).await.unwrap() })
}

/// Returns the last line of each message that was sent, but not of the instructions.
fn said(request: &Value) -> Vec<&str> {
    let messages = request["messages"].as_array().unwrap().iter().skip(1);
    messages.map(|message| message["content"].as_str().unwrap().lines().next_back().unwrap()).collect()
}

on_both! { migrations();
    async fn a_question_that_went_ahead_of_another_turn_is_asked_again_and_nobody_hears_of_the_first(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::text(["One."]));
        let conversation = conversation_of(&service.say("ada", "first", None).await.rest().await);
        let (let_go, is_gone) = held_back(&place, &conversation, "from elsewhere").await;
        provider.then(Answer::text(["Too ", "early."])).then(Answer::text(["In ", "time."]));
        let (url, body) = ("/api/ada/chat", json!({"message": "second", "conversation_id": conversation}));
        let posting = service.post(url, body);
        let asked = eventually("the question went ahead", || async {
            let requests = provider.requests();
            (requests.len() == 2).then_some(requests)
        });
        let go_on = async {
            let asked = asked.await;
            let_go.send(()).unwrap();
            is_gone.await;
            asked
        };
        let (response, asked) = tokio::join!(posting, go_on);
        assert_eq!(said(&asked[1]), ["first", "One.", "second"]);
        let events = Turn::of(response.unwrap()).rest().await;
        assert_eq!(text(&events), "In time.");
        assert_eq!(
            names(&events),
            ["run.created", "message.delta", "message.completed", "run.completed"]
        );
        let again = provider.requests().pop().unwrap();
        assert!(again.to_string().contains("from elsewhere"), "{again}");
        assert_eq!(provider.requests().len(), 3);
        assert_eq!(data(&events, "run.completed")["usage"]["model_calls"], 2, "both were paid for");
    }

    async fn a_question_about_a_turn_that_is_refused_is_dropped_and_leaves_nothing(place: Place) {
        let provider = Provider::start().await;
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::text(["One."]));
        let conversation = conversation_of(&service.say("ada", "first", None).await.rest().await);
        let (let_go, is_gone) = held_back(&place, &conversation, "from elsewhere").await;
        provider.otherwise(Answer::text(["Nobody hears this."]));
        let body = json!({"message": "second", "conversation_id": conversation});
        let response = service.post("/api/ada/chat", body).await.unwrap();
        assert_eq!(response.status(), 503, "it waits for the lock, and not for ever");
        assert_eq!(provider.requests().len(), 2, "it went ahead");
        let_go.send(()).unwrap();
        is_gone.await;
        let items = service.read(&format!("/api/ada/conversations/{conversation}/messages")).await;
        assert_eq!(items["data"].as_array().unwrap().len(), 3, "{items}");
        let read = service.read(&format!("/api/ada/conversations/{conversation}")).await;
        assert_eq!(read["active_run_id"], Value::Null);
    }
}
