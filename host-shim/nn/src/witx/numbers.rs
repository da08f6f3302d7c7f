//! The numbers by which the witx ABI names types, encodings and targets. The component ABI has others.

use super::WitxError;
use crate::{Device, Encoding, TensorType};

/// A tensor's type.
pub(super) fn tensor_type(number: u32) -> Result<TensorType, WitxError> {
    match number {
        0 => Ok(TensorType::F16),
        1 => Ok(TensorType::F32),
        2 => Ok(TensorType::F64),
        3 => Ok(TensorType::U8),
        4 => Ok(TensorType::I32),
        5 => Ok(TensorType::I64),
        found => Err(WitxError::Number {
            what: "tensor type",
            found,
            known: "0 (f16), 1 (f32), 2 (f64), 3 (u8), 4 (i32), 5 (i64)",
        }),
    }
}

/// A model's encoding.
pub(super) fn encoding(number: u32) -> Result<Encoding, WitxError> {
    match number {
        1 => Ok(Encoding::Onnx),
        5 => Ok(Encoding::Autodetect),
        6 => Ok(Encoding::Ggml),
        found => Err(WitxError::Encoding { found }),
    }
}

/// Where to compute.
pub(super) fn device(number: u32) -> Result<Device, WitxError> {
    match number {
        // 3 leaves it to the host, which has a processor in any case.
        0 | 3 => Ok(Device::Cpu),
        1 => Ok(Device::Gpu),
        2 => Err(WitxError::Target { found: number }),
        found => {
            Err(WitxError::Number { what: "target", found, known: "0 (cpu), 1 (gpu), 2 (tpu), 3 (auto)" })
        }
    }
}
