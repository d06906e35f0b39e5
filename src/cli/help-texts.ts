/** What `--help` teaches. */

/** Paragraphs without the line breaks of this file: they are broken where they are shown. */
export function prose(text: string): string {
  return text.replaceAll(/(?<!\n)\n(?!\n)/g, " ");
}

/** The first sentence, without its full stop. */
export function summary(text: string): string {
  return (text.split("\n")[0] ?? "").replace(/\.$/, "");
}

export const PROGRAM = `Parley: a real-time media server for AI agents, and the tools around it.

Two agents meet at a server, agree on terms and talk. Every frame of sound is signed by its speaker. Afterwards one
file proves offline who sent which frames to whom, and under what authority.`;

export const PROGRAM_AFTER = `
A first call, server and Bob in terminals of their own:
  parley keygen ada.key && parley keygen bob.key          make two agents; each prints its Agent-ID
  parley serve --registration open                        prints the URL and the certificate's hash
  parley answer --key bob.key --cert-hash HASH --echo     Bob says back what he hears
  parley call BOB --key ada.key --cert-hash HASH --in hello.wav --out heard.wav --evidence call.evidence
  parley verify call.evidence                             what can be proven about it

Results are on standard output, everything else on standard error. Exit codes are in docs/cli.md.`;

export const SERVE = `Run a media server.

It listens for WebTransport over QUIC on a UDP port, for AGTP and WebSockets over TLS on the TCP port of the same number, and on
127.0.0.1 for its page, health and metrics. It keeps its records, its identity and its certificate in one folder, which
belongs to one running server at a time. Log lines are JSON on standard error. SIGINT or SIGTERM stops it
in order: no new calls, then --grace seconds for those that are up; a second signal stops it at once.`;

export const SERVE_AFTER = `
Examples:
  parley serve --registration open            for trying things out: anybody who reaches it may register
  parley serve --port 0 --http-port 0 --json  free ports; url and certificate_hash as JSON when it is up
  parley serve --no-web-transport             where UDP cannot be had
  parley serve --host 0.0.0.0 --origin https://media.example:4480 \\
    --certificate-file fullchain.pem --certificate-key-file key.pem

A self-made certificate lasts 13 days, as browsers demand of certificates trusted by hash, and a fresh one is made when
the server starts with less than a day left: restart it before then. Agents trust it by the hash that is printed. Browsers
take such hashes for WebTransport alone: pages off this machine, and wss: from browsers, need --certificate-file.

A file for --config holds the settings by these names (dataFolder, certificateFile, …) and besides policyScope,
genesisIssuers, agentDisclosure, recordReading ("agent_only", "public" or "operator_only": who reads records with INSPECT), retentionDays (records
and what is kept of calls are erased when they are so old; default: kept), scopeViolationCode ("auto", 451, 455 or 262), limits, addressLimits and tlsLimits:
  {"port": 4480, "registration": "closed", "limits": {"sessions": 100}, "addressLimits": {"sockets": 1000}}

limits bound the server: sessions, 10,000 calls that are up or ring; streams, 40,000 of their media streams, each direction counted;
kilobits, 40,000,000 a second that these may send at the most; sessionsPerAgent, 64; ringingPerCaller, 16; agents, 100,000;
selfRegisteredAgents, 20,000 of them that nobody vouches for; connections, 20,000; connectionsPerAgent, 8 (tlsConnectionsPerAgent, 80); sessionTtl, 3,600 seconds; and requests a second after a burst: anonymousRate,
anonymousTotalRate, boundRate, agentRate, ownerRate, addressRate, registrationRate,
registrationTotalRate. docs/operations.md says what happens beyond each.

Beside --shared-folder nothing of a server is shared: each has a data folder of its own. In it, whichever server a proof was shown to,
no other takes it again, and rates per agent, owner and address count at all of them together.

addressLimits bound what one address (IPv6: one /64) has on the TCP ports: sockets, 256 connections at once; socketRate, 50 new
ones a second after a burst of 200; handshakes, 64 unfinished TLS handshakes; upgradeRate, 10 WebSockets a second after a burst of 60.
Addresses of this machine are exempt: everybody behind a proxy here has the same. Raise them for many agents behind one address, such
as bots on another machine.

tlsLimits bound the TLS port as a whole: handshakes, 512 unfinished ones, of which the oldest of the address that has most goes when
one more comes; handshakeRate, 250 begun a second after 16 at once, a third of it where the server is busy, while further ones wait and
addresses have their turns; connections,
20,000 of AGTP; idleSeconds, 60 without a request; pressedIdleSeconds, 10 while three quarters of connections are taken. A handshake, and the first line of a client that names no protocol, may take 10 s each.`;

export const TOKEN = `Make an access token.

It narrows what an agent may do at a server, for at most an hour. An issuer makes them for any agent, where the server's tokenIssuers
name it; the server's own identity does so at that server; an agent for itself. docs/tokens.md says what stands in one.`;

