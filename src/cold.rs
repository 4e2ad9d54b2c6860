//! What nearly no request needs, kept apart from what nearly all need: while the kernel runs between the
//! parts of a request, the processor's caches forget the program, so a request costs as many cache lines as
//! its code lies in.

/// Marks what leads here as rare, so that the compiler lays it away from the rest of its function. As
/// `core::hint::cold_path`, for the compilers that do not have it.
#[cold]
#[inline(never)]
pub(crate) const fn cold_path() {}
