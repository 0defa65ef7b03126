//! The rules that bind settings together, each seen from outside: variables in, configuration or faults out.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    time::Duration,
};

use secrecy::ExposeSecret;

use super::*;

const EXAMPLE: &str = include_str!("../../.env.example");

fn source(pairs: &str) -> Source {
    Source::of(pairs.split_whitespace().map(|pair| pair.split_once('=').unwrap()))
}

fn config(pairs: &str) -> Config {
    from_source(&source(pairs), Path::new("/srv")).unwrap().0
}

/// Returns the faults, one per line, without the headline.
fn faults(pairs: &str) -> Vec<String> {
    let Err(faults) = from_source(&source(pairs), Path::new("/srv")) else {
        return Vec::new();
    };
    faults.to_string().lines().skip(1).map(|line| line.trim().into()).collect()
}

#[test]
fn all_faults_come_in_one_list() {
    let source =
        source("PORT=abc HEARTBEAT=-1 LLM_PROVIDER=gemini").with_dotenv("MAX_TURNS=101\nsecret words");
    let faults = from_source(&source, Path::new("/srv")).unwrap_err();
    insta::assert_snapshot!(faults, @r#"
    the configuration cannot be used:
      .env: line 2 is not NAME=value; quote a value that holds spaces
      PORT: must be a number from 0 to 65535, not "abc"
      HEARTBEAT: must be a number of seconds above 0 and at most a year, not "-1"
      GEMINI_API_KEY required when LLM_PROVIDER=gemini
      MAX_TURNS: must be a number from 1 to 100, not "101"
    "#);
}

#[test]
fn nothing_set_gives_the_demo_on_this_machine() {
    let config = config("");
    assert_eq!((config.http.host.to_string().as_str(), config.http.port), ("127.0.0.1", 8000));
    assert_eq!(config.http.allowed_hosts, Hosts::Unnamed);
    assert_eq!(config.http.origins, Origins::Unnamed);
    assert_eq!(config.storage.database.expose(), "sqlite:///srv/parlor.db");
    assert_eq!(config.storage.tasks.expose(), "sqlite:///srv/parlor-tasks.db");
    assert_eq!(
        (config.model.choice.provider(), config.model.chosen_by),
        (ProviderName::Demo, ChosenBy::Nothing)
    );
    assert_eq!(config.run.timeout, Duration::from_secs(300));
    assert_eq!((config.agent.instructions, config.mcp.command), (None, None));
}

#[test]
fn the_provider_is_the_one_that_is_named_or_whose_settings_are_there() {
    use ChosenBy::{BaseUrl, Key, Name, Nothing};
    for (pairs, provider, chosen_by) in [
        ("OPENROUTER_API_KEY=c GROQ_API_KEY=b GEMINI_API_KEY=a OPENAI_API_KEY=k", ProviderName::Openai, Key),
        ("OPENROUTER_API_KEY=c GROQ_API_KEY=b GEMINI_API_KEY=a", ProviderName::Gemini, Key),
        ("OPENROUTER_API_KEY=c GROQ_API_KEY=b LLM_BASE_URL=http://h", ProviderName::Groq, Key),
        ("OPENROUTER_API_KEY=c", ProviderName::Openrouter, Key),
        ("LLM_BASE_URL=http://h LLM_MODEL=m", ProviderName::Custom, BaseUrl),
        ("LLM_API_KEY=k LLM_MODEL=m OPENAI_BASE_URL=http://h", ProviderName::Demo, Nothing),
        ("LLM_PROVIDER=demo OPENAI_API_KEY=k", ProviderName::Demo, Name),
        ("LLM_PROVIDER=Groq GROQ_API_KEY=b OPENAI_API_KEY=k", ProviderName::Groq, Name),
        ("LLM_PROVIDER=custom LLM_BASE_URL=http://h LLM_MODEL=m", ProviderName::Custom, Name),
    ] {
        let model = config(pairs).model;
        assert_eq!((model.choice.provider(), model.chosen_by), (provider, chosen_by), "{pairs}");
    }
}

#[test]
fn a_provider_gets_its_own_key_model_and_address() {
    let pairs = "LLM_PROVIDER=groq GROQ_API_KEY=k GROQ_DEFAULT_MODEL=m GROQ_BASE_URL=https://h/v1/ \
                 OPENAI_API_KEY=other";
    let Choice::Hosted { provider, api_key, base_url, model } = config(pairs).model.choice else {
        panic!("a hosted provider was named");
    };
    assert_eq!((provider, api_key.expose_secret()), (Hosted::Groq, "k"));
    assert_eq!((base_url.as_deref(), model.as_deref()), (Some("https://h/v1"), Some("m")));
}

#[test]
fn a_rule_that_is_broken_names_the_variable_to_change() {
    for (pairs, fault) in [
        (
            "LLM_PROVIDER=gpt",
            "LLM_PROVIDER: must be one of openai, gemini, groq, openrouter, custom, demo, not \"gpt\"",
        ),
        ("LLM_PROVIDER=openai GROQ_API_KEY=k", "OPENAI_API_KEY required when LLM_PROVIDER=openai"),
        ("LLM_PROVIDER=custom LLM_MODEL=m", "LLM_BASE_URL required when LLM_PROVIDER=custom"),
        ("LLM_BASE_URL=http://h", "LLM_MODEL required when LLM_BASE_URL is set"),
        (
            "GROQ_BASE_URL=https://ada:pw@h",
            "GROQ_BASE_URL: must not hold a user or password; a key has its own setting",
        ),
        (
            "LLM_FALLBACKS=groq",
            "LLM_FALLBACKS: must be a list of models such as openai/gpt-4o-mini, not \"groq\"",
        ),
        ("LLM_FALLBACKS=groq/llama", "GROQ_API_KEY required when LLM_FALLBACKS names groq"),
        ("LLM_ALLOWED_MODELS=custom/llama", "LLM_BASE_URL required when LLM_ALLOWED_MODELS names custom"),
        ("MCP_CONFIG=mcp.json", "MCP_CONFIG: is not available in this version; leave it unset"),
        ("MCP_SERVER_COMMAND=none", "MCP_SERVER_COMMAND: the program `none` does not exist or cannot be run"),
        ("AUTH_MODE=oidc", "AUTH_MODE: must be none or jwt, not \"oidc\""),
        ("AUTH_MODE=jwt", "AUTH_MODE: jwt wants JWT_SECRET or JWKS_URL"),
        ("AUTH_MODE=jwt JWT_SECRET=short", "JWT_SECRET: must be at least 32 bytes"),
        (
            "AUTH_MODE=jwt JWT_SECRET=0123456789abcdef0123456789abcdef JWKS_URL=https://h/keys",
            "JWKS_URL: set together with JWT_SECRET; keep one",
        ),
        (
            "AUTH_MODE=jwt JWKS_URL=http://h/keys",
            "JWKS_URL: must be a URL that starts with https://; http:// is for this machine only",
        ),
        (
            "AUTH_MODE=jwt JWKS_URL=http://127.0.0.1.example/keys",
            "JWKS_URL: must be a URL that starts with https://; http:// is for this machine only",
        ),
        ("AUTH_MODE=jwt JWKS_URL=https://ada:pw@h/keys", "JWKS_URL: must not hold a user or password"),
        ("APP_ENV=production LLM_PROVIDER=demo", "AUTH_MODE: none is refused when APP_ENV=production"),
        (
            "DATABASE_MAX_CONNECTIONS=1",
            "DATABASE_MAX_CONNECTIONS: must be a number from 2 to 1000, not \"1\"",
        ),
        (
            "CORS_ALLOWED_ORIGINS=*",
            "CORS_ALLOWED_ORIGINS: must be origins such as https://app.example.org, not \"*\"",
        ),
        (
            "ALLOWED_HOSTS=a.org:80",
            "ALLOWED_HOSTS: must be host names without scheme and port, not \"a.org:80\"",
        ),
        (
            "DATABASE_URL_FILE=/none",
            "DATABASE_URL_FILE: `/none` cannot be read: No such file or directory (os error 2)",
        ),
    ] {
        assert_eq!(faults(pairs), [fault], "{pairs}");
    }
}

#[test]
fn without_authentication_only_this_machine_is_answered_unless_told_otherwise() {
    let fault = "HOST: 0.0.0.0 can be reached from elsewhere and AUTH_MODE=none lets anyone in; \
                 use 127.0.0.1 or set ALLOW_INSECURE_NO_AUTH=true";
    assert_eq!(faults("HOST=0.0.0.0"), [fault]);
    for pairs in ["HOST=0.0.0.0 ALLOW_INSECURE_NO_AUTH=true", "HOST=localhost", "HOST=::1"] {
        assert!(faults(pairs).is_empty(), "{pairs}");
    }
}

#[test]
fn with_tokens_every_address_may_be_listened_on() {
    let secret = "JWT_SECRET=0123456789abcdef0123456789abcdef";
    for keys in [secret, "JWKS_URL=https://id.example/keys", "JWKS_URL=http://[::1]:3000/keys"] {
        assert_eq!(faults(&format!("HOST=0.0.0.0 AUTH_MODE=JWT {keys}")), [""; 0], "{keys}");
    }
}

#[test]
fn production_starts_with_tokens_that_say_who_made_them_and_for_whom() {
    let keys = "APP_ENV=production OPENAI_API_KEY=k AUTH_MODE=jwt JWKS_URL=https://id.example/keys";
    assert_eq!(faults(&format!("{keys} JWT_ISSUER=i JWT_AUDIENCE=a")), [""; 0]);
    let when = "required when APP_ENV=production and AUTH_MODE=jwt";
    assert_eq!(faults(keys), [format!("JWT_ISSUER {when}"), format!("JWT_AUDIENCE {when}")]);
}

#[test]
fn the_secret_of_tokens_may_stand_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), "0123456789abcdef0123456789abcdef\n").unwrap();
    let read = from_source(&source("AUTH_MODE=jwt JWT_SECRET_FILE=secret"), folder.path());
    let AuthMode::Jwt(Jwt { keys: JwtKeys::Secret(secret), .. }) = read.unwrap().0.auth.mode else {
        panic!("a secret was set");
    };
    assert_eq!(secret.expose_secret().len(), 32);
}