export const TOKEN_AFTER = `
Examples:
  parley keygen --new-issuer backend.json --issuer-name backend
  parley token --by backend.json --jwks > backend.jwks      what the server's setting names:
    {"tokenIssuers": [{"issuer": "backend", "jwks": "backend.jwks", "algorithms": ["EdDSA"]}]}
  parley token AGENT --by backend.json --audience https://media.example:4480 --scope 'communication:audio:*'
  parley token AGENT --by parley-data/server-identity.json  the server's own word
  parley token --by ada.key | parley call BOB --key ada.key --token-file -`;

export const DOCTOR = `Say what of this machine and its settings a server could not work with.

Looks at Node, the clock, native parts, Opus, the page, the data folder, the certificate, certificate authorities and keys of token issuers where the
settings name some, and the ports, one line each: ok, warning
or failed, what was found, and what to do about it. It binds the UDP port, or a free one where the server has it, and the TCP port, and dials
itself over QUIC and TLS. A server that runs is dialled over TLS and otherwise left alone.`;

export const DOCTOR_AFTER = `
Exit codes: 0 nothing failed, warnings are allowed; 24 something failed; 2 wrong usage.

Examples:
  parley doctor --data-folder parley-data
  parley doctor --config parley.json --json | jq '.findings[] | select(.state != "ok")'`;

export const KEYGEN = `Make an agent: a key, a Genesis that names it, and an identity document, in one file.

The file is the agent: whoever has it can speak as it. The Agent-ID, the hash of the Genesis, is printed. An agent without
an issuer vouches for itself, which a server with open registration takes and trust anchors do not.`;

export const KEYGEN_AFTER = `
Examples:
  parley keygen ada.key                                              an agent that vouches for itself
  parley keygen --new-issuer acme.issuer --issuer-name acme.example  one who vouches for agents
  parley keygen ada.key --issuer acme.issuer --trust trust.json      an agent of theirs, and the anchor to check it by
  parley keygen ada.key --name Ada --scope communication:audio:capture --scope communication:audio:transmit

Existing key files are never overwritten.`;

export const AGENT = `Register, look at and stop the agents of a server.

The server's own identity key, in its data folder, is what lets do this: whoever may read the folder operates the server. The server that
has the folder is asked over an ordinary connection, found by its running.json; where none runs the folder itself is opened, and the same is
done the same way. Everything is recorded, signed by the server, as done by the operator.`;

export const AGENT_AFTER = `
Examples:
  parley agent add ada.key                       let an agent in where registration is closed
  parley agent list --data /var/lib/parley
  parley agent suspend AGENT-ID --reason audit   its calls end at once; reinstate lets it on
  parley agent revoke AGENT-ID                   for good
  parley agent erase AGENT-ID                    and nothing of it is kept, but that something was
  parley agent erase --session SESSION-ID        the same of one call`;

export const CERT = `Make certificates to try mutual TLS with: an authority, and Agent Certificates.

An Agent Certificate, shown in the TLS handshake, stands for the proofs of the agent it names. Real ones come from an authority that somebody
runs with care; this one's key lies in a file. What servers make of them is in docs/certificates.md.`;

export const CERT_AFTER = `
Examples:
  parley cert authority my-authority
  parley serve --client-certificates asked --certificate-authority my-authority/authority.pem
  parley cert agent --authority my-authority --identity ada.key
  parley call BOB --key ada.key --certificate ada.pem --cert-hash HASH --tone

Existing files are never overwritten.`;

export const INSPECT = `Look at what a server recorded.

Every hash, signature and link is judged here before anything is shown. With --key an agent reads, on a server, what is its own; otherwise the operator
reads everything: on the server that has the data folder or, where none runs, in the folder itself, which records nothing.`;

export const INSPECT_AFTER = `
Examples:
  parley inspect session SESSION-ID --key ada.key --cert-hash HASH   the records of a call of Ada's
  parley inspect record AUDIT-ID --data parley-data                  any record
  parley inspect agent AGENT-ID                                      status and sessions
  parley inspect chain --json | jq .erased                           walk the whole chain

What was erased stands there as ERASED: the chain holds over it.`;

export const CALL = `Call an agent, say something, record the answer, hang up.

The call is up when the other end has answered and both signatures were checked. With --in or --tone the call ends
when nothing was heard for --linger seconds after the last word; otherwise when the other end hangs up, after --for
seconds, or with Ctrl-C.`;

export const CALL_AFTER = `
Examples:
  parley call AGENT-ID --key ada.key --cert-hash HASH --in hello.wav --out heard.wav
  parley call AGENT-ID --key ada.key --cert-hash HASH --tone --evidence call.evidence --keep heard.frames
  parley call AGENT-ID --key ada.key --url https://media.example:4480/agtp --out heard.wav --for 30 --json
  parley call agtp://AGENT-ID@media.example --key ada.key --out heard.wav
  parley call agtp://media.example/agents/Reader --key ada.key --tone

An agtp:// URI with a host says where to connect, port 4480 unless it names another; --server wins over it.`;

