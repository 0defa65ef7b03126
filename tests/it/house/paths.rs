//! Finds the paths in Rust source: `a::b`, and what `use a::{b, c::d}` stands for. Comments and strings do not count.

use std::{iter::Peekable, str::Chars};

/// What of the source matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    /// `::`
    Joint,
    Other(char),
}

/// Lists the paths of two or more parts, and the single words that are imported.
pub fn of(source: &str) -> Vec<Vec<String>> {
    let tokens = tokens(source);
    let (mut paths, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let is_import = at > 0 && tokens[at - 1] == Token::Word("use".into());
        let is_path = matches!(tokens[at], Token::Word(_)) && tokens.get(at + 1) == Some(&Token::Joint);
        // `use<T>` in a type imports nothing.
        let end = if is_import || is_path { read(&tokens, at, &[], &mut paths) } else { at };
        at = end.max(at + 1);
    }
    paths
}

/// Lists the words, in their order.
pub fn words(source: &str) -> Vec<String> {
    let words = tokens(source).into_iter().filter_map(|token| match token {
        Token::Word(word) => Some(word),
        Token::Joint | Token::Other(_) => None,
    });
    words.collect()
}

/// Reads one path and what branches off it. Returns where it ends.
fn read(tokens: &[Token], mut at: usize, before: &[String], paths: &mut Vec<Vec<String>>) -> usize {
    let mut path = before.to_vec();
    loop {
        match tokens.get(at) {
            Some(Token::Joint) => at += 1,
            Some(Token::Word(word)) => {
                path.push(word.clone());
                at += 1;
                if tokens.get(at) != Some(&Token::Joint) {
                    break;
                }
            }
            Some(Token::Other('{')) => {
                at += 1;
                while !matches!(tokens.get(at), None | Some(Token::Other('}'))) {
                    at = match tokens.get(at) {
                        Some(Token::Other(',')) => at + 1,
                        Some(_) | None => read(tokens, at, &path, paths),
                    };
                    // `as name` says nothing of where things come from.
                    if tokens.get(at) == Some(&Token::Word("as".into())) {
                        at += 2;
                    }
                }
                return at + 1;
            }
            // `a::*`, `a::<b>` and the like end a path.
            Some(Token::Other('*')) => {
                at += 1;
                break;
            }
            Some(Token::Other(_)) | None => break,
        }
    }
    if !path.is_empty() {
        paths.push(path);
    }
    at
}

fn tokens(source: &str) -> Vec<Token> {
    let mut rest = source.chars().peekable();
    let mut tokens = Vec::new();
    while let Some(character) = rest.next() {
        match character {
            '/' if rest.peek() == Some(&'/') => skip_until(&mut rest, '\n'),
            '"' => skip_string(&mut rest),
            '\'' => skip_character(&mut rest),
            ':' if rest.peek() == Some(&':') => {
                rest.next();
                tokens.push(Token::Joint);
            }
            character if character.is_alphanumeric() || character == '_' => {
                let mut word = String::from(character);
                while let Some(next) = rest.next_if(|next| next.is_alphanumeric() || *next == '_') {
                    word.push(next);
                }
                let is_raw =
                    matches!(word.as_str(), "r" | "br" | "cr") && matches!(rest.peek(), Some('"' | '#'));
                if is_raw { skip_raw(&mut rest) } else { tokens.push(Token::Word(word)) }
            }
            character if character.is_whitespace() => {}
            character => tokens.push(Token::Other(character)),
        }
    }
    tokens
}

fn skip_until(rest: &mut Peekable<Chars<'_>>, end: char) {
    for character in rest.by_ref() {
        if character == end {
            return;
        }
    }
}

fn skip_string(rest: &mut Peekable<Chars<'_>>) {
    while let Some(character) = rest.next() {
        match character {
            '\\' => drop(rest.next()),
            '"' => return,
            _ => {}
        }
    }
}

/// Skips a character, `'a'` or `'\n'`; of a lifetime only the mark is skipped.
fn skip_character(rest: &mut Peekable<Chars<'_>>) {
    let mut ahead = rest.clone();
    match (ahead.next(), ahead.next()) {
        (Some('\\'), _) => {
            rest.next();
            rest.next();
            skip_until(rest, '\'');
        }
        (Some(_), Some('\'')) => {
            rest.next();
            rest.next();
        }
        _ => {}
    }
}

fn skip_raw(rest: &mut Peekable<Chars<'_>>) {
    let mut hashes = 0;
    while rest.next_if_eq(&'#').is_some() {
        hashes += 1;
    }
    if rest.next_if_eq(&'"').is_none() {
        return;
    }
    let end = format!("\"{}", "#".repeat(hashes));
    let mut read = String::new();
    while !read.ends_with(&end) {
        let Some(character) = rest.next() else { return };
        read.push(character);
    }
}

#[test]
fn paths_are_found_wherever_they_stand() {
    let source = r##"
        //! [`crate::not::this`]
        use std::{env, fmt::{self, Display as Shown}};
        use crate::{
            domain::{Item, ids::*},
            store::Store,
        };
        fn f<'a>(x: &'a str) -> super::super::http::App { "crate::nor::this"; r#"a::"b"::c"#; '"'; '\''; x::<u8>() }
        fn g<T>(_: T) -> impl Sized + use<T> {}
    "##;
    let found: Vec<String> = of(source).iter().map(|path| path.join("::")).collect();
    let expected = [
        "std::env",
        "std::fmt::self",
        "std::fmt::Display",
        "crate::domain::Item",
        "crate::domain::ids",
        "crate::store::Store",
        "super::super::http::App",
        "x",
    ];
    assert_eq!(found, expected);
}
