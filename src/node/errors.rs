//! Errors of the core as JavaScript `Error` objects with `code` and `cause`.

use std::error::Error as StdError;

use napi::bindgen_prelude::{JsObjectValue, Object};
use napi::{Env, JsValue};

use crate::error::Error;

/// The JavaScript form of `error`, to be thrown or to reject a promise with. Only on a JavaScript thread.
pub fn to_js(env: Env, error: &Error) -> napi::Error {
    match build(env, error) {
        Ok(object) => napi::Error::from(object.to_unknown()),
        // JavaScript could not even make an object: its own error is all that there is to tell.
        Err(refused) => refused,
    }
}

fn build<'env>(env: Env, error: &(dyn StdError + 'static)) -> napi::Result<Object<'env>> {
    let bare = env.create_error(napi::Error::from_reason(error.to_string()))?;
    let mut object = Object::from_raw(env.raw(), bare.raw());
    match error.downcast_ref::<Error>() {
        Some(ours) => object.set_named_property("code", ours.code())?,
        // napi gives every error a code of its own, which would mean nothing to a caller.
        None => drop(object.delete_named_property("code")?),
    }
    if let Some(source) = error.source() {
        let cause: Object<'env> = build(env, source)?;
        object.set_named_property("cause", cause)?;
    }
    Ok(object)
}
