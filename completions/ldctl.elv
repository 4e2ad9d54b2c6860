
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
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
            cand -V 'Print version'
            cand --version 'Print version'
            cand serve 'Serve the control socket until a client says quit'
            cand send 'Send a document to a server and print what each action gives'
            cand ping 'Ask a server whether it is there; nothing runs'
            cand status 'Ask a server which test it runs'
            cand stop 'Stop the test that a server runs; whoever waits for it gets what it has measured'
            cand quit 'End a server'
            cand run 'Run documents in this process, without a server'
            cand lint 'Find what is wrong or suspicious in documents, without running them'
            cand completions 'Print a shell''s completion script'
        }
        &'ldctl;serve'= {
            cand --host 'Address or name to listen on; localhost means IPv4 and IPv6 loopback. Any other than a loopback address needs a token. Unused, like --port, when systemd hands over sockets'
            cand --port 'TCP port to listen on; 0 takes a free one, which the first line on stdout names'
            cand --data-dir 'Directory that documents may read and write files in [default: the working directory]'
            cand --allow-env 'Environment variable that documents may read as ${env.NAME}; may be given several times [default: none]'
            cand --token-env 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set'
            cand --token-file 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP'
            cand --token 'The token itself. Other users of this machine can read it in the list of processes'
            cand --tls-cert 'The server''s certificate, with its chain, as PEM. TLS is on when this and the key are given, or the systemd credentials ldctl.crt and ldctl.key. The TLS files are read again on SIGHUP'
            cand --tls-key 'The certificate''s private key, as PEM'
            cand --tls-client-ca 'Ask clients for a certificate that one of these authorities has signed'
            cand --max-users 'Users that one test may have; a document that asks for more is refused'
            cand --max-test-time 'Seconds that one test may last; a document that asks for more is refused. A test without an end ends then'
            cand --max-tasks 'Tasks that one test may have; a document that has more is refused'
            cand --allow-target 'The only host or network that documents may reach: example.com, 10.0.0.0/8 or [2001:db8::/32], each with :PORT for that port alone; may be given several times [default: any but link-local addresses]'
            cand --max-connections 'Connections at once; more are told that the server is busy'
            cand --handshake-timeout 'Seconds that a TLS handshake may take'
            cand --request-timeout 'Seconds that a whole request may take to arrive'
            cand --max-request-bytes 'Bytes of memory for requests that are still arriving, over all connections'
            cand --max-reply-queue 'Bytes of a reply that wait for a client that reads slowly'
            cand --shutdown-timeout 'Seconds that a server which is told to stop waits for what still runs'
            cand --framed 'Refuse legacy requests. Without it both modes are served on the one port'
            cand --allow-unauthenticated 'Listen on other than loopback addresses without a token: anyone who reaches the port can then start load'
            cand --token-prompt 'Ask for the token on the terminal, without echo'
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;send'= {
            cand --json 'The document itself, in place of a file'
            cand --timeout 'Longest silence to bear, in seconds: while connecting and between two replies [default: 10 while connecting, 3600 between replies]'
            cand --output 'How replies are printed on stdout'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificates of the authorities to trust, as PEM [default: the system''s]'
            cand --tls-server-name 'Name that the server''s certificate must hold [default: the host]'
            cand --tls-cert 'A certificate to show to the server, as PEM'
            cand --tls-key 'That certificate''s private key, as PEM'
            cand --token-env 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set'
            cand --token-file 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP'
            cand --token 'The token itself. Other users of this machine can read it in the list of processes'
            cand -q 'Print no replies and no progress, only errors'
            cand --quiet 'Print no replies and no progress, only errors'
            cand --legacy 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
            cand --tls 'Connect by TLS 1.2 or 1.3'
            cand --tls-insecure 'Trust whatever certificate the server shows: anyone on the way can then read the token'
            cand --token-prompt 'Ask for the token on the terminal, without echo'
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;ping'= {
            cand --wait 'Ask again until the server answers, for at most this many seconds. A refused token or an untrusted certificate ends the wait at once'
            cand --timeout 'Longest silence to bear, in seconds'
            cand --output 'How the answer is printed on stdout; with -v the text tells the server''s counters, too'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificates of the authorities to trust, as PEM [default: the system''s]'
            cand --tls-server-name 'Name that the server''s certificate must hold [default: the host]'
            cand --tls-cert 'A certificate to show to the server, as PEM'
            cand --tls-key 'That certificate''s private key, as PEM'
            cand --token-env 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set'
            cand --token-file 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP'
            cand --token 'The token itself. Other users of this machine can read it in the list of processes'
            cand --legacy 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
            cand --tls 'Connect by TLS 1.2 or 1.3'
            cand --tls-insecure 'Trust whatever certificate the server shows: anyone on the way can then read the token'
            cand --token-prompt 'Ask for the token on the terminal, without echo'
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;status'= {
            cand --timeout 'Longest silence to bear, in seconds'
            cand --output 'How the answer is printed on stdout'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificates of the authorities to trust, as PEM [default: the system''s]'
            cand --tls-server-name 'Name that the server''s certificate must hold [default: the host]'
            cand --tls-cert 'A certificate to show to the server, as PEM'
            cand --tls-key 'That certificate''s private key, as PEM'
            cand --token-env 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set'
            cand --token-file 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP'
            cand --token 'The token itself. Other users of this machine can read it in the list of processes'
            cand --legacy 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
            cand --tls 'Connect by TLS 1.2 or 1.3'
            cand --tls-insecure 'Trust whatever certificate the server shows: anyone on the way can then read the token'
            cand --token-prompt 'Ask for the token on the terminal, without echo'
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;stop'= {
            cand --timeout 'Longest silence to bear, in seconds'
            cand --output 'How the answer is printed on stdout'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificates of the authorities to trust, as PEM [default: the system''s]'
            cand --tls-server-name 'Name that the server''s certificate must hold [default: the host]'
            cand --tls-cert 'A certificate to show to the server, as PEM'
            cand --tls-key 'That certificate''s private key, as PEM'
            cand --token-env 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set'
            cand --token-file 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP'
            cand --token 'The token itself. Other users of this machine can read it in the list of processes'
            cand --legacy 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
            cand --tls 'Connect by TLS 1.2 or 1.3'
            cand --tls-insecure 'Trust whatever certificate the server shows: anyone on the way can then read the token'
            cand --token-prompt 'Ask for the token on the terminal, without echo'
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;quit'= {
            cand --timeout 'Longest silence to bear, in seconds'
            cand --host 'The server''s address or name'
            cand --port 'The server''s TCP port'
            cand --tls-ca 'Certificates of the authorities to trust, as PEM [default: the system''s]'
            cand --tls-server-name 'Name that the server''s certificate must hold [default: the host]'
            cand --tls-cert 'A certificate to show to the server, as PEM'
            cand --tls-key 'That certificate''s private key, as PEM'
            cand --token-env 'Take the token from an environment variable, LOAD_DENSITY_SOCKET_TOKEN unless another is named, and fail when it is not set. Without any of these options the systemd credential ldctl.token is used when there is one, else that variable when it is set'
            cand --token-file 'Take the token from a file that only its owner can read. While it is being replaced, a second line holds the old one, which a server still accepts; a client sends the first. A server reads the file again on SIGHUP'
            cand --token 'The token itself. Other users of this machine can read it in the list of processes'
            cand --legacy 'Send an unframed request, for a LoadDensity server that was started without --framed. ldctl serve takes both'
            cand --tls 'Connect by TLS 1.2 or 1.3'
            cand --tls-insecure 'Trust whatever certificate the server shows: anyone on the way can then read the token'
            cand --token-prompt 'Ask for the token on the terminal, without echo'
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;run'= {
            cand --data-dir 'Directory that documents may read and write files in [default: the working directory]'
            cand --max-users 'Users that one test may have; a document that asks for more is refused'
            cand --max-test-time 'Seconds that one test may last; a document that asks for more is refused. A test without an end ends then'
            cand --max-tasks 'Tasks that one test may have; a document that has more is refused'
            cand --allow-target 'The only host or network that documents may reach: example.com, 10.0.0.0/8 or [2001:db8::/32], each with :PORT for that port alone; may be given several times [default: any but link-local addresses]'
            cand --output 'How replies are printed on stdout'
            cand -q 'Print no replies and no progress, only errors'
            cand --quiet 'Print no replies and no progress, only errors'
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;lint'= {
            cand --output 'How findings are printed on stdout'
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
        &'ldctl;completions'= {
            cand -v 'Say more on stderr: once for what happens, twice for every detail'
            cand --verbose 'Say more on stderr: once for what happens, twice for every detail'
            cand -h 'Print help (see more with ''--help'')'
            cand --help 'Print help (see more with ''--help'')'
        }
    ]
    $completions[$command]
}
