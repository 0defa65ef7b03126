//! `/health/*`: whether the process lives, and whether it can do its work.

use parlor_db::on_both;
use serde_json::json;

use crate::support::{app::TestApp, migrations};

on_both! { migrations();
    async fn a_living_process_says_so(place: Place) {
        let app = TestApp::start(&place).await;
        assert_eq!(app.read("/health/live").await, json!({"status": "live"}));
    }

    async fn a_ready_service_names_every_part(place: Place) {
        let app = TestApp::start(&place).await;
        let expected = json!({
            "status": "ready",
            "parts": {
                "database": {"status": "ok", "detail": "reachable"},
                "migrations": {"status": "ok", "detail": "current"},
                "mcp:tasks": {"status": "ok", "detail": "up"},
                "model": {"status": "ok", "detail": "custom scripted"},
            },
        });
        assert_eq!(app.read("/health/ready").await, expected);
        assert!(app.model.asked().is_empty(), "health asks no provider");
    }
}