#[test]
fn production_refuses_a_demo_that_nobody_asked_for() {
    let refuses =
        |pairs| faults(pairs).iter().any(|fault| fault.starts_with("LLM_PROVIDER: APP_ENV=production"));
    assert!(refuses("APP_ENV=production"));
    assert!(!refuses("APP_ENV=production LLM_PROVIDER=demo"));
    assert!(!refuses("APP_ENV=production OPENAI_API_KEY=k"));
}

#[test]
fn the_tasks_stand_beside_the_conversations_but_never_in_one_file() {
    let tasks = |pairs| config(pairs).storage.tasks.expose();
    assert_eq!(tasks("DATABASE_URL=sqlite:////var/lib/p.db"), "sqlite:///var/lib/parlor-tasks.db");
    assert_eq!(tasks("DATABASE_URL=postgres://ada:pw@h/p"), "postgres://ada:pw@h/p");
    let fault = "TASKS_DATABASE_URL: must name another SQLite file than DATABASE_URL";
    for pairs in ["DATABASE_URL=sqlite://parlor-tasks.db", "TASKS_DATABASE_URL=sqlite:///./parlor.db"] {
        assert_eq!(faults(pairs), [fault], "{pairs}");
    }
}

#[test]
fn a_link_to_the_same_file_is_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("parlor.db"), "").unwrap();
    std::os::unix::fs::symlink("parlor.db", folder.path().join("tasks.db")).unwrap();
    assert!(from_source(&source("TASKS_DATABASE_URL=sqlite://tasks.db"), folder.path()).is_err());
}

