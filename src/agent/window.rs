//! How much of the history is sent: whole turns within a budget, cut seldom and then by much.
//!
//! A turn is a message of the user and all that follows it, so a call is never cut from its answer. While everything fits,
//! a request begins with all of the one before it, which providers can cache; so a cut makes room for a while.

use std::borrow::Cow;

use crate::domain::{Item, Reply, SHOWN_RESULT_LIMIT, Tool, ToolCall, json_length, shortened};

/// The least that is left of a tool result that is shortened because its turn alone is too long, in bytes.
const LEAST_OF_A_RESULT: usize = 512;

/// What a model's window must leave for the reply at most, in tokens; of a small window it is a quarter.
const REPLY_ROOM: usize = 4096;

/// The part of a known window that is left empty, for what the estimate misses: a tenth.
const MARGIN: usize = 10;

/// What every message costs beside its text, in tokens.
const PER_MESSAGE: usize = 4;

/// How many tokens of history are sent: up to `most`, and after a cut no more than `after_a_cut`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    most: usize,
    after_a_cut: usize,
}

impl Room {
    /// Makes room for so many tokens; a cut leaves three fifths of them.
    const fn of(most: usize) -> Self {
        Self { most, after_a_cut: most.saturating_mul(3) / 5 }
    }

    /// Makes room for half of what was too much.
    pub const fn half_of(sent: usize) -> Self {
        Self { most: sent / 2, after_a_cut: sent / 2 }
    }

    /// Finds the room for history beside the instructions and the tools: within the budget, and within the model's window
    /// where that is known. `estimated` says how many tokens by our estimate are so many of the model's.
    pub fn beside(
        taken: usize,
        budget: usize,
        window: Option<usize>,
        estimated: impl Fn(usize) -> usize,
    ) -> Self {
        let window = window.map(|window| window - REPLY_ROOM.min(window / 4) - window / MARGIN);
        let most = window.map_or(budget, |window| window.min(budget));
        Self::of(estimated(most).saturating_sub(taken))
    }

    /// Tells whether so many tokens are too many.
    pub const fn is_less_than(self, tokens: usize) -> bool {
        self.most < tokens
    }
}

/// Estimates the tokens that stand in every request: the instructions and the tools.
pub fn constant_tokens(instructions: &str, tools: &[Tool]) -> usize {
    message(instructions.len()) + tools.iter().map(tool_tokens).sum::<usize>()
}

/// A history as short as it may be: how many of its first items are left out, and how many tokens the others are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many items are left out.
    pub count: usize,
    /// What is left, in tokens.
    pub left: usize,
}

/// Decides how many of the first items are left out, so that what is left begins with a turn. Nothing is as long as it
/// all fits; else so much that there is room again. The last turn always stays.
pub fn cut(history: &[Item], room: Room) -> Cut {
    let is_message = |item: &Item| matches!(item, Item::User(_));
    // A history that does not begin with a message was torn off a longer one, which did not fit.
    let is_torn = history.first().is_some_and(|item| !is_message(item));
    let (mut count, mut left) = (0, tokens(history));
    if !is_torn && !room.is_less_than(left) {
        return Cut { count, left };
    }
    let mut turns = history.chunk_by(|_, next| !is_message(next)).peekable();
    while let Some(turn) = turns.next() {
        let is_last = turns.peek().is_none();
        let stays = turn.first().is_some_and(is_message) && left <= room.after_a_cut;
        if is_last || stays {
            break;
        }
        count += turn.len();
        left -= tokens(turn);
    }
    Cut { count, left }
}

/// What is sent of a history.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown<'a> {
    /// The items.
    pub items: Cow<'a, [Item]>,
    /// How many tokens they are.
    pub tokens: usize,
}

impl Shown<'_> {
    /// Tells whether it is the history itself, with nothing shortened.
    pub const fn is_all_of_it(&self) -> bool {
        matches!(self.items, Cow::Borrowed(_))
    }
}

/// Returns what is sent of a history that is as short as it may be and has so many tokens: if even so it is too long, its
/// tool results are shortened, the oldest first. The messages and the calls stay.
pub fn shown(history: &[Item], tokens: usize, room: Room) -> Shown<'_> {
    let mut excess = tokens.saturating_sub(room.most);
    if excess == 0 {
        return Shown { items: Cow::Borrowed(history), tokens };
    }
    let (mut items, mut tokens) = (history.to_vec(), tokens);
    for item in &mut items {
        let before = item_tokens(item);
        if let Item::Tool(result) = item {
            let length = result.text.len().min(SHOWN_RESULT_LIMIT);
            let wanted = length.saturating_sub(excess.saturating_mul(3)).max(LEAST_OF_A_RESULT);
            result.text = shortened(&result.text, wanted.min(length)).into_owned();
            let saved = before - item_tokens(item);
            excess = excess.saturating_sub(saved);
            tokens -= saved;
        }
    }
    Shown { items: Cow::Owned(items), tokens }
}

