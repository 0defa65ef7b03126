//! The description and its page, as they are served.

use parlor::http::description;
use parlor_db::on_both;
use reqwest::Method;
use serde_json::Value;

use crate::support::{
    app::{TestApp, problem},
    migrations,
};

on_both! { migrations();
    async fn the_description_is_served_and_not_sent_twice(place: Place) {
        let app = TestApp::start(&place).await;
        let first = app.get("/openapi.json").await;
        let tag = first.headers()["etag"].to_str().unwrap().to_owned();
        assert_eq!(first.headers()["content-type"], "application/json");
        assert_eq!(first.json::<Value>().await.unwrap(), description());
        for known in [tag.clone(), format!("\"x\", W/{tag}"), "*".into()] {
            let again = app.send(Method::GET, "/openapi.json", &[("if-none-match", known.as_str())], "").await;
            assert_eq!((again.status().as_u16(), again.headers()["etag"].to_str().unwrap()), (304, tag.as_str()));
            assert_eq!(again.text().await.unwrap(), "");
        }
        let other = app.send(Method::GET, "/openapi.json", &[("if-none-match", "\"x\"")], "").await;
        assert_eq!(other.status(), 200);
    }

    async fn the_page_consists_of_files_that_the_service_has(place: Place) {
        let app = TestApp::start(&place).await;
        let page = app.get("/docs").await;
        assert_eq!(page.headers()["content-type"], "text/html; charset=utf-8");
        let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
        let page = page.text().await.unwrap();
        let sources: Vec<&str> = ["src=\"", "href=\""]
            .iter()
            .flat_map(|before| page.split(before).skip(1).map(|rest| rest.split('"').next().unwrap()))
            .collect();
        assert_eq!(sources.len(), 4, "{sources:?}");
        for source in sources {
            let file = app.get(&format!("/{source}")).await;
            assert_eq!(file.status(), 200, "{source}");
            assert!(!file.bytes().await.unwrap().is_empty(), "{source}");
        }
    }

    async fn other_files_are_no_route(place: Place) {
        let app = TestApp::start(&place).await;
        for path in ["/docs/", "/docs/index.html", "/docs/../openapi.json/x", "/docs/%2e%2e%2fopenapi.json"] {
            let (status, code, _) = problem(app.get(path).await).await;
            assert_eq!((status, code.as_str()), (404, "no_such_route"), "{path}");
        }
    }
}
