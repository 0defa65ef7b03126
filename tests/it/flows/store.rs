//! The store, asked directly: by the wrong user, by the wrong attempt, too late, and by two at once. The rooms above
//! it refuse most of this first, so no story about them would notice if the store did not.

use std::{sync::Arc, time::Duration};

use parlor::{
    clock::Clock,
    domain::{
        CallId, CallStatus, ConversationId, Event, EventId, ItemId, ModelIdentity, Reply, Run, RunId,
        RunStatus, ToolCall, ToolChoice, ToolResult, Usage, UserId, UserMessage,
    },
    store::{
        Accept, AcceptError, Ending, Hold, ItemPage, NewRun, Partial, Place as Where, Refusal, Store,
        StoreError,
    },
};
use parlor_db::{Db, DbError, on_both, testing::Place};
use sea_query::{Alias, Expr, ExprTrait, Query};
use serde_json::{Map, json};
use tokio::{sync::oneshot, task::JoinHandle, time::timeout};

use crate::support::{
    app::{self, TestApp},
    eventually, migrations,
    script::says,
    soon,
};

/// How long something that must wait is watched.
const WATCHED: Duration = Duration::from_millis(300);

const WHOLE: ItemPage = ItemPage { roles: Vec::new(), after: None, newest_first: false, limit: 100 };

fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

fn store(place: &Place) -> Store {
    Store::new(Db::open(&place.url, 4), Clock::system())
}

fn turn(by: &str, conversation: Where) -> Accept {
    Accept {
        user: user(by),
        conversation,
        message: UserMessage { text: "hi".into(), context: String::new() },
        message_id: ItemId::new(),
        run: NewRun {
            id: RunId::new(),
            first_message: ItemId::new(),
            model: ModelIdentity { provider: "custom".into(), model: "scripted".into() },
            tool_choice: ToolChoice::Auto,
            owner: "a test".into(),
        },
        key: None,
    }
}

/// Starts a run of Ada's.
async fn started(store: &Store) -> Hold {
    let turn = turn("ada", Where::New(ConversationId::new()));
    let accepted = store.accept(turn.clone()).await.unwrap();
    Hold { run: turn.run.id, user: turn.user, conversation: accepted.conversation, attempt: 1 }
}

/// Makes a run belong to the process that another one belongs to.
async fn adopt(place: &Place, run: RunId, like: RunId) {
    let db = Db::open(&place.url, 2);
    let (runs, id, owner) = (Alias::new("runs"), Alias::new("id"), Alias::new("owner"));
    let select = Query::select()
        .column(owner.clone())
        .from(runs.clone())
        .and_where(Expr::col(id.clone()).eq(like.uuid()))
        .to_owned();
    let (name,): (String,) = db.find(&select).await.unwrap().unwrap();
    let update =
        Query::update().table(runs).value(owner, name).and_where(Expr::col(id).eq(run.uuid())).to_owned();
    let done: Result<u64, DbError> =
        db.write(move |tx| Box::pin(async move { tx.execute(&update).await })).await;
    assert_eq!(done.unwrap(), 1);
    db.close().await;
}

/// Stores a reply that asks for one call, and returns the call.
async fn asked(store: &Store, hold: &Hold) -> ToolCall {
    let (call, reply) = asking();
    store.record_reply(hold, 1.into(), ItemId::new(), reply, Usage::default(), ItemId::new()).await.unwrap();
    call
}

fn asking() -> (ToolCall, Reply) {
    let call = ToolCall {
        id: CallId::new(),
        provider_id: "call_1".into(),
        server: "tasks".into(),
        name: "list_tasks".into(),
        arguments: Map::new(),
        unparsed: None,
        provider_meta: None,
    };
    (call.clone(), Reply { calls: vec![call], ..Reply::of_text("") })
}

fn ending(hold: &Hold) -> Ending {
    Ending {
        run: hold.run,
        user: hold.user.clone(),
        conversation: hold.conversation,
        attempt: hold.attempt,
        ends_as_attempt: hold.attempt,
        next_event: 2.into(),
        status: RunStatus::Completed,
        failure: None,
        reply: None,
        context_start: None,
        usage: Usage::default(),
        first_delta_at: None,
    }
}

async fn run_of(store: &Store, hold: &Hold) -> Run {
    store.find_run(&hold.user, hold.run).await.unwrap().unwrap()
}

