//! One effect per call key, however often and however at once the call comes.

use futures_util::future::join_all;
use parlor_db::on_both;
use parlor_tasks::{
    identity::CallKey,
    store::{ArgumentsHash, Mark, StoreError},
    task::{Change, Selector, Task},
};
use serde_json::json;
use uuid::Uuid;

use crate::shop::{Ada, LIMIT, all_migrations, complete, everything, new, user};

fn mark(key: CallKey, tool: &'static str, title: &str) -> Mark {
    let arguments = json!({ "title": title });
    Mark { key, tool, arguments: ArgumentsHash::of(arguments.as_object().unwrap()) }
}

fn key() -> CallKey {
    CallKey::parse(&Uuid::now_v7().to_string()).unwrap()
}

async fn keyed(ada: &Ada, change: Change, mark: Mark) -> Result<Task, StoreError> {
    tokio::time::timeout(LIMIT, ada.store.change(&ada.id, change, Some(mark))).await.unwrap()
}

on_both! { all_migrations();
    async fn a_key_that_comes_three_times_has_one_effect_and_one_result(place: Place) {
        let ada = Ada::at(&place);
        let key = key();
        let first = keyed(&ada, new("milk"), mark(key, "add_task", "milk")).await.unwrap();
        // The stored result is returned, not the task as it has become.
        ada.does(complete(Selector::Number(1))).await;
        for _ in 0..2 {
            let again = keyed(&ada, new("milk"), mark(key, "add_task", "milk")).await.unwrap();
            assert_eq!(again, first);
        }
        assert_eq!(ada.numbers(everything()).await, [1]);
    }

    async fn a_key_is_no_good_for_other_arguments_or_another_tool(place: Place) {
        let ada = Ada::at(&place);
        let key = key();
        keyed(&ada, new("milk"), mark(key, "add_task", "milk")).await.unwrap();
        for other in [mark(key, "add_task", "bread"), mark(key, "update_task", "milk")] {
            let refused = keyed(&ada, new("bread"), other).await;
            assert!(matches!(refused, Err(StoreError::CallKeyReused)));
        }
        assert_eq!(ada.numbers(everything()).await, [1]);
    }

    async fn a_key_belongs_to_its_user(place: Place) {
        let ada = Ada::at(&place);
        let bob = Ada { id: user("bob"), ..ada.clone() };
        let key = key();
        keyed(&ada, new("milk"), mark(key, "add_task", "milk")).await.unwrap();
        let his = keyed(&bob, new("beer"), mark(key, "add_task", "beer")).await.unwrap();
        assert_eq!((his.number, his.title.as_str()), (1, "beer"));
    }

    async fn a_call_that_failed_leaves_its_key_free(place: Place) {
        let ada = Ada::at(&place);
        let key = key();
        let call = || keyed(&ada, complete(Selector::Number(1)), mark(key, "complete_task", ""));
        assert!(matches!(call().await, Err(StoreError::TaskNotFound(_))));
        ada.adds(&["milk"]).await;
        let done = call().await.unwrap();
        assert_eq!(call().await.unwrap(), done);
    }

    async fn a_repeated_deletion_tells_the_same_and_deletes_nothing_more(place: Place) {
        let ada = Ada::at(&place);
        ada.adds(&["milk", "oat milk"]).await;
        let key = key();
        let delete = || keyed(&ada, Change::Delete(Selector::Title("milk".into())), mark(key, "delete_task", ""));
        assert_eq!(delete().await.unwrap(), delete().await.unwrap());
        assert_eq!(ada.numbers(everything()).await, [2]);
    }

    async fn sixteen_calls_with_one_key_at_once_have_one_effect(place: Place) {
        let ada = Ada::at(&place);
        // A second store on the same database stands for a second process.
        let other = Ada::at(&place);
        for round in 1..=5_i64 {
            let key = key();
            let calls = (0..16).map(|n| {
                let caller = if n % 2 == 0 { ada.clone() } else { other.clone() };
                tokio::spawn(async move { keyed(&caller, new("milk"), mark(key, "add_task", "milk")).await })
            });
            let results: Vec<Task> =
                join_all(calls).await.into_iter().map(|call| call.unwrap().unwrap()).collect();
            assert!(results.iter().all(|task| *task == results[0]));
            assert_eq!(ada.page(everything()).await.total, round);
        }
    }
}
