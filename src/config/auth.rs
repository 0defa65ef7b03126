//! The settings of authentication: who is let in. Without any, only this machine may be answered.

use super::{address::Host, app_env::AppEnv, fault::Fault, reader::Reader, report::Shown};

/// The settings of authentication.
#[derive(Clone, Copy, Debug)]
pub struct Auth {
    /// How a user is known.
    pub mode: AuthMode,
}

/// How a user is known. Tokens are not built yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthMode {
    /// Not at all: the path says who asks.
    None,
}

impl Auth {
    /// Reads the settings and checks that nobody is let in from elsewhere by accident.
    pub(super) fn read(reader: &mut Reader<'_>, app_env: AppEnv, host: &Host) -> Self {
        let text = reader.text_or("AUTH_MODE", Shown::Plain("none".into()));
        let may_be_reached = reader.flag("ALLOW_INSECURE_NO_AUTH");
        let mode = text.as_deref().unwrap_or("none").to_ascii_lowercase();
        match mode.as_str() {
            "none" => {
                refuse_in_production(reader, app_env);
                if !host.is_loopback() && !may_be_reached {
                    refuse_host(reader, host);
                }
            }
            "jwt" => {
                reader.fault(Fault::unusable("AUTH_MODE", "jwt is not available in this version; use none"));
            }
            _ => reader.fault(Fault::value("AUTH_MODE", "none or jwt", &mode)),
        }
        Self { mode: AuthMode::None }
    }
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
