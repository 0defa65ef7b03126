//! What clients were told, held against each other and against what is stored.

use std::collections::{BTreeMap, HashMap};

use crate::{
    client::{Told, is_end},
    evidence::{Evidence, Item, Run},
    support::stream::Event,
};

/// How far apart the ids of two attempts begin.
const ATTEMPT: i64 = 10_000_000;

pub(super) fn ends_are_told_as_stored(evidence: &Evidence) -> Vec<String> {
    let mut faults = Vec::new();
    for run in &evidence.runs {
        let replies = evidence.items.iter().filter(|item| item.run == run.id && is_last_word(item));
        let (whole, cut): (Vec<&Item>, Vec<&Item>) =
            replies.partition(|item| item.body["incomplete"] != true);
        let fits = match run.status.as_str() {
            "completed" => whole.len() == 1 && cut.is_empty(),
            _ => whole.is_empty() && cut.len() <= 1,
        };
        if !fits {
            let (whole, cut) = (whole.len(), cut.len());
            faults
                .push(format!("{} is {} with {whole} replies and {cut} incomplete ones", run.id, run.status));
        }
    }
    for turn in &evidence.turns {
        let Some(run) = run_of(evidence, turn) else { continue };
        for events in all_told(turn) {
            let ends: Vec<&Event> = events.iter().filter(|event| is_end(&event.name)).collect();
            let is_last = events.last().is_some_and(|event| is_end(&event.name));
            if ends.len() > 1 || ends.len() == 1 && !is_last {
                faults.push(format!(
                    "{} ends {} times in one stream, or goes on after it",
                    run.id,
                    ends.len()
                ));
            }
            for end in ends {
                let told = (end.name.trim_start_matches("run."), end.data["code"].as_str());
                if told != (run.status.as_str(), run.error.as_deref()) {
                    faults.push(format!(
                        "{} was told as {told:?} and is {} {:?}",
                        run.id, run.status, run.error
                    ));
                }
            }
        }
    }
    faults
}

pub(super) fn events_are_told_in_order(evidence: &Evidence) -> Vec<String> {
    evidence.turns.iter().flat_map(|turn| order_faults(turn, evidence.restarts)).collect()
}

fn order_faults(turn: &Told, restarts: usize) -> Vec<String> {
    let mut faults = Vec::new();
    let mut known: BTreeMap<i64, &Event> = BTreeMap::new();
    for heard in &turn.connections {
        let mut last = heard.after.unwrap_or(0);
        for event in &heard.events {
            if event.id <= last || heard.is_first && !follows(event.id, last) {
                faults.push(format!("`{}`: {} {} came after {last}", turn.message, event.name, event.id));
            }
            last = event.id;
            if *known.entry(event.id).or_insert(event) != event {
                faults.push(format!("`{}`: {} is told in two ways", turn.message, event.id));
            }
        }
    }
    let first_attempt: Vec<i64> = known.range(..ATTEMPT).map(|(id, _)| *id).collect();
    if restarts == 0 && first_attempt.windows(2).any(|pair| !follows(pair[1], pair[0])) {
        faults.push(format!(
            "`{}`: of {:?} some are missing",
            turn.message,
            known.keys().collect::<Vec<_>>()
        ));
    }
    for event in &turn.again {
        if known.get(&event.id) != Some(&event) {
            faults.push(format!("`{}`: {} {} was not heard so", turn.message, event.id, event.name));
        }
    }
    let is_rising = turn.again.windows(2).all(|pair| pair[0].id < pair[1].id);
    if turn.run.is_some() && (!is_rising || !turn.again.last().is_some_and(|event| is_end(&event.name))) {
        faults.push(format!("`{}`: heard again, it is out of order or has no end", turn.message));
    }
    faults
}

/// Tells whether an id may be the next that is told: there is a gap only where an attempt begins.
const fn follows(id: i64, last: i64) -> bool {
    id == last + 1 || id % ATTEMPT == 1 && id > last
}

pub(super) fn messages_are_their_deltas(evidence: &Evidence) -> Vec<String> {
    let mut faults = Vec::new();
    for turn in &evidence.turns {
        let Some(run) = run_of(evidence, turn) else { continue };
        let mut shown = shown(turn, &mut faults);
        let is_its = |item: &&Item| item.run == run.id && item.kind == "assistant" && item.body["text"] != "";
        let text = |item: &Item| item.body["text"].as_str().unwrap_or_default().to_owned();
        let stored: HashMap<String, String> =
            evidence.items.iter().filter(is_its).map(|item| (item.id.clone(), text(item))).collect();
        if evidence.restarts > 0 && run.status != "completed" {
            // Nobody goes on with it, and words of the last second died with the process, unless they were saved.
            shown.retain(|message, _| stored.contains_key(message) || was_completed(turn, message));
        }
        if shown != stored {
            faults.push(format!("`{}`: a client shows {shown:?}, stored is {stored:?}", turn.message));
        }
    }
    faults
}

/// Shows the messages of a turn as a client does: deltas are appended, a completed message stands over them, a discarded one
/// goes.
fn shown(turn: &Told, faults: &mut Vec<String>) -> HashMap<String, String> {
    let heard = turn.connections.iter().flat_map(|heard| &heard.events);
    let events: BTreeMap<i64, &Event> = heard.map(|event| (event.id, event)).collect();
    let mut shown: HashMap<String, String> = HashMap::new();
    for event in events.values() {
        let text = |name: &str| event.data[name].as_str().unwrap_or_default().to_owned();
        match event.name.as_str() {
            "message.delta" => shown.entry(text("message_id")).or_default().push_str(&text("delta")),
            "message.completed" => {
                let (content, deltas) = (text("content"), shown.get(&text("message_id")));
                let fits = match deltas {
                    _ if was_heard_whole(&events, event) => deltas == Some(&content),
                    // Some of the words were lost with the process, on either side.
                    Some(deltas) => content.starts_with(deltas.as_str()) || deltas.starts_with(&content),
                    None => true,
                };
                if !fits {
                    faults.push(format!("`{}`: {deltas:?} became {content:?}", turn.message));
                }
                shown.insert(text("message_id"), content);
            }
            "message.discarded" => drop(shown.remove(&text("message_id"))),
            _ => {}
        }
    }
    shown
}

/// Tells whether every event between the first word of a message and its end was heard, and the one before.
fn was_heard_whole(events: &BTreeMap<i64, &Event>, completed: &Event) -> bool {
    let is_its = |event: &&&Event| {
        event.name == "message.delta" && event.data["message_id"] == completed.data["message_id"]
    };
    let first = events.values().find(is_its).map_or(completed.id, |event| event.id);
    let begins_an_attempt = first % ATTEMPT == 1;
    let mut needed = if begins_an_attempt { first } else { first - 1 }..completed.id;
    needed.all(|id| events.contains_key(&id))
}

fn was_completed(turn: &Told, message: &str) -> bool {
    let mut events = turn.connections.iter().flat_map(|heard| &heard.events);
    events.any(|event| event.name == "message.completed" && event.data["message_id"] == message)
}

fn is_last_word(item: &Item) -> bool {
    item.kind == "assistant" && item.body["calls"].as_array().is_none_or(Vec::is_empty)
}

fn run_of<'a>(evidence: &'a Evidence, turn: &Told) -> Option<&'a Run> {
    evidence.runs.iter().find(|run| Some(&run.id) == turn.run.as_ref())
}

fn all_told(turn: &Told) -> impl Iterator<Item = &[Event]> {
    turn.connections.iter().map(|heard| &heard.events[..]).chain([&turn.again[..]])
}
