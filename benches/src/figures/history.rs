//! How long the first delta takes where the conversation is long.

use std::time::Duration;

use crate::{
    client::{Client, Protocol},
    report::Report,
    settings::Settings,
    setup::{Ground, Kept, Service},
};

/// How many messages the conversations have.
const LENGTHS: [usize; 4] = [10, 100, 1_000, 10_000];

/// How often each is asked; the median counts. They are asked in turn.
const TIMES: usize = 15;

/// What the user says every time, about a hundred tokens: a message of a usual length.
const SAID: &str = "short - please have a look at the list of things that I wanted to do this week and tell me which of \
them can wait until the next one, because there is more to do than there are days; the dentist cannot wait, and neither \
can the letter to the landlord, but I am not sure about the garden, the bicycle and the photographs that I promised to \
sort before my sister comes to visit us at the end of the month with the children and the dog";

pub(super) async fn measure(settings: &Settings, ground: &Ground, report: &mut Report) -> anyhow::Result<()> {
    if !settings.wants("history") {
        return Ok(());
    }
    // The disk's share is the same for all lengths: in memory the rest is seen, and making the conversations is faster.
    let service = Service::fresh(settings, ground, Kept::InMemory).await?;
    let mut conversations = Vec::new();
    for length in LENGTHS {
        let mut client =
            Client::connect(Protocol::Parlor, service.target.address, &format!("history{length}")).await?;
        client.turn(SAID, None).await?;
        let conversation = client.conversation()?;
        for _ in 1..length / 2 {
            client.turn(SAID, Some(&conversation)).await?;
        }
        conversations.push((length, client, conversation, Vec::new()));
    }
    for _ in 0..TIMES {
        for (_, client, conversation, times) in &mut conversations {
            client.reconnect().await?;
            times.push(client.turn(SAID, Some(conversation)).await?.first_delta);
        }
    }
    for (length, _, _, mut times) in conversations {
        times.sort_unstable();
        let median = times.get(TIMES / 2).copied().unwrap_or(Duration::MAX).as_secs_f64() * 1e3;
        report.add(&format!("first delta behind {length} messages"), "ms", service.target.name, median);
    }
    Ok(())
}