/// Estimates tokens: a third of the bytes, which was an upper bound in every language measured, and four per message.
pub fn tokens(items: &[Item]) -> usize {
    items.iter().map(item_tokens).sum()
}

fn item_tokens(item: &Item) -> usize {
    message(match item {
        Item::User(message) => message.text.len() + message.context.len(),
        Item::Assistant(reply) => reply_bytes(reply),
        Item::Tool(result) => result.text.len().min(SHOWN_RESULT_LIMIT),
    })
}

fn reply_bytes(reply: &Reply) -> usize {
    let meta = reply.provider_meta.as_ref().map_or(0, |meta| json_length(&meta.data));
    reply.text.len() + meta + reply.calls.iter().map(call_bytes).sum::<usize>()
}

fn call_bytes(call: &ToolCall) -> usize {
    let arguments = call.arguments.iter().map(|(name, value)| name.len() + json_length(value) + 6);
    let meta = call.provider_meta.as_ref().map_or(0, json_length);
    call.name.len() + meta + arguments.sum::<usize>()
}

fn tool_tokens(tool: &Tool) -> usize {
    message(tool.name.len() + tool.description.len() + tool.schema.length())
}

const fn message(bytes: usize) -> usize {
    bytes.div_ceil(3) + PER_MESSAGE
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Map, json};

    use super::*;
    use crate::domain::{CallId, CallStatus, ToolResult, ToolSchema, UserMessage};

    fn left_out(history: &[Item], room: Room) -> usize {
        let cut = cut(history, room);
        assert_eq!(cut.left, tokens(&history[cut.count..]));
        cut.count
    }

    fn shown(history: &[Item], room: Room) -> Cow<'_, [Item]> {
        let shown = super::shown(history, tokens(history), room);
        assert_eq!(shown.tokens, tokens(&shown.items));
        shown.items
    }

    fn user(text: &str) -> Item {
        Item::User(UserMessage { text: text.into(), context: String::new() })
    }

    fn says(text: &str) -> Item {
        Item::Assistant(Reply::of_text(text))
    }

    fn call_and_answer(text: &str) -> [Item; 2] {
        let call = ToolCall {
            id: CallId::new(),
            provider_id: "p".into(),
            server: "tasks".into(),
            name: "list_tasks".into(),
            arguments: Map::new(),
            unparsed: None,
            provider_meta: None,
        };
        let answer =
            ToolResult { text: text.into(), ..ToolResult::without_output(&call, CallStatus::Ok, "") };
        [Item::Assistant(Reply { calls: vec![call], ..Reply::of_text("") }), Item::Tool(answer)]
    }

    /// Makes a turn of 104 tokens.
    fn turn() -> [Item; 2] {
        [user(&"u".repeat(144)), says(&"s".repeat(144))]
    }

    fn answers(history: &[Item]) -> Vec<&str> {
        let answer = |item: &'_ Item| matches!(item, Item::Tool(_));
        let texts = history.iter().filter(|item| answer(item)).map(|item| match item {
            Item::Tool(result) => result.text.as_str(),
            Item::User(_) | Item::Assistant(_) => "",
        });
        texts.collect()
    }

    #[test]
    fn nothing_is_left_out_while_everything_fits() {
        let history = [turn(), turn(), turn()].concat();
        assert_eq!(tokens(&history), 312);
        assert_eq!(left_out(&history, Room::of(312)), 0);
    }

    #[test]
    fn a_cut_leaves_whole_turns_in_three_fifths_of_the_room() {
        let history = [turn(), turn(), turn(), turn(), turn(), turn()].concat();
        assert_eq!(left_out(&history, Room::of(520)), 6, "three turns are 312 tokens");
        assert_eq!(left_out(&history, Room::of(519)), 8, "three fifths of 519 are 311");
    }

    #[test]
    fn the_last_turn_is_never_left_out() {
        let history = [turn().to_vec(), vec![user(&"u".repeat(3_000))]].concat();
        assert_eq!(left_out(&history, Room::of(0)), 2);
        assert_eq!(shown(&history[2..], Room::of(0)).as_ref(), &history[2..]);
    }

    #[test]
    fn what_was_torn_off_a_longer_history_is_cut_though_it_may_fit() {
        let history = [&turn()[1..], &turn(), &turn()].concat();
        assert_eq!(left_out(&history, Room::of(400)), 1);
        assert_eq!(left_out(&history, Room::of(260)), 3);
    }

    #[test]
    fn half_of_what_was_too_much_is_left() {
        let history = [turn(), turn(), turn(), turn()].concat();
        assert_eq!(left_out(&history, Room::half_of(tokens(&history))), 4);
    }

    #[test]
    fn results_of_a_turn_that_is_too_long_alone_are_shortened_the_oldest_first() {
        let [long, longer] = [3_000, 6_000].map(|length| "x".repeat(length));
        let history =
            [vec![user("u")], call_and_answer(&long).into(), call_and_answer(&longer).into()].concat();
        let whole = tokens(&history);
        let of = |most: usize| shown(&history, Room::of(most)).into_owned();
        assert_eq!(of(whole), history);
        let lengths = |history: &[Item]| answers(history).iter().map(|text| text.len()).collect::<Vec<_>>();
        assert_eq!(lengths(&of(whole - 100)), [2_699, 6_000]);
        assert_eq!(lengths(&of(whole - 1_000)), [LEAST_OF_A_RESULT, 5_486]);
        assert_eq!(lengths(&of(0)), [LEAST_OF_A_RESULT; 2]);
        assert!(answers(&of(0))[0].contains("bytes are left out here"));
        assert_eq!(tokens(&of(whole - 1_000)), whole - 1_000);
    }

    #[test]
    fn instructions_tools_and_the_reply_take_their_share() {
        let schema = json!({"type": "object", "description": "d".repeat(300)});
        let bytes = schema.to_string().len();
        let tool = Tool {
            server: "tasks".into(),
            name: "n".repeat(10),
            description: "d".repeat(20),
            schema: ToolSchema::compile(schema).unwrap(),
            is_read_only: true,
            is_keyed: true,
        };
        let taken = 100 + 4 + (30 + bytes).div_ceil(3) + 4;
        assert_eq!(constant_tokens(&"i".repeat(300), &[tool]), taken);
        let beside = |budget, window| Room::beside(taken, budget, window, |tokens| tokens);
        assert_eq!(beside(5_000, None), Room::of(5_000 - taken));
        assert_eq!(beside(5_000, Some(100_000)), Room::of(5_000 - taken));
        assert_eq!(beside(5_000, Some(4_000)), Room::of(2_600 - taken), "a quarter is for the reply");
        let generous = Room::beside(taken, 5_000, Some(4_000), |tokens| tokens * 2);
        assert_eq!(generous, Room::of(5_200 - taken), "a model that counts half");
        assert_eq!(beside(50_000, Some(40_000)), Room::of(40_000 - REPLY_ROOM - 4_000 - taken));
        assert_eq!(beside(5_000, Some(10)), Room::of(0));
    }

    #[test]
    fn what_a_provider_wants_back_counts() {
        let mut reply = Reply::of_text("hi");
        let without = tokens(&[Item::Assistant(reply.clone())]);
        reply.provider_meta = Some(crate::domain::ProviderMeta {
            provider: "x".into(),
            model: None,
            data: json!("m".repeat(298)),
        });
        assert_eq!(tokens(&[Item::Assistant(reply)]), without + 100);
    }

    /// What a model is sent, one request after another, while a conversation grows; and how often a cut was made.
    fn requests(turns: &[(usize, usize)], room: Room) -> Vec<(usize, Vec<Item>)> {
        let (mut history, mut cuts, mut requests) = (Vec::new(), 0, Vec::new());
        for (calls, length) in turns {
            history.push(user(&"u".repeat(*length)));
            for at in 0..=*calls {
                let count = left_out(&history, room);
                cuts += usize::from(count > 0);
                history.drain(..count);
                requests.push((cuts, shown(&history, room).into_owned()));
                if at < *calls {
                    history.extend(call_and_answer(&"t".repeat(*length)));
                }
            }
            history.push(says("done"));
        }
        requests
    }

    fn is_one_turn(history: &[Item]) -> bool {
        history.iter().filter(|item| matches!(item, Item::User(_))).count() == 1
    }

    proptest! {
        #[test]
        fn whatever_is_sent_is_whole_turns_within_the_room(
            turns in prop::collection::vec((0_usize..4, 0_usize..4_000), 1..12), most in 0_usize..6_000,
        ) {
            for (_, sent) in requests(&turns, Room::of(most)) {
                prop_assert!(matches!(sent.first(), Some(Item::User(_))));
                prop_assert!(matches!(sent.last(), Some(Item::User(_) | Item::Tool(_))));
                let asked: Vec<CallId> = sent
                    .iter()
                    .flat_map(|item| match item { Item::Assistant(reply) => reply.calls.clone(), _ => Vec::new() })
                    .map(|call| call.id)
                    .collect();
                let answered: Vec<CallId> = sent.iter().filter_map(Item::answers).collect();
                prop_assert_eq!(asked, answered);
                let is_least = answers(&sent).iter().all(|text| text.len() <= LEAST_OF_A_RESULT);
                prop_assert!(tokens(&sent) <= most || (is_one_turn(&sent) && is_least));
            }
        }

        #[test]
        fn between_two_cuts_a_request_begins_with_all_of_the_one_before(
            turns in prop::collection::vec((0_usize..4, 0_usize..400), 1..30), most in 300_usize..3_000,
        ) {
            let requests = requests(&turns, Room::of(most));
            for pair in requests.windows(2) {
                let ((cuts_before, before), (cuts, after)) = (&pair[0], &pair[1]);
                let is_shortened = answers(after).iter().any(|text| text.contains("left out here"));
                prop_assert!(cuts_before != cuts || is_shortened || after.starts_with(before));
                let is_roomy = tokens(after) <= most * 3 / 5;
                prop_assert!(cuts_before == cuts || is_roomy || is_one_turn(after), "a cut makes room for a while");
            }
        }
    }
}