#[test]
fn instructions_are_read_from_their_file() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("short"), "Be kind.").unwrap();
    fs::write(folder.path().join("long"), "x".repeat(64 * 1024 + 1)).unwrap();
    let read = |pairs| from_source(&source(pairs), folder.path());
    let (config, _) = read("AGENT_INSTRUCTIONS_FILE=short").unwrap();
    assert_eq!(config.agent.instructions.as_deref(), Some("Be kind."));
    let fault = read("AGENT_INSTRUCTIONS_FILE=long").unwrap_err().to_string();
    assert!(fault.contains("AGENT_INSTRUCTIONS_FILE: `") && fault.ends_with("is longer than 65536 bytes"));
}

#[test]
fn neither_the_report_nor_the_debug_text_shows_a_secret() {
    let pairs = "JWT_SECRET=0123456789abcdef0123456789-hunter2 AUTH_MODE=jwt \
                 OPENAI_API_KEY=hunter2 LLM_API_KEY=hunter2 DATABASE_URL=postgres://ada:hunter2@h/p";
    let (config, report) = from_source(&source(pairs), Path::new("/srv")).unwrap();
    assert!(!format!("{config:?}{report:?}{}", report.table()).contains("hunter2"));
    assert!(report.table().contains("postgres://ada@h:5432/p"));
}

