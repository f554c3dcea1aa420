//! Typed arrays for JavaScript, whose memory may not be there.

use napi::bindgen_prelude::{
    Float32ArraySlice, FromNapiValue, Function, Int8ArraySlice, JsObjectValue, Uint8ArraySlice,
    Uint32ArraySlice, Unknown,
};
use napi::{Env, JsValue, sys};

use super::errors;
use crate::error::{Error, ErrorKind};

/// A kind of typed array.
pub trait TypedArray: FromNapiValue {
    /// The number that it holds.
    type Number: Copy;
    /// Its constructor in JavaScript.
    const CONSTRUCTOR: &'static str;

    /// Its memory, to be written before JavaScript has it.
    fn numbers(&mut self) -> &mut [Self::Number];
}

macro_rules! typed_array {
    ($slice:ident, $number:ty, $constructor:literal) => {
        impl TypedArray for $slice<'_> {
            type Number = $number;
            const CONSTRUCTOR: &'static str = $constructor;

            fn numbers(&mut self) -> &mut [$number] {
                // SAFETY: `zeros` has just made it, on this thread: nobody else knows of it yet.
                unsafe { self.as_mut() }
            }
        }
    };
}

typed_array!(Float32ArraySlice, f32, "Float32Array");
typed_array!(Int8ArraySlice, i8, "Int8Array");
typed_array!(Uint8ArraySlice, u8, "Uint8Array");
typed_array!(Uint32ArraySlice, u32, "Uint32Array");

/// An array of zeros, made by JavaScript's own constructor: that one throws where there is no memory, and Node-API's
/// function ends the process.
///
/// # Errors
/// Of code `ERR_EMBED_INFERENCE` when there is no memory.
pub fn zeros<T: TypedArray>(env: Env, length: usize) -> napi::Result<T> {
    let constructor: Function<'_, f64, Unknown<'_>> = env.get_global()?.get_named_property(T::CONSTRUCTOR)?;
    let made = constructor.new_instance(length as f64).map_err(|refused| {
        let mut exception = std::ptr::null_mut();
        // SAFETY: on the JavaScript thread of `env`, with room for the answer. While an exception is pending, nothing else could be called.
        unsafe { sys::napi_get_and_clear_last_exception(env.raw(), &raw mut exception) };
        let sentence = format!("Not enough memory for a {} of {length} numbers", T::CONSTRUCTOR);
        errors::to_js(
            env,
            &Error::new(ErrorKind::Inference, sentence).with_source(refused),
        )
    })?;
    // SAFETY: the value was made just now, in this environment; what it is is checked in the conversion.
    unsafe { T::from_napi_value(env.raw(), made.raw()) }
}

/// An array of what `numbers` has.
///
/// # Errors
/// As [`zeros`].
pub fn copied<T: TypedArray>(env: Env, numbers: &[T::Number]) -> napi::Result<T> {
    let mut array: T = zeros(env, numbers.len())?;
    array
        .numbers()
        .iter_mut()
        .zip(numbers)
        .for_each(|(to, &from)| *to = from);
    Ok(array)
}
