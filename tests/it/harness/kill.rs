//! Where a server dies: at the request that it waits for, which a stand-in holds before or after its effect.

use std::future::Future;

use docket_sandbox::faults::{FaultKind, NewFault};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Harness, World};

/// When a server dies, seen from the request that it waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dies {
    /// Before the request did anything.
    Before,
    /// After it took effect, and before its reply came.
    After,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    Fastio,
    OpenAi,
}

/// A request among those that a server makes.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub asked: Asked,
    /// Every method, when there is none.
    pub method: Option<&'static str>,
    pub path: &'static str,
    /// Such requests that pass first.
    pub skip: u64,
}

pub const fn fastio(method: &'static str, path: &'static str) -> Step {
    Step { asked: Asked::Fastio, method: Some(method), path, skip: 0 }
}

pub const fn openai(method: &'static str, path: &'static str) -> Step {
    Step { asked: Asked::OpenAi, method: Some(method), path, skip: 0 }
}

impl Step {
    /// The one that comes after `skip` like it.
    pub const fn after(self, skip: u64) -> Step {
        Step { skip, ..self }
    }
}

impl World {
    /// Has the request `step` held, once. What is answered resolves when it is.
    pub fn hold(&self, step: &Step, dies: Dies) -> impl Future<Output = ()> + use<> {
        self.hold_for(None, step, dies)
    }

    /// What is answered resolves when the request `step` has taken effect; its reply follows.
    pub fn sees(&self, step: &Step) -> impl Future<Output = ()> + use<> {
        self.hold_for(Some(1), step, Dies::After)
    }

    fn hold_for(&self, ms: Option<u64>, step: &Step, dies: Dies) -> impl Future<Output = ()> + use<> {
        let core = match step.asked {
            Asked::Fastio => self.sandbox.fastio_core().clone(),
            Asked::OpenAi => self.sandbox.openai_core().clone(),
        };
        let mut fault = NewFault::of(match dies {
            Dies::Before => FaultKind::HeldRequest,
            Dies::After => FaultKind::HeldReply,
        });
        (fault.method, fault.path) = (step.method.map(str::to_owned), Some(step.path.to_owned()));
        (fault.count, fault.skip) = (Some(1), Some(step.skip));
        fault.details.delay_ms = ms;
        let fault = core.faults.add(fault);
        let step = *step;
        async move {
            let held = timeout(super::PATIENCE, core.faults.held_by(&fault.id)).await;
            assert!(held.is_ok(), "there was no {step:?}");
        }
    }
}

impl Harness {
    /// Begins the job that is due now and drops it, as a kill does, when `step` is held. The job then has no worker
    /// until its lease runs out or the next server takes it over.
    pub async fn work_killed(&self, step: &Step, dies: Dies) {
        let held = self.hold(step, dies);
        tokio::select! {
            _ = self.work_one() => panic!("it did not come to {step:?}"),
            () = held => {}
        }
    }

    /// Does jobs until nothing is left, and drops the work once, as a kill does, when `step` is held. False when there
    /// was no such request.
    pub async fn settle_killed(&self, step: &Step, dies: Dies) -> bool {
        let mut held = std::pin::pin!(self.hold(step, dies));
        let mut killed = false;
        for _ in 0..super::MOST_STEPS {
            self.take_in().await;
            let never = CancellationToken::new();
            let worked = tokio::select! {
                worked = self.queue.work_one(&*self.work, &never) => Some(worked.unwrap()),
                () = &mut held, if !killed => None,
            };
            match worked {
                Some(true) => {}
                None => {
                    killed = true;
                    self.queue.recover().await.unwrap();
                }
                Some(false) => match self.queue.next_due().await.unwrap() {
                    Some(due) => self.pass(due - self.clock.now()),
                    None => {
                        self.no_faults().await;
                        return killed;
                    }
                },
            }
        }
        panic!("the work does not end: {:#?}", self.jobs().await);
    }
}
