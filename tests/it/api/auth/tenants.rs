//! The tenants: every operation of the description, with ids of one's own, of another, of nobody and of no form, asked
//! by each of two users, by the other one and by nobody. An operation with a parameter that this file does not know
//! fails, so that a new route comes with its case.

use parlor_db::on_both;
use reqwest::Method;
use serde_json::{Value, json};

use super::{Ids, made_by, send_as, start, token};
use crate::support::{
    app::TestApp,
    description::{Description, Operation},
    migrations,
    script::says,
};

/// Whose ids stand in a request.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Whose {
    Own,
    Foreign,
    Absent,
    Malformed,
}

/// Who sends it.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Asker {
    Owner,
    Other,
    Nobody,
}

/// What stands where ids stand.
fn ids(whose: Whose, own: &Ids, foreign: &Ids) -> [(&'static str, String); 3] {
    let of = |ids: &Ids| {
        let Ids { conversation, run, number } = ids;
        [conversation.clone(), run.clone(), number.clone()]
    };
    let [conversation, run, number] = match whose {
        Whose::Own => of(own),
        Whose::Foreign => of(foreign),
        Whose::Absent => of(&Ids::absent()),
        Whose::Malformed => ["no-uuid", "no-uuid", "no-number"].map(Into::into),
    };
    [("conversation_id", conversation), ("run_id", run), ("number", number)]
}

/// Fills a path in. A task of another user has a number that may be one's own, so it gets one that nobody has.
fn path_of(operation: &Operation<'_>, user: &str, ids: &[(&str, String)]) -> String {
    let mut path = operation.path.replace("{user_id}", user);
    for (name, id) in ids {
        path = path.replace(&format!("{{{name}}}"), id);
    }
    assert!(!path.contains('{'), "{path} has a parameter without a case");
    path
}

/// Fills ids into the body of the description's example; nothing if the operation takes none.
fn body_of(operation: &Operation<'_>, ids: &[(&str, String)]) -> Option<Value> {
    let mut body = operation.bodies().into_iter().next()?;
    for (name, id) in ids {
        if body.get(*name).is_some() {
            body[*name] = json!(id);
        }
    }
    Some(body)
}

/// Tells whether an operation names something by its id, in its path or its body.
fn names_something(operation: &Operation<'_>, body: Option<&Value>) -> bool {
    let in_body = body.is_some_and(|body| body.get("conversation_id").is_some());
    operation.path.matches('{').count() > 1 || in_body
}

/// Returns the status that a cell of the matrix has; none where the operation's own good ones are meant.
fn expected(asker: Asker, whose: Whose, names_something: bool) -> Option<u16> {
    match (asker, whose) {
        (Asker::Nobody, _) => Some(401),
        (Asker::Other, _) => Some(403),
        (Asker::Owner, Whose::Foreign | Whose::Absent) if names_something => Some(404),
        (Asker::Owner, Whose::Malformed) if names_something => Some(422),
        (Asker::Owner, _) => None,
    }
}

/// Reads all that a user has, to see that nothing has changed it.
async fn belongings(app: &TestApp, user: &str) -> Vec<Value> {
    let mut all = Vec::new();
    for path in ["conversations?limit=100", "tasks?limit=100"] {
        let (path, token) = (format!("/api/{user}/{path}"), token(user));
        all.push(send_as(app, Method::GET, &path, None, Some(&token)).await.json().await.unwrap());
    }
    all
}

on_both! { migrations();
    async fn each_user_reaches_what_is_theirs_and_nothing_else_on_every_operation(place: Place) {
        let (app, description) = (start(&place).await, Description::read());
        let mut cells = 0;
        for operation in description.operations().iter().filter(|operation| operation.path.starts_with("/api/")) {
            for (user, other) in [("ada", "bob"), ("bob", "ada")] {
                let (own, mut foreign) = (made_by(&app, user).await, made_by(&app, other).await);
                foreign.number = "999999".into();
                let theirs = belongings(&app, other).await;
                for (asker, whose) in cells_of_the_matrix() {
                    let ids = ids(whose, &own, &foreign);
                    let (path, body) = (path_of(operation, user, &ids), body_of(operation, &ids));
                    let token = match asker {
                        Asker::Owner => Some(token(user)),
                        Asker::Other => Some(token(other)),
                        Asker::Nobody => None,
                    };
                    app.model.at_most_one(says(["Hello"]));
                    let method: Method = operation.method.parse().unwrap();
                    let expected = expected(asker, whose, names_something(operation, body.as_ref()));
                    let answer = send_as(&app, method, &path, body, token.as_deref()).await;
                    let status = answer.status().as_u16();
                    let cell = format!("{} of {user}, ids {whose:?}, asked by {asker:?}", operation.id);
                    assert!(expected.map_or((200..300).contains(&status), |expected| expected == status), "{cell}: {status}");
                    let content_type = answer.headers().get("content-type");
                    let content_type = content_type.map_or(String::new(), |kind| kind.to_str().unwrap().into());
                    let said = answer.text().await.unwrap();
                    assert_eq!(description.faults(operation, status, &content_type, &said), [""; 0], "{cell}");
                    cells += 1;
                }
                assert_eq!(belongings(&app, other).await, theirs, "{} of {user} changed what is {other}'s", operation.id);
            }
        }
        assert_eq!(cells, description.operations().iter().filter(|operation| operation.path.starts_with("/api/")).count() * 24);
    }
}

/// Lists the cells; the owner's own ids come last, for that one may delete them.
fn cells_of_the_matrix() -> Vec<(Asker, Whose)> {
    let askers = [Asker::Nobody, Asker::Other, Asker::Owner];
    let whose = [Whose::Foreign, Whose::Absent, Whose::Malformed, Whose::Own];
    askers.into_iter().flat_map(|asker| whose.map(|whose| (asker, whose))).collect()
}
