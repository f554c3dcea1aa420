//! Lets threads of bulk work stand back for everything else: for a query of the same process, and for the user's apps.

#![allow(unsafe_code, reason = "the priority of a thread is the system's")]

/// Lowers the priority of the calling thread for good. Where that cannot be had, it stays as it is.
pub fn stand_back() {
    #[cfg(target_os = "linux")]
    {
        /// A tenth of a normal thread's share of a busy processor; all of an idle one.
        const NICENESS: libc::c_int = 10;
        // SAFETY: takes numbers only; 0 is the calling thread on Linux. Lowering needs no right, failing does no harm.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, NICENESS) };
    }
    #[cfg(windows)]
    {
        use windows_sys::Win32::System::Threading::{
            GetCurrentThread, SetThreadPriority, THREAD_PRIORITY_BELOW_NORMAL,
        };
        // SAFETY: the pseudo handle of the calling thread is always valid. Failing does no harm.
        unsafe { SetThreadPriority(GetCurrentThread(), THREAD_PRIORITY_BELOW_NORMAL) };
    }
}
