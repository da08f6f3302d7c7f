//! Calls of a component: names, results, and guests that misbehave.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use std::time::{Duration, Instant};

use common::{DEADLINE, MEMORY, ask, guest, host, shop};
use endcap_host::{Function, Grants, HostError, Instance, Outcome};
use serde_json::Value;

fn function(name: &str) -> (Instance, Function) {
    let service = shop();
    let function = service.function(name).unwrap().clone();
    (service.instantiate().unwrap(), function)
}

/// Calls a function without arguments that has to fail.
fn failure(name: &str) -> (Instance, HostError) {
    let (mut instance, function) = function(name);
    let error = instance.invoke(&function, &Value::Null).unwrap_err();
    (instance, error)
}

#[test]
fn functions_are_listed_with_their_interface() {
    let service = shop();
    let names: Vec<_> =
        service.functions().iter().map(|function| (function.interface(), function.name())).collect();
    assert!(names.contains(&(None, "divide-hundred")), "{names:?}");
    assert!(names.contains(&(Some("test:shop/second@1.0.0"), "info")), "{names:?}");
    let signature = service.function("divide-hundred").unwrap().signature();
    assert_eq!(signature, "divide-hundred(by: u32) -> result<u32, u32>");
}

#[test]
fn a_name_in_two_interfaces_needs_the_interface() {
    let service = shop();
    let mut instance = service.instantiate().unwrap();
    let mut asked = |function| ask(&mut instance, &service, function, "null");
    assert_eq!(asked("first#info").as_deref(), Ok("7"));
    assert_eq!(asked("test:shop/second@1.0.0#info").as_deref(), Ok("8"));
    let message =
        "`info` is in several interfaces: write test:shop/first@1.0.0#info or test:shop/second@1.0.0#info";
    assert_eq!(asked("info"), Err(message.to_owned()));
}

#[test]
fn an_unknown_name_is_answered_with_the_nearest() {
    let message = |name| shop().function(name).unwrap_err().to_string();
    let known = "the component exports test:shop/first@1.0.0#info, test:shop/second@1.0.0#info, echo, ask, \
                 default-ask, divide-hundred, count, trap, overflow, spin, hog, add";
    assert_eq!(message("ehco"), format!("no function `ehco`, did you mean `echo`?; {known}"));
    assert_eq!(message("recommend"), format!("no function `recommend`; {known}"));
}

#[test]
fn an_error_of_the_guest_is_a_result_and_harms_nothing() {
    let (mut instance, divide) = function("divide-hundred");
    let answer = instance.invoke(&divide, &Value::from(0)).unwrap();
    assert_eq!((answer.is_ok, answer.json.as_str()), (false, "33"));
    let arguments = instance.prepare(&divide, &Value::from(5)).unwrap();
    let Outcome::Ok(Some(value)) = instance.call(&divide, &arguments).unwrap() else { panic!("an error") };
    assert_eq!(format!("{value:?}"), "U32(20)");
    assert!(!instance.is_poisoned());
}

#[test]
fn state_lives_as_long_as_the_instance() {
    let service = shop();
    let mut first = service.instantiate().unwrap();
    let mut second = service.instantiate().unwrap();
    for expected in ["1", "2", "3"] {
        assert_eq!(ask(&mut first, &service, "count", "null").as_deref(), Ok(expected));
    }
    assert_eq!(ask(&mut second, &service, "count", "null").as_deref(), Ok("1"));
}

#[test]
fn a_trap_is_an_error_and_ends_the_instance() {
    let (mut instance, error) = failure("trap");
    assert!(matches!(error, HostError::Trap { trap: wasmtime::Trap::UnreachableCodeReached }), "{error}");
    assert!(instance.is_poisoned());
    let service = shop();
    let again = instance.invoke(service.function("count").unwrap(), &Value::Null).unwrap_err();
    assert!(matches!(again, HostError::Poisoned), "{again}");
}

#[test]
fn an_endless_loop_meets_its_deadline() {
    let begun = Instant::now();
    let (_, error) = failure("spin");
    assert!(matches!(error, HostError::Deadline { limit } if limit == DEADLINE), "{error}");
    let lasted = begun.elapsed();
    assert!(lasted >= DEADLINE, "{lasted:?}");
    // Compiling the guest is in it as well.
    assert!(lasted < DEADLINE + Duration::from_secs(20), "{lasted:?}");
}

#[test]
fn a_greedy_guest_meets_its_memory_limit() {
    let (_, error) = failure("hog");
    let HostError::Memory { wanted, limit } = error else { panic!("{error}") };
    assert_eq!(limit, MEMORY);
    assert_eq!(wanted, MEMORY + (256 << 10), "256 KiB at the start, then 4 MiB each");
}

#[test]
fn more_instances_than_allowed_are_refused_until_one_goes() {
    let service = shop();
    let allowed = common::config().instances;
    let mut alive: Vec<_> = (0..allowed).map(|_| service.instantiate().unwrap()).collect();
    let error = service.instantiate().unwrap_err();
    assert!(matches!(error, HostError::Instantiate { .. }), "{error}");
    alive.pop();
    service.instantiate().unwrap();
}

#[test]
fn what_is_no_component_is_refused() {
    let refused = |wasm: &[u8]| host().component(wasm, &Grants::default()).unwrap_err();
    assert_eq!(
        refused(b"(component)").to_string(),
        "something else given, a WebAssembly module or component in binary form expected"
    );
    assert_eq!(
        refused(&wat::parse_str("(module)").unwrap()).to_string(),
        "a core module given, a component expected"
    );
    let mut cut = guest("shop");
    cut.truncate(cut.len() / 2);
    assert!(matches!(refused(&cut), HostError::Compile { .. }));
    let imports =
        wat::parse_str(r#"(component (import "test:none/of-this@1.0.0" (instance (export "f" (func)))))"#);
    let error = refused(&imports.unwrap());
    assert!(matches!(error, HostError::Link { .. }), "{error}");
    assert!(error.to_string().contains("test:none/of-this"), "{error}");
}

#[test]
fn a_component_that_takes_no_model_says_so() {
    let error = shop().instantiate().unwrap().load_model(b"").unwrap_err();
    assert!(matches!(error, HostError::NoModel { .. }), "{error}");
    assert!(error.to_string().contains("endcap:recommender/model"), "{error}");
}
