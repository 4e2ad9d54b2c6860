# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_ldctl_global_optspecs
    string join \n v/verbose h/help V/version
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

complete -c ldctl -n "__fish_ldctl_needs_command" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_needs_command" -s V -l version -d 'Print version'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "serve" -d 'Serve the control socket until a client says quit'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "send" -d 'Send a document to a server and print what each action gives'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "ping" -d 'Ask a server whether it is there; nothing runs'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "status" -d 'Ask a server which test it runs'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "stop" -d 'Stop the test that a server runs; whoever waits for it gets what it has measured'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "quit" -d 'End a server'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "run" -d 'Run documents in this process, without a server'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "lint" -d 'Find what is wrong or suspicious in documents, without running them'
complete -c ldctl -n "__fish_ldctl_needs_command" -f -a "completions" -d 'Print a shell\'s completion script'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l host -d 'Address or name to listen on; localhost means IPv4 and IPv6 loopback. Any other than a loopback address needs a token. Unused, like --port, when systemd hands over sockets' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l port -d 'TCP port to listen on; 0 takes a free one, which the first line on stdout names' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l data-dir -d 'Directory that documents may read and write files in [default: the working directory]' -r -f -a "(__fish_complete_directories)"
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l allow-env -d 'Environment variable that documents may read as ${env.NAME}; may be given several times [default: none]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l token-env -d 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l token-file -d 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l token -d 'The token itself. Other users of this machine can read it in the list of processes' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l tls-cert -d 'The server\'s certificate, with its chain, as PEM. TLS is on when this and the key are given, or the systemd credentials ldctl.crt and ldctl.key. The TLS files are read again on SIGHUP' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l tls-key -d 'The certificate\'s private key, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l tls-client-ca -d 'Ask clients for a certificate that one of these authorities has signed' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-users -d 'Users that one test may have; a document that asks for more is refused' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-test-time -d 'Seconds that one test may last; a document that asks for more is refused. A test without an end ends then' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-tasks -d 'Tasks that one test may have; a document that has more is refused' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l allow-target -d 'The only host or network that documents may reach: example.com, 10.0.0.0/8 or [2001:db8::/32], each with :PORT for that port alone; may be given several times [default: any but link-local addresses]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-connections -d 'Connections at once; more are told that the server is busy' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l handshake-timeout -d 'Seconds that a TLS handshake may take' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l request-timeout -d 'Seconds that a whole request may take to arrive' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-request-bytes -d 'Bytes of memory for requests that are still arriving, over all connections' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l max-reply-queue -d 'Bytes of a reply that wait for a client that reads slowly' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l shutdown-timeout -d 'Seconds that a server which is told to stop waits for what still runs' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l framed -d 'Refuse legacy requests. Without it both modes are served on the one port'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l allow-unauthenticated -d 'Listen on other than loopback addresses without a token: anyone who reaches the port can then start load'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -l token-prompt -d 'Ask for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_using_subcommand serve" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l json -d 'The document itself, in place of a file' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l timeout -d 'Longest silence to bear, in seconds: while connecting and between two replies [default: 10 while connecting, 3600 between replies]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l output -d 'How replies are printed on stdout' -r -f -a "text\t'One line each; replies as LoadDensity writes them'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l host -d 'The server\'s address or name' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l port -d 'The server\'s TCP port' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-ca -d 'Certificates of the authorities to trust, as PEM [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-server-name -d 'Name that the server\'s certificate must hold [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-cert -d 'A certificate to show to the server, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-key -d 'That certificate\'s private key, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l token-env -d 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l token-file -d 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l token -d 'The token itself. Other users of this machine can read it in the list of processes' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s q -l quiet -d 'Print no replies and no progress, only errors'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l legacy -d 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls -d 'Connect by TLS 1.2 or 1.3'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l tls-insecure -d 'Trust whatever certificate the server shows: anyone on the way can then read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -l token-prompt -d 'Ask for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_using_subcommand send" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l wait -d 'Ask again until the server answers, for at most this many seconds. A refused token or an untrusted certificate ends the wait at once' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l timeout -d 'Longest silence to bear, in seconds' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l output -d 'How the answer is printed on stdout; with -v the text tells the server\'s counters, too' -r -f -a "text\t'One line each; replies as LoadDensity writes them'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l host -d 'The server\'s address or name' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l port -d 'The server\'s TCP port' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-ca -d 'Certificates of the authorities to trust, as PEM [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-server-name -d 'Name that the server\'s certificate must hold [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-cert -d 'A certificate to show to the server, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-key -d 'That certificate\'s private key, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l token-env -d 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l token-file -d 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l token -d 'The token itself. Other users of this machine can read it in the list of processes' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l legacy -d 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls -d 'Connect by TLS 1.2 or 1.3'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l tls-insecure -d 'Trust whatever certificate the server shows: anyone on the way can then read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -l token-prompt -d 'Ask for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_using_subcommand ping" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l timeout -d 'Longest silence to bear, in seconds' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l output -d 'How the answer is printed on stdout' -r -f -a "text\t'One line each; replies as LoadDensity writes them'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l host -d 'The server\'s address or name' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l port -d 'The server\'s TCP port' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-ca -d 'Certificates of the authorities to trust, as PEM [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-server-name -d 'Name that the server\'s certificate must hold [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-cert -d 'A certificate to show to the server, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-key -d 'That certificate\'s private key, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l token-env -d 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l token-file -d 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l token -d 'The token itself. Other users of this machine can read it in the list of processes' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l legacy -d 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls -d 'Connect by TLS 1.2 or 1.3'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l tls-insecure -d 'Trust whatever certificate the server shows: anyone on the way can then read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -l token-prompt -d 'Ask for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l timeout -d 'Longest silence to bear, in seconds' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l output -d 'How the answer is printed on stdout' -r -f -a "text\t'One line each; replies as LoadDensity writes them'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l host -d 'The server\'s address or name' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l port -d 'The server\'s TCP port' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-ca -d 'Certificates of the authorities to trust, as PEM [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-server-name -d 'Name that the server\'s certificate must hold [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-cert -d 'A certificate to show to the server, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-key -d 'That certificate\'s private key, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l token-env -d 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l token-file -d 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l token -d 'The token itself. Other users of this machine can read it in the list of processes' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l legacy -d 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls -d 'Connect by TLS 1.2 or 1.3'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l tls-insecure -d 'Trust whatever certificate the server shows: anyone on the way can then read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -l token-prompt -d 'Ask for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_using_subcommand stop" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l timeout -d 'Longest silence to bear, in seconds' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l host -d 'The server\'s address or name' -r -f -a "(__fish_print_hostnames)"
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l port -d 'The server\'s TCP port' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-ca -d 'Certificates of the authorities to trust, as PEM [default: the system\'s]' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-server-name -d 'Name that the server\'s certificate must hold [default: the host]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-cert -d 'A certificate to show to the server, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-key -d 'That certificate\'s private key, as PEM' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l token-env -d 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l token-file -d 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP' -r -F
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l token -d 'The token itself. Other users of this machine can read it in the list of processes' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l legacy -d 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls -d 'Connect by TLS 1.2 or 1.3'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l tls-insecure -d 'Trust whatever certificate the server shows: anyone on the way can then read the token'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -l token-prompt -d 'Ask for the token on the terminal, without echo'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_using_subcommand quit" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l data-dir -d 'Directory that documents may read and write files in [default: the working directory]' -r -f -a "(__fish_complete_directories)"
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l max-users -d 'Users that one test may have; a document that asks for more is refused' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l max-test-time -d 'Seconds that one test may last; a document that asks for more is refused. A test without an end ends then' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l max-tasks -d 'Tasks that one test may have; a document that has more is refused' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l allow-target -d 'The only host or network that documents may reach: example.com, 10.0.0.0/8 or [2001:db8::/32], each with :PORT for that port alone; may be given several times [default: any but link-local addresses]' -r
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -l output -d 'How replies are printed on stdout' -r -f -a "text\t'One line each; replies as LoadDensity writes them'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s q -l quiet -d 'Print no replies and no progress, only errors'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand lint" -l output -d 'How findings are printed on stdout' -r -f -a "text\t'One line each; replies as LoadDensity writes them'
json\t'One JSON object per line'"
complete -c ldctl -n "__fish_ldctl_using_subcommand lint" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_using_subcommand lint" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c ldctl -n "__fish_ldctl_using_subcommand completions" -s v -l verbose -d 'Say more on stderr: once for what happens, twice for every detail'
complete -c ldctl -n "__fish_ldctl_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
