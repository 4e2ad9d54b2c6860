#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ldctl_fuzz::grpc::check(data));
