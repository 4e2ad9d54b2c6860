//! ldctl

fn main() {}
