//! Gives memory that was freed back to the system.

#![allow(unsafe_code, reason = "the allocator is the system's")]

/// Returns the free pages of the allocator, after a load and after a model was closed. glibc keeps what threads that are gone
/// have freed, in an arena for each: a process that loads and closes models would hold the memory of several. Other systems'
/// allocators need no telling.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: takes a number of bytes to keep at the top; the allocator locks what it touches.
    unsafe {
        libc::malloc_trim(0);
    }
}
