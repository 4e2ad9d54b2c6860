
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
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('-V', '-V ', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('--version', '--version', [CompletionResultType]::ParameterName, 'Print version')
            [CompletionResult]::new('serve', 'serve', [CompletionResultType]::ParameterValue, 'Serve the control socket until a client says quit')
            [CompletionResult]::new('send', 'send', [CompletionResultType]::ParameterValue, 'Send a document to a server and print what each action gives')
            [CompletionResult]::new('ping', 'ping', [CompletionResultType]::ParameterValue, 'Ask a server whether it is there; nothing runs')
            [CompletionResult]::new('status', 'status', [CompletionResultType]::ParameterValue, 'Ask a server which test it runs')
            [CompletionResult]::new('stop', 'stop', [CompletionResultType]::ParameterValue, 'Stop the test that a server runs; whoever waits for it gets what it has measured')
            [CompletionResult]::new('quit', 'quit', [CompletionResultType]::ParameterValue, 'End a server')
            [CompletionResult]::new('run', 'run', [CompletionResultType]::ParameterValue, 'Run documents in this process, without a server')
            [CompletionResult]::new('lint', 'lint', [CompletionResultType]::ParameterValue, 'Find what is wrong or suspicious in documents, without running them')
            [CompletionResult]::new('completions', 'completions', [CompletionResultType]::ParameterValue, 'Print a shell''s completion script')
            break
        }
        'ldctl;serve' {
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'Address or name to listen on; localhost means IPv4 and IPv6 loopback. Any other than a loopback address needs a token. Unused, like --port, when systemd hands over sockets')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'TCP port to listen on; 0 takes a free one, which the first line on stdout names')
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Directory that documents may read and write files in [default: the working directory]')
            [CompletionResult]::new('--allow-env', '--allow-env', [CompletionResultType]::ParameterName, 'Environment variable that documents may read as ${env.NAME}; may be given several times [default: none]')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself. Other users of this machine can read it in the list of processes')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'The server''s certificate, with its chain, as PEM. TLS is on when this and the key are given, or the systemd credentials ldctl.crt and ldctl.key. The TLS files are read again on SIGHUP')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'The certificate''s private key, as PEM')
            [CompletionResult]::new('--tls-client-ca', '--tls-client-ca', [CompletionResultType]::ParameterName, 'Ask clients for a certificate that one of these authorities has signed')
            [CompletionResult]::new('--max-users', '--max-users', [CompletionResultType]::ParameterName, 'Users that one test may have; a document that asks for more is refused')
            [CompletionResult]::new('--max-test-time', '--max-test-time', [CompletionResultType]::ParameterName, 'Seconds that one test may last; a document that asks for more is refused. A test without an end ends then')
            [CompletionResult]::new('--max-tasks', '--max-tasks', [CompletionResultType]::ParameterName, 'Tasks that one test may have; a document that has more is refused')
            [CompletionResult]::new('--allow-target', '--allow-target', [CompletionResultType]::ParameterName, 'The only host or network that documents may reach: example.com, 10.0.0.0/8 or [2001:db8::/32], each with :PORT for that port alone; may be given several times [default: any but link-local addresses]')
            [CompletionResult]::new('--max-connections', '--max-connections', [CompletionResultType]::ParameterName, 'Connections at once; more are told that the server is busy')
            [CompletionResult]::new('--handshake-timeout', '--handshake-timeout', [CompletionResultType]::ParameterName, 'Seconds that a TLS handshake may take')
            [CompletionResult]::new('--request-timeout', '--request-timeout', [CompletionResultType]::ParameterName, 'Seconds that a whole request may take to arrive')
            [CompletionResult]::new('--max-request-bytes', '--max-request-bytes', [CompletionResultType]::ParameterName, 'Bytes of memory for requests that are still arriving, over all connections')
            [CompletionResult]::new('--max-reply-queue', '--max-reply-queue', [CompletionResultType]::ParameterName, 'Bytes of a reply that wait for a client that reads slowly')
            [CompletionResult]::new('--shutdown-timeout', '--shutdown-timeout', [CompletionResultType]::ParameterName, 'Seconds that a server which is told to stop waits for what still runs')
            [CompletionResult]::new('--framed', '--framed', [CompletionResultType]::ParameterName, 'Refuse legacy requests. Without it both modes are served on the one port')
            [CompletionResult]::new('--allow-unauthenticated', '--allow-unauthenticated', [CompletionResultType]::ParameterName, 'Listen on other than loopback addresses without a token: anyone who reaches the port can then start load')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Ask for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;send' {
            [CompletionResult]::new('--json', '--json', [CompletionResultType]::ParameterName, 'The document itself, in place of a file')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Longest silence to bear, in seconds: while connecting and between two replies [default: 10 while connecting, 3600 between replies]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How replies are printed on stdout')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, as PEM [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name that the server''s certificate must hold [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'A certificate to show to the server, as PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'That certificate''s private key, as PEM')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself. Other users of this machine can read it in the list of processes')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no replies and no progress, only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no replies and no progress, only errors')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect by TLS 1.2 or 1.3')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Trust whatever certificate the server shows: anyone on the way can then read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Ask for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;ping' {
            [CompletionResult]::new('--wait', '--wait', [CompletionResultType]::ParameterName, 'Ask again until the server answers, for at most this many seconds. A refused token or an untrusted certificate ends the wait at once')
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Longest silence to bear, in seconds')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed on stdout; with -v the text tells the server''s counters, too')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, as PEM [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name that the server''s certificate must hold [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'A certificate to show to the server, as PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'That certificate''s private key, as PEM')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself. Other users of this machine can read it in the list of processes')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect by TLS 1.2 or 1.3')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Trust whatever certificate the server shows: anyone on the way can then read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Ask for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;status' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Longest silence to bear, in seconds')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed on stdout')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, as PEM [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name that the server''s certificate must hold [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'A certificate to show to the server, as PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'That certificate''s private key, as PEM')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself. Other users of this machine can read it in the list of processes')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect by TLS 1.2 or 1.3')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Trust whatever certificate the server shows: anyone on the way can then read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Ask for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;stop' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Longest silence to bear, in seconds')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How the answer is printed on stdout')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, as PEM [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name that the server''s certificate must hold [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'A certificate to show to the server, as PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'That certificate''s private key, as PEM')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself. Other users of this machine can read it in the list of processes')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect by TLS 1.2 or 1.3')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Trust whatever certificate the server shows: anyone on the way can then read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Ask for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;quit' {
            [CompletionResult]::new('--timeout', '--timeout', [CompletionResultType]::ParameterName, 'Longest silence to bear, in seconds')
            [CompletionResult]::new('--host', '--host', [CompletionResultType]::ParameterName, 'The server''s address or name')
            [CompletionResult]::new('--port', '--port', [CompletionResultType]::ParameterName, 'The server''s TCP port')
            [CompletionResult]::new('--tls-ca', '--tls-ca', [CompletionResultType]::ParameterName, 'Certificates of the authorities to trust, as PEM [default: the system''s]')
            [CompletionResult]::new('--tls-server-name', '--tls-server-name', [CompletionResultType]::ParameterName, 'Name that the server''s certificate must hold [default: the host]')
            [CompletionResult]::new('--tls-cert', '--tls-cert', [CompletionResultType]::ParameterName, 'A certificate to show to the server, as PEM')
            [CompletionResult]::new('--tls-key', '--tls-key', [CompletionResultType]::ParameterName, 'That certificate''s private key, as PEM')
            [CompletionResult]::new('--token-env', '--token-env', [CompletionResultType]::ParameterName, 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set')
            [CompletionResult]::new('--token-file', '--token-file', [CompletionResultType]::ParameterName, 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP')
            [CompletionResult]::new('--token', '--token', [CompletionResultType]::ParameterName, 'The token itself. Other users of this machine can read it in the list of processes')
            [CompletionResult]::new('--legacy', '--legacy', [CompletionResultType]::ParameterName, 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both')
            [CompletionResult]::new('--tls', '--tls', [CompletionResultType]::ParameterName, 'Connect by TLS 1.2 or 1.3')
            [CompletionResult]::new('--tls-insecure', '--tls-insecure', [CompletionResultType]::ParameterName, 'Trust whatever certificate the server shows: anyone on the way can then read the token')
            [CompletionResult]::new('--token-prompt', '--token-prompt', [CompletionResultType]::ParameterName, 'Ask for the token on the terminal, without echo')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;run' {
            [CompletionResult]::new('--data-dir', '--data-dir', [CompletionResultType]::ParameterName, 'Directory that documents may read and write files in [default: the working directory]')
            [CompletionResult]::new('--max-users', '--max-users', [CompletionResultType]::ParameterName, 'Users that one test may have; a document that asks for more is refused')
            [CompletionResult]::new('--max-test-time', '--max-test-time', [CompletionResultType]::ParameterName, 'Seconds that one test may last; a document that asks for more is refused. A test without an end ends then')
            [CompletionResult]::new('--max-tasks', '--max-tasks', [CompletionResultType]::ParameterName, 'Tasks that one test may have; a document that has more is refused')
            [CompletionResult]::new('--allow-target', '--allow-target', [CompletionResultType]::ParameterName, 'The only host or network that documents may reach: example.com, 10.0.0.0/8 or [2001:db8::/32], each with :PORT for that port alone; may be given several times [default: any but link-local addresses]')
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How replies are printed on stdout')
            [CompletionResult]::new('-q', '-q', [CompletionResultType]::ParameterName, 'Print no replies and no progress, only errors')
            [CompletionResult]::new('--quiet', '--quiet', [CompletionResultType]::ParameterName, 'Print no replies and no progress, only errors')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;lint' {
            [CompletionResult]::new('--output', '--output', [CompletionResultType]::ParameterName, 'How findings are printed on stdout')
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
        'ldctl;completions' {
            [CompletionResult]::new('-v', '-v', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('--verbose', '--verbose', [CompletionResultType]::ParameterName, 'Say more on stderr: once for what happens, twice for every detail')
            [CompletionResult]::new('-h', '-h', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            [CompletionResult]::new('--help', '--help', [CompletionResultType]::ParameterName, 'Print help (see more with ''--help'')')
            break
        }
    })

    $completions.Where{ $_.CompletionText -like "$wordToComplete*" } |
        Sort-Object -Property ListItemText
}
