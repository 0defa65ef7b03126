//! `parlor health`: what watches a container learns by an exit code how the service is.

use parlor_db::{on_both, testing::Place};
use rustix::process::Signal;

use crate::support::{
    eventually, migrations,
    process::{Ended, Process, command, run_to_end},
    provider::{Act, Answer, Provider, finish, said},
    script::Gate,
};

/// Asks as the service's container would: with its settings.
async fn ask(place: &Place, port: u16, settings: &[(&str, &str)]) -> (Ended, String) {
    let port = port.to_string();
    let mut health = command(place, &[settings, &[("PORT", &port)]].concat());
    health.arg("health");
    run_to_end(health).await
}

fn port(service: &Process) -> u16 {
    service.base.rsplit_once(':').unwrap().1.parse().unwrap()
}

on_both! { migrations();
    async fn a_ready_service_is_healthy_whatever_it_listens_on_and_answers_to(place: Place) {
        let tokens = ("AUTH_MODE", "jwt");
        let secret = ("JWT_SECRET", "0123456789abcdef0123456789abcdef");
        let open = [("HOST", "0.0.0.0"), ("ALLOW_INSECURE_NO_AUTH", "true")];
        let named = [tokens, secret, ("ALLOWED_HOSTS", "chat.example.org")];
        for settings in [&open[..], &named] {
            let service = Process::start(&place, settings).await;
            let (ended, said) = ask(&place, port(&service), settings).await;
            assert_eq!((ended.code, said.contains(r#""status":"ready""#)), (Some(0), true), "{said}{}", ended.log);
            assert_eq!(service.terminate().await.code, Some(0));
        }
    }

    async fn a_service_that_drains_is_not_healthy(place: Place) {
        let (provider, gate) = (Provider::start().await, Gate::closed());
        let service = Process::start(&place, &provider.settings()).await;
        provider.then(Answer::acts([
            Act::Send(said("one ")), Act::Wait(gate.clone()), Act::Send(finish("stop")),
        ]));
        let mut turn = service.say("ada", "count", None).await;
        turn.until("message.delta").await;
        service.signal(Signal::TERM);
        let told = eventually("it is told", || async {
            let (ended, _) = ask(&place, port(&service), &provider.settings()).await;
            (ended.code != Some(0)).then_some(ended)
        }).await;
        assert_eq!((told.code, told.log.contains("not_ready")), (Some(1), true), "{}", told.log);
        gate.open();
        assert_eq!(service.ended().await.code, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_there_or_does_not_answer_is_not_healthy() {
    let place = Place::fresh(parlor_db::testing::Engine::Sqlite, migrations()).await.unwrap();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let (ended, _) = ask(&place, port, &[]).await;
    assert_eq!(
        (ended.code, ended.log.contains("/health/ready does not answer")),
        (Some(1), true),
        "{}",
        ended.log
    );
    drop(silent);
    let (ended, _) = ask(&place, port, &[]).await;
    assert_eq!(
        (ended.code, ended.log.contains("/health/ready does not answer")),
        (Some(1), true),
        "{}",
        ended.log
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_that_cannot_be_used_are_unhealthy_too() {
    let place = Place::fresh(parlor_db::testing::Engine::Sqlite, migrations()).await.unwrap();
    let (ended, _) = ask(&place, 1, &[("LLM_PROVIDER", "gemini")]).await;
    assert_eq!((ended.code, ended.log.contains("GEMINI_API_KEY")), (Some(1), true), "{}", ended.log);
}
