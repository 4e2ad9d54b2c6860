
use builtin;
use str;

set edit:completion:arg-completer[ldctl] = {|@words|
    fn spaces {|n|
        builtin:repeat $n ' ' | str:join ''
    }
    fn cand {|text desc|
        edit:complex-candidate $text &display=$text' '(spaces (- 14 (wcswidth $text)))$desc
    }
    var command = 'ldctl'
    for word $words[1..-1] {
        if (str:has-prefix $word '-') {
            break
        }
        set command = $command';'$word
    }
    var completions = [
        &'ldctl'= {
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand serve 'Serve the control socket until a client sends `quit`'
            cand send 'Send a document to a server and print each action''s result'
            cand ping 'Check that a server is up (no side effects)'
            cand status 'Show the test that a server is running, or any run'
            cand stop 'Stop the running test, or any run; its client still gets the results'
            cand runs 'List the runs of a server, the newest first'
            cand attach 'Follow a run from its beginning to its end, whoever requested it'
            cand report 'Fetch the report of a run, also of one that is in progress or ended long ago'
            cand open 'Print a link to a run in a browser, which logs in once, and open it where there is a browser'
            cand quit 'Shut a server down'
            cand run 'Run documents in this process, without a server'
            cand lint 'Check documents for errors and likely mistakes'
            cand check 'Check documents for errors and likely mistakes'
            cand validate 'Check documents for errors and likely mistakes'
            cand fmt 'Format documents, without changing what they do'
            cand explain 'Explain the format of documents: a concept, a command or a parameter'
            cand schema 'Print the JSON Schema of documents, for editors'
            cand context 'Keep servers under names, with how to connect to them'
            cand init 'Write a document to begin with'
            cand convert 'Convert a HAR recording, curl, OpenAPI, Postman, k6 or JMeter into a document'
            cand completions 'Print a shell''s completion script'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ldctl;serve'= {
            cand --host 'Address or name to listen on; localhost means IPv4 and IPv6 loopback. Other than loopback requires a token. Ignored, like --port, with socket activation'
            cand --port 'TCP port to listen on; 0 picks a free port and prints it on the first line'
            cand --web 'Also serve runs in a browser, and the same over HTTP, on this address; port 0 picks a free one. Other than loopback requires a token, as for the socket; the certificate is the same'
            cand --web-host 'A further name of this machine that browsers use, or of a proxy before it (repeatable): requests for other names are refused'
            cand --data-dir 'Directory in which documents may read and write files [default: the working directory]'
            cand --history 'Keep runs in this SQLite file, which is created if it does not exist. Numbers of runs go on from it [default: in memory; with systemd''s StateDirectory=, history.db in it]'
            cand --keep-runs 'How many ended runs stay in memory, for `runs`, `status` and `attach`'
            cand --allow-env 'Let documents read this environment variable as ${env.NAME} (repeatable) [default: none]'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --tls-cert 'Server certificate chain (PEM). TLS is on when this and the key are given, or the systemd credentials ldctl.crt and ldctl.key. SIGHUP reloads the TLS files'
            cand --tls-key 'Private key of the certificate (PEM)'
            cand --tls-client-ca 'Require client certificates signed by one of these authorities (PEM)'
            cand --executor 'Run commands and kinds of users that are not native in this Python, which has je_load_density. Documents can make it run any code'
            cand --engine 'Which tests run in it: those with users or arguments that are not native (auto), none (native), or all (python)'
            cand --executor-memory 'The memory that it and its programs may have [default: that of --max-memory]'
            cand --max-users 'Maximum virtual users per test'
            cand --max-test-time 'Maximum duration of a test. Also ends tests that set no duration'
            cand --max-tasks 'Maximum tasks per test'
            cand --max-body-bytes 'Maximum bytes of a response body that assertions and extractors see, decompressed. Checks of a longer body fail'
            cand --max-memory 'Ceiling for what the process holds in memory: records, figures, files, bodies, documents. What would exceed it is refused or dropped, with a message [default: half of the memory of the control group or the machine]'
            cand --max-records 'Maximum rows of requests that are kept in all, 32 bytes each, for reports that list requests. The oldest tests give theirs up first; a test beyond it goes on with histograms alone'
            cand --allow-listen 'Let documents open listeners (the Prometheus exporter, the dashboard) on this address beyond loopback (repeatable); 0.0.0.0 and :: are every address [default: loopback only]'
            cand --worker-allow 'Let workers join the tests of a master only from this address or network (repeatable): 10.0.0.7, 10.0.0.0/8. They are not authenticated [default: whoever reaches its port]'
            cand --allow-target 'Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones and metadata services]'
            cand --max-connections 'Maximum concurrent connections; others get a `busy` reply'
            cand --max-tests 'Maximum load tests at once. More than one disturb each other''s measurements'
            cand --max-watchers 'Maximum connections that follow runs with `attach`; others get a `busy` reply'
            cand --handshake-timeout 'Timeout of a TLS handshake'
            cand --request-timeout 'Timeout of receiving a whole request'
            cand --max-request-bytes 'Maximum memory for incomplete requests of all connections, in bytes'
            cand --max-documents 'Maximum number of documents that are read or run at once; further ones wait for a second, then get a busy reply'
            cand --max-reply-queue 'Maximum reply data queued for a slow client, in bytes'
            cand --shutdown-timeout 'How long a shutdown waits for running tests, replies and exporters together'
            cand --color 'When to use colours'
            cand --framed 'Refuse legacy requests. By default one port serves framed and legacy requests'
            cand --allow-unauthenticated 'Listen on non-loopback addresses without a token: anyone who can reach the port can then start load'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand --executor-unconfined 'Let it read and write every file that this user may, and reach every target in spite of --allow-target'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;send'= {
            cand --json 'The document itself, instead of a file'
            cand --name 'Name of the run, for `ldctl runs`'
            cand --queue 'While another test runs, wait for its end for at most this long'
            cand --fan-out 'Let these servers make the test together (comma-separated): each takes a part of its users and of the rows of CSV sources, and this program has the record of all'
            cand --timeout 'Give up after this long without a reply [default: 10s while connecting and until the server shows that it is one, 1h between replies]'
            cand -u 'Virtual users of every test; with an arrival rate the most that run at once'
            cand --users 'Virtual users of every test; with an arrival rate the most that run at once'
            cand -r 'Users started per second'
            cand --spawn-rate 'Users started per second'
            cand -t 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape'
            cand --test-time 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape'
            cand --rate 'Start this many iterations per second, however slow the target is (arrival_rate)'
            cand --target 'Base of the relative URLs of tasks (host)'
            cand --var 'Set the variable ${var.NAME} (repeatable); takes precedence over the document''s'
            cand --gate 'Fail unless the figures meet this rule (repeatable): latency_p95<200ms, failure_rate<1%, failure_rate(NAME)<1%, requests>=1000, achieved_rate>=190, dropped_iterations<1%'
            cand --report 'Write a report when the document has ended, whatever became of it (repeatable): html, json, xml, csv, junit, summary, github, sarif, or db for a run in an SQLite file (only `run`)'
            cand --seed 'Seed of random choices: tasks by weight, waits, generated data'
            cand --master-host 'Host of the master [default: 127.0.0.1]'
            cand --master-port 'Port of the master [default: 5557]'
            cand --expect-workers 'How many workers the test waits for [default: 1]'
            cand --master-bind-host 'Address on which workers are awaited; * is every one. They are not authenticated [default: 127.0.0.1; with --fan-out the one that the servers reach]'
            cand --master-bind-port 'Port on which workers are awaited [default: 5557]'
            cand -o 'Output format on stdout [default: summary on a terminal, else text]'
            cand --output 'Output format on stdout [default: summary on a terminal, else text]'
            cand --server 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]'
            cand --host 'The server''s address or name, apart from its port'
            cand --port 'The server''s TCP port [default: 9940]'
            cand --context 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --color 'When to use colours'
            cand --detach 'Print the number of the run and leave it on its own. Without, the run is stopped when this program ends'
            cand --worker 'Take users from a Locust master instead of the document: its own, LoadDensity''s or ldctl''s'
            cand --master 'Deal the users of the document out to workers that connect, instead of running them here'
            cand --no-check 'Do it although the check of the document finds errors (see `ldctl lint`)'
            cand -q 'Print only errors'
            cand --quiet 'Print only errors'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;ping'= {
            cand --wait 'Retry until the server answers, for at most this long. A rejected token or an untrusted certificate fails immediately'
            cand --timeout 'Give up after this long without a reply'
            cand --output 'Output format on stdout; -v adds the server''s counters to the text'
            cand --server 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]'
            cand --host 'The server''s address or name, apart from its port'
            cand --port 'The server''s TCP port [default: 9940]'
            cand --context 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --color 'When to use colours'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;status'= {
            cand --timeout 'Give up after this long without a reply'
            cand --output 'Output format on stdout'
            cand --server 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]'
            cand --host 'The server''s address or name, apart from its port'
            cand --port 'The server''s TCP port [default: 9940]'
            cand --context 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --color 'When to use colours'
            cand --watch 'Print the status every second until the run has ended'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;stop'= {
            cand --timeout 'Give up after this long without a reply'
            cand --output 'Output format on stdout'
            cand --server 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]'
            cand --host 'The server''s address or name, apart from its port'
            cand --port 'The server''s TCP port [default: 9940]'
            cand --context 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --color 'When to use colours'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;runs'= {
            cand --limit 'Show at most this many runs'
            cand --state 'Show only runs in this state'
            cand --timeout 'Give up after this long without a reply'
            cand --output 'Output format on stdout'
            cand --server 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]'
            cand --host 'The server''s address or name, apart from its port'
            cand --port 'The server''s TCP port [default: 9940]'
            cand --context 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --color 'When to use colours'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;attach'= {
            cand --timeout 'Give up after this long without a reply [default: 10s while connecting and until the server shows that it is one, 1h between replies]'
            cand -o 'Output format on stdout [default: summary on a terminal, else text]'
            cand --output 'Output format on stdout [default: summary on a terminal, else text]'
            cand --server 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]'
            cand --host 'The server''s address or name, apart from its port'
            cand --port 'The server''s TCP port [default: 9940]'
            cand --context 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --color 'When to use colours'
            cand -q 'Print only errors'
            cand --quiet 'Print only errors'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;report'= {
            cand --format 'Format of the report'
            cand -o 'Write it to this file, which others cannot read, instead of stdout'
            cand --output 'Write it to this file, which others cannot read, instead of stdout'
            cand --timeout 'Give up after this long without a reply [default: 10s while connecting, 10m between replies]'
            cand --server 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]'
            cand --host 'The server''s address or name, apart from its port'
            cand --port 'The server''s TCP port [default: 9940]'
            cand --context 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --color 'When to use colours'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;open'= {
            cand --timeout 'Give up after this long without a reply'
            cand --output 'Output format on stdout'
            cand --server 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]'
            cand --host 'The server''s address or name, apart from its port'
            cand --port 'The server''s TCP port [default: 9940]'
            cand --context 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --color 'When to use colours'
            cand --no-browser 'Print the link only'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;quit'= {
            cand --timeout 'Give up after this long without a reply'
            cand --server 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]'
            cand --host 'The server''s address or name, apart from its port'
            cand --port 'The server''s TCP port [default: 9940]'
            cand --context 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --color 'When to use colours'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;run'= {
            cand --json 'The document itself, instead of files'
            cand --web 'Show the runs in a browser, and over HTTP, on this address of this machine until the program ends; port 0 picks a free one. Nothing can be started or stopped there'
            cand --data-dir 'Directory in which documents may read and write files [default: the working directory]'
            cand -X 'Method [default: GET, or POST with a body]'
            cand --method 'Method [default: GET, or POST with a body]'
            cand -H 'Header (repeatable)'
            cand --header 'Header (repeatable)'
            cand -d 'Body; @FILE reads it, @- from stdin. Sent as a form, unless a header says otherwise'
            cand --data 'Body; @FILE reads it, @- from stdin. Sent as a form, unless a header says otherwise'
            cand --json-body 'Body as JSON; @FILE reads it'
            cand -n 'End after so many requests, instead of a time'
            cand --requests 'End after so many requests, instead of a time'
            cand --host 'The same as --target'
            cand -u 'Virtual users of every test; with an arrival rate the most that run at once'
            cand --users 'Virtual users of every test; with an arrival rate the most that run at once'
            cand -r 'Users started per second'
            cand --spawn-rate 'Users started per second'
            cand -t 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape'
            cand --test-time 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape'
            cand --rate 'Start this many iterations per second, however slow the target is (arrival_rate)'
            cand --target 'Base of the relative URLs of tasks (host)'
            cand --var 'Set the variable ${var.NAME} (repeatable); takes precedence over the document''s'
            cand --gate 'Fail unless the figures meet this rule (repeatable): latency_p95<200ms, failure_rate<1%, failure_rate(NAME)<1%, requests>=1000, achieved_rate>=190, dropped_iterations<1%'
            cand --report 'Write a report when the document has ended, whatever became of it (repeatable): html, json, xml, csv, junit, summary, github, sarif, or db for a run in an SQLite file (only `run`)'
            cand --seed 'Seed of random choices: tasks by weight, waits, generated data'
            cand --master-host 'Host of the master [default: 127.0.0.1]'
            cand --master-port 'Port of the master [default: 5557]'
            cand --expect-workers 'How many workers the test waits for [default: 1]'
            cand --master-bind-host 'Address on which workers are awaited; * is every one. They are not authenticated [default: 127.0.0.1; with --fan-out the one that the servers reach]'
            cand --master-bind-port 'Port on which workers are awaited [default: 5557]'
            cand --executor 'Run commands and kinds of users that are not native in this Python, which has je_load_density. Documents can make it run any code'
            cand --engine 'Which tests run in it: those with users or arguments that are not native (auto), none (native), or all (python)'
            cand --executor-memory 'The memory that it and its programs may have [default: that of --max-memory]'
            cand --max-users 'Maximum virtual users per test'
            cand --max-test-time 'Maximum duration of a test. Also ends tests that set no duration'
            cand --max-tasks 'Maximum tasks per test'
            cand --max-body-bytes 'Maximum bytes of a response body that assertions and extractors see, decompressed. Checks of a longer body fail'
            cand --max-memory 'Ceiling for what the process holds in memory: records, figures, files, bodies, documents. What would exceed it is refused or dropped, with a message [default: half of the memory of the control group or the machine]'
            cand --max-records 'Maximum rows of requests that are kept in all, 32 bytes each, for reports that list requests. The oldest tests give theirs up first; a test beyond it goes on with histograms alone'
            cand --allow-listen 'Let documents open listeners (the Prometheus exporter, the dashboard) on this address beyond loopback (repeatable); 0.0.0.0 and :: are every address [default: loopback only]'
            cand --worker-allow 'Let workers join the tests of a master only from this address or network (repeatable): 10.0.0.7, 10.0.0.0/8. They are not authenticated [default: whoever reaches its port]'
            cand --allow-target 'Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones and metadata services]'
            cand -o 'Output format on stdout [default: summary on a terminal, else text]'
            cand --output 'Output format on stdout [default: summary on a terminal, else text]'
            cand --color 'When to use colours'
            cand --once 'Run one iteration of one user, and show every request and response, what is extracted and what assertions say, without secrets'
            cand --print-document 'Print the document that would be run, and run nothing'
            cand --http2 'Use HTTP/2, or offer it with TLS'
            cand --insecure 'Do not verify the certificate'
            cand --worker 'Take users from a Locust master instead of the document: its own, LoadDensity''s or ldctl''s'
            cand --master 'Deal the users of the document out to workers that connect, instead of running them here'
            cand --no-check 'Do it although the check of the document finds errors (see `ldctl lint`)'
            cand --executor-unconfined 'Let it read and write every file that this user may, and reach every target in spite of --allow-target'
            cand -q 'Print only errors'
            cand --quiet 'Print only errors'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;lint'= {
            cand --json 'The document itself, instead of files'
            cand -o 'Output format on stdout'
            cand --output 'Output format on stdout'
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;check'= {
            cand --json 'The document itself, instead of files'
            cand -o 'Output format on stdout'
            cand --output 'Output format on stdout'
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;validate'= {
            cand --json 'The document itself, instead of files'
            cand -o 'Output format on stdout'
            cand --output 'Output format on stdout'
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;fmt'= {
            cand --color 'When to use colours'
            cand --check 'Write nothing; print the files that are not formatted, and exit with 1 if there are any'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;explain'= {
            cand -o 'Output format on stdout'
            cand --output 'Output format on stdout'
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;schema'= {
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;context'= {
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand add 'Keep a server under a name: its address, how to connect to it, and where its token is'
            cand use 'Make a context the current one'
            cand ls 'List the contexts; * is the current one'
            cand show 'Show a context, by default the current one'
            cand rm 'Remove a context'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ldctl;context;add'= {
            cand --server 'The same as an option'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from this environment variable. The token itself is never kept in a context'
            cand --token-file 'Read the token from this file, which only its owner can read'
            cand --color 'When to use colours'
            cand --current 'Make it the current context'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ldctl;context;use'= {
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ldctl;context;ls'= {
            cand -o 'Output format on stdout'
            cand --output 'Output format on stdout'
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;context;show'= {
            cand -o 'Output format on stdout'
            cand --output 'Output format on stdout'
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;context;rm'= {
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help'
            cand --help 'Print help'
        }
        &'ldctl;context;help'= {
            cand add 'Keep a server under a name: its address, how to connect to it, and where its token is'
            cand use 'Make a context the current one'
            cand ls 'List the contexts; * is the current one'
            cand show 'Show a context, by default the current one'
            cand rm 'Remove a context'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ldctl;context;help;add'= {
        }
        &'ldctl;context;help;use'= {
        }
        &'ldctl;context;help;ls'= {
        }
        &'ldctl;context;help;show'= {
        }
        &'ldctl;context;help;rm'= {
        }
        &'ldctl;context;help;help'= {
        }
        &'ldctl;init'= {
            cand --host 'The target [default: a stub server that the document starts, so that it runs as it stands]'
            cand --color 'When to use colours'
            cand --force 'Replace files that exist'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;convert'= {
            cand --from 'What the file is [default: found out]'
            cand -o 'The file to write [default: stdout]'
            cand --output 'The file to write [default: stdout]'
            cand --color 'When to use colours'
            cand --host-only 'Leave out requests to other hosts than that of the first page'
            cand --think-time 'Keep pauses (recorded ones, timers, sleeps) as waits (think_time)'
            cand --force 'Replace a file that exists'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;completions'= {
            cand --color 'When to use colours'
            cand -v 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand --verbose 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;help'= {
            cand serve 'Serve the control socket until a client sends `quit`'
            cand send 'Send a document to a server and print each action''s result'
            cand ping 'Check that a server is up (no side effects)'
            cand status 'Show the test that a server is running, or any run'
            cand stop 'Stop the running test, or any run; its client still gets the results'
            cand runs 'List the runs of a server, the newest first'
            cand attach 'Follow a run from its beginning to its end, whoever requested it'
            cand report 'Fetch the report of a run, also of one that is in progress or ended long ago'
            cand open 'Print a link to a run in a browser, which logs in once, and open it where there is a browser'
            cand quit 'Shut a server down'
            cand run 'Run documents in this process, without a server'
            cand lint 'Check documents for errors and likely mistakes'
            cand fmt 'Format documents, without changing what they do'
            cand explain 'Explain the format of documents: a concept, a command or a parameter'
            cand schema 'Print the JSON Schema of documents, for editors'
            cand context 'Keep servers under names, with how to connect to them'
            cand init 'Write a document to begin with'
            cand convert 'Convert a HAR recording, curl, OpenAPI, Postman, k6 or JMeter into a document'
            cand completions 'Print a shell''s completion script'
            cand help 'Print this message or the help of the given subcommand(s)'
        }
        &'ldctl;help;serve'= {
        }
        &'ldctl;help;send'= {
        }
        &'ldctl;help;ping'= {
        }
        &'ldctl;help;status'= {
        }
        &'ldctl;help;stop'= {
        }
        &'ldctl;help;runs'= {
        }
        &'ldctl;help;attach'= {
        }
        &'ldctl;help;report'= {
        }
        &'ldctl;help;open'= {
        }
        &'ldctl;help;quit'= {
        }
        &'ldctl;help;run'= {
        }
        &'ldctl;help;lint'= {
        }
        &'ldctl;help;fmt'= {
        }
        &'ldctl;help;explain'= {
        }
        &'ldctl;help;schema'= {
        }
        &'ldctl;help;context'= {
            cand add 'Keep a server under a name: its address, how to connect to it, and where its token is'
            cand use 'Make a context the current one'
            cand ls 'List the contexts; * is the current one'
            cand show 'Show a context, by default the current one'
            cand rm 'Remove a context'
        }
        &'ldctl;help;context;add'= {
        }
        &'ldctl;help;context;use'= {
        }
        &'ldctl;help;context;ls'= {
        }
        &'ldctl;help;context;show'= {
        }
        &'ldctl;help;context;rm'= {
        }
        &'ldctl;help;init'= {
        }
        &'ldctl;help;convert'= {
        }
        &'ldctl;help;completions'= {
        }
        &'ldctl;help;help'= {
        }
    ]
    $completions[$command]
}
