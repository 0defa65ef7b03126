//! The page, as it is served. What it does is judged in a browser: `tests/clients/page`.

use parlor_db::on_both;
use reqwest::{Method, Response};

use crate::support::{
    app::{TestApp, problem},
    migrations,
};

/// What browsers send when somebody types an address.
const BROWSER: (&str, &str) = ("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8");

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

/// Lists what stands between two marks, each time.
fn between<'a>(text: &'a str, before: &'a str, after: char) -> impl Iterator<Item = &'a str> {
    text.split(before).skip(1).map(move |rest| rest.split(after).next().unwrap())
}

on_both! { migrations();
    async fn a_browser_gets_a_page_and_everybody_else_a_guide(place: Place) {
        let app = TestApp::start(&place).await;
        let page = app.send(Method::GET, "/", &[BROWSER], "").await;
        assert_eq!(header(&page, "content-type"), "text/html; charset=utf-8");
        assert!(header(&page, "vary").contains("accept"));
        let guide = app.get("/").await;
        assert_eq!(header(&guide, "content-type"), "text/plain; charset=utf-8");
        assert_ne!(header(&guide, "etag"), header(&page, "etag"));
        assert!(header(&guide, "vary").contains("accept"));
        let guide = guide.text().await.unwrap();
        assert!(guide.lines().count() == 10 && guide.contains("curl -N 127.0.0.1:"), "{guide}");
    }

    async fn the_page_and_its_modules_load_only_what_the_service_has(place: Place) {
        let app = TestApp::start(&place).await;
        for page in ["/", "/chatkit-demo"] {
            let page = app.send(Method::GET, page, &[BROWSER], "").await.text().await.unwrap();
            let links = between(&page, "src=\"", '"').chain(between(&page, "href=\"", '"'));
            let mut files: Vec<String> =
                links.filter_map(|link| link.strip_prefix("web/")).map(str::to_owned).collect();
            assert!(files.len() > 2, "{files:?}");
            let mut next = 0;
            while let Some(file) = files.get(next).cloned() {
                next += 1;
                let answer = app.get(&format!("/web/{file}")).await;
                assert_eq!(answer.status(), 200, "{file}");
                let text = answer.text().await.unwrap();
                for found in between(&text, "from \"./", '"') {
                    if !files.iter().any(|known| known == found) {
                        files.push(found.to_owned());
                    }
                }
            }
        }
    }

    async fn nothing_inline_and_nothing_from_elsewhere_may_run_in_the_page(place: Place) {
        let app = TestApp::start(&place).await;
        for path in ["/", "/web/main.js"] {
            let answer = app.send(Method::GET, path, &[BROWSER], "").await;
            let policy = header(&answer, "content-security-policy").to_owned();
            assert!(policy.starts_with("default-src 'none'; script-src 'self';"), "{policy}");
            assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        }
        let hosted = app.send(Method::GET, "/chatkit-demo", &[BROWSER], "").await;
        let policy = header(&hosted, "content-security-policy").to_owned();
        assert!(policy.contains("script-src 'self' https://cdn.platform.openai.com;"), "{policy}");
    }

    async fn what_a_browser_has_already_is_not_sent_again(place: Place) {
        let app = TestApp::start(&place).await;
        for path in ["/", "/chatkit-demo", "/web/style.css"] {
            let first = app.send(Method::GET, path, &[BROWSER], "").await;
            let tag = header(&first, "etag").to_owned();
            let again = app.send(Method::GET, path, &[BROWSER, ("if-none-match", &tag)], "").await;
            assert_eq!((again.status().as_u16(), header(&again, "etag")), (304, tag.as_str()), "{path}");
            assert_eq!(header(&again, "content-security-policy"), header(&first, "content-security-policy"));
            let other = app.send(Method::GET, path, &[BROWSER, ("if-none-match", "\"x\"")], "").await;
            assert_eq!(other.status(), 200, "{path}");
        }
    }

    async fn other_files_are_no_route(place: Place) {
        let app = TestApp::start(&place).await;
        for path in ["/web/", "/web/index.html", "/web/x.js", "/web/%2e%2e%2fCargo.toml"] {
            let (status, code, _) = problem(app.get(path).await).await;
            assert_eq!((status, code.as_str()), (404, "no_such_route"), "{path}");
        }
    }
}
