//! The table of routes. It builds the router and can be read, so that a test can hold its cases against all there is.

use axum::{
    Router,
    handler::Handler,
    routing::{MethodFilter, on},
};

use super::App;

/// A route: what a client may do, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Route {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path, its parameters in braces.
    pub path: &'static str,
}

/// The routes and the router that answers them; one grows with the other.
#[derive(Default)]
pub(super) struct Table {
    routes: Vec<Route>,
    router: Router<App>,
}

impl Table {
    pub(super) fn get<T: 'static>(self, path: &'static str, handler: impl Handler<T, App>) -> Self {
        self.with("GET", MethodFilter::GET, path, handler)
    }

    pub(super) fn post<T: 'static>(self, path: &'static str, handler: impl Handler<T, App>) -> Self {
        self.with("POST", MethodFilter::POST, path, handler)
    }

    pub(super) fn patch<T: 'static>(self, path: &'static str, handler: impl Handler<T, App>) -> Self {
        self.with("PATCH", MethodFilter::PATCH, path, handler)
    }

    pub(super) fn delete<T: 'static>(self, path: &'static str, handler: impl Handler<T, App>) -> Self {
        self.with("DELETE", MethodFilter::DELETE, path, handler)
    }

    /// Returns the list.
    pub(super) fn into_routes(self) -> Vec<Route> {
        self.routes
    }

    /// Returns the router.
    pub(super) fn into_router(self) -> Router<App> {
        self.router
    }

    fn with<T: 'static>(
        mut self,
        method: &'static str,
        filter: MethodFilter,
        path: &'static str,
        handler: impl Handler<T, App>,
    ) -> Self {
        self.routes.push(Route { method, path });
        Self { router: self.router.route(path, on(filter, handler)), routes: self.routes }
    }
}