#[test]
fn no_fault_shows_a_secret() {
    for pairs in [
        "DATABASE_URL=postgres://ada:hunter2@h:port/p",
        "DATABASE_URL=postgres://ada:hunter2/x@h/p",
        "DATABASE_URL=mysql://ada:hunter2@h/p",
        "LLM_BASE_URL=https://ada:hunter2@h LLM_MODEL=m",
        "OPENAI_API_KEY=hunter2\u{7f}x",
        "AUTH_MODE=jwt JWT_SECRET=hunter2",
        "AUTH_MODE=jwt JWKS_URL=https://ada:hunter2@h",
    ] {
        let faults = faults(pairs).join("\n");
        assert!(!faults.is_empty() && !faults.contains("hunter2"), "{faults}");
    }
}

#[test]
fn the_log_is_for_programs_in_production_and_its_filter_must_be_usable() {
    assert_eq!(config("").telemetry.format, LogFormat::Text);
    assert_eq!(config("LOG_FORMAT=json").telemetry.format, LogFormat::Json);
    assert!(faults("RUST_LOG=parlor=loud")[0].starts_with("RUST_LOG: "));
}

/// Returns the settings of the example: lines that begin with `#NAME=`.
fn example() -> BTreeMap<&'static str, &'static str> {
    let settings = EXAMPLE.lines().filter_map(|line| line.strip_prefix('#')?.split_once('='));
    settings.filter(|(name, _)| name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')).collect()
}

#[test]
fn the_example_names_every_setting_that_is_read_and_no_other() {
    let (_, report) = from_source(&source(""), Path::new("/srv")).unwrap();
    let read = report.settings.iter().map(|setting| setting.name.as_str());
    let expected: BTreeSet<&str> = read.chain([source::READ_BY_TESTS]).collect();
    assert_eq!(example().into_keys().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn the_values_of_the_example_are_the_defaults() {
    let values = |source: &Source| -> Vec<(String, Shown)> {
        let (_, report) = from_source(source, Path::new("/srv")).unwrap();
        report.settings.into_iter().map(|setting| (setting.name, setting.value)).collect()
    };
    let text: String = example().iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    assert_eq!(values(&source("").with_dotenv(&text)), values(&source("")));
}