/// Tries every step and the end of a run and returns what was not refused.
async fn not_refused(store: &Store, hold: &Hold, call: &ToolCall) -> Vec<&'static str> {
    let answer = ToolResult::without_output(call, CallStatus::Ok, "Done.");
    let (_, reply) = asking();
    let tried = [
        (
            "reply",
            store.record_reply(hold, 9.into(), ItemId::new(), reply, Usage::default(), ItemId::new()).await,
        ),
        ("start", store.start_call(hold, 9.into(), call.id).await),
        ("settle", store.settle_call(hold, 9.into(), answer).await),
        ("end", store.end_run(ending(hold)).await.map(drop)),
    ];
    tried
        .into_iter()
        .filter(|(_, done)| !matches!(done, Err(StoreError::Fenced)))
        .map(|(name, _)| name)
        .collect()
}

/// Writes in a conversation, as another process would, until it is told to go on; then a step of its own is stored
/// under the given id.
async fn writes_slowly(place: &Place, hold: &Hold, event: i64) -> (oneshot::Sender<()>, JoinHandle<()>) {
    let (began, begin) = oneshot::channel();
    let (go_on, going_on) = oneshot::channel::<()>();
    let (db, conversation, run) = (Db::open(&place.url, 2), hold.conversation.uuid(), hold.run.uuid());
    let by_id = |table: &'static str, column: &'static str, value: Expr, id: uuid::Uuid| {
        let mut update = Query::update();
        update.table(Alias::new(table)).value(Alias::new(column), value);
        update.and_where(Expr::col(Alias::new("id")).eq(id)).to_owned()
    };
    let take = by_id("conversations", "last_position", Expr::col(Alias::new("last_position")), conversation);
    let step = by_id("runs", "last_event_id", event.into(), run);
    let writing = tokio::spawn(async move {
        let unit = db.write(move |tx| {
            Box::pin(async move {
                tx.execute(&take).await?;
                began.send(()).unwrap();
                going_on.await.unwrap();
                tx.execute(&step).await?;
                Ok::<_, DbError>(())
            })
        });
        unit.await.unwrap();
        db.close().await;
    });
    soon("the other one writes", begin).await.unwrap();
    (go_on, writing)
}

/// Reads where every call stands.
async fn ledger(place: &Place) -> Vec<String> {
    let db = Db::open(&place.url, 2);
    let states = Query::select().column(Alias::new("state")).from(Alias::new("tool_calls")).to_owned();
    let found: Vec<(String,)> = db.all(&states).await.unwrap();
    db.close().await;
    found.into_iter().map(|(state,)| state).collect()
}

