//! The checker: what must hold whatever happened, judged over plain records. It knows no clock, no process and no cell.

mod told;

use std::collections::{HashMap, HashSet};

use super::{
    evidence::{Evidence, Item, Run},
    model::KEY,
    support::provider::fault,
};

/// Finds where something does not hold.
type Judge = fn(&Evidence) -> Vec<String>;

/// What must hold, by name.
const INVARIANTS: [(&str, Judge); 10] = [
    ("INV1 an acknowledged message is stored once", messages_are_stored_once),
    ("INV2 every run comes to an end", runs_end),
    ("INV3 a completed run has one reply, and an end is told as it is stored", told::ends_are_told_as_stored),
    ("INV4 a call has its effect at most once", effects_happen_once),
    ("INV5 ids rise, and nothing is missing or told twice", told::events_are_told_in_order),
    ("INV6 a message is what its deltas were", told::messages_are_their_deltas),
    ("INV7 a conversation has one run at a time", runs_do_not_overlap),
    ("INV8 nothing lives on", nothing_survives),
    ("INV9 every history can be shown to a model", histories_are_valid),
    ("INV11 no secret is written or told", no_secret_is_told),
];

/// The final states of a run that these turns can come to.
const FINAL: [&str; 3] = ["completed", "failed", "cancelled"];

/// Lists everything that does not hold.
pub fn violations(evidence: &Evidence) -> Vec<String> {
    let broken = |(name, judge): &(&str, Judge)| {
        let faults = judge(evidence).into_iter();
        faults.map(|fault| format!("{name}: {fault}")).collect::<Vec<_>>()
    };
    INVARIANTS.iter().flat_map(broken).collect()
}

fn messages_are_stored_once(evidence: &Evidence) -> Vec<String> {
    let mut faults = Vec::new();
    for turn in &evidence.turns {
        let is_its = |item: &&Item| item.kind == "user" && item.body["text"] == turn.message.as_str();
        let stored: Vec<&str> = evidence.items.iter().filter(is_its).map(|item| item.run.as_str()).collect();
        match &turn.run {
            Some(run) if stored != [run] => {
                faults.push(format!(
                    "`{}` was acknowledged as {run} and is stored for {stored:?}",
                    turn.message
                ));
            }
            Some(_) if turn.under_its_key != turn.run => {
                faults.push(format!("the key of `{}` stands for {:?}", turn.message, turn.under_its_key));
            }
            None if stored.len() > 1 => faults.push(format!("`{}` is stored for {stored:?}", turn.message)),
            Some(_) | None => {}
        }
    }
    faults
}

fn runs_end(evidence: &Evidence) -> Vec<String> {
    let is_open = |run: &&Run| !FINAL.contains(&run.status.as_str()) || run.ended.is_none();
    let open = evidence.runs.iter().filter(is_open).map(|run| format!("{} is {}", run.id, run.status));
    let unheard = evidence.turns.iter().filter(|turn| !turn.is_over());
    open.chain(unheard.map(|turn| format!("nobody told the end of `{}`", turn.message))).collect()
}

fn effects_happen_once(evidence: &Evidence) -> Vec<String> {
    let mut faults = Vec::new();
    for pair in evidence.tasks.windows(2).filter(|pair| pair[0] == pair[1]) {
        faults.push(format!("{:?} is there twice", pair[0]));
    }
    let effects: HashSet<&String> = evidence.effects.iter().collect();
    if effects.len() != evidence.effects.len() || effects.len() != evidence.tasks.len() {
        faults.push(format!("{} effects made {} tasks", evidence.effects.len(), evidence.tasks.len()));
    }
    let known: HashSet<&String> = evidence.calls.iter().map(|call| &call.id).collect();
    faults.extend(effects.difference(&known).map(|key| format!("nobody asked for the effect {key}")));
    for call in &evidence.calls {
        let has_effect = effects.contains(&call.id);
        let status = call.status.as_deref().unwrap_or("none");
        let fits = match status {
            "ok" => has_effect,
            "not_run" | "invalid" | "denied" | "cancelled" => !has_effect,
            _ => call.state == "settled",
        };
        if !fits {
            faults.push(format!("{} is {} as {status}, its effect: {has_effect}", call.id, call.state));
        }
    }
    faults
}

fn runs_do_not_overlap(evidence: &Evidence) -> Vec<String> {
    let mut of_conversation: HashMap<&str, Vec<&Run>> = HashMap::new();
    for run in &evidence.runs {
        of_conversation.entry(&run.conversation).or_default().push(run);
    }
    let mut faults = Vec::new();
    for runs in of_conversation.values_mut() {
        runs.sort_by_key(|run| run.created);
        for pair in runs.windows(2) {
            if pair[0].ended.is_none_or(|ended| ended > pair[1].created) {
                faults.push(format!("{} began before {} had ended", pair[1].id, pair[0].id));
            }
        }
    }
    faults
}

fn nothing_survives(evidence: &Evidence) -> Vec<String> {
    let panics = evidence.texts.iter().filter(|(_, text)| text.contains("panicked at"));
    evidence
        .survivors
        .iter()
        .cloned()
        .chain(panics.map(|(name, _)| format!("{name} tells of a panic")))
        .collect()
}

fn histories_are_valid(evidence: &Evidence) -> Vec<String> {
    let mut faults: Vec<String> = evidence.questions.iter().filter_map(fault).collect();
    faults.extend(evidence.stuck.iter().map(|place| format!("{place} does not go on")));
    let mut of_conversation: HashMap<&str, Vec<&Item>> = HashMap::new();
    for item in &evidence.items {
        of_conversation.entry(&item.conversation).or_default().push(item);
    }
    for (conversation, mut items) in of_conversation {
        items.sort_by_key(|item| item.position);
        let positions: Vec<i64> = items.iter().map(|item| item.position).collect();
        if !positions.iter().copied().eq(1..=i64::try_from(items.len()).unwrap()) {
            faults.push(format!("{conversation} has the places {positions:?}"));
        }
        let (asked, answered) = (calls_asked(&items), calls_answered(&items));
        if asked != answered {
            faults.push(format!("{conversation} asks for {asked:?} and answers {answered:?}"));
        }
    }
    faults
}

fn calls_asked(items: &[&Item]) -> Vec<String> {
    let calls = items.iter().filter_map(|item| item.body["calls"].as_array());
    let mut ids: Vec<String> = calls.flatten().map(|call| call["id"].to_string()).collect();
    ids.sort();
    ids
}

fn calls_answered(items: &[&Item]) -> Vec<String> {
    let answers = items.iter().filter(|item| item.kind == "tool");
    let mut ids: Vec<String> = answers.map(|item| item.body["call_id"].to_string()).collect();
    ids.sort();
    ids
}

fn no_secret_is_told(evidence: &Evidence) -> Vec<String> {
    let telling = evidence.texts.iter().filter(|(_, text)| text.contains(KEY));
    telling.map(|(name, _)| format!("{name} holds the key")).collect()
}

#[cfg(test)]
mod tests;
