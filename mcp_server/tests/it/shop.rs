//! What the tests say in one word: a store, a user, a change.

use std::time::Duration;

use parlor_db::{Db, Migrations, testing::Place};
use parlor_tasks::{
    identity::UserId,
    store::{StoreError, TaskStore, migrations},
    task::{Change, Description, Edit, Filter, NewTask, Page, Priority, Selector, Status, Task, Title},
};

/// No test waits longer for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(20);

pub(crate) fn all_migrations() -> Vec<Migrations> {
    vec![migrations()]
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).unwrap()
}

pub(crate) fn new(title: &str) -> Change {
    let title = Title::parse(title).unwrap();
    Change::Add(NewTask { title, description: Description::default(), priority: Priority::Medium })
}

pub(crate) fn complete(selector: Selector) -> Change {
    Change::Edit(selector, Edit { status: Some(Status::Completed), ..Edit::default() })
}

pub(crate) fn everything() -> Filter {
    Filter { status: None, priority: None, search: None, limit: 100, after: 0 }
}

/// A store with one user, whose every call must go well.
#[derive(Clone)]
pub(crate) struct Ada {
    pub(crate) store: TaskStore,
    pub(crate) id: UserId,
}

impl Ada {
    pub(crate) fn at(place: &Place) -> Self {
        Self { store: TaskStore::new(Db::open(&place.url, 8)), id: user("ada") }
    }

    pub(crate) async fn tries(&self, change: Change) -> Result<Task, StoreError> {
        tokio::time::timeout(LIMIT, self.store.change(&self.id, change, None)).await.unwrap()
    }

    pub(crate) async fn does(&self, change: Change) -> Task {
        self.tries(change).await.unwrap()
    }

    pub(crate) async fn adds(&self, titles: &[&str]) {
        for title in titles {
            self.does(new(title)).await;
        }
    }

    pub(crate) async fn page(&self, filter: Filter) -> Page {
        tokio::time::timeout(LIMIT, self.store.list(&self.id, &filter)).await.unwrap().unwrap()
    }

    pub(crate) async fn numbers(&self, filter: Filter) -> Vec<i64> {
        self.page(filter).await.tasks.iter().map(|task| task.number).collect()
    }
}
