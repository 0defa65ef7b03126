//! Memory of all processes of a service, shared pages by their share: at rest, with open streams, and afterwards.

use std::time::Duration;

use tokio::{task::JoinSet, time::sleep};

use crate::{
    client::Client,
    load::Target,
    processes::Process,
    report::Report,
    settings::Settings,
    setup::{Ground, Kept, Service},
};

/// How long things may settle before memory is looked at.
const SETTLE: Duration = Duration::from_secs(2);

/// How many streams are being opened at once: what is looked for is how many can be open, not how fast they come.
const AT_ONCE: usize = 32;

pub(super) async fn measure(settings: &Settings, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    if !settings.wants("memory") {
        return Ok(());
    }
    let service = Service::fresh(settings, ground, Kept::OnDisk).await?;
    let fresh_ground = Ground::start()?;
    of(&fresh_ground.floor, &fresh_ground, report).await?;
    of(&service.target, ground, report).await
}

/// Measures one target; `holder` is the ground whose provider holds its streams.
async fn of(target: &Target, holder: &Ground, report: &mut Report) -> anyhow::Result<()> {
    let Some(process) = target.process else { return Ok(()) };
    sleep(SETTLE).await;
    let at_rest = megabytes(process);
    report.add("memory at rest", "MB", target.name, at_rest);
    for count in [200_usize, 1_000] {
        let clients = hold(target, count).await?;
        sleep(SETTLE).await;
        let per_stream = (megabytes(process) - at_rest) * 1_024.0 / count as f64;
        report.add(&format!("memory per stream, {count} open"), "KB", target.name, per_stream);
        holder.release().await?;
        finish(clients).await?;
    }
    sleep(SETTLE).await;
    report.add("memory after 1000 streams", "MB", target.name, megabytes(process));
    Ok(())
}

fn megabytes(process: Process) -> f64 {
    process.memory() as f64 / 1_048_576.0
}

/// Opens so many streams and reads each up to its first delta.
pub(super) async fn hold(
    target: &Target,
    count: usize,
) -> anyhow::Result<Vec<(Client, tokio::time::Instant)>> {
    let mut opening = JoinSet::new();
    let mut open = Vec::with_capacity(count);
    for number in 0..count {
        let target = target.clone();
        opening.spawn(async move {
            let mut client =
                Client::connect(target.protocol, target.address, &format!("held{number}")).await?;
            let began = client.open("held").await?;
            anyhow::Ok((client, began))
        });
        if opening.len() >= AT_ONCE
            && let Some(opened) = opening.join_next().await
        {
            open.push(opened??);
        }
    }
    while let Some(opened) = opening.join_next().await {
        open.push(opened??);
    }
    Ok(open)
}

/// Reads every stream to its end, which must be a good one.
pub(super) async fn finish(clients: Vec<(Client, tokio::time::Instant)>) -> anyhow::Result<()> {
    let mut finishing = JoinSet::new();
    for (mut client, began) in clients {
        finishing.spawn(async move { client.finish(began).await });
    }
    while let Some(finished) = finishing.join_next().await {
        let turn = finished??;
        anyhow::ensure!(turn.deltas == 1, "a held answer lost its delta");
    }
    Ok(())
}
