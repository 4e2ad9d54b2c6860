//! The integration tests, in reading order: what the tree itself must hold, what the program says,
//! client and server, load, and bad ends.

// The helpers of tests may fail as the tests do; clippy only spares functions marked as tests.
#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::print_stderr, clippy::unwrap_used)]

mod support;

mod changelog;
mod dependencies;
mod format;
mod generated;
mod layering;
mod packaging;
mod readme;
mod schema;
mod security;
mod transcripts;

mod wire_server;
mod wire_support;

mod check_first;
#[cfg(unix)]
mod completion;
mod contexts;
mod control;
mod diagnosis;

mod bad_input;
mod crash;
mod endings;
mod faults;
mod fmt;
mod fuzz;
mod service;
mod stdout;
#[cfg(unix)]
mod terminal;
mod verbose;

#[cfg(unix)]
mod executor;
mod executor_confined;

mod breaking_point;
mod cluster;
#[cfg(target_os = "linux")]
mod compare;
mod dashboard;
mod engine_faults;
mod engine_grpc;
mod engine_http;
mod engine_http2;
mod engine_mqtt;
mod engine_redis;
mod engine_socket;
mod engine_sse;
mod engine_tls;
mod engine_websocket;
mod growth;
mod holds;
mod imports;
mod limits;
mod load;
mod once;
mod one_liner;
mod operating;
mod overrides;
mod pulled;
mod report_files;
mod report_page;
mod reports;
mod results;
mod run_reports;
mod runs;
mod true_bodies;
mod true_reach;
mod true_urls;
mod web;
mod web_access;
mod web_files;
mod web_page;
mod web_run;
mod web_schema;

mod abuse;
mod abuse_crowds;
mod abuse_files;
mod secrets;
