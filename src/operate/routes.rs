//! The routes of the operator listener, each with who may ask for it: a list that a test goes through with every token. It is
//! the handler that lets a client in or not ([`super::guard`]); the list says what it has to do.

use axum::Router;
use axum::handler::Handler;
use axum::http::Method;
use axum::routing::{MethodFilter, on};

use super::guard::Role;

/// One route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stated {
    pub method: Method,
    pub path: &'static str,
    /// The least that a client has to be; none where everybody may ask.
    pub role: Option<Role>,
}

/// A router, and the list of what is in it.
#[derive(Debug, Clone)]
pub struct Routes<S = ()> {
    router: Router<S>,
    stated: Vec<Stated>,
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Routes { router: Router::new(), stated: Vec::new() }
    }
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// What is seen. It changes nothing.
    #[must_use]
    pub fn get<H: Handler<T, S>, T: 'static>(
        self,
        role: impl Into<Option<Role>>,
        path: &'static str,
        handler: H,
    ) -> Self {
        let stated = Stated { method: Method::GET, path, role: role.into() };
        self.with((stated, MethodFilter::GET), handler)
    }

    /// What changes something.
    #[must_use]
    pub fn post<H: Handler<T, S>, T: 'static>(
        self,
        role: impl Into<Option<Role>>,
        path: &'static str,
        handler: H,
    ) -> Self {
        let stated = Stated { method: Method::POST, path, role: role.into() };
        self.with((stated, MethodFilter::POST), handler)
    }

    fn with<H: Handler<T, S>, T: 'static>(
        mut self,
        (stated, filter): (Stated, MethodFilter),
        handler: H,
    ) -> Self {
        self.router = self.router.route(stated.path, on(filter, handler));
        self.stated.push(stated);
        self
    }

    /// Both.
    #[must_use]
    pub fn merge(mut self, more: Routes<S>) -> Self {
        self.router = self.router.merge(more.router);
        self.stated.extend(more.stated);
        self
    }

    #[must_use]
    pub fn with_state<T>(self, state: S) -> Routes<T> {
        Routes { router: self.router.with_state(state), stated: self.stated }
    }

    pub fn stated(&self) -> &[Stated] {
        &self.stated
    }

    pub(super) fn into_router(self) -> Router<S> {
        self.router
    }
}
