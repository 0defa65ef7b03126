//! What every answer says to a browser that opens it by itself: it is data, not a page.

use super::*;

/// What is on every answer, a refusal no less than an answer.
const ALWAYS: [(&str, &str); 4] = [
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
];

/// Fails unless an answer has each of the headers once, and says whether it may be kept. A page brings its own policy.
fn assert_guarded(answer: &Response, is_page: bool, what: &str) {
    for (name, value) in ALWAYS {
        let mut found = answer.headers().get_all(name).iter();
        let first = found.next().unwrap_or_else(|| panic!("{what}: no {name}"));
        assert!(is_page || first == value, "{what}: {name} is {first:?}");
        assert_eq!(found.next(), None, "{what}: {name}");
    }
    assert!(answer.headers().contains_key("cache-control"), "{what}");
}

on_both! { migrations();
    async fn every_route_says_that_its_answer_is_no_page(place: Place) {
        let app = start(&place).await;
        let ids = made_by(&app, "ada").await;
        for case in cases() {
            let (path, name) = (ids.path(case.route, "ada"), format!("{:?}", case.route));
            let is_page = !path.starts_with("/api/") && !path.starts_with("/health/");
            app.model.then(says(["Hello"]));
            for token in [None, Some(token("bob")), Some(token("ada"))] {
                let answer = send(&app, &case, &path, token.as_deref()).await;
                assert_guarded(&answer, is_page, &name);
            }
        }
    }

    async fn whatever_is_refused_is_no_page_either(place: Place) {
        let settings = [("ALLOWED_HOSTS", "localhost,127.0.0.1"), ("AUTH_MODE", "jwt"), ("JWT_SECRET", SECRET)];
        let app = TestApp::start_with(&place, &settings).await;
        let bearer = format!("Bearer {}", token("ada"));
        let (authorization, json) = (("authorization", bearer.as_str()), ("content-type", "application/json"));
        let origin = [("origin", "https://evil.example"), ("access-control-request-method", "GET")];
        let large = "x".repeat(300_000);
        let (nothing, known, posted) = (&[][..], &[authorization][..], &[authorization, json][..]);
        let table = [
            (Method::GET, "/nowhere", nothing, "", 404),
            (Method::PUT, "/api/ada/tasks", nothing, "", 405),
            (Method::GET, "/health/live", &[("host", "evil.example")], "", 421),
            (Method::OPTIONS, "/api/ada/tasks", &origin, "", 204),
            (Method::POST, "/api/ada/chat", known, "{}", 415),
            (Method::POST, "/api/ada/chat", posted, "{", 400),
            (Method::POST, "/api/ada/chat", posted, "{}", 422),
            (Method::POST, "/api/ada/chat", posted, &large, 413),
            (Method::GET, "/api/ada/tasks/9", known, "", 404),
        ];
        for (method, path, headers, body, status) in table {
            let answer = app.send(method, path, headers, body.to_owned()).await;
            assert_eq!(answer.status(), status, "{path}");
            assert_guarded(&answer, false, path);
        }
    }
}
