//! Tasks on real databases: numbers, lists, isolation, and texts that come back as they went in.

use chrono::{DateTime, Utc};
use futures_util::future::join_all;
use parlor_db::{DatabaseUrl, Db, on_both};
use parlor_tasks::{
    store::{StoreError, TaskStore},
    task::{Change, Description, Edit, Filter, NewTask, Priority, Selector, Status, Title},
};

use crate::shop::{Ada, all_migrations, complete, everything, new, user};

/// Texts that have broken somebody's software before.
const CORPUS: [&str; 16] = [
    "it's \"quoted\" `thrice`",
    "100% _done_ \\ !",
    "'; DROP TABLE tasks; --",
    "Robert'); DELETE FROM task_counters;--",
    "$1 ?1 :name @p1 {0} %s",
    "\u{202e}rtl override",
    "שלום עולם مرحبا",
    "👩\u{200d}👩\u{200d}👧\u{200d}👦 family",
    "e\u{301} is not \u{e9}",
    "Z\u{333}\u{332}a\u{333}lgo",
    "<script>alert(1)</script>",
    "{\"role\":\"system\",\"content\":\"obey\"}",
    "日本語のタスク",
    "\u{feff}byte order mark",
    "NULL",
    "../../etc/passwd",
];

on_both! { all_migrations();
    async fn numbers_count_from_one_for_each_user(place: Place) {
        let ada = Ada::at(&place);
        let bob = Ada { id: user("bob"), ..ada.clone() };
        assert_eq!(ada.does(new("a")).await.number, 1);
        assert_eq!(ada.does(new("b")).await.number, 2);
        assert_eq!(bob.does(new("c")).await.number, 1);
    }

    async fn the_number_of_a_deleted_task_is_never_given_again(place: Place) {
        let ada = Ada::at(&place);
        ada.adds(&["a", "b"]).await;
        ada.does(Change::Delete(Selector::Number(2))).await;
        assert_eq!(ada.does(new("c")).await.number, 3);
        let again = ada.tries(Change::Delete(Selector::Number(2))).await;
        assert!(matches!(again, Err(StoreError::TaskNotFound(Selector::Number(2)))));
    }

    async fn adding_at_once_gives_every_task_a_number_of_its_own_without_gaps(place: Place) {
        let ada = Ada::at(&place);
        let titles: Vec<String> = (0..64).map(|n| format!("task {n}")).collect();
        let added = join_all(titles.iter().map(|title| ada.does(new(title)))).await;
        let mut numbers: Vec<i64> = added.iter().map(|task| task.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=64).collect::<Vec<_>>());
    }

    async fn what_a_change_returns_is_what_a_list_shows(place: Place) {
        let ada = Ada::at(&place);
        let added = ada.does(new("Buy milk")).await;
        assert_eq!(ada.page(everything()).await.tasks, [added]);
        let done = ada.does(complete(Selector::Number(1))).await;
        assert_eq!(done.status, Status::Completed);
        assert_eq!(done.completed_at, Some(done.updated_at));
        assert_eq!(ada.does(complete(Selector::Number(1))).await, done);
        assert_eq!(ada.page(everything()).await.tasks, [done]);
    }

    async fn an_edit_changes_what_it_names_and_nothing_else(place: Place) {
        let ada = Ada::at(&place);
        ada.adds(&["Buy milk"]).await;
        let description = Some(Description::parse("two litres").unwrap());
        let before = ada.does(Change::Edit(Selector::Number(1), Edit { description, ..Edit::default() })).await;
        let edit = Edit { priority: Some(Priority::High), ..Edit::default() };
        let after = ada.does(Change::Edit(Selector::Number(1), edit)).await;
        assert_eq!(after.description.as_deref(), Some("two litres"));
        assert_eq!((after.title.as_str(), after.priority), ("Buy milk", Priority::High));
        assert!(after.updated_at >= before.updated_at);
        let none = Edit { description: Some(Description::default()), ..Edit::default() };
        assert_eq!(ada.does(Change::Edit(Selector::Number(1), none)).await.description, None);
    }

    async fn nobody_sees_or_changes_the_tasks_of_somebody_else(place: Place) {
        let ada = Ada::at(&place);
        let bob = Ada { id: user("bob"), ..ada.clone() };
        ada.adds(&["secret plan"]).await;
        assert_eq!(bob.page(everything()).await.tasks, []);
        let by = [Selector::Number(1), Selector::Title("secret".into())];
        for selector in by {
            for change in [complete(selector.clone()), Change::Delete(selector.clone())] {
                assert!(matches!(bob.tries(change).await, Err(StoreError::TaskNotFound(_))));
            }
        }
        assert_eq!(ada.page(everything()).await.tasks[0].status, Status::Pending);
    }

    async fn a_number_that_two_users_have_stands_for_the_task_of_whoever_calls(place: Place) {
        let ada = Ada::at(&place);
        let bob = Ada { id: user("bob"), ..ada.clone() };
        ada.adds(&["of ada"]).await;
        bob.adds(&["of bob"]).await;
        let before = bob.page(everything()).await;
        assert_eq!(ada.does(complete(Selector::Number(1))).await.title.as_str(), "of ada");
        assert_eq!(bob.page(everything()).await, before);
        ada.does(Change::Delete(Selector::Number(1))).await;
        assert_eq!(bob.page(everything()).await, before);
    }

    async fn a_list_can_be_narrowed_and_is_in_the_order_of_numbers(place: Place) {
        let ada = Ada::at(&place);
        ada.adds(&["Buy milk", "Call Zoë", "Buy bread", "Milk the cow"]).await;
        ada.does(complete(Selector::Number(3))).await;
        let high = Edit { priority: Some(Priority::High), ..Edit::default() };
        ada.does(Change::Edit(Selector::Number(4), high)).await;
        let search = |text: &str| Filter { search: Some(text.into()), ..everything() };
        assert_eq!(ada.numbers(everything()).await, [1, 2, 3, 4]);
        assert_eq!(ada.numbers(Filter { status: Some(Status::Pending), ..everything() }).await, [1, 2, 4]);
        assert_eq!(ada.numbers(Filter { status: Some(Status::Completed), ..everything() }).await, [3]);
        assert_eq!(ada.numbers(Filter { priority: Some(Priority::High), ..everything() }).await, [4]);
        assert_eq!(ada.numbers(search("MILK")).await, [1, 4]);
        assert_eq!(ada.numbers(search("zOË")).await, [2]);
        assert_eq!(ada.numbers(search("%")).await, Vec::<i64>::new());
        assert_eq!(ada.numbers(search("_")).await, Vec::<i64>::new());
    }

    async fn the_search_looks_at_descriptions_too(place: Place) {
        let ada = Ada::at(&place);
        let description = Description::parse("at the BÄCKER").unwrap();
        let title = Title::parse("Buy bread").unwrap();
        ada.does(Change::Add(NewTask { title, description, priority: Priority::Low })).await;
        ada.adds(&["Buy milk"]).await;
        assert_eq!(ada.numbers(Filter { search: Some("bäcker".into()), ..everything() }).await, [1]);
    }

    async fn pages_join_to_the_whole_list(place: Place) {
        let ada = Ada::at(&place);
        ada.adds(&["a", "b", "c", "d", "e"]).await;
        ada.does(Change::Delete(Selector::Number(2))).await;
        let mut seen = Vec::new();
        let mut after = Some(0);
        while let Some(from) = after {
            let page = ada.page(Filter { limit: 2, after: from, ..everything() }).await;
            assert_eq!(page.total, 4);
            assert!(page.tasks.len() <= 2);
            seen.extend(page.tasks.iter().map(|task| task.number));
            after = page.next_after;
        }
        assert_eq!(seen, [1, 3, 4, 5]);
    }

    async fn every_text_comes_back_byte_for_byte_and_harms_nothing(place: Place) {
        let ada = Ada::at(&place);
        for text in CORPUS {
            let title = Title::parse(text).unwrap();
            let description = Description::parse(text).unwrap();
            ada.does(Change::Add(NewTask { title, description, priority: Priority::Low })).await;
        }
        let stored = ada.page(everything()).await.tasks;
        for (task, text) in stored.iter().zip(CORPUS) {
            assert_eq!(task.title.as_bytes(), text.as_bytes());
            assert_eq!(task.description.as_deref(), Some(text));
            let found = ada.numbers(Filter { search: Some(text.into()), ..everything() }).await;
            assert_eq!(found, [task.number], "{text}");
            assert_eq!(ada.does(complete(Selector::Title(text.into()))).await.number, task.number, "{text}");
        }
        assert_eq!(stored.len(), CORPUS.len());
    }

    async fn times_come_from_the_clock_and_keep_their_microseconds(place: Place) {
        fn noon() -> DateTime<Utc> {
            DateTime::from_timestamp_micros(1_700_000_000_123_456).unwrap()
        }
        let ada = Ada { store: TaskStore::with_clock(Db::open(&place.url, 2), noon), ..Ada::at(&place) };
        ada.adds(&["milk"]).await;
        ada.does(complete(Selector::Number(1))).await;
        let task = &ada.page(everything()).await.tasks[0];
        assert_eq!([task.created_at, task.updated_at, task.completed_at.unwrap()], [noon(); 3]);
    }

    async fn sixteen_writers_at_once_never_meet_a_locked_database(place: Place) {
        let ada = Ada::at(&place);
        // A thousand writes each where a lock could be met; Postgres has none to meet, and a sync for each write.
        let rounds = match place.url {
            DatabaseUrl::Sqlite(_) => 500,
            DatabaseUrl::Postgres(_) => 20,
        };
        let writers = (0..16).map(|n| {
            let writer = Ada { id: user(&format!("user{n}")), ..ada.clone() };
            async move {
                for round in 1..=rounds {
                    assert_eq!(writer.does(new("x")).await.number, round);
                    writer.does(complete(Selector::Number(round))).await;
                }
            }
        });
        join_all(writers).await;
    }
}
