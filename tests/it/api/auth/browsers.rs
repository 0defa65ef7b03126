//! What browsers are told about pages of other origins (CORS).

use super::*;

const PAGE: &str = "https://app.example";

async fn preflight(app: &TestApp, path: &str, origin: &str) -> Response {
    let headers = [("origin", origin), ("access-control-request-method", "POST")];
    app.send(Method::OPTIONS, path, &headers, "").await
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

on_both! { migrations();
    async fn a_page_that_is_named_may_use_every_route(place: Place) {
        let settings = [("AUTH_MODE", "jwt"), ("JWT_SECRET", SECRET), ("CORS_ALLOWED_ORIGINS", PAGE)];
        let app = TestApp::start_with(&place, &settings).await;
        let ids = Ids::absent();
        for case in cases() {
            let answer = preflight(&app, &ids.path(case.route, "ada"), PAGE).await;
            assert_eq!(answer.status(), 204);
            assert_eq!(header(&answer, "access-control-allow-origin"), Some(PAGE));
            assert_eq!(header(&answer, "access-control-allow-methods"), Some("GET, POST, PATCH, DELETE"));
            assert_eq!(
                header(&answer, "access-control-allow-headers"),
                Some("authorization, content-type, idempotency-key, last-event-id, x-request-id, accept, \
                 chatkit-frame-instance-id, x-user-id, x-parlor-on-disconnect")
            );
            assert_eq!(header(&answer, "access-control-allow-credentials"), None);
            assert_eq!(header(&answer, "vary"), Some("origin"));
        }
        let answer = app.send(Method::GET, "/api/ada/tasks", &[("origin", PAGE)], "").await;
        assert_eq!(answer.status(), 401);
        assert_eq!(header(&answer, "access-control-allow-origin"), Some(PAGE), "a page can read why");
        assert_eq!(
            header(&answer, "access-control-expose-headers"),
            Some("x-run-id, x-conversation-id, x-request-id, location, idempotent-replayed, retry-after")
        );
    }

    async fn a_page_that_is_not_named_gets_answers_that_its_browser_hides(place: Place) {
        let app = start(&place).await;
        let bearer = format!("Bearer {}", token("ada"));
        for origin in ["https://evil.example", "null", "http://localhost:3000"] {
            let headers = [("origin", origin), ("authorization", bearer.as_str())];
            let answer = app.send(Method::GET, "/api/ada/tasks", &headers, "").await;
            assert_eq!((answer.status().as_u16(), header(&answer, "vary")), (200, Some("origin")));
            assert_eq!(header(&answer, "access-control-allow-origin"), None);
            let answer = preflight(&app, "/api/ada/chat", origin).await;
            assert_eq!(answer.status(), 204);
            assert_eq!(header(&answer, "access-control-allow-origin"), None);
            assert_eq!(header(&answer, "access-control-allow-headers"), None);
        }
    }

    async fn without_tokens_pages_of_this_machine_are_let_in_and_others_refused(place: Place) {
        let app = TestApp::start(&place).await;
        let answer = preflight(&app, "/api/ada/chat", "http://localhost:3000").await;
        assert_eq!(answer.status(), 204);
        assert_eq!(header(&answer, "access-control-allow-origin"), Some("http://localhost:3000"));
        assert_eq!(preflight(&app, "/api/ada/chat", "https://evil.example").await.status(), 403);
    }
}
