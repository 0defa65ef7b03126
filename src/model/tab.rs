//! The bill of one model call while it is open. Whoever gives the call up, or waits for nothing, leaves an estimate behind:
//! the provider has read the request and written something, and will want to be paid.

use super::{estimate, providers::Price};
use crate::domain::{Meter, ModelEvent, Usage};

/// An open bill. Dropping it puts it on the meter.
#[derive(Debug)]
pub(super) struct Tab {
    meter: Meter,
    price: Option<Price>,
    request_bytes: usize,
    written_bytes: usize,
    told: Option<Usage>,
    is_open: bool,
}

impl Tab {
    /// Opens the bill of a request of so many bytes.
    pub(super) fn open(meter: &Meter, price: Option<Price>, request_bytes: usize) -> Self {
        let meter = meter.clone();
        Self { meter, price, request_bytes, written_bytes: 0, told: None, is_open: true }
    }

    /// Notes how much of the reply was written by now.
    pub(super) fn has_written(&mut self, bytes: usize) {
        self.written_bytes = bytes;
    }

    /// Notes what the call is said to cost, if one of the events says so. Returns whether one does.
    pub(super) fn read(&mut self, said: &[ModelEvent]) -> bool {
        let told = said.iter().rev().find_map(|event| match event {
            ModelEvent::Usage(usage) => Some(*usage),
            ModelEvent::Replaced { .. }
            | ModelEvent::Alive
            | ModelEvent::Text(_)
            | ModelEvent::Reasoning(_)
            | ModelEvent::CallBegun
            | ModelEvent::Call(_)
            | ModelEvent::Meta(_)
            | ModelEvent::Finished(_) => None,
        });
        self.told = told.or(self.told);
        told.is_some()
    }

    /// Closes the bill: the reply says itself what it cost, or the call cost nothing.
    pub(super) fn close(&mut self) {
        self.is_open = false;
    }
}

impl Drop for Tab {
    fn drop(&mut self) {
        if self.is_open {
            let usage = self.told.unwrap_or_else(|| estimate::usage(self.request_bytes, self.written_bytes));
            self.meter.add(priced(usage, self.price));
        }
    }
}

/// Says what a call cost in money, unless the provider said so itself.
pub(super) fn priced(usage: Usage, price: Option<Price>) -> Usage {
    Usage { cost_micros: usage.cost_micros.or_else(|| price.map(|price| price.of(&usage))), ..usage }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_bill_is_an_estimate_unless_the_provider_has_said_what_it_wants() {
        let meter = Meter::default();
        let mut tab = Tab::open(&meter, Some(Price::FREE), 30);
        tab.has_written(12);
        drop(tab);
        assert_eq!(meter.take(), Usage { cost_micros: Some(0), ..estimate::usage(30, 12) });
        let told = Usage { input_tokens: 7, model_calls: 1, ..Usage::default() };
        let mut tab = Tab::open(&meter, None, 30);
        assert!(tab.read(&[ModelEvent::Usage(told), ModelEvent::Alive]) && !tab.read(&[ModelEvent::Alive]));
        drop(tab);
        assert_eq!(meter.take(), told);
    }

    #[test]
    fn a_closed_bill_is_nothing() {
        let meter = Meter::default();
        let mut tab = Tab::open(&meter, None, 30);
        tab.close();
        drop(tab);
        assert_eq!(meter.take(), Usage::default());
    }
}
