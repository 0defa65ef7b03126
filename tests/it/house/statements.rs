//! Statements hold no values: a value is bound, whoever it came from. The driver takes text that was put together at
//! run time only through `AssertSqlSafe`, and the builder writes text of ours into a statement only through the words
//! below; so it is enough to know where these stand.

use super::{paths, source::File};

/// The one place where built statements are handed to the driver, their values beside them.
const HANDOVER: &str = "db/src/statement.rs";

/// What only tests use.
const FOR_TESTS: &str = "db/src/testing.rs";

/// Where statements are made: nowhere else are the driver and the builder named (`rooms`).
const ROOMS: [&str; 3] = ["db/src/", "src/store/", "mcp_server/src/store/"];

/// Words that let text into a statement, and where each may stand.
const RAW: [(&str, &[&str]); 15] = [
    ("AssertSqlSafe", &[HANDOVER, FOR_TESTS]),
    ("SqlStr", &[]),
    ("SqliteQueryBuilder", &[HANDOVER]),
    ("PostgresQueryBuilder", &[HANDOVER]),
    // It takes fixed text, as every other query of the driver's does.
    ("raw_sql", &["db/src/connection.rs", FOR_TESTS]),
    ("QueryBuilder", &[]),
    // Fixed text, for an aggregate that the builder has no word for.
    ("cust", &["src/store/context.rs"]),
    ("cust_with_expr", &[]),
    ("cust_with_exprs", &[]),
    ("cust_with_values", &[]),
    ("custom_keyword", &[]),
    ("Custom", &[]),
    ("raw_query", &[]),
    ("inject_parameters", &[]),
    ("extra", &[]),
];

/// Lists the words of a file that let text into a statement and may not stand there.
pub fn faults(file: &File) -> Vec<String> {
    if !ROOMS.iter().any(|room| file.path.starts_with(room)) {
        return Vec::new();
    }
    let words = paths::words(file.production());
    let stands = |word: &&(&str, &[&str])| words.iter().any(|found| found == word.0);
    let misplaced = RAW.iter().filter(stands).filter(|(_, places)| {
        let is_place = |place: &&str| file.path.starts_with(place);
        !places.iter().any(is_place)
    });
    misplaced.map(|(word, _)| format!("{}: `{word}` lets text into a statement", file.path)).collect()
}

#[test]
fn text_that_is_let_into_a_statement_is_seen() {
    let file = |path: &str, text: &str| File { path: path.into(), text: text.into() };
    let planted = r#"
        // AssertSqlSafe in a comment, and "Expr::cust" in a text, are none.
        let sql = format!("SELECT * FROM tasks WHERE title = '{title}'");
        sqlx::query(sqlx::AssertSqlSafe(sql)); Expr::cust(title)
    "#;
    let expected = ["`AssertSqlSafe`", "`cust`"];
    let expected = expected.map(|word| format!("src/store/items.rs: {word} lets text into a statement"));
    assert_eq!(faults(&file("src/store/items.rs", planted)), expected);
    assert_eq!(faults(&file(HANDOVER, "sqlx::query_with(AssertSqlSafe(sql), values)")), [""; 0]);
}
