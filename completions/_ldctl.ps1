
using namespace System.Management.Automation
using namespace System.Management.Automation.Language

Register-ArgumentCompleter -Native -CommandName 'ldctl' -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)

    $commandElements = $commandAst.CommandElements
    $command = @(
        'ldctl'
        for ($i = 1; $i -lt $commandElements.Count; $i++) {
            $element = $commandElements[$i]
            if ($element -isnot [StringConstantExpressionAst] -or
                $element.StringConstantType -ne [StringConstantType]::BareWord -or
                $element.Value.StartsWith('-') -or
                $element.Value -eq $wordToComplete) {
                break
        }
        $element.Value
    }) -join ';'

    $completions = @(switch ($command) {
        'ldctl' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve the control socket until a client sends `quit`')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Send a document to a server and print each action''s result')
            [CompletionResult]::new('ping', 'ping', [CompletionResultType]::ParameterValue, 'Check that a server is up (no side effects)')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the test that a server is running, or any run')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Stop the running test, or any run; its client still gets the results')
            [CompletionResult]::new('runs', 'runs', [CompletionResultType]::ParameterValue, 'List the runs of a server, the newest first')
            [CompletionResult]::new('attach', 'attach', [CompletionResultType]::ParameterValue, 'Follow a run from its beginning to its end, whoever requested it')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Fetch the report of a run, also of one that is in progress or ended long ago')
            [CompletionResult]::new('open', 'open', [CompletionResultType]::ParameterValue, 'Print a link to a run in a browser, which logs in once, and open it where there is a browser')
            [CompletionResult]::new('quit', 'quit', [CompletionResultType]::ParameterValue, 'Shut a server down')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run documents in this process, without a server')
            [CompletionResult]::new('lint', 'lint', [CompletionResultType]::ParameterValue, 'Check documents for errors and likely mistakes')
            [CompletionResult]::new('check', 'check', [CompletionResultType]::ParameterValue, 'Check documents for errors and likely mistakes')
            [CompletionResult]::new('validate', 'validate', [CompletionResultType]::ParameterValue, 'Check documents for errors and likely mistakes')
            [CompletionResult]::new('fmt', 'fmt', [CompletionResultType]::ParameterValue, 'Format documents, without changing what they do')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the format of documents: a concept, a command or a parameter')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of documents, for editors')
            [CompletionResult]::new('context', 'context', [CompletionResultType]::ParameterValue, 'Keep servers under names, with how to connect to them')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write a document to begin with')
            [CompletionResult]::new('convert', 'convert', [CompletionResultType]::ParameterValue, 'Convert a HAR recording, curl, OpenAPI, Postman, k6 or JMeter into a document')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell''s completion script')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ldctl;serve' {
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Address or name to listen on; localhost means IPv4 and IPv6 loopback. Other than loopback requires a token. Ignored, like --port, with socket activation')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'TCP port to listen on; 0 picks a free port and prints it on the first line')
            [CompletionResult]::new('--web', '--web', [CompletionResultType]::ParameterName, 'Also serve runs in a browser, and the same over HTTP, on this address; port 0 picks a free one. Other than loopback requires a token, as for the socket; the certificate is the same')
            [CompletionResult]::new('--web-host', '--web-host', [CompletionResultType]::ParameterName, 'A further name of this machine that browsers use, or of a proxy before it (repeatable): requests for other names are refused')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Directory in which documents may read and write files [default: the working directory]')
            [CompletionResult]::new('--history', '--history', [CompletionResultType]::ParameterName, 'Keep runs in this SQLite file, which is created if it does not exist. Numbers of runs go on from it [default: in memory; with systemd''s StateDirectory=, history.db in it]')
            [CompletionResult]::new('--keep-runs', '--keep-runs', [CompletionResultType]::ParameterName, 'How many ended runs stay in memory, for `runs`, `status` and `attach`')
            [CompletionResult]::new('--allow-env', '--allow-env', [CompletionResultType]::ParameterName, 'Let documents read this environment variable as ${env.NAME} (repeatable) [default: none]')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Server certificate chain (PEM). TLS is on when this and the key are given, or the systemd credentials ldctl.crt and ldctl.key. SIGHUP reloads the TLS files')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the certificate (PEM)')
            [CompletionResult]::new('--tls-client-ca', '--tls-client-ca', [CompletionResultType]::ParameterName, 'Require client certificates signed by one of these authorities (PEM)')
            [CompletionResult]::new('--executor', '--executor', [CompletionResultType]::ParameterName, 'Run commands and kinds of users that are not native in this Python, which has je_load_density. Documents can make it run any code')
            [CompletionResult]::new('--engine', '--engine', [CompletionResultType]::ParameterName, 'Which tests run in it: those with users or arguments that are not native (auto), none (native), or all (python)')
            [CompletionResult]::new('--executor-memory', '--executor-memory', [CompletionResultType]::ParameterName, 'The memory that it and its programs may have [default: that of --max-memory]')
            [CompletionResult]::new('--max-users', '--max-users', [CompletionResultType]::ParameterName, 'Maximum virtual users per test')
            [CompletionResult]::new('--max-test-time', '--max-test-time', [CompletionResultType]::ParameterName, 'Maximum duration of a test. Also ends tests that set no duration')
            [CompletionResult]::new('--max-tasks', '--max-tasks', [CompletionResultType]::ParameterName, 'Maximum tasks per test')
            [CompletionResult]::new('--max-body-bytes', '--max-body-bytes', [CompletionResultType]::ParameterName, 'Maximum bytes of a response body that assertions and extractors see, decompressed. Checks of a longer body fail')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Ceiling for what the process holds in memory: records, figures, files, bodies, documents. What would exceed it is refused or dropped, with a message [default: half of the memory of the control group or the machine]')
            [CompletionResult]::new('--max-records', '--max-records', [CompletionResultType]::ParameterName, 'Maximum rows of requests that are kept in all, 32 bytes each, for reports that list requests. The oldest tests give theirs up first; a test beyond it goes on with histograms alone')
            [CompletionResult]::new('--allow-listen', '--allow-listen', [CompletionResultType]::ParameterName, 'Let documents open listeners (the Prometheus exporter, the dashboard) on this address beyond loopback (repeatable); 0.0.0.0 and :: are every address [default: loopback only]')
            [CompletionResult]::new('--worker-allow', '--worker-allow', [CompletionResultType]::ParameterName, 'Let workers join the tests of a master only from this address or network (repeatable): 10.0.0.7, 10.0.0.0/8. They are not authenticated [default: whoever reaches its port]')
            [CompletionResult]::new('--allow-target', '--allow-target', [CompletionResultType]::ParameterName, 'Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones and metadata services]')
            [CompletionResult]::new('--max-connections', '--max-connections', [CompletionResultType]::ParameterName, 'Maximum concurrent connections; others get a `busy` reply')
            [CompletionResult]::new('--max-tests', '--max-tests', [CompletionResultType]::ParameterName, 'Maximum load tests at once. More than one disturb each other''s measurements')
            [CompletionResult]::new('--max-watchers', '--max-watchers', [CompletionResultType]::ParameterName, 'Maximum connections that follow runs with `attach`; others get a `busy` reply')
            [CompletionResult]::new('--handshake-timeout', '--handshake-timeout', [CompletionResultType]::ParameterName, 'Timeout of a TLS handshake')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Timeout of receiving a whole request')
            [CompletionResult]::new('--max-request-bytes', '--max-request-bytes', [CompletionResultType]::ParameterName, 'Maximum memory for incomplete requests of all connections, in bytes')
            [CompletionResult]::new('--max-documents', '--max-documents', [CompletionResultType]::ParameterName, 'Maximum number of documents that are read or run at once; further ones wait for a second, then get a busy reply')
            [CompletionResult]::new('--max-reply-queue', '--max-reply-queue', [CompletionResultType]::ParameterName, 'Maximum reply data queued for a slow client, in bytes')
            [CompletionResult]::new('--shutdown-timeout', '--shutdown-timeout', [CompletionResultType]::ParameterName, 'How long a shutdown waits for running tests, replies and exporters together')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--framed', '--framed', [CompletionResultType]::ParameterName, 'Refuse legacy requests. By default one port serves framed and legacy requests')
            [CompletionResult]::new('--allow-unauthenticated', '--allow-unauthenticated', [CompletionResultType]::ParameterName, 'Listen on non-loopback addresses without a token: anyone who can reach the port can then start load')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('--executor-unconfined', '--executor-unconfined', [CompletionResultType]::ParameterName, 'Let it read and write every file that this user may, and reach every target in spite of --allow-target')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;send' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The document itself, instead of a file')
            [CompletionResult]::new('--name', '--name', [CompletionResultType]::ParameterName, 'Name of the run, for `ldctl runs`')
            [CompletionResult]::new('--queue', '--queue', [CompletionResultType]::ParameterName, 'While another test runs, wait for its end for at most this long')
            [CompletionResult]::new('--fan-out', '--fan-out', [CompletionResultType]::ParameterName, 'Let these servers make the test together (comma-separated): each takes a part of its users and of the rows of CSV sources, and this program has the record of all')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after this long without a reply [default: 10s while connecting and until the server shows that it is one, 1h between replies]')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Virtual users of every test; with an arrival rate the most that run at once')
            [CompletionResult]::new('--users', '--users', [CompletionResultType]::ParameterName, 'Virtual users of every test; with an arrival rate the most that run at once')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Users started per second')
            [CompletionResult]::new('--spawn-rate', '--spawn-rate', [CompletionResultType]::ParameterName, 'Users started per second')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape')
            [CompletionResult]::new('--test-time', '--test-time', [CompletionResultType]::ParameterName, 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Start this many iterations per second, however slow the target is (arrival_rate)')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Base of the relative URLs of tasks (host)')
            [CompletionResult]::new('--var', '--var', [CompletionResultType]::ParameterName, 'Set the variable ${var.NAME} (repeatable); takes precedence over the document''s')
            [CompletionResult]::new('--gate', '--gate', [CompletionResultType]::ParameterName, 'Fail unless the figures meet this rule (repeatable): latency_p95<200ms, failure_rate<1%, failure_rate(NAME)<1%, requests>=1000, achieved_rate>=190, dropped_iterations<1%')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Write a report when the document has ended, whatever became of it (repeatable): html, json, xml, csv, junit, summary, github, sarif, or db for a run in an SQLite file (only `run`)')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Seed of random choices: tasks by weight, waits, generated data')
            [CompletionResult]::new('--master-host', '--master-host', [CompletionResultType]::ParameterName, 'Host of the master [default: 127.0.0.1]')
            [CompletionResult]::new('--master-port', '--master-port', [CompletionResultType]::ParameterName, 'Port of the master [default: 5557]')
            [CompletionResult]::new('--expect-workers', '--expect-workers', [CompletionResultType]::ParameterName, 'How many workers the test waits for [default: 1]')
            [CompletionResult]::new('--master-bind-host', '--master-bind-host', [CompletionResultType]::ParameterName, 'Address on which workers are awaited; * is every one. They are not authenticated [default: 127.0.0.1; with --fan-out the one that the servers reach]')
            [CompletionResult]::new('--master-bind-port', '--master-bind-port', [CompletionResultType]::ParameterName, 'Port on which workers are awaited [default: 5557]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format on stdout [default: summary on a terminal, else text]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout [default: summary on a terminal, else text]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name, apart from its port')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port [default: 9940]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--detach', '--detach', [CompletionResultType]::ParameterName, 'Print the number of the run and leave it on its own. Without, the run is stopped when this program ends')
            [CompletionResult]::new('--worker', '--worker', [CompletionResultType]::ParameterName, 'Take users from a Locust master instead of the document: its own, LoadDensity''s or ldctl''s')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Deal the users of the document out to workers that connect, instead of running them here')
            [CompletionResult]::new('--no-check', '--no-check', [CompletionResultType]::ParameterName, 'Do it although the check of the document finds errors (see `ldctl lint`)')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;ping' {
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Retry until the server answers, for at most this long. A rejected token or an untrusted certificate fails immediately')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after this long without a reply')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout; -v adds the server''s counters to the text')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name, apart from its port')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port [default: 9940]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;status' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after this long without a reply')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name, apart from its port')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port [default: 9940]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--watch', '--watch', [CompletionResultType]::ParameterName, 'Print the status every second until the run has ended')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;stop' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after this long without a reply')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name, apart from its port')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port [default: 9940]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;runs' {
            [CompletionResult]::new('--limit', '--limit', [CompletionResultType]::ParameterName, 'Show at most this many runs')
            [CompletionResult]::new('--state', '--state', [CompletionResultType]::ParameterName, 'Show only runs in this state')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after this long without a reply')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name, apart from its port')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port [default: 9940]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;attach' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after this long without a reply [default: 10s while connecting and until the server shows that it is one, 1h between replies]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format on stdout [default: summary on a terminal, else text]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout [default: summary on a terminal, else text]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name, apart from its port')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port [default: 9940]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;report' {
            [CompletionResult]::new('--format', '--format', [CompletionResultType]::ParameterName, 'Format of the report')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Write it to this file, which others cannot read, instead of stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Write it to this file, which others cannot read, instead of stdout')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after this long without a reply [default: 10s while connecting, 10m between replies]')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name, apart from its port')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port [default: 9940]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;open' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after this long without a reply')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name, apart from its port')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port [default: 9940]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--no-browser', '--no-browser', [CompletionResultType]::ParameterName, 'Print the link only')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;quit' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Give up after this long without a reply')
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The server''s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name, apart from its port')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port [default: 9940]')
            [CompletionResult]::new('--context', '--context', [CompletionResultType]::ParameterName, 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself; other users of this machine can see it in the process list')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Prompt for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;run' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The document itself, instead of files')
            [CompletionResult]::new('--web', '--web', [CompletionResultType]::ParameterName, 'Show the runs in a browser, and over HTTP, on this address of this machine until the program ends; port 0 picks a free one. Nothing can be started or stopped there')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Directory in which documents may read and write files [default: the working directory]')
            [CompletionResult]::new('-X', '-X ', [CompletionResultType]::ParameterName, 'Method [default: GET, or POST with a body]')
            [CompletionResult]::new('--method', '--method', [CompletionResultType]::ParameterName, 'Method [default: GET, or POST with a body]')
            [CompletionResult]::new('-H', '-H ', [CompletionResultType]::ParameterName, 'Header (repeatable)')
            [CompletionResult]::new('--header', '--header', [CompletionResultType]::ParameterName, 'Header (repeatable)')
            [CompletionResult]::new('-d', '-d', [CompletionResultType]::ParameterName, 'Body; @FILE reads it, @- from stdin. Sent as a form, unless a header says otherwise')
            [CompletionResult]::new('--data', '--data', [CompletionResultType]::ParameterName, 'Body; @FILE reads it, @- from stdin. Sent as a form, unless a header says otherwise')
            [CompletionResult]::new('--json-body', '--json-body', [CompletionResultType]::ParameterName, 'Body as JSON; @FILE reads it')
            [CompletionResult]::new('-n', '-n', [CompletionResultType]::ParameterName, 'End after so many requests, instead of a time')
            [CompletionResult]::new('--requests', '--requests', [CompletionResultType]::ParameterName, 'End after so many requests, instead of a time')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The same as --target')
            [CompletionResult]::new('-u', '-u', [CompletionResultType]::ParameterName, 'Virtual users of every test; with an arrival rate the most that run at once')
            [CompletionResult]::new('--users', '--users', [CompletionResultType]::ParameterName, 'Virtual users of every test; with an arrival rate the most that run at once')
            [CompletionResult]::new('-r', '-r', [CompletionResultType]::ParameterName, 'Users started per second')
            [CompletionResult]::new('--spawn-rate', '--spawn-rate', [CompletionResultType]::ParameterName, 'Users started per second')
            [CompletionResult]::new('-t', '-t', [CompletionResultType]::ParameterName, 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape')
            [CompletionResult]::new('--test-time', '--test-time', [CompletionResultType]::ParameterName, 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape')
            [CompletionResult]::new('--rate', '--rate', [CompletionResultType]::ParameterName, 'Start this many iterations per second, however slow the target is (arrival_rate)')
            [CompletionResult]::new('--target', '--target', [CompletionResultType]::ParameterName, 'Base of the relative URLs of tasks (host)')
            [CompletionResult]::new('--var', '--var', [CompletionResultType]::ParameterName, 'Set the variable ${var.NAME} (repeatable); takes precedence over the document''s')
            [CompletionResult]::new('--gate', '--gate', [CompletionResultType]::ParameterName, 'Fail unless the figures meet this rule (repeatable): latency_p95<200ms, failure_rate<1%, failure_rate(NAME)<1%, requests>=1000, achieved_rate>=190, dropped_iterations<1%')
            [CompletionResult]::new('--report', '--report', [CompletionResultType]::ParameterName, 'Write a report when the document has ended, whatever became of it (repeatable): html, json, xml, csv, junit, summary, github, sarif, or db for a run in an SQLite file (only `run`)')
            [CompletionResult]::new('--seed', '--seed', [CompletionResultType]::ParameterName, 'Seed of random choices: tasks by weight, waits, generated data')
            [CompletionResult]::new('--master-host', '--master-host', [CompletionResultType]::ParameterName, 'Host of the master [default: 127.0.0.1]')
            [CompletionResult]::new('--master-port', '--master-port', [CompletionResultType]::ParameterName, 'Port of the master [default: 5557]')
            [CompletionResult]::new('--expect-workers', '--expect-workers', [CompletionResultType]::ParameterName, 'How many workers the test waits for [default: 1]')
            [CompletionResult]::new('--master-bind-host', '--master-bind-host', [CompletionResultType]::ParameterName, 'Address on which workers are awaited; * is every one. They are not authenticated [default: 127.0.0.1; with --fan-out the one that the servers reach]')
            [CompletionResult]::new('--master-bind-port', '--master-bind-port', [CompletionResultType]::ParameterName, 'Port on which workers are awaited [default: 5557]')
            [CompletionResult]::new('--executor', '--executor', [CompletionResultType]::ParameterName, 'Run commands and kinds of users that are not native in this Python, which has je_load_density. Documents can make it run any code')
            [CompletionResult]::new('--engine', '--engine', [CompletionResultType]::ParameterName, 'Which tests run in it: those with users or arguments that are not native (auto), none (native), or all (python)')
            [CompletionResult]::new('--executor-memory', '--executor-memory', [CompletionResultType]::ParameterName, 'The memory that it and its programs may have [default: that of --max-memory]')
            [CompletionResult]::new('--max-users', '--max-users', [CompletionResultType]::ParameterName, 'Maximum virtual users per test')
            [CompletionResult]::new('--max-test-time', '--max-test-time', [CompletionResultType]::ParameterName, 'Maximum duration of a test. Also ends tests that set no duration')
            [CompletionResult]::new('--max-tasks', '--max-tasks', [CompletionResultType]::ParameterName, 'Maximum tasks per test')
            [CompletionResult]::new('--max-body-bytes', '--max-body-bytes', [CompletionResultType]::ParameterName, 'Maximum bytes of a response body that assertions and extractors see, decompressed. Checks of a longer body fail')
            [CompletionResult]::new('--max-memory', '--max-memory', [CompletionResultType]::ParameterName, 'Ceiling for what the process holds in memory: records, figures, files, bodies, documents. What would exceed it is refused or dropped, with a message [default: half of the memory of the control group or the machine]')
            [CompletionResult]::new('--max-records', '--max-records', [CompletionResultType]::ParameterName, 'Maximum rows of requests that are kept in all, 32 bytes each, for reports that list requests. The oldest tests give theirs up first; a test beyond it goes on with histograms alone')
            [CompletionResult]::new('--allow-listen', '--allow-listen', [CompletionResultType]::ParameterName, 'Let documents open listeners (the Prometheus exporter, the dashboard) on this address beyond loopback (repeatable); 0.0.0.0 and :: are every address [default: loopback only]')
            [CompletionResult]::new('--worker-allow', '--worker-allow', [CompletionResultType]::ParameterName, 'Let workers join the tests of a master only from this address or network (repeatable): 10.0.0.7, 10.0.0.0/8. They are not authenticated [default: whoever reaches its port]')
            [CompletionResult]::new('--allow-target', '--allow-target', [CompletionResultType]::ParameterName, 'Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones and metadata services]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format on stdout [default: summary on a terminal, else text]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout [default: summary on a terminal, else text]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--once', '--once', [CompletionResultType]::ParameterName, 'Run one iteration of one user, and show every request and response, what is extracted and what assertions say, without secrets')
            [CompletionResult]::new('--print-document', '--print-document', [CompletionResultType]::ParameterName, 'Print the document that would be run, and run nothing')
            [CompletionResult]::new('--http2', '--http2', [CompletionResultType]::ParameterName, 'Use HTTP/2, or offer it with TLS')
            [CompletionResult]::new('--insecure', '--insecure', [CompletionResultType]::ParameterName, 'Do not verify the certificate')
            [CompletionResult]::new('--worker', '--worker', [CompletionResultType]::ParameterName, 'Take users from a Locust master instead of the document: its own, LoadDensity''s or ldctl''s')
            [CompletionResult]::new('--master', '--master', [CompletionResultType]::ParameterName, 'Deal the users of the document out to workers that connect, instead of running them here')
            [CompletionResult]::new('--no-check', '--no-check', [CompletionResultType]::ParameterName, 'Do it although the check of the document finds errors (see `ldctl lint`)')
            [CompletionResult]::new('--executor-unconfined', '--executor-unconfined', [CompletionResultType]::ParameterName, 'Let it read and write every file that this user may, and reach every target in spite of --allow-target')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;lint' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The document itself, instead of files')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;check' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The document itself, instead of files')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;validate' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The document itself, instead of files')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;fmt' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--check', '--check', [CompletionResultType]::ParameterName, 'Write nothing; print the files that are not formatted, and exit with 1 if there are any')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;explain' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;schema' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;context' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Keep a server under a name: its address, how to connect to it, and where its token is')
            [CompletionResult]::new('use', 'use', [CompletionResultType]::ParameterValue, 'Make a context the current one')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the contexts; * is the current one')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a context, by default the current one')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a context')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ldctl;context;add' {
            [CompletionResult]::new('--server', '--server', [CompletionResultType]::ParameterName, 'The same as an option')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificate authorities to trust (PEM) [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name to expect in the server''s certificate [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'Client certificate chain (PEM)')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'Private key of the client certificate (PEM)')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Read the token from this environment variable. The token itself is never kept in a context')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Read the token from this file, which only its owner can read')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--current', '--current', [CompletionResultType]::ParameterName, 'Make it the current context')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect with TLS (1.2 or 1.3)')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Do not verify the server''s certificate: anyone on the network path can read the token')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ldctl;context;use' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ldctl;context;ls' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;context;show' {
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'Output format on stdout')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;context;rm' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help')
            break
        }
        'ldctl;context;help' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Keep a server under a name: its address, how to connect to it, and where its token is')
            [CompletionResult]::new('use', 'use', [CompletionResultType]::ParameterValue, 'Make a context the current one')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the contexts; * is the current one')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a context, by default the current one')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a context')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ldctl;context;help;add' {
            break
        }
        'ldctl;context;help;use' {
            break
        }
        'ldctl;context;help;ls' {
            break
        }
        'ldctl;context;help;show' {
            break
        }
        'ldctl;context;help;rm' {
            break
        }
        'ldctl;context;help;help' {
            break
        }
        'ldctl;init' {
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The target [default: a stub server that the document starts, so that it runs as it stands]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace files that exist')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;convert' {
            [CompletionResult]::new('--from', '--from', [CompletionResultType]::ParameterName, 'What the file is [default: found out]')
            [CompletionResult]::new('-o', '-o', [CompletionResultType]::ParameterName, 'The file to write [default: stdout]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'The file to write [default: stdout]')
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('--host-only', '--host-only', [CompletionResultType]::ParameterName, 'Leave out requests to other hosts than that of the first page')
            [CompletionResult]::new('--think-time', '--think-time', [CompletionResultType]::ParameterName, 'Keep pauses (recorded ones, timers, sleeps) as waits (think_time)')
            [CompletionResult]::new('--force', '--force', [CompletionResultType]::ParameterName, 'Replace a file that exists')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;completions' {
            [CompletionResult]::new('--color', '--color', [CompletionResultType]::ParameterName, 'When to use colours')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;help' {
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve the control socket until a client sends `quit`')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Send a document to a server and print each action''s result')
            [CompletionResult]::new('ping', 'ping', [CompletionResultType]::ParameterValue, 'Check that a server is up (no side effects)')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Show the test that a server is running, or any run')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Stop the running test, or any run; its client still gets the results')
            [CompletionResult]::new('runs', 'runs', [CompletionResultType]::ParameterValue, 'List the runs of a server, the newest first')
            [CompletionResult]::new('attach', 'attach', [CompletionResultType]::ParameterValue, 'Follow a run from its beginning to its end, whoever requested it')
            [CompletionResult]::new('report', 'report', [CompletionResultType]::ParameterValue, 'Fetch the report of a run, also of one that is in progress or ended long ago')
            [CompletionResult]::new('open', 'open', [CompletionResultType]::ParameterValue, 'Print a link to a run in a browser, which logs in once, and open it where there is a browser')
            [CompletionResult]::new('quit', 'quit', [CompletionResultType]::ParameterValue, 'Shut a server down')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run documents in this process, without a server')
            [CompletionResult]::new('lint', 'lint', [CompletionResultType]::ParameterValue, 'Check documents for errors and likely mistakes')
            [CompletionResult]::new('fmt', 'fmt', [CompletionResultType]::ParameterValue, 'Format documents, without changing what they do')
            [CompletionResult]::new('explain', 'explain', [CompletionResultType]::ParameterValue, 'Explain the format of documents: a concept, a command or a parameter')
            [CompletionResult]::new('schema', 'schema', [CompletionResultType]::ParameterValue, 'Print the JSON Schema of documents, for editors')
            [CompletionResult]::new('context', 'context', [CompletionResultType]::ParameterValue, 'Keep servers under names, with how to connect to them')
            [CompletionResult]::new('init', 'init', [CompletionResultType]::ParameterValue, 'Write a document to begin with')
            [CompletionResult]::new('convert', 'convert', [CompletionResultType]::ParameterValue, 'Convert a HAR recording, curl, OpenAPI, Postman, k6 or JMeter into a document')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell''s completion script')
            [CompletionResult]::new('help', 'help', [CompletionResultType]::ParameterValue, 'Print this message or the help of the given subcommand(s)')
            break
        }
        'ldctl;help;serve' {
            break
        }
        'ldctl;help;send' {
            break
        }
        'ldctl;help;ping' {
            break
        }
        'ldctl;help;status' {
            break
        }
        'ldctl;help;stop' {
            break
        }
        'ldctl;help;runs' {
            break
        }
        'ldctl;help;attach' {
            break
        }
        'ldctl;help;report' {
            break
        }
        'ldctl;help;open' {
            break
        }
        'ldctl;help;quit' {
            break
        }
        'ldctl;help;run' {
            break
        }
        'ldctl;help;lint' {
            break
        }
        'ldctl;help;fmt' {
            break
        }
        'ldctl;help;explain' {
            break
        }
        'ldctl;help;schema' {
            break
        }
        'ldctl;help;context' {
            [CompletionResult]::new('add', 'add', [CompletionResultType]::ParameterValue, 'Keep a server under a name: its address, how to connect to it, and where its token is')
            [CompletionResult]::new('use', 'use', [CompletionResultType]::ParameterValue, 'Make a context the current one')
            [CompletionResult]::new('ls', 'ls', [CompletionResultType]::ParameterValue, 'List the contexts; * is the current one')
            [CompletionResult]::new('show', 'show', [CompletionResultType]::ParameterValue, 'Show a context, by default the current one')
            [CompletionResult]::new('rm', 'rm', [CompletionResultType]::ParameterValue, 'Remove a context')
            break
        }
        'ldctl;help;context;add' {
            break
        }
        'ldctl;help;context;use' {
            break
        }
        'ldctl;help;context;ls' {
            break
        }
        'ldctl;help;context;show' {
            break
        }
        'ldctl;help;context;rm' {
            break
        }
        'ldctl;help;init' {
            break
        }
        'ldctl;help;convert' {
            break
        }
        'ldctl;help;completions' {
            break
        }
        'ldctl;help;help' {
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