on_both! { migrations();
    async fn a_foreign_user_finds_nothing_whichever_way_they_ask(place: Place) {
        let (store, bob) = (store(&place), user("bob"));
        let hold = started(&store).await;
        asked(&store, &hold).await;
        store.end_run(ending(&hold)).await.unwrap();
        let run = run_of(&store, &hold).await;
        assert!(store.find_run(&bob, hold.run).await.unwrap().is_none());
        assert!(store.find_accepted(&bob, hold.run).await.unwrap().is_none());
        assert_eq!(store.items(&bob, hold.conversation, &WHOLE).await.unwrap(), []);
        assert_eq!(store.items_of_run(&bob, hold.run).await.unwrap(), []);
        let told = store.replay(&bob, &run).await.unwrap();
        assert!(matches!(told.as_slice(), [(_, Event::Ended(_))]), "what the run itself says, and nothing else: {told:?}");
        let refused = store.accept(turn("bob", Where::In(hold.conversation))).await;
        assert!(matches!(refused, Err(AcceptError::Refused(Refusal::NoSuchConversation))));
        assert_eq!(store.items(&hold.user, hold.conversation, &WHOLE).await.unwrap().len(), 3);
    }

    async fn of_two_processes_one_gets_the_conversation(place: Place) {
        let (here, there) = (store(&place), store(&place));
        let hold = started(&here).await;
        here.end_run(ending(&hold)).await.unwrap();
        let (one, two) = (turn("ada", Where::In(hold.conversation)), turn("ada", Where::In(hold.conversation)));
        let runs = [one.run.id, two.run.id];
        let refused = match tokio::join!(here.accept(one), there.accept(two)) {
            (Ok(_), Err(AcceptError::Refused(refusal))) => (refusal, runs[0]),
            (Err(AcceptError::Refused(refusal)), Ok(_)) => (refusal, runs[1]),
            neither => panic!("one is accepted, the other refused: {neither:?}"),
        };
        assert_eq!(refused.0, Refusal::Busy { active: refused.1 });
    }

    async fn an_attempt_that_lost_its_run_can_write_nothing(place: Place) {
        let store = store(&place);
        let hold = started(&store).await;
        let call = asked(&store, &hold).await;
        let before = (run_of(&store, &hold).await, store.items(&hold.user, hold.conversation, &WHOLE).await.unwrap());
        for attempt in [0, 2] {
            let other = Hold { attempt, ..hold.clone() };
            assert_eq!(not_refused(&store, &other, &call).await, [""; 0], "attempt {attempt}");
        }
        let after = (run_of(&store, &hold).await, store.items(&hold.user, hold.conversation, &WHOLE).await.unwrap());
        assert_eq!(after, before);
    }

    async fn a_run_that_is_over_is_never_written_again(place: Place) {
        let store = store(&place);
        let hold = started(&store).await;
        let call = asked(&store, &hold).await;
        store.end_run(ending(&hold)).await.unwrap();
        let before = (run_of(&store, &hold).await, store.items(&hold.user, hold.conversation, &WHOLE).await.unwrap());
        assert_eq!(not_refused(&store, &hold, &call).await, [""; 0]);
        let late = Partial { message: ItemId::new(), text: "late".into() };
        store.checkpoint(&hold, before.0.last_event_id, late, Some(before.0.created_at)).await.unwrap();
        let after = (run_of(&store, &hold).await, store.items(&hold.user, hold.conversation, &WHOLE).await.unwrap());
        assert_eq!(after, before);
    }

    async fn a_save_that_comes_after_a_step_does_not_undo_it(place: Place) {
        let store = store(&place);
        let hold = started(&store).await;
        let late = Partial { message: ItemId::new(), text: "before the call".into() };
        let (_, reply) = asking();
        store.record_reply(&hold, 2.into(), late.message, reply, Usage::default(), ItemId::new()).await.unwrap();
        store.checkpoint(&hold, 1.into(), late.clone(), None).await.unwrap();
        assert_eq!(store.find_open_run(hold.run).await.unwrap().unwrap().partial(), None);
        store.checkpoint(&hold, 2.into(), late.clone(), None).await.unwrap();
        assert_eq!(store.find_open_run(hold.run).await.unwrap().unwrap().partial(), Some(late));
    }

    async fn of_two_who_take_a_run_over_one_gets_it_and_the_attempt_before_writes_no_more(place: Place) {
        let store = store(&place);
        let hold = started(&store).await;
        let call = asked(&store, &hold).await;
        store.start_call(&hold, 2.into(), call.id).await.unwrap();
        let open = store.find_open_run(hold.run).await.unwrap().unwrap();
        let (one, two) =
            tokio::join!(store.take_over(open.clone(), "one".into()), store.take_over(open, "two".into()));
        let (taken, refused) = if one.is_ok() { (one, two) } else { (two, one) };
        assert!(matches!(refused, Err(StoreError::Fenced)));
        let taken = taken.unwrap();
        assert_eq!((taken.hold.attempt, taken.in_doubt), (2, vec![call.id]));
        assert_eq!(not_refused(&store, &hold, &call).await, [""; 0]);
        let answer = ToolResult::without_output(&call, CallStatus::Ok, "Done.");
        store.settle_call(&taken.hold, 10_000_001.into(), answer).await.unwrap();
    }

    async fn a_wish_to_cancel_is_kept_for_a_run_that_nobody_here_runs(place: Place) {
        let app = TestApp::start(&place).await;
        let store = store(&place);
        let hold = started(&store).await;
        let answer = app.post(&format!("/api/ada/runs/{}/cancel", hold.run), json!({})).await;
        assert_eq!(answer.status(), 200);
        assert!(store.find_open_run(hold.run).await.unwrap().unwrap().is_cancelled);
        let foreign = app.post(&format!("/api/bob/runs/{}/cancel", hold.run), json!({})).await;
        assert_eq!(foreign.status(), 404);
    }

    async fn a_run_that_lost_its_task_ends_as_its_user_wished(place: Place) {
        let app = TestApp::start(&place).await;
        app.model.then(says(["Hello"]));
        let of_the_app: RunId = app::run_of(&app.ask("ada", "hi").await).parse().unwrap();
        let store = store(&place);
        let hold = started(&store).await;
        store.request_cancel(&hold.user, hold.run).await.unwrap();
        adopt(&place, hold.run, of_the_app).await;
        let ended = eventually("the reaper ends it", || async {
            let run = store.find_run(&hold.user, hold.run).await.unwrap().unwrap();
            run.status.is_final().then_some(run)
        });
        let ended = ended.await;
        assert_eq!((ended.status, ended.failure), (RunStatus::Cancelled, None));
    }

    async fn a_call_is_claimed_once(place: Place) {
        let store = store(&place);
        let hold = started(&store).await;
        let call = asked(&store, &hold).await;
        store.start_call(&hold, 2.into(), call.id).await.unwrap();
        assert!(matches!(store.start_call(&hold, 3.into(), call.id).await, Err(StoreError::Fenced)));
        assert_eq!(run_of(&store, &hold).await.last_event_id, EventId::from(2), "nothing of it is kept");
    }

    async fn the_end_of_a_run_answers_every_call_that_it_leaves_open(place: Place) {
        let store = store(&place);
        let hold = started(&store).await;
        let ((begun, _), (unreached, _)) = (asking(), asking());
        let reply = Reply { calls: vec![begun.clone(), unreached.clone()], ..Reply::of_text("") };
        store.record_reply(&hold, 1.into(), ItemId::new(), reply, Usage::default(), ItemId::new()).await.unwrap();
        store.start_call(&hold, 2.into(), begun.id).await.unwrap();
        let told = store.end_run(Ending { status: RunStatus::Cancelled, ..ending(&hold) }).await.unwrap();
        let answers: Vec<_> = told
            .iter()
            .filter_map(|(_, event)| match event {
                Event::ToolCompleted { result, .. } => Some((result.call_id, result.status)),
                _ => None,
            })
            .collect();
        assert_eq!(answers, [(begun.id, CallStatus::Unknown), (unreached.id, CallStatus::NotRun)]);
        let items = store.items(&hold.user, hold.conversation, &WHOLE).await.unwrap();
        let answered: Vec<CallId> = items.iter().filter_map(|recorded| recorded.item.answers()).collect();
        assert_eq!(answered, [begun.id, unreached.id]);
        assert_eq!(ledger(&place).await, ["settled", "settled"]);
    }

    async fn a_reply_that_is_stored_already_is_not_stored_again_at_the_end(place: Place) {
        let store = store(&place);
        let hold = started(&store).await;
        let (message, (_, reply)) = (ItemId::new(), asking());
        let reply = Reply { text: "Let me look.".into(), ..reply };
        store.record_reply(&hold, 2.into(), message, reply, Usage::default(), ItemId::new()).await.unwrap();
        // The answer to that commit was lost: the agent believes that the text was never stored.
        let unaware = Ending { reply: Some((message, Reply::cut_short("Let me look."))), ..ending(&hold) };
        let told = store.end_run(unaware).await.unwrap();
        assert!(told.iter().all(|(_, event)| !matches!(event, Event::MessageCompleted { .. })), "{told:?}");
        let items = store.items(&hold.user, hold.conversation, &WHOLE).await.unwrap();
        assert_eq!(items.iter().filter(|recorded| recorded.id == message).count(), 1);
    }

    async fn two_who_write_in_one_conversation_wait_for_each_other(place: Place) {
        let store = Arc::new(store(&place));
        let hold = started(&store).await;
        let call = asked(&store, &hold).await;
        let (go_on, writing) = writes_slowly(&place, &hold, 6).await;
        let mut step = std::pin::pin!(store.start_call(&hold, 7.into(), call.id));
        assert!(timeout(WATCHED, &mut step).await.is_err(), "a step waits");
        go_on.send(()).unwrap();
        soon("the step", step).await.unwrap();
        soon("the other one", writing).await.unwrap();

        let (go_on, writing) = writes_slowly(&place, &hold, 40).await;
        let mut end = std::pin::pin!(store.end_run(ending(&hold)));
        assert!(timeout(WATCHED, &mut end).await.is_err(), "the end waits");
        go_on.send(()).unwrap();
        let told = soon("the end", end).await.unwrap();
        soon("the other one", writing).await.unwrap();
        let ids: Vec<i64> = told.iter().map(|(id, _)| id.get()).collect();
        assert_eq!(ids, [41, 42], "what the other one stored is below all that is told now");
    }
}
