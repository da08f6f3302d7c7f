//! What a type is called in a message, and what a JSON value is.

use serde_json::Value;
use wasmtime::component::Type;

/// Characters of a value that a message shows.
const SHOWN: usize = 40;

/// What is expected, such as `u32` or `one of view, cart`.
pub(crate) fn type_words(ty: &Type) -> String {
    match ty {
        Type::Bool => "bool".to_owned(),
        Type::S8 => "s8".to_owned(),
        Type::U8 => "u8".to_owned(),
        Type::S16 => "s16".to_owned(),
        Type::U16 => "u16".to_owned(),
        Type::S32 => "s32".to_owned(),
        Type::U32 => "u32".to_owned(),
        Type::S64 => "s64".to_owned(),
        Type::U64 => "u64".to_owned(),
        Type::Float32 => "f32".to_owned(),
        Type::Float64 => "f64".to_owned(),
        Type::Char => "char".to_owned(),
        Type::String => "string".to_owned(),
        Type::List(list) => format!("list<{}>", type_words(&list.ty())),
        Type::FixedLengthList(list) => format!("list<{}, {}>", type_words(&list.ty()), list.len()),
        Type::Map(map) => format!("map<{}, {}>", type_words(&map.key()), type_words(&map.value())),
        Type::Record(_) => "record".to_owned(),
        Type::Tuple(tuple) => format!("tuple<{}>", listed(tuple.types())),
        Type::Variant(variant) => format!("variant {{{}}}", joined(variant.cases().map(|case| case.name))),
        Type::Enum(names) => format!("enum {{{}}}", joined(names.names())),
        Type::Option(option) => format!("option<{}>", type_words(&option.ty())),
        Type::Result(result) => {
            let word = |ty: Option<Type>| ty.map_or_else(|| "_".to_owned(), |ty| type_words(&ty));
            format!("result<{}, {}>", word(result.ok()), word(result.err()))
        }
        Type::Flags(flags) => format!("flags {{{}}}", joined(flags.names())),
        Type::Own(_) | Type::Borrow(_) => "resource".to_owned(),
        Type::Future(_) => "future".to_owned(),
        Type::Stream(_) => "stream".to_owned(),
        Type::ErrorContext => "error-context".to_owned(),
    }
}

fn listed(types: impl Iterator<Item = Type>) -> String {
    types.map(|ty| type_words(&ty)).collect::<Vec<_>>().join(", ")
}

fn joined<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// What was found, such as `the string "abc"`; long ones are cut.
pub(super) fn value_words(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) if text.chars().count() > SHOWN => {
            format!("the string {:?}...", text.chars().take(SHOWN).collect::<String>())
        }
        Value::String(text) => format!("the string {text:?}"),
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The part of a message that offers a hint.
pub(crate) fn did_you_mean(hint: Option<&str>) -> String {
    hint.map(|hint| format!(", did you mean `{hint}`?")).unwrap_or_default()
}
