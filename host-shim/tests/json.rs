//! JSON in and out of a component, by its types.
#![allow(clippy::unwrap_used, reason = "helpers of tests")]

mod common;

use common::{ask, shop};

/// A value of every type, as it is written.
const ALL: &str = r#"{"aBool":true,"anS8":-128,"aU8":255,"anS16":-32768,"aU16":65535,"anS32":-2147483648,"aU32":4294967295,"anS64":-9223372036854775808,"aU64":18446744073709551615,"anF32":0.1,"anF64":1e+300,"aChar":"ß","aString":"tea \"cup\"","aList":[{"itemId":"a","isNew":true},{"itemId":"","isNew":false}],"aTuple":[7,"seven"],"aKind":"add_to_cart","someParts":["unit_price"],"aReason":{"because_of":"22423"},"anOption":5,"aResult":{"err":"no"},"bytes":[0,255]}"#;

/// `ALL` with one part of its text replaced: what comes back.
fn echo(part: &str, replacement: &str) -> Result<String, String> {
    assert!(part.is_empty() || ALL.contains(part), "{part}");
    let service = shop();
    ask(&mut service.instantiate().unwrap(), &service, "echo", &ALL.replacen(part, replacement, 1))
}

#[track_caller]
fn refused(part: &str, replacement: &str, message: &str) {
    assert_eq!(echo(part, replacement), Err(message.to_owned()));
}

#[test]
fn every_type_comes_back_as_it_went() {
    assert_eq!(echo("", "").as_deref(), Ok(ALL));
}

#[test]
fn cases_that_carry_nothing_are_words() {
    let back = echo(r#"{"because_of":"22423"}"#, r#""no_reason""#).unwrap();
    assert!(back.contains(r#""aReason":"no_reason""#), "{back}");
    let back = echo(r#""anOption":5,"#, "").unwrap();
    assert!(back.contains(r#""anOption":null"#), "{back}");
    let back = echo(r#"{"err":"no"}"#, r#"{"ok":3}"#).unwrap();
    assert!(back.contains(r#""aResult":{"ok":3}"#), "{back}");
}

#[test]
fn three_spellings_are_read_and_one_is_written() {
    for (part, replacement) in [
        (r#""aList""#, r#""a-list""#),
        (r#""aList""#, r#""a_list""#),
        (r#""add_to_cart""#, r#""add-to-cart""#),
        (r#""add_to_cart""#, r#""addToCart""#),
        (r#"["unit_price"]"#, r#"["unitPrice"]"#),
        (r#"{"because_of""#, r#"{"because-of""#),
    ] {
        assert_eq!(echo(part, replacement).as_deref(), Ok(ALL), "{replacement}");
    }
}

#[test]
fn wide_integers_may_be_strings() {
    let wide = echo("18446744073709551615", r#""18446744073709551615""#);
    assert_eq!(wide.as_deref(), Ok(ALL));
    refused(
        "18446744073709551615",
        "\"18446744073709551616\"",
        "aU64: the string \"18446744073709551616\" given, u64 expected",
    );
}

#[test]
fn what_does_not_fit_is_named_with_its_place() {
    refused("255,", "256,", "aU8: the number 256 given, u8 expected");
    refused("-128", "1.5", "anS8: the number 1.5 given, s8 expected");
    refused("0.1", "1e39", "anF32: the number 1e+39 given, f32 expected");
    refused(r#""ß""#, r#""ss""#, "aChar: the string \"ss\" given, char expected");
    refused("true,", "\"true\",", "aBool: the string \"true\" given, bool expected");
    refused(r#""itemId":"a""#, r#""itemId":1"#, "aList[0].itemId: the number 1 given, string expected");
    refused(r#"[7,"seven"]"#, "[7]", "aTuple: an array given, tuple<u8, string> expected");
    refused(r#"[7,"seven"]"#, "[7,8]", "aTuple[1]: the number 8 given, string expected");
    refused(
        "\"add_to_cart\"",
        "\"cart\"",
        "aKind: the string \"cart\" given, enum {view, add-to-cart} expected",
    );
    refused(
        r#"["unit_price"]"#,
        r#"["name","colour"]"#,
        "someParts[1]: the string \"colour\" given, flags {name, unit-price} expected",
    );
    refused(
        r#"{"because_of":"22423"}"#,
        r#"{"because_of":3}"#,
        "aReason.because_of: the number 3 given, string expected",
    );
    refused(
        r#"{"because_of":"22423"}"#,
        r#""because_of""#,
        "aReason: the string \"because_of\" given, variant {no-reason, because-of, after-ms} expected",
    );
    refused("[0,255]", "null", "bytes: null given, list<u8> expected");
}

#[test]
fn fields_are_known_given_once_and_not_missing() {
    let message = echo(r#""aBool""#, r#""aBoole""#).unwrap_err();
    assert!(
        message.starts_with("aBoole: no such field, did you mean `aBool`?; the record has aBool, anS8,"),
        "{message}"
    );
    refused(
        r#""isNew":true"#,
        r#""isNew":true,"is-new":true"#,
        "aList[0].isNew: given twice, in two spellings",
    );
    refused(r#""aString":"tea \"cup\"","#, "", "aString: missing, string expected");
}

#[test]
fn defaults_fill_what_is_missing() {
    let service = shop();
    let mut instance = service.instantiate().unwrap();
    let mut asked = |json| ask(&mut instance, &service, "ask", json);
    let rest = r#""f01":7,"f02":7,"f03":7,"f04":7,"f05":7,"f06":7,"f07":7,"f08":7,"f09":7,"f10":7,"f11":7"#;
    assert_eq!(asked("{}"), Ok(format!(r#"{{"n":10,"name":null,"tags":[],{rest}}}"#)));
    let given = asked(r#"{"tags":["x"],"name":"ann","f11":9}"#);
    let rest = rest.replace(r#""f11":7"#, r#""f11":9"#);
    assert_eq!(given, Ok(format!(r#"{{"n":10,"name":"ann","tags":["x"],{rest}}}"#)));
    // The parameter's own name around the record is as good.
    assert_eq!(asked(r#"{"request":{"n":3}}"#).unwrap().find(r#"{"n":3,"#), Some(0));
    assert_eq!(asked("null"), Err("the body: null given, record expected".to_owned()));
}

#[test]
fn arguments_come_alone_by_name_or_in_order() {
    let service = shop();
    let mut instance = service.instantiate().unwrap();
    let mut asked = |function, json| ask(&mut instance, &service, function, json);
    assert_eq!(asked("add", r#"{"left":2,"right":3}"#).as_deref(), Ok("5"));
    assert_eq!(asked("add", "[2,3]").as_deref(), Ok("5"));
    assert_eq!(asked("add", "[2,-3]"), Err("[1]: the number -3 given, u32 expected".to_owned()));
    assert_eq!(
        asked("add", "2"),
        Err("the body: the number 2 given, an object with left, right expected".to_owned())
    );
    assert_eq!(asked("add", r#"{"left":2}"#), Err("right: missing, u32 expected".to_owned()));
    assert_eq!(asked("divideHundred", "4").as_deref(), Ok("25"));
    assert_eq!(asked("divide-hundred", r#"{"by":4}"#).as_deref(), Ok("25"));
    assert_eq!(asked("count", "null").as_deref(), Ok("1"));
    assert_eq!(asked("count", "{}").as_deref(), Ok("2"));
    let message = "the body: the number 1 given, no body: the function takes no arguments expected";
    assert_eq!(asked("count", "1"), Err(message.to_owned()));
}
