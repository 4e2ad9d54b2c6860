# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ldctl_global_optspecs
    string join \n v/verbose color= h/help V/version
end

function __fish_ldctl_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_ldctl_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_ldctl_using_subcommand
    set -l cmd (__fish_ldctl_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c ldctl -n "__fish_ldctl_needs_command" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_needs_command" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_needs_command" -s V -l version -d 'Print version'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "serve" -d 'Serve the control socket until a client sends `quit`'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "send" -d 'Send a document to a server and print each action\'s result'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "ping" -d 'Check that a server is up (no side effects)'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "status" -d 'Show the test that a server is running, or any run'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "stop" -d 'Stop the running test, or any run; its client still gets the results'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "runs" -d 'List the runs of a server, the newest first'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "attach" -d 'Follow a run from its beginning to its end, whoever requested it'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "report" -d 'Fetch the report of a run, also of one that is in progress or ended long ago'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "open" -d 'Print a link to a run in a browser, which logs in once, and open it where there is a browser'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "quit" -d 'Shut a server down'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "run" -d 'Run documents in this process, without a server'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "lint" -d 'Check documents for errors and likely mistakes'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "check" -d 'Check documents for errors and likely mistakes'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "validate" -d 'Check documents for errors and likely mistakes'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "fmt" -d 'Format documents, without changing what they do'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "explain" -d 'Explain the format of documents: a concept, a command or a parameter'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "schema" -d 'Print the JSON Schema of documents, for editors'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "context" -d 'Keep servers under names, with how to connect to them'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "init" -d 'Write a document to begin with'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "convert" -d 'Convert a HAR recording, curl, OpenAPI, Postman, k6 or JMeter into a document'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "completions" -d 'Print a shell\'s completion script'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l host -d 'Address or name to listen on; localhost means IPv4 and IPv6 loopback. Other than loopback requires a token. Ignored, like --port, with socket activation' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l port -d 'TCP port to listen on; 0 picks a free port and prints it on the first line' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l web -d 'Also serve runs in a browser, and the same over HTTP, on this address; port 0 picks a free one. Other than loopback requires a token, as for the socket; the certificate is the same' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l web-host -d 'A further name of this machine that browsers use, or of a proxy before it (repeatable): requests for other names are refused' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l data-dir -d 'Directory in which documents may read and write files [default: the working directory]' -r -f -a "(__fish_complete_directories)"
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l history -d 'Keep runs in this SQLite file, which is created if it does not exist. Numbers of runs go on from it [default: in memory; with systemd\'s StateDirectory=, history.db in it]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l keep-runs -d 'How many ended runs stay in memory, for `runs`, `status` and `attach`' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l allow-env -d 'Let documents read this environment variable as ${env.NAME} (repeatable) [default: none]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l tls-cert -d 'Server certificate chain (PEM). TLS is on when this and the key are given, or the systemd credentials ldctl.crt and ldctl.key. SIGHUP reloads the TLS files' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l tls-key -d 'Private key of the certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l tls-client-ca -d 'Require client certificates signed by one of these authorities (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l executor -d 'Run commands and kinds of users that are not native in this Python, which has je_load_density. Documents can make it run any code' -r -f -a "(__fish_complete_command)"
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l engine -d 'Which tests run in it: those with users or arguments that are not native (auto), none (native), or all (python)' -r -f -a "auto\t'Those with users or arguments that are not native'
native\t'None'
python\t'All'"
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l executor-memory -d 'The memory that it and its programs may have [default: that of --max-memory]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-users -d 'Maximum virtual users per test' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-test-time -d 'Maximum duration of a test. Also ends tests that set no duration' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-tasks -d 'Maximum tasks per test' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-body-bytes -d 'Maximum bytes of a response body that assertions and extractors see, decompressed. Checks of a longer body fail' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-memory -d 'Ceiling for what the process holds in memory: records, figures, files, bodies, documents. What would exceed it is refused or dropped, with a message [default: half of the memory of the control group or the machine]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-records -d 'Maximum rows of requests that are kept in all, 32 bytes each, for reports that list requests. The oldest tests give theirs up first; a test beyond it goes on with histograms alone' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l allow-listen -d 'Let documents open listeners (the Prometheus exporter, the dashboard) on this address beyond loopback (repeatable); 0.0.0.0 and :: are every address [default: loopback only]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l worker-allow -d 'Let workers join the tests of a master only from this address or network (repeatable): 10.0.0.7, 10.0.0.0/8. They are not authenticated [default: whoever reaches its port]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l allow-target -d 'Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones and metadata services]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-connections -d 'Maximum concurrent connections; others get a `busy` reply' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-tests -d 'Maximum load tests at once. More than one disturb each other\'s measurements' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-watchers -d 'Maximum connections that follow runs with `attach`; others get a `busy` reply' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l handshake-timeout -d 'Timeout of a TLS handshake' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l request-timeout -d 'Timeout of receiving a whole request' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-request-bytes -d 'Maximum memory for incomplete requests of all connections, in bytes' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-documents -d 'Maximum number of documents that are read or run at once; further ones wait for a second, then get a busy reply' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-reply-queue -d 'Maximum reply data queued for a slow client, in bytes' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l shutdown-timeout -d 'How long a shutdown waits for running tests, replies and exporters together' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l framed -d 'Refuse legacy requests. By default one port serves framed and legacy requests'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l allow-unauthenticated -d 'Listen on non-loopback addresses without a token: anyone who can reach the port can then start load'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l executor-unconfined -d 'Let it read and write every file that this user may, and reach every target in spite of --allow-target'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l json -d 'The document itself, instead of a file' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l name -d 'Name of the run, for `ldctl runs`' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l queue -d 'While another test runs, wait for its end for at most this long' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l fan-out -d 'Let these servers make the test together (comma-separated): each takes a part of its users and of the rows of CSV sources, and this program has the record of all' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l timeout -d 'Give up after this long without a reply [default: 10s while connecting and until the server shows that it is one, 1h between replies]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s u -l users -d 'Virtual users of every test; with an arrival rate the most that run at once' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s r -l spawn-rate -d 'Users started per second' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s t -l test-time -d 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l rate -d 'Start this many iterations per second, however slow the target is (arrival_rate)' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l target -d 'Base of the relative URLs of tasks (host)' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l var -d 'Set the variable ${var.NAME} (repeatable); takes precedence over the document\'s' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l gate -d 'Fail unless the figures meet this rule (repeatable): latency_p95<200ms, failure_rate<1%, failure_rate(NAME)<1%, requests>=1000, achieved_rate>=190, dropped_iterations<1%' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l report -d 'Write a report when the document has ended, whatever became of it (repeatable): html, json, xml, csv, junit, summary, github, sarif, or db for a run in an SQLite file (only `run`)' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l seed -d 'Seed of random choices: tasks by weight, waits, generated data' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l master-host -d 'Host of the master [default: 127.0.0.1]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l master-port -d 'Port of the master [default: 5557]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l expect-workers -d 'How many workers the test waits for [default: 1]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l master-bind-host -d 'Address on which workers are awaited; * is every one. They are not authenticated [default: 127.0.0.1; with --fan-out the one that the servers reach]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l master-bind-port -d 'Port on which workers are awaited [default: 5557]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s o -l output -d 'Output format on stdout [default: summary on a terminal, else text]' -r -f -a "summary\t'Figures, errors, gates and a verdict, for people'
text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l server -d 'The server\'s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l host -d 'The server\'s address or name, apart from its port' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l port -d 'The server\'s TCP port [default: 9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l context -d 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l detach -d 'Print the number of the run and leave it on its own. Without, the run is stopped when this program ends'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l worker -d 'Take users from a Locust master instead of the document: its own, LoadDensity\'s or ldctl\'s'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l master -d 'Deal the users of the document out to workers that connect, instead of running them here'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l no-check -d 'Do it although the check of the document finds errors (see `ldctl lint`)'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s q -l quiet -d 'Print only errors'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l wait -d 'Retry until the server answers, for at most this long. A rejected token or an untrusted certificate fails immediately' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l timeout -d 'Give up after this long without a reply' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l output -d 'Output format on stdout; -v adds the server\'s counters to the text' -r -f -a "text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l server -d 'The server\'s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l host -d 'The server\'s address or name, apart from its port' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l port -d 'The server\'s TCP port [default: 9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l context -d 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l timeout -d 'Give up after this long without a reply' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l output -d 'Output format on stdout' -r -f -a "text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l server -d 'The server\'s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l host -d 'The server\'s address or name, apart from its port' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l port -d 'The server\'s TCP port [default: 9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l context -d 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l watch -d 'Print the status every second until the run has ended'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l timeout -d 'Give up after this long without a reply' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l output -d 'Output format on stdout' -r -f -a "text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l server -d 'The server\'s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l host -d 'The server\'s address or name, apart from its port' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l port -d 'The server\'s TCP port [default: 9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l context -d 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l limit -d 'Show at most this many runs' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l state -d 'Show only runs in this state' -r -f -a "queued\t'Waits for the place of the test that runs'
running\t'In progress'
stopping\t'Stopped, and still waiting for requests in progress'
passed\t'Ended, and no action failed'
failed\t'Ended, and an action failed'
cancelled\t'Stopped on request or by a signal'
lost\t'Stopped because its client left'
interrupted\t'The server ended while it ran'"
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l timeout -d 'Give up after this long without a reply' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l output -d 'Output format on stdout' -r -f -a "text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l server -d 'The server\'s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l host -d 'The server\'s address or name, apart from its port' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l port -d 'The server\'s TCP port [default: 9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l context -d 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand runs" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l timeout -d 'Give up after this long without a reply [default: 10s while connecting and until the server shows that it is one, 1h between replies]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -s o -l output -d 'Output format on stdout [default: summary on a terminal, else text]' -r -f -a "summary\t'Figures, errors, gates and a verdict, for people'
text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l server -d 'The server\'s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l host -d 'The server\'s address or name, apart from its port' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l port -d 'The server\'s TCP port [default: 9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l context -d 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -s q -l quiet -d 'Print only errors'
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l format -d 'Format of the report' -r -f -a "html\t'A page for people'
json\t'Every request as JSON; needs the rows of the run'
xml\t'Every request as XML; needs the rows of the run'
csv\t'Every request as a row of CSV; needs the rows of the run'
junit\t'A testcase for each name, for CI systems'
summary\t'The figures of LD_summary as JSON'
github\t'Workflow commands of GitHub Actions for failed requests; needs the rows of the run'
sarif\t'Failed requests as SARIF; needs the rows of the run'"
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -s o -l output -d 'Write it to this file, which others cannot read, instead of stdout' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l timeout -d 'Give up after this long without a reply [default: 10s while connecting, 10m between replies]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l server -d 'The server\'s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l host -d 'The server\'s address or name, apart from its port' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l port -d 'The server\'s TCP port [default: 9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l context -d 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l timeout -d 'Give up after this long without a reply' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l output -d 'Output format on stdout' -r -f -a "text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l server -d 'The server\'s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l host -d 'The server\'s address or name, apart from its port' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l port -d 'The server\'s TCP port [default: 9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l context -d 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l no-browser -d 'Print the link only'
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l timeout -d 'Give up after this long without a reply' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l server -d 'The server\'s address or name, and its port [default: that of LDCTL_SERVER or of the context, else localhost:9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l host -d 'The server\'s address or name, apart from its port' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l port -d 'The server\'s TCP port [default: 9940]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l context -d 'Use the server of this context (`ldctl context`) [default: that of LDCTL_CONTEXT, else the current one]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l token-env -d 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l token-file -d 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l token -d 'The token itself; other users of this machine can see it in the process list' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l token-prompt -d 'Prompt for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l json -d 'The document itself, instead of files' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l web -d 'Show the runs in a browser, and over HTTP, on this address of this machine until the program ends; port 0 picks a free one. Nothing can be started or stopped there' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l data-dir -d 'Directory in which documents may read and write files [default: the working directory]' -r -f -a "(__fish_complete_directories)"
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s X -l method -d 'Method [default: GET, or POST with a body]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s H -l header -d 'Header (repeatable)' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s d -l data -d 'Body; @FILE reads it, @- from stdin. Sent as a form, unless a header says otherwise' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l json-body -d 'Body as JSON; @FILE reads it' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s n -l requests -d 'End after so many requests, instead of a time' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l host -d 'The same as --target' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s u -l users -d 'Virtual users of every test; with an arrival rate the most that run at once' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s r -l spawn-rate -d 'Users started per second' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s t -l test-time -d 'Duration of every test: 30s, 5m, 1h30m. With --users or --rate it replaces a load_shape' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l rate -d 'Start this many iterations per second, however slow the target is (arrival_rate)' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l target -d 'Base of the relative URLs of tasks (host)' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l var -d 'Set the variable ${var.NAME} (repeatable); takes precedence over the document\'s' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l gate -d 'Fail unless the figures meet this rule (repeatable): latency_p95<200ms, failure_rate<1%, failure_rate(NAME)<1%, requests>=1000, achieved_rate>=190, dropped_iterations<1%' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l report -d 'Write a report when the document has ended, whatever became of it (repeatable): html, json, xml, csv, junit, summary, github, sarif, or db for a run in an SQLite file (only `run`)' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l seed -d 'Seed of random choices: tasks by weight, waits, generated data' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l master-host -d 'Host of the master [default: 127.0.0.1]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l master-port -d 'Port of the master [default: 5557]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l expect-workers -d 'How many workers the test waits for [default: 1]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l master-bind-host -d 'Address on which workers are awaited; * is every one. They are not authenticated [default: 127.0.0.1; with --fan-out the one that the servers reach]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l master-bind-port -d 'Port on which workers are awaited [default: 5557]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l executor -d 'Run commands and kinds of users that are not native in this Python, which has je_load_density. Documents can make it run any code' -r -f -a "(__fish_complete_command)"
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l engine -d 'Which tests run in it: those with users or arguments that are not native (auto), none (native), or all (python)' -r -f -a "auto\t'Those with users or arguments that are not native'
native\t'None'
python\t'All'"
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l executor-memory -d 'The memory that it and its programs may have [default: that of --max-memory]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l max-users -d 'Maximum virtual users per test' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l max-test-time -d 'Maximum duration of a test. Also ends tests that set no duration' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l max-tasks -d 'Maximum tasks per test' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l max-body-bytes -d 'Maximum bytes of a response body that assertions and extractors see, decompressed. Checks of a longer body fail' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l max-memory -d 'Ceiling for what the process holds in memory: records, figures, files, bodies, documents. What would exceed it is refused or dropped, with a message [default: half of the memory of the control group or the machine]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l max-records -d 'Maximum rows of requests that are kept in all, 32 bytes each, for reports that list requests. The oldest tests give theirs up first; a test beyond it goes on with histograms alone' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l allow-listen -d 'Let documents open listeners (the Prometheus exporter, the dashboard) on this address beyond loopback (repeatable); 0.0.0.0 and :: are every address [default: loopback only]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l worker-allow -d 'Let workers join the tests of a master only from this address or network (repeatable): 10.0.0.7, 10.0.0.0/8. They are not authenticated [default: whoever reaches its port]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l allow-target -d 'Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones and metadata services]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s o -l output -d 'Output format on stdout [default: summary on a terminal, else text]' -r -f -a "summary\t'Figures, errors, gates and a verdict, for people'
text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l once -d 'Run one iteration of one user, and show every request and response, what is extracted and what assertions say, without secrets'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l print-document -d 'Print the document that would be run, and run nothing'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l http2 -d 'Use HTTP/2, or offer it with TLS'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l insecure -d 'Do not verify the certificate'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l worker -d 'Take users from a Locust master instead of the document: its own, LoadDensity\'s or ldctl\'s'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l master -d 'Deal the users of the document out to workers that connect, instead of running them here'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l no-check -d 'Do it although the check of the document finds errors (see `ldctl lint`)'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l executor-unconfined -d 'Let it read and write every file that this user may, and reach every target in spite of --allow-target'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s q -l quiet -d 'Print only errors'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand lint" -l json -d 'The document itself, instead of files' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand lint" -s o -l output -d 'Output format on stdout' -r -f -a "text\t'One line per finding: FILE:LINE:COLUMN: severity: place: message [rule]'
json\t'One JSON object per line'
sarif\t'A log of SARIF 2.1.0'"
complete -c ldctl -n "__fish_ldctl_using_subcommand lint" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand lint" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand lint" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand check" -l json -d 'The document itself, instead of files' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand check" -s o -l output -d 'Output format on stdout' -r -f -a "text\t'One line per finding: FILE:LINE:COLUMN: severity: place: message [rule]'
json\t'One JSON object per line'
sarif\t'A log of SARIF 2.1.0'"
complete -c ldctl -n "__fish_ldctl_using_subcommand check" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand check" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand validate" -l json -d 'The document itself, instead of files' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand validate" -s o -l output -d 'Output format on stdout' -r -f -a "text\t'One line per finding: FILE:LINE:COLUMN: severity: place: message [rule]'
json\t'One JSON object per line'
sarif\t'A log of SARIF 2.1.0'"
complete -c ldctl -n "__fish_ldctl_using_subcommand validate" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand validate" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand validate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand fmt" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand fmt" -l check -d 'Write nothing; print the files that are not formatted, and exit with 1 if there are any'
complete -c ldctl -n "__fish_ldctl_using_subcommand fmt" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand fmt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand explain" -s o -l output -d 'Output format on stdout' -r -f -a "text\t'For people'
json\t'For tools'"
complete -c ldctl -n "__fish_ldctl_using_subcommand explain" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand explain" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand schema" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand schema" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand schema" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and not __fish_seen_subcommand_from add use ls show rm help" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and not __fish_seen_subcommand_from add use ls show rm help" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and not __fish_seen_subcommand_from add use ls show rm help" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and not __fish_seen_subcommand_from add use ls show rm help" -f -a "add" -d 'Keep a server under a name: its address, how to connect to it, and where its token is'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and not __fish_seen_subcommand_from add use ls show rm help" -f -a "use" -d 'Make a context the current one'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and not __fish_seen_subcommand_from add use ls show rm help" -f -a "ls" -d 'List the contexts; * is the current one'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and not __fish_seen_subcommand_from add use ls show rm help" -f -a "show" -d 'Show a context, by default the current one'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and not __fish_seen_subcommand_from add use ls show rm help" -f -a "rm" -d 'Remove a context'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and not __fish_seen_subcommand_from add use ls show rm help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l server -d 'The same as an option' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l tls-ca -d 'Certificate authorities to trust (PEM) [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l tls-server-name -d 'Name to expect in the server\'s certificate [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l tls-cert -d 'Client certificate chain (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l tls-key -d 'Private key of the client certificate (PEM)' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l token-env -d 'Read the token from this environment variable. The token itself is never kept in a context' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l token-file -d 'Read the token from this file, which only its owner can read' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l current -d 'Make it the current context'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l legacy -d 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l tls -d 'Connect with TLS (1.2 or 1.3)'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -l tls-insecure -d 'Do not verify the server\'s certificate: anyone on the network path can read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from add" -s h -l help -d 'Print help'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from use" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from use" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from use" -s h -l help -d 'Print help'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from ls" -s o -l output -d 'Output format on stdout' -r -f -a "text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from ls" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from ls" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from ls" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from show" -s o -l output -d 'Output format on stdout' -r -f -a "text\t'One line per result, as LoadDensity writes it'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from show" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from rm" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from rm" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from rm" -s h -l help -d 'Print help'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "add" -d 'Keep a server under a name: its address, how to connect to it, and where its token is'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "use" -d 'Make a context the current one'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "ls" -d 'List the contexts; * is the current one'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show a context, by default the current one'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "rm" -d 'Remove a context'
complete -c ldctl -n "__fish_ldctl_using_subcommand context; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ldctl -n "__fish_ldctl_using_subcommand init" -l host -d 'The target [default: a stub server that the document starts, so that it runs as it stands]' -r -f
complete -c ldctl -n "__fish_ldctl_using_subcommand init" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand init" -l force -d 'Replace files that exist'
complete -c ldctl -n "__fish_ldctl_using_subcommand init" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand convert" -l from -d 'What the file is [default: found out]' -r -f -a "har\t'A recording of a browser or proxy'
curl\t'Commands of curl'
openapi\t'An API as OpenAPI 3 or Swagger 2, in JSON or YAML'
postman\t'A Postman collection of version 2.0 or 2.1'
k6\t'A k6 script'
jmeter\t'A JMeter test plan'"
complete -c ldctl -n "__fish_ldctl_using_subcommand convert" -s o -l output -d 'The file to write [default: stdout]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand convert" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand convert" -l host-only -d 'Leave out requests to other hosts than that of the first page'
complete -c ldctl -n "__fish_ldctl_using_subcommand convert" -l think-time -d 'Keep pauses (recorded ones, timers, sleeps) as waits (think_time)'
complete -c ldctl -n "__fish_ldctl_using_subcommand convert" -l force -d 'Replace a file that exists'
complete -c ldctl -n "__fish_ldctl_using_subcommand convert" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand convert" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand completions" -l color -d 'When to use colours' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set or TERM is dumb; CLICOLOR_FORCE=1 colours pipes, too'
always\t'Always'
never\t'Never'"
complete -c ldctl -n "__fish_ldctl_using_subcommand completions" -s v -l verbose -d 'Say more on stderr: what happens (-v), with the first requests and other details (-vv)'
complete -c ldctl -n "__fish_ldctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "serve" -d 'Serve the control socket until a client sends `quit`'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "send" -d 'Send a document to a server and print each action\'s result'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "ping" -d 'Check that a server is up (no side effects)'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "status" -d 'Show the test that a server is running, or any run'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "stop" -d 'Stop the running test, or any run; its client still gets the results'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "runs" -d 'List the runs of a server, the newest first'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "attach" -d 'Follow a run from its beginning to its end, whoever requested it'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "report" -d 'Fetch the report of a run, also of one that is in progress or ended long ago'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "open" -d 'Print a link to a run in a browser, which logs in once, and open it where there is a browser'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "quit" -d 'Shut a server down'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "run" -d 'Run documents in this process, without a server'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "lint" -d 'Check documents for errors and likely mistakes'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "fmt" -d 'Format documents, without changing what they do'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "explain" -d 'Explain the format of documents: a concept, a command or a parameter'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "schema" -d 'Print the JSON Schema of documents, for editors'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "context" -d 'Keep servers under names, with how to connect to them'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "init" -d 'Write a document to begin with'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "convert" -d 'Convert a HAR recording, curl, OpenAPI, Postman, k6 or JMeter into a document'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "completions" -d 'Print a shell\'s completion script'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and not __fish_seen_subcommand_from serve send ping status stop runs attach report open quit run lint fmt explain schema context init convert completions help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "add" -d 'Keep a server under a name: its address, how to connect to it, and where its token is'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "use" -d 'Make a context the current one'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "ls" -d 'List the contexts; * is the current one'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "show" -d 'Show a context, by default the current one'
complete -c ldctl -n "__fish_ldctl_using_subcommand help; and __fish_seen_subcommand_from context" -f -a "rm" -d 'Remove a context'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l allow-env -x -a "(set --names --export)"
complete -c ldctl -n "__fish_ldctl_using_subcommand init" -f -a "http login csv open-model stages gates"
complete -c ldctl -n "__fish_ldctl_using_subcommand completions" -f -a "bash elvish fish powershell zsh"
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -k -f -a "(__fish_complete_suffix .json)"
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -k -f -a "(__fish_complete_suffix .json)"
complete -c ldctl -n "__fish_ldctl_using_subcommand lint" -k -f -a "(__fish_complete_suffix .json)"
complete -c ldctl -n "__fish_ldctl_using_subcommand fmt" -k -f -a "(__fish_complete_suffix .json)"
complete -c ldctl -n "__fish_ldctl_using_subcommand attach" -f -k -a "(ldctl __runs fish (commandline -opc)[2..] 2>/dev/null)"
complete -c ldctl -n "__fish_ldctl_using_subcommand open" -f -k -a "(ldctl __runs fish (commandline -opc)[2..] 2>/dev/null)"
complete -c ldctl -n "__fish_ldctl_using_subcommand report" -f -k -a "(ldctl __runs fish (commandline -opc)[2..] 2>/dev/null)"
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -f -k -a "(ldctl __runs fish (commandline -opc)[2..] 2>/dev/null)"
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -f -k -a "(ldctl __runs fish (commandline -opc)[2..] 2>/dev/null)"
