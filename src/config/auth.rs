//! The settings of authentication: who is let in. Without any, only this machine may be answered.

use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::{
    address::{Host, KeysUrlError, parse_keys_url},
    app_env::AppEnv,
    fault::Fault,
    reader::Reader,
    report::Shown,
};

/// The shortest secret, in bytes: as long as the signature that it makes.
const SHORTEST_SECRET: usize = 32;

/// The settings of authentication.
#[derive(Clone, Debug)]
pub struct Auth {
    /// How a user is known.
    pub mode: AuthMode,
}

/// How a user is known.
#[derive(Clone, Debug)]
pub enum AuthMode {
    /// Not at all: the path says who asks.
    None,
    /// By a token.
    Jwt(Jwt),
}

/// Which tokens are good.
#[derive(Clone, Debug)]
pub struct Jwt {
    /// What they are signed with.
    pub keys: JwtKeys,
    /// Who must have made them; there in production.
    pub issuer: Option<String>,
    /// Whom they must be for; there in production.
    pub audience: Option<String>,
}

/// What tokens are signed with.
#[derive(Clone, Debug)]
pub enum JwtKeys {
    /// A secret that whoever makes tokens has too.
    Secret(SecretString),
    /// Keys whose public halves are at this address: `https`, or on this machine.
    Url(Url),
}

impl Auth {
    /// Reads the settings and checks that nobody is let in from elsewhere by accident.
    pub(super) fn read(reader: &mut Reader<'_>, app_env: AppEnv, host: &Host) -> Self {
        let text = reader.text_or("AUTH_MODE", Shown::Plain("none".into()));
        let may_be_reached = reader.flag("ALLOW_INSECURE_NO_AUTH");
        let tokens = Tokens::read(reader);
        let mode = text.as_deref().unwrap_or("none").to_ascii_lowercase();
        match mode.as_str() {
            "none" => {
                refuse_in_production(reader, app_env);
                if !host.is_loopback() && !may_be_reached {
                    refuse_host(reader, host);
                }
            }
            "jwt" => {
                if let Some(jwt) = tokens.checked(reader, app_env) {
                    return Self { mode: AuthMode::Jwt(jwt) };
                }
            }
            _ => reader.fault(Fault::value("AUTH_MODE", "none or jwt", &mode)),
        }
        Self { mode: AuthMode::None }
    }
}

/// The settings of tokens as they stand. Without `AUTH_MODE=jwt` they mean nothing.
struct Tokens {
    secret: Option<SecretString>,
    url: Option<Result<Url, KeysUrlError>>,
    issuer: Option<String>,
    audience: Option<String>,
}

impl Tokens {
    fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            secret: reader.secret("JWT_SECRET"),
            url: read_url(reader),
            issuer: reader.text("JWT_ISSUER"),
            audience: reader.text("JWT_AUDIENCE"),
        }
    }

    /// Checks what belongs together; nothing, its fault noted, where there are no keys.
    fn checked(self, reader: &mut Reader<'_>, app_env: AppEnv) -> Option<Jwt> {
        let keys = match (self.secret, self.url) {
            (Some(secret), None) => checked_secret(reader, secret),
            (None, Some(url)) => url.ok().map(JwtKeys::Url),
            (None, None) => {
                reader.fault(Fault::unusable("AUTH_MODE", "jwt wants JWT_SECRET or JWKS_URL"));
                None
            }
            (Some(_), Some(_)) => {
                reader.fault(Fault::unusable("JWKS_URL", "set together with JWT_SECRET; keep one"));
                None
            }
        };
        if app_env == AppEnv::Production {
            for (name, value) in [("JWT_ISSUER", &self.issuer), ("JWT_AUDIENCE", &self.audience)] {
                if value.is_none() {
                    reader.fault(Fault::missing(name, "APP_ENV=production and AUTH_MODE=jwt"));
                }
            }
        }
        Some(Jwt { keys: keys?, issuer: self.issuer, audience: self.audience })
    }
}

fn checked_secret(reader: &mut Reader<'_>, secret: SecretString) -> Option<JwtKeys> {
    // An empty one is a file that could not be read, which is a fault already.
    let length = secret.expose_secret().len();
    if (1..SHORTEST_SECRET).contains(&length) {
        reader.fault(Fault::unusable("JWT_SECRET", format_args!("must be at least {SHORTEST_SECRET} bytes")));
    }
    Some(JwtKeys::Secret(secret))
}

/// Reads the address of keys. It is judged even where it means nothing: the report shows it.
fn read_url(reader: &mut Reader<'_>) -> Option<Result<Url, KeysUrlError>> {
    let url = parse_keys_url(&reader.text("JWKS_URL")?);
    if let Err(error) = &url {
        reader.fault(Fault::unusable("JWKS_URL", error));
    }
    Some(url)
}

fn refuse_in_production(reader: &mut Reader<'_>, app_env: AppEnv) {
    match app_env {
        AppEnv::Development => {}
        AppEnv::Production => {
            reader.fault(Fault::unusable("AUTH_MODE", "none is refused when APP_ENV=production"));
        }
    }
}

fn refuse_host(reader: &mut Reader<'_>, host: &Host) {
    let reason = format!(
        "{host} can be reached from elsewhere and AUTH_MODE=none lets anyone in; \
         use 127.0.0.1 or set ALLOW_INSECURE_NO_AUTH=true"
    );
    reader.fault(Fault::unusable("HOST", reason));
}
