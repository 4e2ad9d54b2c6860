
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
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand serve 'Serve the control socket until a client sends `quit`'
            cand send 'Send a document to a server and print each action''s result'
            cand ping 'Check that a server is up (no side effects)'
            cand status 'Show the test that a server is running'
            cand stop 'Stop the running test; the waiting client still gets its results'
            cand quit 'Shut a server down'
            cand run 'Run documents in this process, without a server'
            cand lint 'Check documents for errors and likely mistakes'
            cand completions 'Print a shell''s completion script'
        }
        &'ldctl;serve'= {
            cand --host 'Address or name to listen on; localhost means IPv4 and IPv6 loopback. Other than loopback requires a token. Ignored, like --port, with socket activation'
            cand --port 'TCP port to listen on; 0 picks a free port and prints it on the first line'
            cand --data-dir 'Directory in which documents may read and write files [default: the working directory]'
            cand --allow-env 'Let documents read this environment variable as ${env.NAME} (repeatable) [default: none]'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --tls-cert 'Server certificate chain (PEM). TLS is on when this and the key are given, or the systemd credentials ldctl.crt and ldctl.key. SIGHUP reloads the TLS files'
            cand --tls-key 'Private key of the certificate (PEM)'
            cand --tls-client-ca 'Require client certificates signed by one of these authorities (PEM)'
            cand --max-users 'Maximum virtual users per test'
            cand --max-test-time 'Maximum duration of a test, in seconds. Also ends tests that set no duration'
            cand --max-tasks 'Maximum tasks per test'
            cand --allow-target 'Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones]'
            cand --max-connections 'Maximum concurrent connections; others get a `busy` reply'
            cand --handshake-timeout 'Timeout of a TLS handshake, in seconds'
            cand --request-timeout 'Timeout of receiving a whole request, in seconds'
            cand --max-request-bytes 'Maximum memory for incomplete requests of all connections, in bytes'
            cand --max-reply-queue 'Maximum reply data queued for a slow client, in bytes'
            cand --shutdown-timeout 'How long a shutdown waits for running tests, in seconds'
            cand --framed 'Refuse legacy requests. By default one port serves framed and legacy requests'
            cand --allow-unauthenticated 'Listen on non-loopback addresses without a token: anyone who can reach the port can then start load'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;send'= {
            cand --json 'The document itself, instead of a file'
            cand --timeout 'Give up after this many seconds without a reply [default: 10 while connecting, 3600 between replies]'
            cand --output 'Output format on stdout'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand -q 'Print only errors'
            cand --quiet 'Print only errors'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;ping'= {
            cand --wait 'Retry until the server answers, for at most this many seconds. A rejected token or an untrusted certificate fails immediately'
            cand --timeout 'Give up after this many seconds without a reply'
            cand --output 'Output format on stdout; -v adds the server''s counters to the text'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;status'= {
            cand --timeout 'Give up after this many seconds without a reply'
            cand --output 'Output format on stdout'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;stop'= {
            cand --timeout 'Give up after this many seconds without a reply'
            cand --output 'Output format on stdout'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;quit'= {
            cand --timeout 'Give up after this many seconds without a reply'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificate authorities to trust (PEM) [default: the system''s]'
            cand --tls-server-name 'Name to expect in the server''s certificate [default: the host]'
            cand --tls-cert 'Client certificate chain (PEM)'
            cand --tls-key 'Private key of the client certificate (PEM)'
            cand --token-env 'Read the token from an environment variable (default LOAD_DENSITY_SOCKET_TOKEN) and fail if it is not set. Without any token option, the systemd credential ldctl.token is used if present, else that variable if set'
            cand --token-file 'Read the token from a file that only its owner can read. A second line may hold the previous token, which a server still accepts; clients send the first. SIGHUP makes a server reload it'
            cand --token 'The token itself; other users of this machine can see it in the process list'
            cand --legacy 'Send an unframed request, for a LoadDensity server started without --framed; ldctl serve accepts both'
            cand --tls 'Connect with TLS (1.2 or 1.3)'
            cand --tls-insecure 'Do not verify the server''s certificate: anyone on the network path can read the token'
            cand --token-prompt 'Prompt for the token on the terminal, without echo'
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;run'= {
            cand --data-dir 'Directory in which documents may read and write files [default: the working directory]'
            cand --max-users 'Maximum virtual users per test'
            cand --max-test-time 'Maximum duration of a test, in seconds. Also ends tests that set no duration'
            cand --max-tasks 'Maximum tasks per test'
            cand --allow-target 'Restrict targets to this host or network (repeatable): example.com, 10.0.0.0/8 or [2001:db8::/32], each optionally with :PORT [default: any address but link-local ones]'
            cand --output 'Output format on stdout'
            cand -q 'Print only errors'
            cand --quiet 'Print only errors'
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;lint'= {
            cand --output 'Output format on stdout'
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;completions'= {
            cand -v 'Log more to stderr (-v info, -vv debug)'
            cand --verbose 'Log more to stderr (-v info, -vv debug)'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
    ]
    $completions[$command]
}
