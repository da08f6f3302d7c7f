//! Element types of the caller, of ONNX and of tract.

use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::prelude::DatumType;

use crate::TensorType;

/// What a caller's type is to tract; `None` for bfloat16, which it has not.
pub(crate) fn to_tract(ty: TensorType) -> Option<DatumType> {
    match ty {
        TensorType::F16 => Some(DatumType::F16),
        TensorType::F32 => Some(DatumType::F32),
        TensorType::F64 => Some(DatumType::F64),
        TensorType::Bf16 => None,
        TensorType::U8 => Some(DatumType::U8),
        TensorType::I32 => Some(DatumType::I32),
        TensorType::I64 => Some(DatumType::I64),
    }
}

/// What tract's type is to a caller; `None` where the ABIs have no such type.
pub(crate) fn from_tract(ty: DatumType) -> Option<TensorType> {
    match ty {
        DatumType::F16 => Some(TensorType::F16),
        DatumType::F32 => Some(TensorType::F32),
        DatumType::F64 => Some(TensorType::F64),
        // One byte each, 0 or 1: the ABIs know no booleans.
        DatumType::U8 | DatumType::Bool => Some(TensorType::U8),
        DatumType::I32 => Some(TensorType::I32),
        // Sizes that an operator like Shape gives stay symbolic inside tract, and are i64 in ONNX.
        DatumType::I64 | DatumType::TDim => Some(TensorType::I64),
        _ => None,
    }
}

/// What an ONNX type of an input or output is to a caller.
pub(crate) fn from_onnx(ty: i32) -> Option<TensorType> {
    match DataType::try_from(ty).ok()? {
        DataType::Float16 => Some(TensorType::F16),
        DataType::Float => Some(TensorType::F32),
        DataType::Double => Some(TensorType::F64),
        DataType::Uint8 | DataType::Bool => Some(TensorType::U8),
        DataType::Int32 => Some(TensorType::I32),
        DataType::Int64 => Some(TensorType::I64),
        _ => None,
    }
}

/// Bytes of an element of an ONNX tensor; `None` for types that tract cannot hold, and for strings, which have no
/// fixed size.
pub(crate) fn onnx_size(ty: i32) -> Option<u64> {
    match DataType::try_from(ty).ok()? {
        DataType::Bool | DataType::Uint8 | DataType::Int8 => Some(1),
        DataType::Float16 | DataType::Uint16 | DataType::Int16 => Some(2),
        DataType::Float | DataType::Uint32 | DataType::Int32 => Some(4),
        DataType::Double | DataType::Uint64 | DataType::Int64 => Some(8),
        _ => None,
    }
}