export const ANSWER = `Wait for calls and take them, one at a time; a second caller is told that the agent is busy.

Prints its Agent-ID when it is online. Runs until Ctrl-C, or until one call is over with --once. Files of a second call
get a number: heard.wav, heard-2.wav.`;

export const ANSWER_AFTER = `
Examples:
  parley answer --key bob.key --cert-hash HASH --echo                        say back what is heard
  parley answer --key bob.key --cert-hash HASH --in hello.wav --out heard.wav --once
  parley answer --key bob.key --cert-hash HASH --busy                        try how a caller takes it`;

export const DISCOVER = `Look at a server: its manifest, methods or agents.

Asks by AGTP over TLS, as any AGTP program can, and without an identity: what the server shows everybody. The manifest's signature is
checked against the server's own Genesis; signed_by is the Agent-ID whose key it is.`;

export const DISCOVER_AFTER = `
Examples:
  parley discover agtp://127.0.0.1 --cert-hash HASH
  parley discover agtp://media.example /methods
  parley discover agtp://media.example --json | jq .manifest.policies`;

export const VERIFY = `Judge the evidence of a call, offline.

Every line says who vouches for it: issuer-signed, speaker-signed, listener-signed, both, or server-claimed, which is
nobody but the server. Trust comes from --trust, never from the file. --media proves that kept frames belong to the call,
--wav makes sound of those that do, and --ivf writes their video. Frames that were played from an earlier call are
marked as recorded; --source and --source-media prove that they are what was said there.`;

export const VERIFY_AFTER = `
Exit codes: 0 verified; 1 invalid: changed, incomplete or contradicting itself; 3 consistent, not anchored: no anchor
given vouches for somebody in it; 2 wrong usage, or a file that cannot be read.

Examples:
  parley verify call.evidence
  parley verify call.evidence --trust trust.json
  parley verify call.evidence --trust trust.json --media heard.frames --wav proven.wav
  parley verify call.evidence --json | jq .verdict

A trust file lists issuers' keys and agents:
  {"anchors": [{"type": "key", "value": "BASE64URL"}, {"type": "agent", "value": "AGENT-ID"}]}
parley keygen --trust and parley serve --trust write one.`;

export const BOTS = `Load a server with calls between bots, and say how they went.

A bot is a whole agent: it proves who it is, signs every frame and verifies what it hears. It says speech that was made and encoded
beforehand, so that it is cheap. The two bots of a call take turns of 1 to 4 s, 0.65 s apart; with --duplex both speak at once. With --media video or av both
show a clip all the time, encoded beforehand in three sizes, and follow what the call wants of an encoder. They run in processes of their own, beside a
server given or started for the run.`;

export const BOTS_AFTER = `
Ranges like 10s..20s or 16k..32k are drawn for every bot from the seed; the same seed gives the same plan. --network puts each bot
behind a network of its own with these conditions both ways, so that they count twice between two bots: wifi 5±2 ms, 1 % lost;
lossy-wifi 15±10 ms, 5 %; cellular 50±15 ms, 2 %, 30 Mbit/s; congested 80±40 ms, 10 %, 10 Mbit/s; satellite 600±30 ms, 3 %; none. Of a list
each bot draws one. Figures may be set or changed, and be ranges: cellular+rate=1m..3m, delay=20ms..80ms+jitter=5ms+loss=1..3%.

Latency counts from the capture time that the speaker signed, the start of the frame's 20 ms, until the listener has verified it:
bots and clocks of one machine. A tester whose event loop is late by more than 40 ms at p99, or that skips one frame interval in
1,000, says so: its figures may then be its own and not the server's.

Reliable data is read complete and in order, whatever the network; of latest values older than 500 ms none is sent or read.

Video is frozen where it stands still for three times its usual pace and 150 ms more, or does not begin within 2 s. A/V skew is told by end: the middle end's p50 and p95,
and the worst end's p95; and the share of all that was shown which was apart from the voice by 40 ms or more. Adaptations are changes of the terms that both bots of a call agreed on, by why.

Exit codes: 0 every call went well; 25 the data is partial; 26 complete, but the bots could not keep their schedule; 2 wrong usage.

Examples:
  parley bots --calls 10 --duration 20s                              a server of its own on this machine
  parley bots --calls 100 --duration 10s..20s --ramp 10s --network wifi,cellular,none --seed 7
  parley bots --calls 10 --duration 30s --media av --data latest --network cellular+rate=600k..2m
  parley bots --calls 50 --duration 1m --server https://127.0.0.1:4480/agtp --cert-hash HASH --jsonl run.jsonl`;
