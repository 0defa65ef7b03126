//! The list of conversations, page by page.

use parlor_db::on_both;
use serde_json::{Value, json};

use super::made;
use crate::support::{
    app::{TestApp, problem},
    migrations,
};

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

on_both! { migrations();
    async fn a_walk_over_all_pages_meets_each_once_whatever_is_added_meanwhile(place: Place) {
        let app = TestApp::start(&place).await;
        let mut expected = Vec::new();
        for at in 0..60 {
            let conversation = made(&app, "ada", json!({"title": format!("Number {at}")})).await;
            expected.insert(0, conversation["id"].as_str().unwrap().to_owned());
            if at % 10 == 0 {
                made(&app, "bob", json!({})).await;
            }
        }
        let (mut met, mut path) = (Vec::new(), "/api/ada/conversations?limit=7".to_owned());
        loop {
            let page = app.read(&path).await;
            assert!(ids(&page).len() <= 7);
            met.extend(ids(&page));
            made(&app, "ada", json!({"title": "added meanwhile"})).await;
            let Some(cursor) = page["next_cursor"].as_str() else { break };
            path = format!("/api/ada/conversations?limit=7&cursor={cursor}");
        }
        assert_eq!(met, expected);
    }

    async fn the_last_page_has_no_cursor(place: Place) {
        let app = TestApp::start(&place).await;
        for _ in 0..21 {
            made(&app, "ada", json!({})).await;
        }
        let first = app.read("/api/ada/conversations").await;
        assert_eq!(ids(&first).len(), 20, "twenty is the default");
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = app.read(&format!("/api/ada/conversations?cursor={cursor}")).await;
        assert_eq!((ids(&second).len(), &second["next_cursor"]), (1, &json!(null)));
        let whole = app.read("/api/ada/conversations?limit=21").await;
        assert_eq!((ids(&whole).len(), &whole["next_cursor"]), (21, &json!(null)));
    }

    async fn limits_and_cursors_that_are_none_are_named(place: Place) {
        let app = TestApp::start(&place).await;
        let table = [
            ("limit=0", "limit"),
            ("limit=101", "limit"),
            ("limit=-1", "limit"),
            ("limit=ten", "limit"),
            ("limit=99999999999999999999", "limit"),
            ("cursor=x", "cursor"),
            ("cursor=17", "cursor"),
            ("cursor=%27%20OR%201=1--", "cursor"),
            ("limit=5%00", "query"),
        ];
        for (query, field) in table {
            let (status, _, body) = problem(app.get(&format!("/api/ada/conversations?{query}")).await).await;
            assert_eq!((status, &body["errors"][0]["field"]), (422, &json!(field)), "{query}");
        }
        let (status, code, _) = problem(app.get("/api/ada/conversations?cursor=%zz").await).await;
        assert_eq!((status, code.as_str()), (400, "malformed_request"));
        assert_eq!(app.get("/api/ada/conversations?limit=100&colour=blue").await.status(), 200);
    }
}
