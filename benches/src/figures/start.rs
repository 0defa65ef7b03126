//! Cold start: from the program's start to the end of its first answer.

use std::time::Instant;

use crate::{
    client::{Client, Protocol},
    provider::DELTAS,
    report::Report,
    settings::Settings,
    setup::{Folder, Ground, Kept, Service},
};

pub(super) async fn measure(settings: &Settings, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    if !settings.wants("start") {
        return Ok(());
    }
    for kept in [Kept::OnDisk, Kept::InMemory] {
        let mut folder = Folder::new(settings, kept)?;
        for figure in ["start to first answer, nothing stored yet", "start to first answer"] {
            let began = Instant::now();
            let service = Service::start(settings, ground, folder).await?;
            let mut client = Client::connect(Protocol::Parlor, service.target.address, "first").await?;
            let turn = client.turn("plain", None).await?;
            let took = began.elapsed();
            anyhow::ensure!(turn.deltas == DELTAS, "the first answer is not whole");
            report.add(figure, "ms", service.target.name, took.as_secs_f64() * 1e3);
            folder = service.stop();
        }
    }
    Ok(())
}
