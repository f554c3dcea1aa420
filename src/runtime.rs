//! Finds and loads the ONNX Runtime library, once per process, with its telemetry off.

#![allow(unsafe_code, reason = "the system's loader has no other way in")]

use std::env;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use once_cell::sync::OnceCell;
use ort::environment::Environment;

use crate::environment;
use crate::error::{Context, Error, ErrorKind, Result};

/// The version of ONNX Runtime that this crate is built and tested for.
pub const VERSION: &str = "1.30.0";

/// Names another library file, by absolute path, for platforms that have no packaged one.
pub const LIBRARY_VARIABLE: &str = "ORT_DYLIB_PATH";

/// ONNX Runtime allows one environment per process: all threads, and all of Node's workers, share this one.
static ENVIRONMENT: OnceCell<Environment> = OnceCell::new();

/// The process-wide ONNX Runtime environment, loading the library at the first call.
///
/// # Errors
/// [`ErrorKind::RuntimeNotFound`] when the library is missing, unloadable or of a version without the needed API. A
/// later call tries again.
pub fn environment() -> Result<&'static Environment> {
    ENVIRONMENT.get_or_try_init(load)
}

/// The file that [`environment`] loads: [`LIBRARY_VARIABLE`] if set, else the library beside this addon.
///
/// # Errors
/// [`ErrorKind::RuntimeNotFound`] naming every path that was looked at.
pub fn library_path() -> Result<PathBuf> {
    let not_found = |looked: &str| {
        Error::new(
            ErrorKind::RuntimeNotFound,
            format!(
                "ONNX Runtime {VERSION} was not found for {}-{}: looked for {looked}. Reinstall sentence-embedder \
                 without --omit=optional, unpack the library beside the addon from asar archives, or set \
                 {LIBRARY_VARIABLE} to the absolute path of a library of that version.",
                env::consts::OS,
                env::consts::ARCH,
            ),
        )
    };
    if let Some(named) = environment::noted().get(LIBRARY_VARIABLE).map(PathBuf::from) {
        // A relative path would be resolved against the executable, which is Node or Electron.
        return if named.is_absolute() && named.is_file() {
            Ok(named)
        } else {
            Err(not_found(&format!(
                "{} (from {LIBRARY_VARIABLE}, which takes the absolute path of a file)",
                named.display()
            )))
        };
    }
    let folder = own_folder().ok_or_else(|| {
        not_found(&format!(
            "{LIBRARY_NAME} beside the addon, whose location is unknown"
        ))
    })?;
    let beside = folder.join(LIBRARY_NAME);
    if beside.is_file() {
        Ok(beside)
    } else {
        Err(not_found(&beside.display().to_string()))
    }
}

#[cfg(target_os = "linux")]
const LIBRARY_NAME: &str = "libonnxruntime.so.1";
#[cfg(target_os = "macos")]
const LIBRARY_NAME: &str = "libonnxruntime.1.dylib";
#[cfg(windows)]
const LIBRARY_NAME: &str = "onnxruntime.dll";

fn load() -> Result<Environment> {
    let path = library_path()?;
    let refused = || format!("{} could not be loaded as ONNX Runtime {VERSION}", path.display());
    ort::environment::init_from(&path)
        .context(ErrorKind::RuntimeNotFound, refused)?
        .with_name("sentence-embedder")
        .with_telemetry(false)
        // A library does not write to its host's console: what fails is told by the error of the call.
        .with_logger(Arc::new(|_, _, _, _, _| {}))
        .build()
        .context(ErrorKind::RuntimeNotFound, refused)
}

/// The folder of the library that this code was loaded from: the addon's, or the test program's.
#[cfg(unix)]
fn own_folder() -> Option<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt;

    // SAFETY: all-zero is a valid Dl_info: null pointers and addresses.
    let mut info: libc::Dl_info = unsafe { std::mem::zeroed() };
    // SAFETY: the first argument is an address inside this library, the second a writable Dl_info.
    let found = unsafe { libc::dladdr(own_folder as *const libc::c_void, &raw mut info) };
    if found == 0 || info.dli_fname.is_null() {
        return None;
    }
    // SAFETY: dladdr succeeded, so dli_fname is a C string that lives as long as the library.
    let name = unsafe { CStr::from_ptr(info.dli_fname) };
    absolute_folder(Path::new(OsStr::from_bytes(name.to_bytes())))
}

/// The folder of the library that this code was loaded from: the addon's, or the test program's.
#[cfg(windows)]
fn own_folder() -> Option<PathBuf> {
    use std::os::windows::ffi::OsStringExt;
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
        GetModuleFileNameW, GetModuleHandleExW,
    };

    let mut module = std::ptr::null_mut();
    // SAFETY: with FROM_ADDRESS the name argument is an address inside this library.
    let found = unsafe {
        GetModuleHandleExW(
            GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
            own_folder as *const u16,
            &raw mut module,
        )
    };
    if found == 0 {
        return None;
    }
    // 32,767 characters is the longest path of Windows.
    let mut name = vec![0_u16; 32_768];
    // SAFETY: the buffer is writable for the length that is passed.
    let length = unsafe { GetModuleFileNameW(module, name.as_mut_ptr(), name.len() as u32) } as usize;
    let name = std::ffi::OsString::from_wide(name.get(..length)?);
    absolute_folder(Path::new(&name))
}

fn absolute_folder(file: &Path) -> Option<PathBuf> {
    let file = std::path::absolute(file).ok()?;
    file.parent().map(Path::to_path_buf)
}
