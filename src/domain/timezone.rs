//! Where a user is, as far as clocks are concerned: a time zone of the IANA database, by its name.
//!
//! The database is within the program, as bytes that are read only where a zone is asked for. Tables of pointers would be
//! written at every start, once for the service and once for the task server.

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, Offset, Utc};
use jiff::{Timestamp, tz::TimeZone};

/// A time zone of the IANA database. Cloning is cheap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Timezone(TimeZone);

/// Why a text is not a time zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be an IANA time zone such as Europe/Paris")]
pub struct TimezoneError;

impl Timezone {
    /// Returns the name, as in the database.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// Returns the time that clocks show there.
    pub fn local(&self, now: DateTime<Utc>) -> DateTime<FixedOffset> {
        let there = Timestamp::from_second(now.timestamp()).map(|now| self.0.to_offset(now).seconds());
        let offset = there.ok().and_then(FixedOffset::east_opt).unwrap_or_else(|| Utc.fix());
        now.with_timezone(&offset)
    }
}

impl Default for Timezone {
    /// Makes that of whoever names none.
    fn default() -> Self {
        Self(TimeZone::UTC)
    }
}

impl FromStr for Timezone {
    type Err = TimezoneError;

    /// Finds a zone by its exact name.
    fn from_str(name: &str) -> Result<Self, TimezoneError> {
        let zone = TimeZone::get(name).map_err(|_| TimezoneError)?;
        if zone.iana_name() == Some(name) && !zone.is_unknown() { Ok(Self(zone)) } else { Err(TimezoneError) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(zone: &str, now: &str) -> String {
        let zone: Timezone = zone.parse().unwrap();
        format!("{} {}", zone.local(now.parse().unwrap()).format("%m-%d %H:%M"), zone.name())
    }

    #[test]
    fn a_zone_shows_its_own_time_in_summer_and_in_winter() {
        assert_eq!(shown("Europe/Paris", "2026-07-01T22:30:00Z"), "07-02 00:30 Europe/Paris");
        assert_eq!(shown("Europe/Paris", "2026-12-01T22:30:00Z"), "12-01 23:30 Europe/Paris");
        assert_eq!(shown("Asia/Kathmandu", "2060-07-01T22:30:00Z"), "07-02 04:15 Asia/Kathmandu");
        assert_eq!(shown("UTC", "2026-07-01T22:30:00Z"), "07-01 22:30 UTC");
    }

    #[test]
    fn a_zone_has_the_name_that_the_client_gave_also_where_it_is_an_older_one() {
        assert_eq!(shown("Asia/Calcutta", "2026-07-01T22:30:00Z"), "07-02 04:00 Asia/Calcutta");
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for name in
            ["", "Mars/Olympus", "europe/paris", "Etc/Unknown", "+01:00", "CET-1CEST", "../etc/passwd"]
        {
            assert_eq!(name.parse::<Timezone>(), Err(TimezoneError), "{name}");
        }
    }
}
