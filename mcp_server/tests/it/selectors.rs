//! Which task a text means.

use parlor_db::on_both;
use parlor_tasks::{
    store::StoreError,
    task::{Change, Selector},
};

use crate::shop::{Ada, all_migrations, complete};

/// What a text leads to.
#[derive(Debug, PartialEq)]
enum Found {
    One(i64),
    Several(Vec<i64>),
    None,
}

async fn find(ada: &Ada, text: &str) -> Found {
    match ada.tries(complete(Selector::Title(text.to_owned()))).await {
        Ok(task) => Found::One(task.number),
        Err(StoreError::AmbiguousTitle { candidates, .. }) => {
            Found::Several(candidates.tasks.iter().map(|(number, _)| *number).collect())
        }
        Err(StoreError::TaskNotFound(_)) => Found::None,
        Err(other) => panic!("{other}"),
    }
}

on_both! { all_migrations();
    async fn an_exact_title_wins_over_one_in_another_case_and_that_over_a_part(place: Place) {
        let ada = Ada::at(&place);
        ada.adds(&["Milk", "milk", "Buy milk", "Call Ünal", "50% off", "500 off", "a_b", "axb"]).await;
        for (text, found) in [
            ("Milk", Found::One(1)),
            ("milk", Found::One(2)),
            ("MILK", Found::Several(vec![1, 2])),
            ("buy", Found::One(3)),
            ("BUY MILK", Found::One(3)),
            ("mil", Found::Several(vec![1, 2, 3])),
            ("üNAL", Found::One(4)),
            ("50%", Found::One(5)),
            ("50", Found::Several(vec![5, 6])),
            ("a_", Found::One(7)),
            ("%", Found::One(5)),
            ("cheese", Found::None),
        ] {
            assert_eq!(find(&ada, text).await, found, "{text}");
        }
    }

    async fn completed_tasks_are_found_and_deleted_ones_are_not(place: Place) {
        let ada = Ada::at(&place);
        ada.adds(&["Buy milk", "Buy bread"]).await;
        ada.does(complete(Selector::Number(1))).await;
        assert_eq!(find(&ada, "buy").await, Found::Several(vec![1, 2]));
        ada.does(Change::Delete(Selector::Number(1))).await;
        assert_eq!(find(&ada, "buy").await, Found::One(2));
        assert_eq!(find(&ada, "Buy milk").await, Found::None);
    }

    async fn an_ambiguous_text_is_told_with_the_first_numbers(place: Place) {
        let ada = Ada::at(&place);
        let titles: Vec<String> = (1..=12).map(|n| format!("same {n}")).collect();
        for title in &titles {
            ada.adds(&[title]).await;
        }
        let error = ada.tries(complete(Selector::Title("same".into()))).await.unwrap_err().to_string();
        assert!(error.starts_with("tasks 1 (same 1), 2 (same 2)"), "{error}");
        assert!(error.contains("10 (same 10) and more match `same`"), "{error}");
    }
}
